/* A ring of batches that threads fill, clip by clip, ahead of the consumer. A clip's pixels depend on its plan alone and go
 * to the plan's own place, so neither the number of threads nor their speed can show in the result. */
#include "data/loader.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "data/parallel.h"

enum { THREAD_LIMIT = 256 };

typedef struct clip_state { bool done, good; char *reason; } clip_state;

typedef struct slot {
    float *pixels;
    clip_state *clip;     /* one a place of the batch */
    size_t finished;
} slot;

struct reel_loader {
    reel_context *ctx;
    reel_worker work;     /* what the threads decode with: closing ends it too */
    reel_loader_config config;
    const uint8_t *rows;  /* packed pixels, or NULL */
    size_t batches, slots;
    slot *slot;
    pthread_t *thread;
    int threads;
    pthread_mutex_t lock;
    pthread_cond_t ready, room;
    /* under the lock */
    size_t next_plan;     /* the next clip that a thread takes */
    size_t taken;         /* batches that the consumer is done with */
    reel_status failed;   /* what no clip can be blamed for: no memory, cancelled */
    reel_error error;
    /* the consumer's */
    bool lent;            /* batch `taken` is in the consumer's hands */
    reel_batch batch;
    int64_t *label;
    size_t *plan;
    reel_bad_clip *bad;
    size_t bads;
};

static size_t batch_size(const reel_loader *l, size_t b)
{
    size_t begin = b * l->config.batch, left = l->config.plans - begin;
    return left < l->config.batch ? left : l->config.batch;
}

/* --- the threads --- */

static reel_status carry_out(reel_loader *l, size_t p, float *out, reel_error *err)
{
    const reel_loader_config *c = &l->config;
    const reel_plan *plan = &c->plan[p];
    if (l->rows != NULL) {
        memcpy(out, l->rows + plan->row * c->clip_floats * sizeof(float), c->clip_floats * sizeof(float));
        return REEL_OK;
    }
    reel_plan_trace trace = { 0 };
    reel_status status = reel_plan_carry_out_cached(&l->work.ctx, plan, c->transform, c->frames, c->autorotate, 1, c->cache, out,
                                                    &trace, err);
    if (status == REEL_OK && c->skip_truncated && trace.promised > 0)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: truncated after frame %lld of %lld", plan->item->path,
                         (long long)trace.frames, (long long)trace.promised);
    return status;
}

/* The fault of the clip, or of something larger? */
static bool is_fatal(reel_status status)
{
    return status == REEL_ERR_NOMEM || status == REEL_ERR_CANCELLED;
}

/* With the lock held. */
static void finish_clip(reel_loader *l, size_t p, reel_status status, const reel_error *err)
{
    slot *s = &l->slot[p / l->config.batch % l->slots];
    clip_state *clip = &s->clip[p % l->config.batch];
    if (status != REEL_OK && !is_fatal(status)) {
        clip->reason = reel_strdup(err->message);
        if (clip->reason == NULL)
            status = REEL_ERR_NOMEM;
    }
    clip->good = status == REEL_OK;
    clip->done = true;
    s->finished++;
    if (is_fatal(status) && l->failed == REEL_OK) {
        l->failed = status;
        l->error = *err;
    }
    pthread_cond_broadcast(&l->ready);
}

static void *run(void *user)
{
    reel_loader *l = user;
    const reel_loader_config *c = &l->config;
    reel_thread_decodes(l->ctx);
    pthread_mutex_lock(&l->lock);
    for (;;) {
        while (!l->work.stop && l->failed == REEL_OK && l->next_plan < c->plans &&
               l->next_plan / c->batch >= l->taken + l->slots)
            pthread_cond_wait(&l->room, &l->lock);
        if (l->work.stop || l->failed != REEL_OK || l->next_plan == c->plans)
            break;
        size_t p = l->next_plan++;
        float *out = l->slot[p / c->batch % l->slots].pixels + p % c->batch * c->clip_floats;
        pthread_mutex_unlock(&l->lock);
        reel_error err = { .status = REEL_OK };
        reel_status status = carry_out(l, p, out, &err);
        pthread_mutex_lock(&l->lock);
        finish_clip(l, p, status, &err);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* --- opening and closing --- */

static reel_status check_packed(reel_loader *l, reel_error *err)
{
    const reel_dataset *ds = l->config.dataset;
    const reel_tensor *t = reel_tensors_find(&ds->packed, "pixel_values");
    char text[128];
    size_t floats = 1;
    reel_shape_text(&t->shape, text, sizeof text);
    for (int i = 1; i < 5; i++)
        if (!reel_mul(&floats, floats, (size_t)t->shape.dim[i]))
            return reel_fail(err, REEL_ERR_FORMAT, "%s: pixel_values %s is too large", ds->path, text);
    if (floats != l->config.clip_floats || t->shape.dim[1] != l->config.frames)
        return reel_fail(err, REEL_ERR_MISMATCH, "%s: pixel_values is %s, but the model takes clips of %d frames and %zu numbers; "
                         "pack the data for this model", ds->path, text, l->config.frames, l->config.clip_floats);
    for (size_t i = 0; i < l->config.plans; i++)
        if (l->config.plan[i].row >= (size_t)t->shape.dim[0])
            return reel_fail(err, REEL_ERR_ARG, "%s has no row %zu", ds->path, l->config.plan[i].row);
    l->rows = t->data;
    return REEL_OK;
}

static reel_status make_slots(reel_loader *l, reel_error *err)
{
    const reel_loader_config *c = &l->config;
    reel_status status = REEL_OK;
    size_t floats, bytes;
    if (!reel_mul(&floats, c->batch, c->clip_floats) || !reel_mul(&bytes, floats, sizeof(float)) ||
        !reel_mul(&bytes, bytes, l->slots))
        return reel_fail_nomem(err, "the batches");
    REEL_TRY(reel_memory_check(l->ctx, bytes, "clips in flight", "A smaller batch size needs less.", err));
    l->slot = reel_calloc(l->slots, sizeof *l->slot);
    l->label = reel_calloc(c->batch, sizeof *l->label);
    l->plan = reel_calloc(c->batch, sizeof *l->plan);
    l->bad = reel_calloc(c->batch, sizeof *l->bad);
    if (l->slot == NULL || l->label == NULL || l->plan == NULL || l->bad == NULL)
        return reel_fail_nomem(err, "the batches");
    for (size_t i = 0; i < l->slots; i++) {
        l->slot[i].pixels = reel_alloc_aligned(floats, sizeof(float));
        l->slot[i].clip = reel_calloc(c->batch, sizeof *l->slot[i].clip);
        if (l->slot[i].pixels == NULL || l->slot[i].clip == NULL)
            return reel_fail_nomem(err, "the batches");
    }
done:
    return status;
}

static reel_status start_threads(reel_loader *l, reel_error *err)
{
    size_t wanted = l->config.threads < 1 ? 1 : l->config.threads > THREAD_LIMIT ? THREAD_LIMIT : (size_t)l->config.threads;
    if (wanted > l->config.plans)
        wanted = l->config.plans > 0 ? l->config.plans : 1;
    l->thread = reel_calloc(wanted, sizeof *l->thread);
    if (l->thread == NULL)
        return reel_fail_nomem(err, "the loader");
    for (size_t i = 0; i < wanted; i++) {
        int failed = pthread_create(&l->thread[i], NULL, run, l);
        if (failed != 0 && i == 0)
            return reel_fail(err, REEL_ERR_NOMEM, "no thread can be started to load clips (%s)", strerror(failed));
        if (failed != 0)
            break;  /* fewer do it too */
        l->threads++;
    }
    return REEL_OK;
}

reel_status reel_loader_open(reel_context *ctx, const reel_loader_config *config, reel_loader **out, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_loader *l = NULL;
    *out = NULL;
    if (config->batch < 1 || config->clip_floats < 1 || config->frames < 1)
        return reel_fail(err, REEL_ERR_ARG, "a batch needs at least one clip of one frame");
    l = reel_calloc(1, sizeof *l);
    if (l == NULL)
        return reel_fail_nomem(err, "the loader");
    l->ctx = ctx;
    l->config = *config;
    reel_worker_init(&l->work, ctx);
    l->batches = config->plans / config->batch + (config->plans % config->batch != 0);
    l->slots = (config->ahead < 1 ? 1 : (size_t)config->ahead) + 1;
    if (l->slots > l->batches)
        l->slots = l->batches > 0 ? l->batches : 1;
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&l->ready, &attr);
    pthread_cond_init(&l->room, NULL);
    pthread_condattr_destroy(&attr);
    if (config->dataset != NULL && config->dataset->is_packed)
        REEL_TRY(check_packed(l, err));
    REEL_TRY(make_slots(l, err));
    REEL_TRY(start_threads(l, err));
    *out = l;
    l = NULL;
done:
    reel_loader_close(&l);
    return status;
}

static void drop_bad(reel_loader *l)
{
    for (size_t i = 0; i < l->bads; i++)
        reel_free(l->bad[i].reason);
    l->bads = 0;
}

void reel_loader_close(reel_loader **loader)
{
    reel_loader *l = loader != NULL ? *loader : NULL;
    if (l == NULL)
        return;
    pthread_mutex_lock(&l->lock);
    reel_worker_stop(&l->work);
    pthread_cond_broadcast(&l->room);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->threads; i++)
        pthread_join(l->thread[i], NULL);
    if (l->bad != NULL)
        drop_bad(l);
    for (size_t i = 0; l->slot != NULL && i < l->slots; i++) {
        for (size_t k = 0; l->slot[i].clip != NULL && k < l->config.batch; k++)
            reel_free(l->slot[i].clip[k].reason);
        reel_free(l->slot[i].pixels);
        reel_free(l->slot[i].clip);
    }
    reel_free(l->slot);
    reel_free(l->label);
    reel_free(l->plan);
    reel_free(l->bad);
    reel_free(l->thread);
    pthread_cond_destroy(&l->ready);
    pthread_cond_destroy(&l->room);
    pthread_mutex_destroy(&l->lock);
    reel_worker_free(&l->work);
    reel_free(l);
    *loader = NULL;
}

/* --- the consumer --- */

/* Closes the gaps that unreadable clips left, in the order of the plans. */
static void gather(reel_loader *l, size_t b)
{
    slot *s = &l->slot[b % l->slots];
    size_t planned = batch_size(l, b), n = 0, floats = l->config.clip_floats;
    for (size_t k = 0; k < planned; k++) {
        size_t p = b * l->config.batch + k;
        if (s->clip[k].good) {
            if (n != k)
                memcpy(s->pixels + n * floats, s->pixels + k * floats, floats * sizeof(float));
            l->label[n] = l->config.plan[p].label;
            l->plan[n++] = p;
        } else {
            l->bad[l->bads++] = (reel_bad_clip){ p, s->clip[k].reason };
        }
        s->clip[k] = (clip_state){ .done = false };
    }
    s->finished = 0;
    l->batch = (reel_batch){ .pixels = s->pixels, .n = n, .label = l->label, .plan = l->plan, .planned = planned,
                             .bad = l->bad, .bads = l->bads };
}

/* With the lock held: until batch b is there. Cancelling is looked at every tenth of a second. */
static reel_status wait_for(reel_loader *l, size_t b, reel_error *err)
{
    slot *s = &l->slot[b % l->slots];
    while (l->failed == REEL_OK && s->finished < batch_size(l, b)) {
        struct timespec until;
        if (reel_cancelled(l->ctx))
            return reel_fail_cancelled(err);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += 100000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&l->ready, &l->lock, &until);
    }
    if (l->failed == REEL_OK)
        return REEL_OK;
    if (err != NULL)
        *err = l->error;
    return l->failed;
}

/* The batch that the consumer had is done with: its slot can be filled again. */
static void give_back(reel_loader *l)
{
    drop_bad(l);
    if (!l->lent)
        return;
    pthread_mutex_lock(&l->lock);
    l->taken++;
    pthread_cond_broadcast(&l->room);
    pthread_mutex_unlock(&l->lock);
    l->lent = false;
}

reel_status reel_loader_next(reel_loader *l, const reel_batch **out, reel_error *err)
{
    reel_status status = REEL_OK;
    double begin = reel_now();
    *out = NULL;
    give_back(l);
    if (reel_cancelled(l->ctx))
        return reel_fail_cancelled(err);
    if (l->taken == l->batches)
        return REEL_OK;
    pthread_mutex_lock(&l->lock);
    status = wait_for(l, l->taken, err);
    pthread_mutex_unlock(&l->lock);
    if (status != REEL_OK)
        return status;
    gather(l, l->taken);
    l->lent = true;
    l->batch.waited = reel_now() - begin;
    *out = &l->batch;
    return REEL_OK;
}
