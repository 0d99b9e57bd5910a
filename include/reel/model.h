/* Models: open a checkpoint folder, ask what is in it, compute logits. */
#ifndef REEL_MODEL_H
#define REEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <reel/args.h>
#include <reel/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct reel_model reel_model;  /**< config, labels, weights, processor: not changed by inference, so threads may share it */
typedef struct reel_run reel_run;      /**< one caller's memory and primitives for a model; not shared between threads */

/** Opens a checkpoint folder as transformers saves it: config.json, and the first of model.safetensors, its shards,
 * pytorch_model.bin (of torch 1.6 or later; nothing in it is executed) and its shards. Float32, float16, bfloat16 and float64
 * numbers are read; names of older versions and of wrapped models are understood. *out is NULL on failure.
 * REEL_ERR_NOT_FOUND: no such folder, config or weights, or a tensor of the model is missing; REEL_ERR_FORMAT: damaged;
 * REEL_ERR_MISMATCH: a tensor has another shape than config.json wants; REEL_ERR_NUMERIC: a weight is not finite;
 * REEL_ERR_UNSUPPORTED: another architecture. */
REEL_API reel_status reel_model_open(reel_context *ctx, const char *dir, reel_model **out, reel_error *err);

/** Frees the model and sets *model to NULL. NULL and &(reel_model *){NULL} are fine. */
REEL_API void reel_model_close(reel_model **model);

/** What a caller must know to feed a model. Returned by value into the caller's struct of `size` bytes (sizeof). */
typedef struct reel_model_info {
    size_t size;                    /**< set by the caller to sizeof(reel_model_info) */
    const char *model_type;         /**< "videomae" */
    const char *architecture;       /**< "VideoMAEForVideoClassification" */
    int64_t parameters;             /**< numbers in the weights */
    int frames, channels, height, width;  /**< of a clip: T, C, H, W */
    int labels;                     /**< K */
    int hidden_size, layers, heads, tokens;  /**< D, L, h, N */
    double gflop_forward;           /**< multiplications and additions of one clip's forward, in 10^9 */
} reel_model_info;

/** Fills *info; strings are owned by the model. REEL_ERR_ARG: info->size is not one that this library knows. */
REEL_API reel_status reel_model_get_info(const reel_model *model, reel_model_info *info, reel_error *err);

/** Name of label k, 0 <= k < labels; NULL outside. Owned by the model. */
REEL_API const char *reel_model_label(const reel_model *model, int k);

/** What products are computed in. Softmax, norms' statistics, the residual stream and logits are float32 in all of them. */
typedef enum reel_precision {
    REEL_PRECISION_FLOAT32,
    REEL_PRECISION_BFLOAT16,  /**< products of bfloat16 numbers, sums in float32 */
    REEL_PRECISION_INT8       /**< inference: weights quantised a channel, activations a token; the rest as BFLOAT16 */
} reel_precision;

/** "float32", "bfloat16", "int8". */
REEL_API const char *reel_precision_name(reel_precision p);

/** "float32", "fp32", "bfloat16", "bf16", "int8"; false for others. */
REEL_API bool reel_precision_parse(const char *name, reel_precision *out);

/** The precision that the context's processor computes `wanted` in: itself where the processor has fast instructions for it,
 * else the fastest that is at least as exact; nothing is emulated slowly. A rule of the processor, so the same at every call.
 * *why (may be NULL): one sentence when it is another one, else NULL; static. */
REEL_API reel_precision reel_precision_usable(const reel_context *ctx, reel_precision wanted, const char **why);

/** Plans memory and primitives for batches of up to `max_batch` clips in float32. *out is NULL on failure. The model must
 * outlive it. REEL_ERR_NOMEM: more than the context's max_memory or than the machine has; the message gives both figures. */
REEL_API reel_status reel_run_open(const reel_model *model, size_t max_batch, reel_run **out, reel_error *err);

/** The same in another precision, or in the one that reel_precision_usable gives for it. */
REEL_API reel_status reel_run_open_as(const reel_model *model, size_t max_batch, reel_precision precision, reel_run **out,
                                      reel_error *err);

/** What a run computes in. */
REEL_API reel_precision reel_run_precision(const reel_run *run);

REEL_API void reel_run_close(reel_run **run);

/** Computes the logits of a batch of clips.
 *
 * @param run     planned for at least `batch`
 * @param pixels  float32 (B, T, C, H, W), row-major, normalised with the processor's mean and std; borrowed until return
 * @param batch   B, from 1 to the run's max_batch
 * @param logits  out: float32 (B, K), untouched on failure
 * @param hidden  out: float32 (B, N, D), transformers' last_hidden_state; NULL where not wanted
 * @return REEL_OK; REEL_ERR_ARG: batch out of range; REEL_ERR_BACKEND: the device failed; REEL_ERR_CANCELLED
 *
 * Follows VideoMAE (arXiv:2203.12602); equals VideoMAEForVideoClassification of transformers within 1e-4 in float32
 * (tests/golden). */
REEL_API reel_status reel_run_forward(reel_run *run, const float *pixels, size_t batch, float *logits, float *hidden,
                                      reel_error *err);

/** `reel forward`: pixel_values (B,T,C,H,W) float32 from one safetensors file, logits (B,K) to another. */
REEL_API reel_status reel_forward(reel_context *ctx, const reel_args *args, reel_error *err);

/** One stored tensor of a checkpoint, for `reel model info`. */
typedef struct reel_tensor_info {
    const char *name;
    const char *dtype;   /**< "F32", "BF16", … as in safetensors */
    int rank;
    int64_t shape[8];
    int64_t bytes;
    const char *use;     /**< "" used as it is, "unused" by this model */
} reel_tensor_info;

/** What a checkpoint folder holds. Allocated by the library; fields may be added at the end. */
typedef struct reel_checkpoint_info {
    reel_model_info model;
    size_t tensors;
    const reel_tensor_info *tensor;
    size_t missing;                 /**< tensors of a classification model that the file lacks (a fresh head) */
    const char *const *missing_name;
    const char *const *label;       /**< model.labels names */
    const char *processor;          /**< the processor's file as JSON text, or NULL */
    double image_mean[3], image_std[3];
    int64_t file_bytes;
    const char *weights;            /**< name of the file of the weights, or of the index of its shards */
} reel_checkpoint_info;

/** `reel model info`: reads a folder and checks every header and tensor; a pre-training checkpoint is fine. */
REEL_API reel_status reel_checkpoint_info_open(reel_context *ctx, const reel_args *args, reel_checkpoint_info **out,
                                               reel_error *err);
REEL_API void reel_checkpoint_info_close(reel_checkpoint_info **info);

/** `reel model new`: a randomly initialised model folder, as transformers draws it for the same seed. */
REEL_API reel_status reel_model_new(reel_context *ctx, const reel_args *args, reel_error *err);

/** `reel model convert`: all tensors of a checkpoint, in whatever form it is stored, as float32, bfloat16 or float16 (to nearest,
 * ties to even) in one safetensors file of a new folder, with config, labels and processor, under the names that transformers
 * saves; a pre-training checkpoint is fine. The folder is whole or not there.
 * REEL_ERR_NUMERIC names the tensor with a number that is not finite, or too large for the type. */
REEL_API reel_status reel_model_convert(reel_context *ctx, const reel_args *args, reel_error *err);

#ifdef __cplusplus
}
#endif
#endif
