/* Clips through the model: loader, forward, one callback a clip. Evaluation while training and `reel evaluate` are
 * this. */
#ifndef REEL_TRAIN_SCORE_H
#define REEL_TRAIN_SCORE_H

#include "data/loader.h"
#include "models/run.h"

/* One clip's logits, in the order of the plans. */
typedef reel_status (*reel_scored_fn)(const reel_plan *plan, const float *logits, void *user, reel_error *err);
/* A clip that could not be read. */
typedef reel_status (*reel_unscored_fn)(const reel_plan *plan, const char *reason, void *user, reel_error *err);
/* A batch is done. False: stop, REEL_ERR_CANCELLED. */
typedef bool (*reel_score_step_fn)(size_t batch, size_t batches, void *user);

typedef struct reel_scoring {
    reel_run *run;
    size_t run_batch;              /* what `run` was planned for */
    size_t labels;
    reel_loader_config loader;     /* plans, batch, transform, threads */
    reel_scored_fn scored;
    reel_unscored_fn unscored;
    reel_score_step_fn step;       /* may be NULL */
    void *user;
    /* out */
    double waited;                 /* seconds */
} reel_scoring;

reel_status reel_score_clips(reel_context *ctx, reel_scoring *s, reel_error *err);

/* Loader threads for --dataloader_num_workers (0: chosen). A packed file needs one. */
int reel_train_loaders(const reel_context *ctx, int64_t wanted, bool is_packed);

/* --dataloader_cache_mb as bytes. */
size_t reel_cache_bytes(int64_t megabytes);

/* A packed file's clips must be the model's: the message names both shapes. */
reel_status reel_packed_check(const reel_dataset *ds, const reel_config *config, reel_error *err);

/* A reason without the path in front that whoever shows it puts there. */
const char *reel_reason_short(const char *reason, const char *path);

#endif
