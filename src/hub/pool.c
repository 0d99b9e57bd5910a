#include "hub/pool.h"


#include "base/cpu.h"
#include "base/mem.h"

enum { THREADS_MAX = 16 };

/* What the threads share, behind `lock`. */
typedef struct crew {
    const reel_pool *p;
    reel_session *first;
    reel_get get;
    reel_wanted *w;
    size_t n, next;
    pthread_mutex_t lock;
    bool stop;
    reel_status status;
    reel_error error;
    bool count_total;
    uint64_t done, total, before;   /* before: from an earlier try */
    size_t files_done;
    double since, told;
} crew;

/* Under the lock. */
static void tell(crew *c, const char *file)
{
    const double seconds = reel_now() - c->since;
    const uint64_t done = c->total > 0 && c->done > c->total ? c->total : c->done;
    const reel_hub_event e = {.what = file, .done = done, .total = c->total, .files_done = c->files_done, .files = c->n,
                              .bytes_per_second = seconds > 0.2 && c->done > c->before ? (double)(c->done - c->before) / seconds : 0};
    c->told = reel_now();
    if (c->p->event != NULL)
        c->p->event(&e, c->p->user);
}

static bool fetched(int64_t bytes, const char *file, void *user)
{
    crew *c = user;
    enum { EARLIER = 1 << 20 };  /* more than a line brings at once: what an earlier try left, and no speed */
    pthread_mutex_lock(&c->lock);
    if (bytes > EARLIER)
        c->before += (uint64_t)bytes;
    c->done = bytes < 0 && (uint64_t)-bytes > c->done ? 0 : c->done + (uint64_t)bytes;
    if (reel_now() - c->told > 0.05)
        tell(c, file);
    const bool go_on = !c->stop;
    pthread_mutex_unlock(&c->lock);
    return go_on;
}

static void announced(int64_t size, const char *file, void *user)
{
    crew *c = user;
    pthread_mutex_lock(&c->lock);
    if (c->count_total && size > 0)
        c->total += (uint64_t)size;
    tell(c, file);
    pthread_mutex_unlock(&c->lock);
}

static reel_wanted *take(crew *c)
{
    pthread_mutex_lock(&c->lock);
    reel_wanted *w = !c->stop && c->next < c->n ? &c->w[c->next++] : NULL;
    pthread_mutex_unlock(&c->lock);
    return w;
}

static void give_back(crew *c, const reel_wanted *w, reel_status status, const reel_error *err)
{
    pthread_mutex_lock(&c->lock);
    if (status != REEL_OK && c->status == REEL_OK) {
        c->status = status;
        c->error = *err;
    }
    c->stop = c->stop || status != REEL_OK;
    c->files_done += status == REEL_OK;
    tell(c, w->file);
    pthread_mutex_unlock(&c->lock);
}

static void work(crew *c, reel_session *s)
{
    for (reel_wanted *w; (w = take(c)) != NULL;) {
        reel_error err = {0};
        give_back(c, w, reel_get_file(s, &c->get, w->file, w->known, &w->got, &err), &err);
    }
}

static void *thread_main(void *user)
{
    crew *c = user;
    reel_session s = {0};
    if (reel_session_fork(c->first, &s, NULL) == REEL_OK)
        work(c, &s);  /* else the others do it */
    reel_session_close(&s);
    return NULL;
}

reel_status reel_pool_get(const reel_pool *p, reel_session *s, reel_wanted *w, size_t n, uint64_t total, reel_error *err)
{
    pthread_t thread[THREADS_MAX];
    size_t threads = 0;
    crew c = {.p = p, .first = s, .w = w, .n = n, .lock = PTHREAD_MUTEX_INITIALIZER, .total = total, .count_total = total == 0,
              .since = reel_now()};
    c.get = (reel_get){.repo = p->repo, .local = p->local, .force = p->force, .away = p->away, .patient = p->patient,
                       .fetched = fetched, .announced = announced, .user = &c};
    const size_t wanted = p->threads < 1 ? 1 : p->threads > THREADS_MAX ? THREADS_MAX : (size_t)p->threads;
    while (threads + 1 < wanted && threads + 1 < n && pthread_create(&thread[threads], NULL, thread_main, &c) == 0)
        threads++;
    work(&c, s);
    for (size_t i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    pthread_mutex_destroy(&c.lock);
    if (c.status != REEL_OK && err != NULL)
        *err = c.error;
    return c.status;
}
