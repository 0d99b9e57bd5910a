/* One caller's use of a model on a device: weights there, memory planned, forward, backward, optimizer. Train and the public
 * API use this; nothing above it sees the device. */
#ifndef REEL_MODELS_RUN_H
#define REEL_MODELS_RUN_H

#include "models/model.h"

typedef enum reel_loss_kind { REEL_LOSS_SINGLE, REEL_LOSS_MULTI, REEL_LOSS_REGRESSION } reel_loss_kind;

/* How a loss is made from logits (B, K). Formulas: docs/design.md. */
typedef struct reel_loss {
    reel_loss_kind kind;
    double label_smoothing;      /* SINGLE */
    const int64_t *label;        /* SINGLE: B numbers; -100 takes no part */
    const float *target;         /* MULTI (B, K), REGRESSION (B, K) */
    double items;                /* what the sum over clips is divided by: clips that count in all micro batches of the step
                                  * (a clip's MULTI or REGRESSION loss is its mean over K) */
} reel_loss;

/* The loss of logits on the host; dlogits (B, K) may be NULL. NaN where nothing counts. */
double reel_loss_compute(const reel_loss *loss, const float *logits, size_t batch, size_t labels, float *dlogits);

typedef enum reel_run_mode { REEL_RUN_INFER, REEL_RUN_TRAIN } reel_run_mode;

typedef struct reel_run_settings {
    size_t max_batch;
    reel_run_mode mode;
    reel_precision precision;   /* as wanted; the run takes what reel_precision_usable gives */
    bool checkpointing;         /* TRAIN: a layer keeps only its input, and is walked again in the backward (Chen et al. 2016,
                                 * arXiv:1604.06174): the same numbers, less memory, a forward more */
    reel_model *release;        /* TRAIN: the model itself, whose weights in host memory are given back as soon as the device has
                                 * them and before the other blocks are touched; NULL: they are kept */
} reel_run_settings;

/* What a run of a usable precision computes in: the kind of its large weights, and the type of its activations, which is bfloat16 for int8
 * too where bfloat16 itself is slow: few products are left in it, and attention has its own. */
reel_pack reel_run_pack(reel_precision precision);
reel_dtype reel_run_dtype(reel_precision precision);

/* backend NULL: the context's own (closed with the run); tests give another. */
reel_status reel_run_open_with(const reel_model *model, const reel_run_settings *settings, reel_backend *backend,
                               reel_run **out, reel_error *err);

/* Bytes that a run will hold, by what they are for; computed without allocating. */
typedef struct reel_run_parts {
    uint64_t weights;      /* float32, as the run keeps them */
    uint64_t packed;       /* other layouts and types of them, for the products */
    uint64_t gradients, moments;
    uint64_t activations;  /* of the clips that go through the layers together */
    uint64_t clips;        /* pixels, logits, hidden states on the device */
    uint64_t total;
    size_t chunk;          /* clips that go through the layers together */
} reel_run_parts;
reel_status reel_run_plan(const reel_model *model, const reel_run_settings *settings, reel_run_parts *out, reel_error *err);

/* One micro batch: forward, loss, backward. accumulate: add to the gradients; else write them. logits (B, K) may be NULL.
 * dropout_draw: a number that differs for every micro batch of the run. */
reel_status reel_run_train(reel_run *run, const float *pixels, size_t batch, const reel_loss *loss, bool accumulate,
                           uint64_t seed, uint64_t dropout_draw, double *loss_value, float *logits, reel_error *err);

/* Norm of all gradients, as torch's clip_grad_norm_ computes it (norms of tensors in float32, then of those). */
reel_status reel_run_grad_norm(reel_run *run, double *norm, reel_error *err);

typedef struct reel_adamw_options { double lr, beta1, beta2, epsilon, weight_decay, grad_scale; int64_t step; } reel_adamw_options;
reel_status reel_run_adamw(reel_run *run, const reel_adamw_options *o, reel_error *err);  /* step: 1, 2, … */

/* Blocks of params.floats numbers to and from host memory. Moments are zero after opening. */
typedef enum reel_run_block { REEL_BLOCK_WEIGHTS, REEL_BLOCK_GRADS, REEL_BLOCK_EXP_AVG, REEL_BLOCK_EXP_AVG_SQ } reel_run_block;
reel_status reel_run_get(reel_run *run, reel_run_block block, float *host, reel_error *err);
reel_status reel_run_set(reel_run *run, reel_run_block block, const float *host, reel_error *err);
/* A block of a training run to be read: where it lies if the host can read it there, else in *copy, which the caller frees (it may
 * be NULL). Valid until the run is used again. */
reel_status reel_run_lend(reel_run *run, reel_run_block block, const float **out, float **copy, reel_error *err);
/* Parameter i of a block of a training run, from its count numbers. */
reel_status reel_run_set_param(reel_run *run, reel_run_block block, size_t i, const void *numbers, reel_error *err);

#endif
