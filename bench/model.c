/* Times the forward or a training step of a model with random weights, in one process, for bench/run.
 *   bench_model CONFIG forward|train BATCH ROUNDS [THREADS [fp32|bf16|int8 [checkpointing]]]
 * Prints one JSON line: median, least and most seconds of a pass, clips a pass, peak memory of the process. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "base/rng.h"
#include "models/run.h"

enum { MOST_ROUNDS = 101 };

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static reel_status forward_once(reel_run *run, const float *pixels, size_t batch, float *logits, reel_error *err)
{
    return reel_run_forward(run, pixels, batch, logits, NULL, err);
}

/* What a step of the Trainer does: forward, loss, backward, clip, AdamW. */
static reel_status train_once(reel_run *run, const float *pixels, size_t batch, int64_t step, reel_error *err)
{
    int64_t label[64] = {0};
    double value, norm;
    const reel_loss loss = {.kind = REEL_LOSS_SINGLE, .label = label, .items = (double)batch};
    reel_status status = reel_run_train(run, pixels, batch, &loss, false, 0, (uint64_t)step, &value, NULL, err);
    if (status == REEL_OK)
        status = reel_run_grad_norm(run, &norm, err);
    if (status != REEL_OK)
        return status;
    double scale = 1.0 / (norm + 1e-6);
    const reel_adamw_options o = {.lr = 5e-5, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .grad_scale = scale < 1 ? scale : 1,
                                  .step = step};
    return reel_run_adamw(run, &o, err);
}

static reel_status bench(reel_context *ctx, const char *config, const reel_run_settings *settings, int rounds, reel_error *err)
{
    const bool train = settings->mode == REEL_RUN_TRAIN;
    const size_t batch = settings->max_batch;
    reel_model *model = NULL;
    reel_run *run = NULL;
    float *pixels = NULL, *logits = NULL;
    double time[MOST_ROUNDS];
    reel_status status = REEL_OK;
    reel_run_settings released = *settings;
    const reel_load_options options = {.seed = 42};
    REEL_TRY(reel_model_create(ctx, config, &options, &model, err));
    const reel_config *c = &model->config;
    size_t n = batch * (size_t)c->frames * (size_t)c->channels * (size_t)c->height * (size_t)c->width;
    pixels = reel_alloc_aligned(n, sizeof *pixels);
    logits = reel_alloc_aligned(batch * (size_t)c->labels, sizeof *logits);
    if (pixels == NULL || logits == NULL) {
        status = reel_fail_nomem(err, "bench");
        goto done;
    }
    reel_mt mt;
    reel_mt_seed(&mt, 1);
    reel_mt_normal(&mt, pixels, n, 1.0f);
    released.release = model;
    REEL_TRY(reel_run_open_with(model, &released, NULL, &run, err));
    for (int r = -1; r < rounds; r++) {
        double start = reel_now();
        REEL_TRY(train ? train_once(run, pixels, batch, r + 2, err) : forward_once(run, pixels, batch, logits, err));
        if (r >= 0)
            time[r] = reel_now() - start;
    }
    qsort(time, (size_t)rounds, sizeof *time, by_value);
    printf("{\"median\": %.6f, \"least\": %.6f, \"most\": %.6f, \"clips\": %zu, \"peak_mib\": %lld, \"precision\": \"%s\"}\n", time[rounds / 2], time[0],
           time[rounds - 1], batch, (long long)(reel_memory_peak() >> 20), reel_precision_name(reel_run_precision(run)));
done:
    reel_run_close(&run);
    reel_model_close(&model);
    reel_free(pixels);
    reel_free(logits);
    return status;
}

int main(int argc, char **argv)
{
    reel_error err = {0};
    reel_context *ctx = NULL;
    long batch = argc > 3 ? strtol(argv[3], NULL, 10) : 0, rounds = argc > 4 ? strtol(argv[4], NULL, 10) : 0;
    if (argc < 5 || batch < 1 || batch > 64 || rounds < 1 || rounds > MOST_ROUNDS) {
        fprintf(stderr, "usage: bench_model CONFIG forward|train BATCH ROUNDS [THREADS [fp32|bf16|int8 [checkpointing]]]\n");
        return 2;
    }
    reel_run_settings settings = {.max_batch = (size_t)batch, .mode = strcmp(argv[2], "train") == 0 ? REEL_RUN_TRAIN : REEL_RUN_INFER,
                                  .checkpointing = argc > 7};
    if (argc > 6 && !reel_precision_parse(argv[6], &settings.precision)) {
        fprintf(stderr, "bench_model: '%s' is no precision\n", argv[6]);
        return 2;
    }
    reel_status status = reel_context_open(&ctx, &err);
    if (status == REEL_OK && argc > 5)
        status = reel_context_set(ctx, "threads", argv[5], &err);
    if (status == REEL_OK)
        status = bench(ctx, argv[1], &settings, (int)rounds, &err);
    if (status != REEL_OK)
        fprintf(stderr, "bench_model: %s\n", err.message);
    reel_context_close(&ctx);
    return status == REEL_OK ? 0 : 1;
}
