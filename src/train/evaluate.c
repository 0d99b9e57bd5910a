/* reel_evaluate: a model judged on a split of a data set. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "args/args.h"
#include "args/jobs.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "base/text.h"
#include "data/cache.h"
#include "models/wanted.h"
#include "train/report.h"
#include "train/score.h"
#include "train/told.h"

typedef struct evaluator {
    reel_context *ctx;
    const reel_evaluate_args *o;
    reel_event_fn fn; void *user;
    reel_model *model;
    reel_dataset *data;
    const char *split;
    int *label;               /* the model's number of each class of the data */
    reel_samples samples;
    reel_precision precision;
    reel_run *run;
    reel_pixel_kernels kernels;
    reel_cache *cache;
    reel_transform transform;
    reel_tally tally;
    reel_state skips;
    size_t *skip_video;       /* of each skip; room for all videos */
    double began, judging, judged, waited;  /* judging: when the first clip was asked for; judged: seconds since then */
    int64_t steps;
} evaluator;

/* --- what is judged --- */

static void splits_text(const reel_dataset *ds, reel_text *t)
{
    for (size_t i = 0; i < ds->n_splits; i++)
        reel_text_printf(t, "%s%s", i > 0 ? ", " : "", ds->splits[i]);
}

static reel_status split_choose(evaluator *e, int *split, reel_error *err)
{
    const reel_dataset *ds = e->data;
    *split = reel_dataset_split(ds, e->o->split);
    if (*split < 0)  /* data without splits are judged whole, whatever was asked */
        *split = reel_dataset_split(ds, "all");
    if (*split < 0 && ds->is_packed)
        *split = 0;
    if (*split < 0) {
        reel_text t = {0};
        splits_text(ds, &t);
        reel_status status =
            reel_fail(err, REEL_ERR_NOT_FOUND, "%s has no split %s; it has %s. Choose one with --split.", ds->path,
                      e->o->split, t.s != NULL ? t.s : "none");
        reel_text_free(&t);
        return status;
    }
    e->split = (size_t)*split < ds->n_splits ? ds->splits[*split] : "all";
    return REEL_OK;
}

/* By name: the order of the data's classes need not be the model's. */
static reel_status labels_match(evaluator *e, reel_error *err)
{
    const reel_config *c = &e->model->config;
    e->label = reel_calloc(e->data->n_classes, sizeof *e->label);
    if (e->label == NULL)
        return reel_fail_nomem(err, e->data->path);
    for (size_t i = 0; i < e->data->n_classes; i++) {
        e->label[i] = -1;
        for (int k = 0; k < c->labels && e->label[i] < 0; k++)
            if (strcmp(e->data->classes[i], c->label[k]) == 0)
                e->label[i] = k;
    }
    return REEL_OK;
}

static reel_status labels_check(const evaluator *e, reel_error *err)
{
    const reel_config *c = &e->model->config;
    for (size_t i = 0; i < e->samples.n; i++) {
        int k = e->samples.plan[i].label;
        if (e->label[k] < 0)
            return reel_fail(err, REEL_ERR_MISMATCH,
                             "class %s of %s is none of the model's %d labels (%s%s%s%s). Was this model trained on "
                             "these classes?",
                             e->data->classes[k], e->data->path, c->labels, c->label[0], c->labels > 1 ? ", " : "",
                             c->labels > 1 ? c->label[1] : "", c->labels > 2 ? ", …" : "");
    }
    return REEL_OK;
}

static reel_status samples_open(evaluator *e, reel_error *err)
{
    const reel_evaluate_args *o = e->o;
    int split;
    bool views = o->num_clips > 0 || o->num_crops > 0;
    reel_sampling sampling = {.sampler = views ? REEL_SAMPLER_VIEWS : REEL_SAMPLER_UNIFORM,
                              .autorotate = o->autorotate,
                              .clips = o->num_clips > 0 ? (int)o->num_clips : 1,
                              .crops = o->num_crops > 0 ? (int)o->num_crops : 1};
    sampling.seconds = o->clip_duration > 0 ? o->clip_duration : e->model->config.frames * o->sample_rate / o->fps;
    reel_status status = split_choose(e, &split, err);
    if (status == REEL_OK)
        status = reel_samples_open(e->ctx, e->data, split, &sampling, &e->samples, err);
    if (status == REEL_OK && e->samples.n == 0)
        status = reel_fail(err, REEL_ERR_NOT_FOUND, "%s: the split %s holds no video", e->data->path, e->split);
    return status;
}

/* Useful where a clip is asked for more than once: several crops of it. */
static reel_status cache_open(evaluator *e, reel_error *err)
{
    const size_t bytes = reel_cache_bytes(e->o->dataloader_cache_mb);
    reel_status status = reel_memory_check(e->ctx, bytes, "The cache of decoded frames", "A smaller --dataloader_cache_mb needs less.", err);
    return status == REEL_OK ? reel_cache_open(e->ctx, bytes, &e->cache, err) : status;
}

static reel_status evaluator_open(evaluator *e, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_load_report report = {0};
    const reel_load_options options = {.need_all = true, .mapped = true};
    REEL_TRY(reel_state_init(&e->skips, err));
    REEL_TRY(reel_precision_wanted(e->ctx, e->o->dtype, &e->precision, err));
    if (*e->o->output_dir != '\0')
        REEL_TRY(reel_report_dir_check(e->o->output_dir, e->o->overwrite_output_dir, err));
    REEL_TRY(reel_model_load(e->ctx, e->o->model, &options, &e->model, &report, err));
    reel_told_no_processor(e->ctx, e->model, e->o->model);
    REEL_TRY(reel_dataset_open(e->ctx, e->o->data, &e->data, err));
    for (size_t i = 0; i < e->data->n_warnings; i++)
        reel_log(e->ctx, REEL_LOG_WARNING, "warning", "%s", e->data->warning[i]);
    const reel_config *c = &e->model->config;
    if (e->data->is_packed)
        REEL_TRY(reel_packed_check(e->data, c, err));
    REEL_TRY(samples_open(e, err));
    e->skip_video = reel_calloc(e->samples.videos, sizeof *e->skip_video);
    if (e->skip_video == NULL) {
        status = reel_fail_nomem(err, e->data->path);
        goto done;
    }
    REEL_TRY(labels_match(e, err));
    REEL_TRY(labels_check(e, err));
    reel_pixel_kernels_select(&e->kernels, e->ctx->cpu_flags);
    e->transform = (reel_transform){.kind = REEL_TRANSFORM_EVAL, .processor = &e->model->processor, .height = c->height,
                                    .width = c->width, .kernels = &e->kernels};
    REEL_TRY(reel_tally_open(&e->tally, e->samples.videos, (size_t)c->labels, err));
    REEL_TRY(cache_open(e, err));
    status = reel_run_open_as(e->model, (size_t)e->o->per_device_eval_batch_size, e->precision, &e->run, err);
done:
    reel_load_report_free(&report);
    return status;
}

static void evaluator_close(evaluator *e)
{
    reel_run_close(&e->run);
    reel_tally_free(&e->tally);
    reel_cache_close(&e->cache);
    reel_samples_free(&e->samples);
    reel_state_free(&e->skips);
    reel_dataset_close(&e->data);
    reel_model_close(&e->model);
    reel_free(e->label);
    reel_free(e->skip_video);
}

/* --- judging --- */

static reel_event event_make(const evaluator *e, reel_event_kind kind, int64_t step, int64_t steps)
{
    double seconds = reel_now() - e->began;
    reel_event event = {.kind = kind, .step = step, .steps = steps, .loss = NAN, .grad_norm = NAN, .learning_rate = NAN,
                        .eval_loss = NAN, .eval_accuracy = NAN, .eval_video_accuracy = NAN, .seconds = seconds,
                        .seconds_left = step > 0 ? seconds / (double)step * (double)(steps - step) : NAN,
                        .peak_memory = reel_memory_peak()};
    const double scoring = reel_now() - e->judging;
    if (e->judging > 0 && scoring > 0) {
        event.clips_per_second = (double)e->tally.n_clips / scoring;
        event.wait_share = e->waited / scoring;
    }
    return event;
}

static bool tell(evaluator *e, const reel_event *event)
{
    return e->fn == NULL || e->fn(event, e->user);
}

static reel_status scored(const reel_plan *plan, const float *logits, void *user, reel_error *err)
{
    evaluator *e = user;
    return reel_tally_add(&e->tally, reel_samples_video(&e->samples, e->data, plan), e->label[plan->label], logits, err);
}

static reel_status unscored(const reel_plan *plan, const char *reason, void *user, reel_error *err)
{
    evaluator *e = user;
    char buf[64];
    bool is_new;
    size_t video = reel_samples_video(&e->samples, e->data, plan);
    const char *name = reel_samples_name(&e->samples, e->data, video, buf);
    if (plan->item != NULL)
        reason = reel_reason_short(reason, plan->item->path);
    reel_status status = reel_state_skip(&e->skips, name, reason, &is_new, err);
    if (status != REEL_OK || !is_new)
        return status;
    e->skip_video[e->skips.n_skips - 1] = video;
    reel_log(e->ctx, REEL_LOG_WARNING, "warning", "%s: %s; skipped", name, reason);
    reel_event event = event_make(e, REEL_EVENT_SKIP, 0, 0);
    event.path = name;
    event.reason = reason;
    return tell(e, &event) ? REEL_OK : reel_fail_cancelled(err);
}

static bool batch_done(size_t batch, size_t batches, void *user)
{
    evaluator *e = user;
    reel_event event = event_make(e, REEL_EVENT_EVAL_STEP, (int64_t)batch, (int64_t)batches);
    e->steps = (int64_t)batches;
    return tell(e, &event);
}

static reel_status judge(evaluator *e, reel_error *err)
{
    const reel_config *c = &e->model->config;
    reel_scoring s = {.run = e->run, .run_batch = (size_t)e->o->per_device_eval_batch_size, .labels = (size_t)c->labels,
                      .scored = scored, .unscored = unscored, .step = batch_done, .user = e};
    s.loader = (reel_loader_config){.dataset = e->data, .plan = e->samples.plan, .plans = e->samples.n,
        .batch = (size_t)e->o->per_device_eval_batch_size, .transform = &e->transform, .frames = c->frames,
        .clip_floats = (size_t)c->frames * (size_t)c->channels * (size_t)c->height * (size_t)c->width,
        .threads = reel_train_loaders(e->ctx, e->o->dataloader_num_workers, e->data->is_packed), .ahead = 2,
        .autorotate = e->o->autorotate, .cache = e->cache, .skip_truncated = true};
    e->judging = reel_now();
    reel_status status = reel_score_clips(e->ctx, &s, err);
    e->waited = s.waited;
    e->judged = reel_now() - e->judging;
    if (status == REEL_OK && e->tally.n_clips == 0)
        status = reel_fail(err, REEL_ERR_FORMAT, "none of the %zu videos of %s could be read; the first is %s: %s",
                           e->samples.videos, e->split, e->skips.n_skips > 0 ? e->skips.skip[0].video : "?",
                           e->skips.n_skips > 0 ? e->skips.skip[0].reason : "?");
    return status;
}

/* A video that was scored from some of its clips is not a skipped one: it stands in one list only. */
static void skips_settle(evaluator *e)
{
    size_t kept = 0;
    for (size_t i = 0; i < e->skips.n_skips; i++) {
        reel_skip skip = e->skips.skip[i];
        if (e->tally.clips[e->skip_video[i]] == 0) {
            e->skips.skip[kept++] = skip;
            continue;
        }
        reel_free(skip.video);
        reel_free(skip.reason);
    }
    e->skips.n_skips = kept;
}

static void protocol_text(const evaluator *e, char *out, size_t size)
{
    if (e->samples.is_packed)
        snprintf(out, size, "packed clips, each by itself");
    else if (e->o->num_clips > 0 || e->o->num_crops > 0)
        snprintf(out, size, "views (%lld clips x %lld crops of a video averaged)",
                 (long long)(e->o->num_clips > 0 ? e->o->num_clips : 1),
                 (long long)(e->o->num_crops > 0 ? e->o->num_crops : 1));
    else
        snprintf(out, size, "video (all uniform clips of a video averaged)");
}

reel_status reel_evaluate(reel_context *ctx, const reel_args *args, reel_event_fn fn, void *user, reel_eval_report **out,
                          reel_error *err)
{
    evaluator e = {.ctx = ctx,
                   .o = reel_args_values(args, REEL_JOB_EVALUATE),
                   .fn = fn,
                   .user = user,
                   .began = reel_now()};
    reel_status status = REEL_OK;
    reel_eval_report *report = NULL;
    char protocol[96];
    *out = NULL;
    if (e.o == NULL)
        return reel_fail(err, REEL_ERR_ARG, "reel_evaluate wants the options of REEL_JOB_EVALUATE");
    REEL_TRY(reel_args_check(args, err));
    REEL_TRY(evaluator_open(&e, err));
    REEL_TRY(judge(&e, err));
    skips_settle(&e);
    protocol_text(&e, protocol, sizeof protocol);
    reel_report_source source = {.data = e.data,
                                 .samples = &e.samples,
                                 .model = e.model,
                                 .tally = &e.tally,
                                 .skips = &e.skips,
                                 .split = e.split,
                                 .protocol = protocol,
                                 .seconds = reel_now() - e.began,
                                 .scoring = e.judged,
                                 .waited = e.waited};
    REEL_TRY(reel_report_make(&source, &report, err));
    if (*e.o->output_dir != '\0')
        REEL_TRY(reel_report_write(&source, report, e.o->output_dir, err));
    reel_event event = event_make(&e, REEL_EVENT_EVAL, e.steps, e.steps);
    event.eval_loss = report->loss;
    event.eval_accuracy = report->clip_accuracy;
    event.eval_video_accuracy = report->accuracy;
    tell(&e, &event);
    *out = report;
    report = NULL;
done:
    reel_eval_report_close(&report);
    evaluator_close(&e);
    return status;
}
