#include "train/need.h"

#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "base/text.h"
#include "train/score.h"

reel_run_settings reel_train_settings(const reel_trainer *t, int64_t batch)
{
    return (reel_run_settings){.max_batch = (size_t)batch, .mode = REEL_RUN_TRAIN,
                               .precision = t->o->bf16 ? REEL_PRECISION_BFLOAT16 : REEL_PRECISION_FLOAT32,
                               .checkpointing = t->o->gradient_checkpointing};
}

/* Evaluating by steps, the clips of both loaders are in flight. group: clips of a step. */
static reel_status loader_need(const reel_trainer *t, int64_t group, int64_t eval_batch, uint64_t *out, reel_error *err)
{
    size_t clip, clips, eval = 0, bytes = 0;
    bool good = reel_mul(&clip, t->clip_floats, sizeof(float)) && reel_mul(&clips, (size_t)group, REEL_TRAIN_AHEAD + 1) &&
                (!t->evaluates || reel_mul(&eval, (size_t)eval_batch, REEL_TRAIN_AHEAD + 1)) &&
                reel_add(&clips, clips, eval) && reel_mul(&bytes, clips, clip);
    *out = bytes;
    return good ? REEL_OK : reel_fail(err, REEL_ERR_LIMIT, "batches of %lld clips are more than any memory", (long long)group);
}

static reel_status need_of(const reel_trainer *t, const reel_run_settings *settings, int64_t group, int64_t cache_mb, reel_need *out,
                           reel_error *err)
{
    const int64_t batch = t->o->per_device_eval_batch_size;
    size_t total = 0;
    *out = (reel_need){.cache = reel_cache_bytes(cache_mb)};
    reel_status status = reel_run_plan(t->model, settings, &out->run, err);
    if (status == REEL_OK)
        status = loader_need(t, group, group == t->group ? batch : group, &out->loader, err);
    if (status != REEL_OK)
        return status;
    if (!reel_add(&total, (size_t)out->run.total, (size_t)out->loader) || !reel_add(&total, total, (size_t)out->cache))
        return reel_fail(err, REEL_ERR_LIMIT, "this run needs more than any memory");
    out->total = total;
    return REEL_OK;
}

reel_status reel_train_need(const reel_trainer *t, reel_need *out, reel_error *err)
{
    const reel_run_settings settings = reel_train_settings(t, t->o->per_device_train_batch_size);
    reel_status status = need_of(t, &settings, t->group, t->o->dataloader_cache_mb, out, err);
    /* the model as it was read is given back when the run has its weights */
    const uint64_t read = t->model->weights != NULL ? (uint64_t)t->model->params.floats * sizeof(float) : 0;
    const uint64_t free_bytes = reel_memory_available() + read;
    out->is_limit = t->ctx->max_memory != 0 && t->ctx->max_memory < free_bytes;
    out->room = out->is_limit ? t->ctx->max_memory : free_bytes;
    return status;
}

typedef struct advisor { const reel_trainer *t; const reel_need *need; reel_text *text; int64_t cache_mb; int told; } advisor;

/* One way, if it fits: "--bf16 needs 3.9 GB". */
static bool way_add(advisor *a, const char *what, const reel_run_settings *settings, int64_t group)
{
    reel_need need;
    if (need_of(a->t, settings, group, a->cache_mb, &need, NULL) != REEL_OK || need.total > a->need->room)
        return false;
    reel_text_printf(a->text, "%s%s needs %.1f GB", a->told++ > 0 ? "; " : "", what, (double)need.total / 1e9);
    return true;
}

/* The largest smaller batch that fits: accumulated to the same step, or as smaller steps. */
static bool batch_add(advisor *a, reel_run_settings settings, bool accumulated, const char *with)
{
    char what[200], part[80];
    const int64_t group = a->t->group;
    bool found = false;
    for (int64_t b = a->t->o->per_device_train_batch_size / 2; b >= 1 && !found; b /= 2) {
        settings.max_batch = (size_t)b;
        snprintf(part, sizeof part, accumulated ? "--gradient_accumulation_steps %lld" : "--per_device_eval_batch_size %lld",
                 (long long)(accumulated ? group / b : b));
        snprintf(what, sizeof what, "--per_device_train_batch_size %lld %s%s", (long long)b, part, with);
        found = way_add(a, what, &settings, accumulated ? group : b);
    }
    return found;
}

static void ways_add(advisor *a, bool can_bf16)
{
    const reel_trainer *t = a->t;
    const reel_run_settings now = reel_train_settings(t, t->o->per_device_train_batch_size);
    reel_run_settings s = now;
    const bool goes_on = t->resume_path != NULL;  /* with the batches and numbers that it began with */
    if (t->o->dataloader_cache_mb > 0 && way_add(a, "--dataloader_cache_mb 0", &now, t->group))
        return;
    a->cache_mb = t->o->dataloader_cache_mb;
    s.checkpointing = true;
    if (!now.checkpointing)
        way_add(a, "--gradient_checkpointing", &s, t->group);
    if (goes_on)
        return;
    s = now;
    s.precision = REEL_PRECISION_BFLOAT16;
    if (can_bf16)
        way_add(a, "--bf16", &s, t->group);
    batch_add(a, now, true, "");
    if (a->told > 0)
        return;
    s = now;
    s.checkpointing = true;
    s.precision = can_bf16 ? REEL_PRECISION_BFLOAT16 : now.precision;
    const char *all = can_bf16 && !now.checkpointing ? " --gradient_checkpointing --bf16" : can_bf16 ? " --bf16"
                      : now.checkpointing ? "" : " --gradient_checkpointing";
    if ((*all != '\0' && way_add(a, all + 1, &s, t->group)) || batch_add(a, s, true, all))
        return;
    batch_add(a, s, false, all);
}

void reel_train_advice(const reel_trainer *t, const reel_need *need, char *out, size_t size)
{
    reel_text text = {0};
    advisor a = {t, need, &text, 0, 0};
    ways_add(&a, !t->o->bf16 && reel_precision_usable(t->ctx, REEL_PRECISION_BFLOAT16, NULL) == REEL_PRECISION_BFLOAT16);
    if (a.told == 0)
        reel_text_puts(&text, "No option of training saves enough: take a smaller model or fewer --num_frames");
    snprintf(out, size, "%s.", text.failed || text.s == NULL ? "Take a smaller model" : text.s);
    reel_text_free(&text);
}

reel_status reel_train_need_check(const reel_trainer *t, const reel_need *need, reel_error *err)
{
    char advice[512];
    if (need->total <= need->room)
        return REEL_OK;
    reel_train_advice(t, need, advice, sizeof advice);
    return reel_fail(err, REEL_ERR_NOMEM, "this run needs %.1f GB of memory and %.1f GB are %s. %s", (double)need->total / 1e9,
                     (double)need->room / 1e9, need->is_limit ? "allowed (--max_memory)" : "free", advice);
}

int64_t reel_train_checkpoints(const reel_trainer *t)
{
    const reel_train_args *o = t->o;
    const reel_state *s = &t->state;
    int64_t n = 0;
    if (strcmp(o->save_strategy, "epoch") == 0 || (strcmp(o->save_strategy, "best") == 0 && strcmp(o->eval_strategy, "epoch") == 0))
        n = s->epochs;
    else if (strcmp(o->save_strategy, "steps") == 0)
        n = s->save_steps > 0 ? (s->max_steps + s->save_steps - 1) / s->save_steps : 0;  /* the last step is saved too */
    else if (strcmp(o->save_strategy, "best") == 0)
        n = s->eval_steps > 0 ? s->max_steps / s->eval_steps : 0;
    if (o->save_total_limit > 0) {  /* while one is written, the one that it replaces is still there; the best stays beside the newest */
        const int64_t kept = o->save_total_limit + 1 + (o->save_total_limit == 1 && t->keeps_best);
        n = n < kept ? n : kept;
    }
    return n;
}
