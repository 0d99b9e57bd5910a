#include "train/ahead.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "data/parallel.h"

struct reel_ahead {
    reel_context *ctx;
    reel_worker work;          /* what the thread decodes with: closing ends it too */
    reel_ahead_config config;
    reel_ahead_clip *slot;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under the lock */
    size_t made, taken;        /* clips so far; slot of clip i is i mod slots */
    bool ended;
    bool lent;                 /* the consumer's: clip `taken` is in its hands */
};

/* An empty slot, or NULL when it is over. */
static reel_ahead_clip *slot_wait(reel_ahead *a)
{
    pthread_mutex_lock(&a->lock);
    while (!a->work.stop && a->made - a->taken >= (size_t)a->config.slots)
        pthread_cond_wait(&a->changed, &a->lock);
    reel_ahead_clip *clip = a->work.stop ? NULL : &a->slot[a->made % (size_t)a->config.slots];
    pthread_mutex_unlock(&a->lock);
    return clip;
}

static void slot_hand_over(reel_ahead *a)
{
    pthread_mutex_lock(&a->lock);
    a->made++;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

/* Clips of file i. One that fails (a file that ends early) does not stop those behind it. False: stop. */
static bool file_do(reel_ahead *a, size_t i)
{
    const reel_ahead_config *c = &a->config;
    int clips = 1;
    for (int k = 0; k < clips; k++) {
        reel_ahead_clip *clip = slot_wait(a);
        if (clip == NULL)
            return false;
        int64_t *index = clip->trace.index;
        double *time = clip->trace.time;
        clip->trace = (reel_plan_trace){.index = index, .time = time};
        clip->item = i;
        clip->status = REEL_OK;
        if (k == 0 && c->guide) {
            clip->status = reel_item_probe(&a->work.ctx, &c->item[i], c->autorotate, &clip->error);
            clips = clip->status == REEL_OK ? reel_uniform_clips(c->item[i].duration, c->seconds) : 1;
        }
        reel_plan plan = {.item = &c->item[i],
                          .mode = c->guide ? REEL_FRAMES_WINDOW : REEL_FRAMES_WHOLE,
                          .seconds = c->seconds,
                          .clip = k,
                          .clips = clips};
        if (clip->status == REEL_OK)
            clip->status = reel_plan_carry_out(&a->work.ctx, &plan, c->transform, c->frames, c->autorotate, 0, clip->pixels,
                                               &clip->trace, &clip->error);
        clip->last = k + 1 == clips;
        slot_hand_over(a);
    }
    return true;
}

static void *work(void *user)
{
    reel_ahead *a = user;
    for (size_t i = 0; i < a->config.items && file_do(a, i); i++)
        ;
    pthread_mutex_lock(&a->lock);
    a->ended = true;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

static reel_status slots_make(reel_ahead *a, reel_error *err)
{
    const reel_ahead_config *c = &a->config;
    a->slot = reel_calloc((size_t)c->slots, sizeof *a->slot);
    bool ok = a->slot != NULL;
    for (int i = 0; ok && i < c->slots; i++) {
        reel_ahead_clip *clip = &a->slot[i];
        clip->pixels = reel_alloc_aligned(c->clip_floats, sizeof(float));
        clip->trace.index = reel_calloc((size_t)c->frames, sizeof *clip->trace.index);
        clip->trace.time = reel_calloc((size_t)c->frames, sizeof *clip->trace.time);
        ok = clip->pixels != NULL && clip->trace.index != NULL && clip->trace.time != NULL;
    }
    return ok ? REEL_OK : reel_fail_nomem(err, "the clips");
}

reel_status reel_ahead_open(reel_context *ctx, const reel_ahead_config *config, reel_ahead **out, reel_error *err)
{
    reel_status status = REEL_OK;
    *out = NULL;
    reel_ahead *a = reel_calloc(1, sizeof *a);
    if (a == NULL)
        return reel_fail_nomem(err, "the clips");
    a->ctx = ctx;
    a->config = *config;
    reel_worker_init(&a->work, ctx);
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->changed, NULL);
    REEL_TRY(slots_make(a, err));
    int failed = pthread_create(&a->thread, NULL, work, a);
    if (failed != 0) {
        status = reel_fail(err, REEL_ERR_NOMEM, "no thread can be started to read videos (%s)", strerror(failed));
        goto done;
    }
    a->started = true;
    *out = a;
    a = NULL;
done:
    reel_ahead_close(&a);
    return status;
}

reel_status reel_ahead_next(reel_ahead *a, reel_ahead_clip **out, reel_error *err)
{
    *out = NULL;
    pthread_mutex_lock(&a->lock);
    if (a->lent) {
        a->taken++;
        a->lent = false;
        pthread_cond_broadcast(&a->changed);
    }
    while (!a->ended && a->made == a->taken)
        pthread_cond_wait(&a->changed, &a->lock);
    if (a->made > a->taken) {
        *out = &a->slot[a->taken % (size_t)a->config.slots];
        a->lent = true;
    }
    pthread_mutex_unlock(&a->lock);
    if (*out != NULL && ((*out)->status == REEL_ERR_NOMEM || (*out)->status == REEL_ERR_CANCELLED)) {
        reel_status status = (*out)->status;
        if (err != NULL)
            *err = (*out)->error;
        *out = NULL;
        return status;
    }
    return REEL_OK;
}

void reel_ahead_close(reel_ahead **ahead)
{
    reel_ahead *a = ahead != NULL ? *ahead : NULL;
    if (a == NULL)
        return;
    pthread_mutex_lock(&a->lock);
    reel_worker_stop(&a->work);
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
    if (a->started)
        pthread_join(a->thread, NULL);
    for (int i = 0; a->slot != NULL && i < a->config.slots; i++) {
        reel_free(a->slot[i].pixels);
        reel_free(a->slot[i].trace.index);
        reel_free(a->slot[i].trace.time);
    }
    reel_free(a->slot);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    reel_worker_free(&a->work);
    reel_free(a);
    *ahead = NULL;
}
