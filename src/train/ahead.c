#include "train/ahead.h"

#include <pthread.h>
#include <string.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "data/parallel.h"

enum { THREAD_LIMIT = 64, NONE = -1 };

typedef struct slot { reel_ahead_clip clip; int next; } slot;  /* next: of its file's queue, or of the free ones */
typedef struct queue { int first, last; } queue;

struct reel_ahead {
    reel_context *ctx;
    reel_worker work;          /* what the threads decode with: closing ends it too */
    reel_ahead_config config;
    slot *slot;
    int slots;
    pthread_t thread[THREAD_LIMIT];
    int threads;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    double waited;             /* the consumer's */
    /* under the lock */
    size_t next_file;          /* the next file that a thread takes */
    size_t head;               /* the file whose clips are handed out now */
    queue *ready;              /* one a file: clips that are decoded, in order */
    int first_free, free;
    int lent;                  /* the slot in the consumer's hands, or NONE */
};

/* A slot for a clip of file f, or NULL when it is over. The last free one is kept for the file that the consumer waits for:
 * files behind it could otherwise fill all slots and wait for it for ever. */
static reel_ahead_clip *slot_take(reel_ahead *a, size_t f, int *place)
{
    pthread_mutex_lock(&a->lock);
    while (!a->work.stop && !(a->free > 1 || (a->free == 1 && f == a->head)))
        pthread_cond_wait(&a->changed, &a->lock);
    reel_ahead_clip *clip = NULL;
    if (!a->work.stop) {
        *place = a->first_free;
        a->first_free = a->slot[*place].next;
        a->free--;
        clip = &a->slot[*place].clip;
    }
    pthread_mutex_unlock(&a->lock);
    return clip;
}

static void slot_hand_over(reel_ahead *a, size_t f, int place)
{
    pthread_mutex_lock(&a->lock);
    queue *q = &a->ready[f];
    a->slot[place].next = NONE;
    if (q->first == NONE)
        q->first = place;
    else
        a->slot[q->last].next = place;
    q->last = place;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

/* With the lock held. */
static void slot_give_back(reel_ahead *a, int place)
{
    a->slot[place].next = a->first_free;
    a->first_free = place;
    a->free++;
}

/* Clips of file f. One that fails (a file that ends early) does not stop those behind it. False: stop. */
static bool file_do(reel_ahead *a, size_t f)
{
    const reel_ahead_config *c = &a->config;
    int clips = 1, place;
    for (int k = 0; k < clips; k++) {
        reel_ahead_clip *clip = slot_take(a, f, &place);
        if (clip == NULL)
            return false;
        int64_t *index = clip->trace.index;
        double *time = clip->trace.time;
        clip->trace = (reel_plan_trace){.index = index, .time = time};
        clip->item = f;
        clip->status = REEL_OK;
        if (k == 0 && c->guide) {
            clip->status = reel_item_probe(&a->work.ctx, &c->item[f], c->autorotate, &clip->error);
            clips = clip->status == REEL_OK ? reel_uniform_clips(c->item[f].duration, c->seconds) : 1;
        }
        reel_plan plan = {.item = &c->item[f],
                          .mode = c->guide ? REEL_FRAMES_WINDOW : REEL_FRAMES_WHOLE,
                          .seconds = c->seconds,
                          .clip = k,
                          .clips = clips};
        /* a file alone may use the codec's threads; several at once keep the processors busy by themselves */
        if (clip->status == REEL_OK)
            clip->status = reel_plan_carry_out(&a->work.ctx, &plan, c->transform, c->frames, c->autorotate, c->items > 1,
                                               clip->pixels, &clip->trace, &clip->error);
        clip->last = k + 1 == clips;
        slot_hand_over(a, f, place);
    }
    return true;
}

static void *work(void *user)
{
    reel_ahead *a = user;
    reel_thread_decodes(a->ctx);
    for (bool goes_on = true; goes_on;) {
        pthread_mutex_lock(&a->lock);
        size_t f = a->work.stop ? a->config.items : a->next_file;
        a->next_file += f < a->config.items;
        pthread_mutex_unlock(&a->lock);
        goes_on = f < a->config.items && file_do(a, f);
    }
    return NULL;
}

/* One being filled by each thread, one in the consumer's hands, and a batch that waits: while one is computed the next is there. */
static int slots_of(const reel_ahead_config *c)
{
    const size_t most = c->batch < 64 ? c->batch : 64;
    const int threads = c->threads < 1 ? 1 : c->threads < THREAD_LIMIT ? c->threads : THREAD_LIMIT;
    return threads + 1 + (int)most;
}

bool reel_ahead_bytes(const reel_ahead_config *c, size_t *bytes)
{
    return reel_mul(bytes, c->clip_floats, sizeof(float)) && reel_mul(bytes, *bytes, (size_t)slots_of(c));
}

static reel_status slots_make(reel_ahead *a, reel_error *err)
{
    const reel_ahead_config *c = &a->config;
    a->slots = slots_of(c);
    a->slot = reel_calloc((size_t)a->slots, sizeof *a->slot);
    a->ready = reel_calloc(c->items, sizeof *a->ready);
    bool ok = a->slot != NULL && a->ready != NULL;
    for (size_t i = 0; ok && i < c->items; i++)
        a->ready[i] = (queue){NONE, NONE};
    for (int i = 0; ok && i < a->slots; i++) {
        reel_ahead_clip *clip = &a->slot[i].clip;
        clip->pixels = reel_alloc_aligned(c->clip_floats, sizeof(float));
        clip->trace.index = reel_calloc((size_t)c->frames, sizeof *clip->trace.index);
        clip->trace.time = reel_calloc((size_t)c->frames, sizeof *clip->trace.time);
        slot_give_back(a, i);
        ok = clip->pixels != NULL && clip->trace.index != NULL && clip->trace.time != NULL;
    }
    return ok ? REEL_OK : reel_fail_nomem(err, "the clips");
}

static reel_status threads_start(reel_ahead *a, reel_error *err)
{
    size_t wanted = a->config.threads < 1 ? 1 : a->config.threads < THREAD_LIMIT ? (size_t)a->config.threads : THREAD_LIMIT;
    wanted = wanted > a->config.items ? a->config.items : wanted;
    for (size_t i = 0; i < wanted; i++) {
        int failed = pthread_create(&a->thread[i], NULL, work, a);
        if (failed != 0 && i == 0)
            return reel_fail(err, REEL_ERR_NOMEM, "no thread can be started to read videos (%s)", strerror(failed));
        if (failed != 0)
            break;  /* fewer do it too */
        a->threads++;
    }
    return REEL_OK;
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
    a->first_free = a->lent = NONE;
    reel_worker_init(&a->work, ctx);
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->changed, NULL);
    REEL_TRY(slots_make(a, err));
    REEL_TRY(threads_start(a, err));
    *out = a;
    a = NULL;
done:
    reel_ahead_close(&a);
    return status;
}

reel_status reel_ahead_next(reel_ahead *a, reel_ahead_clip **out, reel_error *err)
{
    const double began = reel_now();
    *out = NULL;
    pthread_mutex_lock(&a->lock);
    if (a->lent != NONE) {
        slot_give_back(a, a->lent);
        a->lent = NONE;
        pthread_cond_broadcast(&a->changed);
    }
    while (a->head < a->config.items && a->ready[a->head].first == NONE)
        pthread_cond_wait(&a->changed, &a->lock);
    if (a->head < a->config.items) {
        queue *q = &a->ready[a->head];
        a->lent = q->first;
        q->first = a->slot[q->first].next;
        *out = &a->slot[a->lent].clip;
        a->head += (*out)->last;
        pthread_cond_broadcast(&a->changed);  /* the last free slot may now be another file's */
    }
    pthread_mutex_unlock(&a->lock);
    a->waited += reel_now() - began;
    if (*out != NULL && ((*out)->status == REEL_ERR_NOMEM || (*out)->status == REEL_ERR_CANCELLED)) {
        reel_status status = (*out)->status;
        if (err != NULL)
            *err = (*out)->error;
        *out = NULL;
        return status;
    }
    return REEL_OK;
}

double reel_ahead_waited(const reel_ahead *a)
{
    return a->waited;
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
    for (int i = 0; i < a->threads; i++)
        pthread_join(a->thread[i], NULL);
    for (int i = 0; a->slot != NULL && i < a->slots; i++) {
        reel_free(a->slot[i].clip.pixels);
        reel_free(a->slot[i].clip.trace.index);
        reel_free(a->slot[i].clip.trace.time);
    }
    reel_free(a->slot);
    reel_free(a->ready);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    reel_worker_free(&a->work);
    reel_free(a);
    *ahead = NULL;
}
