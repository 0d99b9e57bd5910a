/* The inside of a reel_run. */
#ifndef REEL_MODELS_RUN_STATE_H
#define REEL_MODELS_RUN_STATE_H

#include "models/arch.h"
#include "models/run.h"

struct reel_run {
    const reel_model *model;
    reel_run_mode mode;
    reel_precision precision;
    bool checkpointing;
    size_t max_batch;
    size_t chunk;            /* clips that go through the layers together */
    reel_backend *be;
    bool own_backend;
    reel_pass pass;          /* arena, blocks, cache */
    float *block[4];         /* device, by reel_run_block; only weights in inference */
    void *arena; size_t arena_bytes;
    float *constants, *pixels, *logits, *dlogits, *hidden;  /* device; pixels and below of one chunk */
    double *sums;            /* device: one a parameter */
    reel_weight *packed;     /* inference: one a parameter */
    bool *planned;           /* by number of clips: the back end has seen a walk of that size */
    float *host_logits;      /* max_batch */
    float *host_dlogits;     /* chunk */
    double *host_sums;
};

/* --- planning (run_plan.c) --- */

/* A run that can be measured, and has no device yet. */
reel_status reel_run_begin(const reel_model *model, const reel_run_settings *settings, reel_run **out, reel_error *err);
/* Walks over a table that does nothing: the arena's peak and the rest give what a run will hold. */
reel_status reel_run_make_plan(reel_run *run, reel_run_parts *out, reel_error *err);

/* How many parameters from i on lie in the packed weight that begins there; 0: none does. */
size_t reel_run_packed_params(const reel_run *run, size_t i);

size_t reel_run_constants(const reel_model *m);  /* numbers */
size_t reel_run_pixels(const reel_model *m);   /* numbers of one clip */
size_t reel_run_tokens(const reel_model *m);   /* numbers of one clip's last_hidden_state */

/* Walks once while the back end plans, unless it has for that number of clips. */
reel_status reel_run_prepare(reel_run *run, size_t clips, reel_error *err);

/* One walk over `clips` clips that lie in run->pixels. */
void reel_run_walk(reel_run *run, size_t clips, bool train, bool hidden);
void reel_run_walk_back(reel_run *run);

/* The first failure of back end or walk since it was last asked. */
reel_status reel_run_settle(reel_run *run, reel_error *err);

/* Brings the weights to the device, from params.floats numbers or (NULL) from the model, packed where the run has them so. */
reel_status reel_run_load(reel_run *run, const float *weights, reel_error *err);

#endif
