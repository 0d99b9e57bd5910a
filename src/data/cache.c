#include "data/cache.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"

enum { BUCKETS = 4096 };

typedef enum stage { FILLING, READY, REFUSED } stage;

struct reel_cached {
    reel_cached *next;       /* in its bucket */
    char *path;
    reel_frames_mode mode;
    double seconds;
    int clip, clips, frames;
    bool autorotate;
    stage stage;             /* under the cache's lock */
    size_t bytes;            /* reserved, or held */
    pthread_mutex_t busy;    /* held while the video is used */
    reel_video *video;
    reel_video_info claimed; /* what its container says */
};

struct reel_cache {
    pthread_mutex_t lock;
    size_t limit;
    reel_cache_figures told;
    reel_cached *bucket[BUCKETS];
};

reel_status reel_cache_open(reel_context *ctx, size_t bytes, reel_cache **out, reel_error *err)
{
    *out = NULL;
    if (bytes == 0)
        return REEL_OK;
    reel_status status = reel_memory_check(ctx, bytes, "decoded frames kept in memory", "A smaller cache, or none, needs less.", err);
    if (status != REEL_OK)
        return status;
    *out = reel_calloc(1, sizeof **out);
    if (*out == NULL)
        return reel_fail_nomem(err, "the cache of decoded frames");
    (*out)->limit = bytes;
    pthread_mutex_init(&(*out)->lock, NULL);
    return REEL_OK;
}

void reel_cache_close(reel_cache **cache)
{
    reel_cache *c = cache != NULL ? *cache : NULL;
    if (c == NULL)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        for (reel_cached *e = c->bucket[i], *next; e != NULL; e = next) {
            next = e->next;
            reel_video_close(&e->video);
            pthread_mutex_destroy(&e->busy);
            reel_free(e->path);
            reel_free(e);
        }
    pthread_mutex_destroy(&c->lock);
    reel_free(c);
    *cache = NULL;
}

reel_cache_figures reel_cache_tell(reel_cache *c)
{
    pthread_mutex_lock(&c->lock);
    reel_cache_figures told = c->told;
    pthread_mutex_unlock(&c->lock);
    return told;
}

static size_t bucket_of(const char *path)
{
    size_t h = 5381;
    for (; *path != '\0'; path++)
        h = h * 33 + (unsigned char)*path;
    return h % BUCKETS;
}

bool reel_cached_whole(const reel_cached *e)
{
    return e->mode == REEL_FRAMES_RANDOM;
}

static bool matches(const reel_cached *e, const reel_cached *key)
{
    if (e->mode != key->mode || e->autorotate != key->autorotate || strcmp(e->path, key->path) != 0)
        return false;
    return reel_cached_whole(e) || (memcmp(&e->seconds, &key->seconds, sizeof e->seconds) == 0 && e->clip == key->clip && e->clips == key->clips &&
                                    e->frames == key->frames);
}

/* A new entry at the head of its bucket; NULL: no memory, so no entry. */
static reel_cached *add(reel_cache *c, const reel_cached *key, size_t bucket)
{
    reel_cached *e = reel_calloc(1, sizeof *e);
    if (e == NULL)
        return NULL;
    *e = *key;
    e->path = reel_strdup(key->path);
    if (e->path == NULL) {
        reel_free(e);
        return NULL;
    }
    e->stage = FILLING;
    pthread_mutex_init(&e->busy, NULL);
    e->next = c->bucket[bucket];
    c->bucket[bucket] = e;
    return e;
}

reel_cached *reel_cache_find(reel_cache *c, const reel_plan *plan, int frames, bool autorotate, reel_video **video, reel_video_info *claimed)
{
    *video = NULL;
    if (c == NULL || plan->item == NULL || plan->item->path == NULL)
        return NULL;
    const reel_cached key = { .path = plan->item->path, .mode = plan->mode, .seconds = plan->seconds, .clip = plan->clip, .clips = plan->clips,
                              .frames = frames, .autorotate = autorotate };
    size_t bucket = bucket_of(key.path);
    pthread_mutex_lock(&c->lock);
    reel_cached *e = c->bucket[bucket];
    while (e != NULL && !matches(e, &key))
        e = e->next;
    bool ready = e != NULL && e->stage == READY;
    if (e != NULL && !ready)
        e = NULL;  /* another thread fills it, or it was given up */
    else if (e == NULL && c->told.bytes < c->limit)
        e = add(c, &key, bucket);
    c->told.hits += ready;
    c->told.misses += !ready;
    pthread_mutex_unlock(&c->lock);
    if (ready) {
        pthread_mutex_lock(&e->busy);
        *video = e->video;
        *claimed = e->claimed;
    }
    return e;
}

void reel_cache_done(reel_cache *c, reel_cached *e)
{
    (void)c;
    pthread_mutex_unlock(&e->busy);
}

/* With the lock held. */
static void settle(reel_cache *c, reel_cached *e, stage to, size_t bytes)
{
    c->told.bytes = c->told.bytes - e->bytes + bytes;
    c->told.kept += to == READY;
    e->bytes = bytes;
    e->stage = to;
}

bool reel_cache_reserve(reel_cache *c, reel_cached *e, const reel_video_info *info, size_t n)
{
    size_t bytes;
    /* Chroma at half the size, rows and columns around the picture that codecs keep. */
    bool fits = reel_mul(&bytes, ((size_t)info->width + 96) * ((size_t)info->height + 96) * 3 / 2, n);
    pthread_mutex_lock(&c->lock);
    fits = fits && bytes <= c->limit - (c->told.bytes < c->limit ? c->told.bytes : c->limit);
    settle(c, e, fits ? FILLING : REFUSED, fits ? bytes : 0);
    pthread_mutex_unlock(&c->lock);
    return fits;
}

void reel_cache_fill(reel_cache *c, reel_cached *e, reel_video **video, const reel_video_info *claimed)
{
    reel_video *v = *video;
    size_t bytes = v != NULL ? reel_video_sleep(v, NULL) : 0;
    *video = NULL;
    pthread_mutex_lock(&c->lock);
    size_t others = c->told.bytes - e->bytes;
    bool good = v != NULL && others <= c->limit && bytes <= c->limit - others;
    if (good) {
        e->video = v;
        e->claimed = *claimed;
        v = NULL;
    }
    settle(c, e, good ? READY : REFUSED, good ? bytes : 0);
    pthread_mutex_unlock(&c->lock);
    reel_video_close(&v);
}
