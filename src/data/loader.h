/* Loader threads: carry out plans ahead of the consumer, in order, with results that do not depend on their number. */
#ifndef REEL_DATA_LOADER_H
#define REEL_DATA_LOADER_H

#include "data/plan.h"

typedef struct reel_loader reel_loader;

typedef struct reel_loader_config {
    const reel_dataset *dataset;
    const reel_plan *plan; size_t plans;  /* in order; borrowed until close */
    size_t batch;                         /* clips in a batch; the last may be smaller */
    const reel_transform *transform;
    int frames;                           /* T */
    size_t clip_floats;                   /* T C H W */
    int threads;                          /* dataloader_num_workers; at least 1 */
    int ahead;                            /* batches kept ready; at least 1 */
    bool autorotate;
    struct reel_cache *cache;             /* data/cache.h: decoded frames kept from epoch to epoch; NULL: none */
    bool skip_truncated;                  /* a video that breaks off counts as unreadable; else what decodes is used */
} reel_loader_config;

typedef struct reel_bad_clip { size_t plan; char *reason; } reel_bad_clip;

typedef struct reel_batch {
    float *pixels;            /* (n, T, C, H, W), borrowed until the next call */
    size_t n;                 /* clips that could be read */
    const int64_t *label;     /* n */
    const size_t *plan;       /* n: place in config.plan */
    size_t planned;           /* clips that the batch should have had */
    const reel_bad_clip *bad; size_t bads;   /* planned - n of them */
    double waited;            /* seconds that this call waited */
} reel_batch;

reel_status reel_loader_open(reel_context *ctx, const reel_loader_config *config, reel_loader **out, reel_error *err);
/* The next batch; *out NULL at the end. A clip that cannot be read makes the batch smaller (n may be 0) and is no error. */
reel_status reel_loader_next(reel_loader *loader, const reel_batch **out, reel_error *err);
void reel_loader_close(reel_loader **loader);

#endif
