#include "data/parallel.h"

#include <pthread.h>

#include "base/mem.h"

enum { THREAD_LIMIT = 256 };

typedef struct work {
    reel_context *ctx;
    reel_piece_fn fn;
    void *user;
    size_t n, next, failed_at;
    pthread_mutex_t lock;
    reel_status status;
    reel_error error;
} work;

static void *run(void *user)
{
    work *w = user;
    for (;;) {
        reel_error err = { .status = REEL_OK };
        pthread_mutex_lock(&w->lock);
        size_t i = w->status == REEL_OK && w->next < w->n ? w->next++ : w->n;
        pthread_mutex_unlock(&w->lock);
        if (i == w->n)
            return NULL;
        reel_status status = reel_cancelled(w->ctx) ? reel_fail_cancelled(&err) : w->fn(w->user, i, &err);
        if (status == REEL_OK)
            continue;
        pthread_mutex_lock(&w->lock);
        if (w->status == REEL_OK || i < w->failed_at) {
            w->status = status;
            w->error = err;
            w->failed_at = i;
        }
        pthread_mutex_unlock(&w->lock);
    }
}

reel_status reel_parallel(reel_context *ctx, int threads, size_t n, reel_piece_fn fn, void *user, reel_error *err)
{
    work w = { .ctx = ctx, .fn = fn, .user = user, .n = n, .status = REEL_OK };
    pthread_t thread[THREAD_LIMIT];
    int started = 0, wanted = threads > THREAD_LIMIT ? THREAD_LIMIT : threads;
    pthread_mutex_init(&w.lock, NULL);
    while (started + 1 < wanted && (size_t)started + 1 < n && pthread_create(&thread[started], NULL, run, &w) == 0)
        started++;
    run(&w);  /* this thread works too, alone if no other could be had */
    for (int i = 0; i < started; i++)
        pthread_join(thread[i], NULL);
    pthread_mutex_destroy(&w.lock);
    if (w.status != REEL_OK && err != NULL)
        *err = w.error;
    return w.status;
}

int reel_loader_threads(const reel_context *ctx, int64_t wanted)
{
    if (wanted < 1)
        wanted = ctx != NULL ? ctx->threads : 1;
    return wanted > THREAD_LIMIT ? THREAD_LIMIT : wanted < 1 ? 1 : (int)wanted;
}

static bool stop_or_cancel(void *user)
{
    reel_worker *w = user;
    return __atomic_load_n(&w->stop, __ATOMIC_RELAXED) || reel_cancelled(w->parent);
}

static void log_through(reel_log_level level, const char *topic, const char *message, void *user)
{
    reel_log(user, level, topic, "%s", message);
}

void reel_worker_init(reel_worker *w, reel_context *parent)
{
    *w = (reel_worker){ .parent = parent };
    if (parent != NULL)
        w->ctx = *parent;
    w->ctx.cancel = stop_or_cancel;
    w->ctx.cancel_user = w;
    w->ctx.log = log_through;
    w->ctx.log_user = parent;
    pthread_mutex_init(&w->ctx.log_lock, NULL);
}

void reel_worker_stop(reel_worker *w)
{
    __atomic_store_n(&w->stop, true, __ATOMIC_RELAXED);
}

void reel_worker_free(reel_worker *w)
{
    pthread_mutex_destroy(&w->ctx.log_lock);
}
