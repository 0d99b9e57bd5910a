/* What this machine does with a model: rates, times, memory. */
#ifndef REEL_BENCH_H
#define REEL_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <reel/args.h>
#include <reel/context.h>
#include <reel/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Figures of one precision. Where the processor computes in another one (`used`), nothing is measured: the row of that one
 * tells. NaN: not measured. */
typedef struct reel_bench_precision {
    reel_precision wanted, used;
    const char *why;                /**< why another one is used, or NULL; static */
    const char *path;               /**< instructions of the products: "AMX", "AVX-512 bf16", …; static */
    double product_rate;            /**< of a layer's four products alone: 10^9 operations a second, all threads */
    double forward_seconds;         /**< of one clip, median */
    double forward_rate;            /**< 10^9 operations of products and attention a second, the whole forward */
    double product_share;           /**< part of the forward that its products alone would take, 0 to 1 */
    double step_seconds;            /**< of a training step, median; int8: NaN */
    uint64_t step_memory;           /**< bytes: peak of this process while it trained; 0: not measured */
} reel_bench_precision;

/** What a bench came to. Allocated by the library; fields may be added at the end. */
typedef struct reel_bench_report {
    const char *machine, *isa;      /**< the processor in words; instruction set of the library's own kernels */
    int threads;
    const char *model;              /**< "VideoMAE, 22.0 M parameters, 16 frames of 224x224" */
    double gflop_forward;           /**< of one clip */
    size_t step_clips;              /**< clips of a training step */
    size_t precisions;
    const reel_bench_precision *precision;  /**< float32, bfloat16, int8 */
    const char *video;              /**< what was decoded: "320x240 MPEG-4, 25 fps" */
    double clip_seconds;            /**< decoding and transforming a training clip, one thread, median */
    double clips_per_second;        /**< the same with the loader's threads, nothing else running */
    int loader_threads;
} reel_bench_report;

/** Called before each figure: what is measured now, how many figures are done of how many. Return false to stop. */
typedef bool (*reel_bench_fn)(const char *what, int done, int total, void *user);

/** `reel bench`. Files that it needs are made in the context's cache_dir (else /tmp) and removed. `fn` may be NULL. */
REEL_API reel_status reel_bench(reel_context *ctx, const reel_args *args, reel_bench_fn fn, void *user, reel_bench_report **out,
                                reel_error *err);
REEL_API void reel_bench_report_close(reel_bench_report **report);

#ifdef __cplusplus
}
#endif
#endif
