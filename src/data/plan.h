/* Clip plans: all that a clip depends on, fixed before any thread touches it. */
#ifndef REEL_DATA_PLAN_H
#define REEL_DATA_PLAN_H

#include <stdint.h>

#include "data/dataset.h"
#include "transforms/transform.h"

typedef enum reel_frames_mode {
    REEL_FRAMES_RANDOM,   /* a window of `seconds` at start_u of what is left, subsampled */
    REEL_FRAMES_WINDOW,   /* the window [clip * seconds, (clip + 1) * seconds), subsampled */
    REEL_FRAMES_VIEW,     /* window `clip` of `clips` spread evenly over the video (papers' views) */
    REEL_FRAMES_WHOLE     /* floor(i n / T): what transformers' pipeline takes */
} reel_frames_mode;

typedef struct reel_plan {
    const reel_item *item;      /* NULL: packed, row `row` */
    size_t row;
    int label;
    reel_frames_mode mode;
    double seconds;             /* length of a window */
    int clip, clips;            /* WINDOW, VIEW */
    int crop, crops;            /* multi-view */
    double start_u;             /* RANDOM: 53-bit uniform in [0, 1) */
    reel_transform_draws draws;
} reel_plan;

/* The draws of sample `sample` in epoch `epoch`: Philox of the seed. */
void reel_plan_draw(reel_plan *plan, uint64_t seed, uint32_t epoch, uint64_t sample);

/* Number of whole windows of `seconds` in a video of `duration` (at least 1): the guide's uniform sampler. */
int reel_uniform_clips(double duration, double seconds);

/* What carrying out a plan tells besides the pixels. */
typedef struct reel_plan_trace {
    int64_t *index;    /* T frame numbers in display order; caller's, may be NULL */
    double *time;      /* T seconds; caller's, may be NULL */
    int sampled;       /* distinct frames behind them */
    bool repeated;     /* fewer frames than T: some repeat */
    double duration;
    int64_t frames;    /* in the video, -1 unknown */
    int64_t promised;  /* frames that the container promises, where the file breaks off well before; else 0 */
} reel_plan_trace;

/* A warning where the video broke off early: "NAME: truncated after frame N of M". */
void reel_plan_warn(reel_context *ctx, const reel_plan_trace *trace, const char *name);

/* Decodes and transforms: T frames into out (T, C, H, W). The one way from a file to pixels. `frames` is T. */
reel_status reel_plan_carry_out(reel_context *ctx, const reel_plan *plan, const reel_transform *transform, int frames,
                                bool autorotate, int codec_threads, float *out, reel_plan_trace *trace, reel_error *err);

/* The same, with a cache of decoded frames (data/cache.h; NULL: none): what it has is not decoded again, what it has room for is put in. The same
 * bits in `out` and the same trace. */
struct reel_cache;
reel_status reel_plan_carry_out_cached(reel_context *ctx, const reel_plan *plan, const reel_transform *transform, int frames,
                                       bool autorotate, int codec_threads, struct reel_cache *cache, float *out,
                                       reel_plan_trace *trace, reel_error *err);

/* Fills item->duration (opens the file's header only, where that tells). */
reel_status reel_item_probe(reel_context *ctx, reel_item *item, bool autorotate, reel_error *err);

#endif
