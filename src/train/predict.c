/* reel_predict: files to labels. The next clips are decoded while these are computed. */
#include <math.h>
#include <string.h>

#include "args/args.h"
#include "args/jobs.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "data/parallel.h"
#include "hub/locate.h"
#include "models/run.h"
#include "models/wanted.h"
#include "train/ahead.h"
#include "train/answers.h"
#include "train/inputs.h"
#include "train/score.h"
#include "train/told.h"

typedef struct predictor {
    reel_context *ctx;
    const reel_predict_args *o;
    reel_prediction_fn fn; void *user;
    reel_precision precision;
    reel_model *model;
    reel_run *run;
    reel_inputs inputs;
    reel_item *item;            /* those that are to be opened */
    size_t *place, items;       /* which input each is */
    reel_hub_fetched *here;     /* an input's file */
    reel_pixel_kernels kernels;
    reel_transform transform;
    bool guide, told_repeats;
    size_t told_cut;      /* 1 + the input last seen: that it is truncated is told once, though it has several clips */
    reel_squash squash;
    size_t clip_floats, batch;
    reel_ahead *ahead;
    double began;
    float *pixels, *logits;     /* one batch; pixels NULL where it is one clip, which needs no copy */
    size_t *owner, filled;      /* which input each clip of it belongs to */
    reel_answers *answers;
    size_t delivered;
} predictor;

enum { URL_SECONDS = 600 };
#define URL_LIMIT (2ull << 30) /* bytes */

/* The file of an input: for one of a data set on the Hub that of the cache, for an address one that is fetched now, and dropped at the
 * end. From then on the input is shown without its query, which may be a credential. Of several inputs, one that cannot be had does not
 * stop the others. */
static reel_status fetch(predictor *p, size_t i, reel_error *err)
{
    reel_error why = {0};
    reel_input *in = &p->inputs.item[i];
    char *path = NULL;
    reel_status status = reel_hub_locate_data(p->ctx, in->path, &path, &why);
    if (status == REEL_OK)
        status = reel_hub_fetch_url(p->ctx, path, URL_LIMIT, URL_SECONDS, &p->here[i], &why);
    reel_free(path);
    if (p->here[i].held || p->here[i].named || (status != REEL_OK && strstr(in->path, "://") != NULL))
        in->path[strcspn(in->path, "?#")] = '\0';
    if (status == REEL_OK)
        return REEL_OK;
    if (p->inputs.n == 1 || status == REEL_ERR_CANCELLED || status == REEL_ERR_NOMEM) {
        if (err != NULL)
            *err = why;
        return status;
    }
    reel_log(p->ctx, REEL_LOG_WARNING, "hub", "%s", why.message);
    in->reason = "cannot be fetched";
    return REEL_OK;
}

static void drop_fetched(predictor *p)
{
    for (size_t i = 0; p->here != NULL && i < p->inputs.n; i++)
        reel_hub_fetched_drop(&p->here[i]);
    reel_free(p->here);
}

static reel_status items_make(predictor *p, reel_error *err)
{
    p->item = reel_calloc(p->inputs.n, sizeof *p->item);
    p->place = reel_calloc(p->inputs.n, sizeof *p->place);
    p->here = reel_calloc(p->inputs.n, sizeof *p->here);
    if (p->item == NULL || p->place == NULL || p->here == NULL)
        return reel_fail_nomem(err, "the inputs");
    for (size_t i = 0; i < p->inputs.n; i++) {
        reel_status status = p->inputs.item[i].reason == NULL ? fetch(p, i, err) : REEL_OK;
        if (status != REEL_OK)
            return status;
        if (p->inputs.item[i].reason == NULL) {
            p->item[p->items] = (reel_item){.path = p->here[i].path, .shown = p->inputs.item[i].path, .label = -1,
                                            .group = -1, .duration = -1};
            p->place[p->items++] = i;
        }
    }
    return REEL_OK;
}

/* As many clips as go through the layers together: beyond it products get no faster, and answers only come later. The numbers do
 * not depend on it. */
static reel_status batch_choose(predictor *p, reel_error *err)
{
    enum { MOST = 64 };
    reel_run_parts parts;
    p->batch = (size_t)p->o->batch_size;
    if (p->batch > 0)
        return REEL_OK;
    const size_t most = p->guide || p->items > MOST ? MOST : p->items > 0 ? p->items : 1;
    const reel_run_settings settings = {.max_batch = most, .mode = REEL_RUN_INFER, .precision = p->precision};
    reel_status status = reel_run_plan(p->model, &settings, &parts, err);
    p->batch = parts.chunk > 0 ? parts.chunk : 1;
    return status;
}

/* Decoding begins here, before the weights are brought into their layout. */
static reel_status batch_open(predictor *p, reel_error *err)
{
    const reel_config *c = &p->model->config;
    const reel_ahead_config config = {.item = p->item, .items = p->items, .guide = p->guide, .transform = &p->transform,
        .seconds = p->o->clip_duration > 0 ? p->o->clip_duration : c->frames * p->o->sample_rate / p->o->fps,
        .frames = c->frames, .clip_floats = p->clip_floats, .autorotate = p->o->autorotate, .batch = p->batch,
        .threads = reel_loader_threads(p->ctx, p->o->dataloader_num_workers)};
    const size_t batch = p->batch > 1 ? p->batch : 0;
    size_t floats, bytes, ahead;
    reel_status status = REEL_OK;
    if (!reel_mul(&floats, batch, p->clip_floats) || !reel_mul(&bytes, floats, sizeof(float)) ||
        !reel_ahead_bytes(&config, &ahead) || !reel_add(&bytes, bytes, ahead))
        return reel_fail_nomem(err, "a batch");
    REEL_TRY(reel_memory_check(p->ctx, bytes, "a batch of clips", "A smaller --batch_size needs less.", err));
    p->logits = reel_calloc(p->batch * (size_t)c->labels, sizeof *p->logits);
    p->owner = reel_calloc(p->batch, sizeof *p->owner);
    if (batch > 0)
        p->pixels = reel_alloc_aligned(floats, sizeof(float));
    if (p->logits == NULL || p->owner == NULL || (batch > 0 && p->pixels == NULL))
        return reel_fail_nomem(err, "a batch");
    p->began = reel_now();
    status = reel_ahead_open(p->ctx, &config, &p->ahead, err);
done:
    return status;
}

/* Model first: what is wrong with it concerns every input. */
static reel_status predictor_open(predictor *p, const char *const *input, size_t n, reel_error *err)
{
    reel_status status = REEL_OK;
    const reel_load_options options = {.need_all = true, .mapped = true};
    reel_load_report report = {0};
    REEL_TRY(reel_precision_wanted(p->ctx, p->o->dtype, &p->precision, err));
    REEL_TRY(reel_model_load(p->ctx, p->o->model, &options, &p->model, &report, err));
    reel_told_no_processor(p->ctx, p->model, p->o->model);
    const reel_config *c = &p->model->config;
    REEL_TRY(reel_squash_choose(p->o->function_to_apply, c->json, &p->squash, err));
    REEL_TRY(reel_inputs_open(input, n, &p->inputs, err));
    REEL_TRY(items_make(p, err));
    p->guide = strcmp(p->o->sampling, "guide") == 0;
    if (!p->guide)
        REEL_TRY(reel_processor_check_pipeline(&p->model->processor, p->o->model, err));
    p->clip_floats = (size_t)c->frames * (size_t)c->channels * (size_t)c->height * (size_t)c->width;
    REEL_TRY(batch_choose(p, err));
    if (!p->guide && p->batch > p->items)
        p->batch = p->items > 0 ? p->items : 1;
    reel_pixel_kernels_select(&p->kernels, p->ctx->cpu_flags);
    p->transform = (reel_transform){.kind = p->guide ? REEL_TRANSFORM_EVAL : REEL_TRANSFORM_PROCESSOR,
                                    .processor = &p->model->processor,
                                    .height = c->height,
                                    .width = c->width,
                                    .kernels = &p->kernels};
    REEL_TRY(reel_answers_open(p->model, &p->inputs, p->guide ? "guide" : "pipeline", &p->answers, err));
    REEL_TRY(batch_open(p, err));
    status = reel_run_open_as(p->model, p->batch, p->precision, &p->run, err);
done:
    reel_load_report_free(&report);
    return status;
}

static void predictor_close(predictor *p)
{
    reel_ahead_close(&p->ahead);
    reel_run_close(&p->run);
    reel_answers_close(&p->answers);
    drop_fetched(p);
    reel_inputs_free(&p->inputs);
    reel_model_close(&p->model);
    reel_free(p->item);
    reel_free(p->place);
    reel_free(p->pixels);
    reel_free(p->logits);
    reel_free(p->owner);
}

/* Hands out what is complete, in order. */
static reel_status deliver(predictor *p, reel_error *err)
{
    const reel_prediction *one;
    reel_status status = REEL_OK;
    while (p->delivered < p->inputs.n && reel_answers_is_complete(p->answers, p->delivered)) {
        REEL_TRY(reel_answers_finish(p->answers, p->delivered, (size_t)p->o->top_k, &one, err));
        p->delivered++;
        if (p->fn != NULL && !p->fn(one, p->delivered, p->inputs.n, p->user)) {
            status = reel_fail_cancelled(err);
            goto done;
        }
    }
done:
    return status;
}

/* Clips [at, at + n) of the batch. A model that gives no finite score for one clip of several must not spoil the
 * others. */
static reel_status compute(predictor *p, const float *pixels, size_t at, size_t n, reel_error *err)
{
    reel_error why;
    size_t K = (size_t)p->model->config.labels;
    float *logits = p->logits + at * K;
    reel_status status = reel_run_forward(p->run, pixels + at * p->clip_floats, n, logits, NULL, &why);
    if (status == REEL_ERR_NUMERIC && n > 1) {
        status = REEL_OK;
        for (size_t i = 0; i < n && status == REEL_OK; i++)
            status = compute(p, pixels, at + i, 1, err);
        return status;
    }
    if (status == REEL_ERR_NUMERIC)
        return reel_answers_fail(p->answers, p->owner[at],
                                 "the model's scores are not finite numbers; are its weights damaged?", true, err);
    if (status != REEL_OK) {
        if (err != NULL)
            *err = why;
        return status;
    }
    for (size_t i = 0; i < n && status == REEL_OK; i++)
        status = reel_answers_add(p->answers, p->owner[at + i], logits + i * K, p->squash, err);
    return status;
}

static reel_status flush(predictor *p, const float *pixels, reel_error *err)
{
    reel_status status = p->filled > 0 ? compute(p, pixels, 0, p->filled, err) : REEL_OK;
    p->filled = 0;
    return status == REEL_OK ? deliver(p, err) : status;
}

static reel_status clip_take(predictor *p, const reel_ahead_clip *clip, reel_error *err)
{
    size_t input = p->place[clip->item];
    const char *path = p->inputs.item[input].path;
    reel_status status = REEL_OK;
    if (clip->status != REEL_OK) {
        REEL_TRY(reel_answers_fail(p->answers, input, reel_reason_short(clip->error.message, p->here[input].path), false, err));
    } else {
        REEL_TRY(reel_answers_trace(p->answers, input, &clip->trace, p->model->config.frames, err));
        if (p->told_cut != input + 1)
            reel_plan_warn(p->ctx, &clip->trace, path);
        p->told_cut = input + 1;
        if (clip->trace.repeated && !p->told_repeats)
            reel_log(p->ctx, REEL_LOG_WARNING, "warning",
                     "%s has fewer frames than the %d that the model takes: frames repeat", path,
                     p->model->config.frames);
        p->told_repeats = p->told_repeats || clip->trace.repeated;
        if (p->pixels != NULL)
            memcpy(p->pixels + p->filled * p->clip_floats, clip->pixels, p->clip_floats * sizeof(float));
        p->owner[p->filled++] = input;
    }
    if (clip->last)
        reel_answers_last(p->answers, input);
    if (p->filled == p->batch)
        REEL_TRY(flush(p, p->pixels != NULL ? p->pixels : clip->pixels, err));
    status = deliver(p, err);
done:
    return status;
}

static reel_status predict_all(predictor *p, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_ahead_clip *clip;
    REEL_TRY(deliver(p, err));
    for (;;) {
        REEL_TRY(reel_ahead_next(p->ahead, &clip, err));
        if (clip == NULL)
            break;
        REEL_TRY(clip_take(p, clip, err));
    }
    status = flush(p, p->pixels, err);
done:
    return status;
}

reel_status reel_predict(reel_context *ctx, const reel_args *args, const char *const *input, size_t n,
                         reel_prediction_fn fn, void *user, reel_prediction_list **out, reel_error *err)
{
    predictor p = {.ctx = ctx, .o = reel_args_values(args, REEL_JOB_PREDICT), .fn = fn, .user = user};
    reel_status status = REEL_OK;
    *out = NULL;
    if (p.o == NULL)
        return reel_fail(err, REEL_ERR_ARG, "reel_predict wants the options of REEL_JOB_PREDICT");
    if (n == 0)
        return reel_fail(err, REEL_ERR_ARG, "no video is given: name a file or a folder");
    REEL_TRY(reel_args_check(args, err));
    REEL_TRY(predictor_open(&p, input, n, err));
    REEL_TRY(predict_all(&p, err));
    *out = reel_answers_take(&p.answers, reel_now() - p.began, reel_ahead_waited(p.ahead));
done:
    predictor_close(&p);
    return status;
}
