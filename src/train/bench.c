/* reel_bench: what this processor is, which paths it takes, and what it reaches on them. */
#include "train/bench.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args/args.h"
#include "args/jobs.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"

enum { PRECISIONS = 3, MOST_ROUNDS = 1000, LEAST_ROUNDS = 2 };

/* VideoMAE-small, but with random weights: a size that shows what the processor reaches, in seconds. */
static const char own_config[] =
    "{\"architectures\": [\"VideoMAEForVideoClassification\"], \"model_type\": \"videomae\", \"image_size\": 224, "
    "\"patch_size\": 16, \"num_channels\": 3, \"num_frames\": 16, \"tubelet_size\": 2, \"hidden_size\": 384, "
    "\"num_hidden_layers\": 12, \"num_attention_heads\": 6, \"intermediate_size\": 1536, \"hidden_act\": \"gelu\", "
    "\"qkv_bias\": true, \"use_mean_pooling\": true, \"num_labels\": 10}\n";

typedef struct owned_report {
    reel_bench_report shown;
    reel_bench_precision precision[PRECISIONS];
    char model[256];
    char *machine;
} owned_report;

typedef struct bench_state {
    reel_bencher b;
    reel_bench_fn fn; void *user;
    int done, total;
    char *dir, *config;      /* of its own: a folder, a file in it */
    owned_report *report;
} bench_state;

/* --- time --- */

static int by_value(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

reel_status reel_bench_time(const reel_bencher *b, double seconds, reel_once_fn once, void *user, double *median, reel_error *err)
{
    double *time = reel_calloc(MOST_ROUNDS, sizeof *time);
    reel_status status = time != NULL ? once(user, err) : reel_fail_nomem(err, "bench");
    const double began = reel_now();
    int n = 0;
    while (status == REEL_OK && n < MOST_ROUNDS && (n < LEAST_ROUNDS || reel_now() - began < seconds)) {
        const double start = reel_now();
        status = reel_cancelled(b->ctx) ? reel_fail_cancelled(err) : once(user, err);
        time[n++] = reel_now() - start;
    }
    if (status == REEL_OK) {
        qsort(time, (size_t)n, sizeof *time, by_value);
        *median = (time[n / 2] + time[(n - 1) / 2]) / 2;
    }
    reel_free(time);
    return status;
}

/* --- what is measured --- */

reel_status reel_bench_model(const reel_bencher *b, reel_model **out, reel_error *err)
{
    const reel_load_options options = {.seed = 42};
    reel_load_report report = {0};
    if (*b->model_dir == '\0')
        return reel_model_create(b->ctx, b->config, &options, out, err);
    reel_status status = reel_model_load(b->ctx, b->model_dir, &options, out, &report, err);
    reel_load_report_free(&report);
    return status;
}

static reel_status folder_make(bench_state *s, reel_error *err)
{
    const char *under = s->b.ctx->cache_dir != NULL ? s->b.ctx->cache_dir : "/tmp";
    reel_status status = REEL_OK;
    REEL_TRY(reel_dir_make(under, err));
    s->dir = reel_format("%s/bench-XXXXXX", under);
    if (s->dir == NULL)
        return reel_fail_nomem(err, under);
    if (mkdtemp(s->dir) == NULL) {
        status = reel_fail_errno(err, errno, s->dir, "make");
        reel_free(s->dir);
        s->dir = NULL;
    }
done:
    return status;
}

static reel_status inputs_open(bench_state *s, const reel_bench_args *a, reel_error *err)
{
    reel_bencher *b = &s->b;
    reel_status status = REEL_OK;
    reel_mt mt;
    REEL_TRY(folder_make(s, err));
    b->config = a->from_config;
    if (*a->model == '\0' && *a->from_config == '\0') {
        b->config = s->config = reel_path_join(s->dir, "config.json");
        status = s->config == NULL ? reel_fail_nomem(err, s->dir) : reel_file_write(s->config, own_config, sizeof own_config - 1, err);
    }
    if (status == REEL_OK)
        status = reel_bench_model(b, &b->model, err);
    if (status != REEL_OK)
        goto done;
    const reel_config *c = &b->model->config;
    b->clip_floats = (size_t)c->frames * (size_t)c->channels * (size_t)c->height * (size_t)c->width;
    size_t all;
    if (!reel_mul(&all, b->clip_floats, b->batch) || (b->pixels = reel_alloc_aligned(all, sizeof *b->pixels)) == NULL) {
        status = reel_fail_nomem(err, "the clips");
        goto done;
    }
    reel_mt_seed(&mt, 1);
    reel_mt_normal(&mt, b->pixels, all, 1.0f);
done:
    return status;
}

/* The instructions that products of a precision end in (src/kernels/low_select.c). */
static const char *path_of(const reel_context *ctx, reel_precision p)
{
    const unsigned flags = ctx->cpu_flags;
    switch (p) {
    case REEL_PRECISION_BFLOAT16:
        return flags & REEL_CPU_AMX_BF16 ? "AMX" : "AVX-512 bf16";
    case REEL_PRECISION_INT8:
        return flags & REEL_CPU_AMX_INT8 ? "AMX" : flags & REEL_CPU_AVX512_VNNI ? "AVX-512 VNNI" : "AVX2 widened";
    case REEL_PRECISION_FLOAT32:
        break;
    }
    return flags & REEL_CPU_AVX512 ? "AVX-512" : flags & REEL_CPU_AVX2 ? "AVX2" : "plain C";
}

static reel_status report_begin(bench_state *s, reel_error *err)
{
    owned_report *r = s->report = reel_calloc(1, sizeof *r);
    reel_model_info info = {.size = sizeof info};
    if (r == NULL || (r->machine = reel_strdup(reel_context_machine(s->b.ctx))) == NULL)
        return reel_fail_nomem(err, "the report");
    reel_status status = reel_model_get_info(s->b.model, &info, err);
    if (status != REEL_OK)
        return status;
    reel_model_describe(s->b.model, r->model, sizeof r->model);
    r->shown = (reel_bench_report){.machine = r->machine, .isa = reel_context_isa(s->b.ctx), .model = r->model,
        .threads = reel_context_threads(s->b.ctx), .gflop_forward = info.gflop_forward, .step_clips = s->b.batch,
        .precisions = PRECISIONS, .precision = r->precision, .clip_seconds = NAN, .clips_per_second = NAN};
    for (int i = 0; i < PRECISIONS; i++) {
        reel_bench_precision *p = &r->precision[i];
        *p = (reel_bench_precision){.wanted = (reel_precision)i, .product_rate = NAN, .forward_seconds = NAN, .forward_rate = NAN,
                                    .product_share = NAN, .step_seconds = NAN};
        p->used = reel_precision_usable(s->b.ctx, p->wanted, &p->why);
        p->path = path_of(s->b.ctx, p->used);
        s->total += p->used != p->wanted ? 0 : i == REEL_PRECISION_INT8 ? 2 : 3;
    }
    s->total += 1;
    return REEL_OK;
}

static reel_status now_at(bench_state *s, const char *what, reel_error *err)
{
    if (reel_cancelled(s->b.ctx) || (s->fn != NULL && !s->fn(what, s->done, s->total, s->user)))
        return reel_fail_cancelled(err);
    s->done++;
    return REEL_OK;
}

static reel_status precision_measure(bench_state *s, reel_bench_precision *p, reel_error *err)
{
    char what[64];
    const char *name = reel_precision_name(p->wanted);
    reel_status status = REEL_OK;
    if (p->used != p->wanted)
        return REEL_OK;
    snprintf(what, sizeof what, "%s products", name);
    REEL_TRY(now_at(s, what, err));
    REEL_TRY(reel_bench_products(&s->b, p, err));
    snprintf(what, sizeof what, "%s forward", name);
    REEL_TRY(now_at(s, what, err));
    REEL_TRY(reel_bench_forward(&s->b, s->report->shown.gflop_forward, p, err));
done:
    return status;
}

static reel_status measure(bench_state *s, reel_error *err)
{
    owned_report *r = s->report;
    char what[64];
    reel_status status = REEL_OK;
    REEL_TRY(now_at(s, "decoding", err));
    REEL_TRY(reel_bench_feed(&s->b, s->dir, &r->shown, err));
    for (int i = 0; i < PRECISIONS; i++)
        REEL_TRY(precision_measure(s, &r->precision[i], err));
    reel_model_drop_weights(s->b.model);  /* a step's peak counts its own alone */
    for (int i = 0; i < REEL_PRECISION_INT8; i++) {
        if (r->precision[i].used != r->precision[i].wanted)
            continue;
        snprintf(what, sizeof what, "%s training step", reel_precision_name((reel_precision)i));
        REEL_TRY(now_at(s, what, err));
        REEL_TRY(reel_bench_step(&s->b, &r->precision[i], err));
    }
done:
    return status;
}

static void report_free(owned_report *r)
{
    if (r != NULL)
        reel_free(r->machine);
    reel_free(r);
}

reel_status reel_bench(reel_context *ctx, const reel_args *args, reel_bench_fn fn, void *user, reel_bench_report **out, reel_error *err)
{
    const reel_bench_args *a = reel_args_values(args, REEL_JOB_BENCH);
    bench_state s = {.b = {.ctx = ctx}, .fn = fn, .user = user};
    reel_status status = REEL_OK;
    *out = NULL;
    if (a == NULL)
        return reel_fail(err, REEL_ERR_ARG, "reel_bench wants the options of REEL_JOB_BENCH");
    REEL_TRY(reel_args_check(args, err));
    s.b.seconds = a->seconds;
    s.b.batch = (size_t)a->batch_size;
    s.b.model_dir = a->model;
    REEL_TRY(inputs_open(&s, a, err));
    REEL_TRY(report_begin(&s, err));
    REEL_TRY(measure(&s, err));
    *out = &s.report->shown;
    s.report = NULL;
done:
    report_free(s.report);
    reel_model_close(&s.b.model);
    reel_free(s.b.pixels);
    if (s.dir != NULL)
        reel_dir_remove(s.dir, NULL);
    reel_free(s.config);
    reel_free(s.dir);
    return status;
}

void reel_bench_report_close(reel_bench_report **report)
{
    if (report == NULL || *report == NULL)
        return;
    report_free((owned_report *)(void *)*report);
    *report = NULL;
}
