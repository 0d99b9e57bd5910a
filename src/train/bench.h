/* Between the files of reel_bench. */
#ifndef REEL_TRAIN_BENCH_H
#define REEL_TRAIN_BENCH_H

#include <reel/bench.h>

#include "models/run.h"

typedef struct reel_bencher {
    reel_context *ctx;
    double seconds;              /* for a figure, about */
    size_t batch;                /* of a training step */
    const char *model_dir;       /* "" for random weights of config */
    const char *config;          /* a file */
    reel_model *model;           /* with weights in memory */
    float *pixels;               /* batch clips */
    size_t clip_floats;
} reel_bencher;

/* Does `once` until the time is over, at least twice after one that is not counted; *median: seconds of one. */
typedef reel_status (*reel_once_fn)(void *user, reel_error *err);
reel_status reel_bench_time(const reel_bencher *b, double seconds, reel_once_fn once, void *user, double *median, reel_error *err);

reel_status reel_bench_model(const reel_bencher *b, reel_model **out, reel_error *err);

/* bench_run.c: each fills its figures of *p. */
reel_status reel_bench_products(const reel_bencher *b, reel_bench_precision *p, reel_error *err);
reel_status reel_bench_forward(const reel_bencher *b, double gflop, reel_bench_precision *p, reel_error *err);
reel_status reel_bench_step(const reel_bencher *b, reel_bench_precision *p, reel_error *err);

/* bench_feed.c: decodes a synthetic video, made in `dir`. */
reel_status reel_bench_feed(const reel_bencher *b, const char *dir, reel_bench_report *r, reel_error *err);

#endif
