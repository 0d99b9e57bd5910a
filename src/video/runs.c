/* Wanted frames that lie behind several key frames: one decoder a thread, each beginning at a key frame of its own, so that no decoder waits for
 * another. The frames are those that one decoder would give; what does not come as the index expects is left to the caller. */
#include <pthread.h>

#include "video/media.h"

enum { HELPERS = 15, HELD_BYTES = 160 << 20, FEWEST = 8 };

/* Wanted frames [first, stop) of the list have the same key frame before them. */
typedef struct run { size_t first, stop; const reel_entry *entry; } run;

typedef struct crew {
    reel_video *v;
    const int64_t *want;
    size_t n, runs;
    run *run;
    AVFrame **got;           /* (n) the first of equal numbers only; set before `done` is; NULL: already handed over */
    bool any_order;          /* whoever decodes hands over */
    reel_deliver_fn deliver;
    void *user;
    bool *given;             /* (runs) handed over by the one who decoded */
    pthread_mutex_t lock;
    size_t next;             /* under the lock: the next run */
    bool *done;              /* (runs), under the lock */
    reel_status status;      /* under the lock: no memory, cancelled, out of time */
    reel_error error;
} crew;

typedef struct hand { crew *c; AVCodecContext *codec; AVPacket *packet; AVFrame *frame; bool own, fresh; pthread_t thread; } hand;

/* Fills run (NULL: only counts). `most`: frames to decode for the costliest; `all`: for all. */
static size_t divide(const reel_video *v, const int64_t *want, size_t n, run *out, int64_t *most, int64_t *all)
{
    size_t runs = 0;
    const reel_entry *last = NULL;
    int64_t cost = 0;
    *most = *all = 0;
    for (size_t k = 0; k < n; k++) {
        const reel_entry *e = reel_index_entry(&v->index, want[k]);
        if (e != last || k == 0) {
            *all += cost;
            if (out != NULL)
                out[runs] = (run){k, k, e};
            runs++;
            last = e;
        }
        cost = want[k] - (e != NULL ? e->frame : 0) + 1;
        *most = cost > *most ? cost : *most;
        if (out != NULL)
            out[runs - 1].stop = k + 1;
    }
    *all += cost;
    return runs;
}

bool reel_runs_worth(const reel_video *v, const int64_t *want, size_t n)
{
    int64_t most, all;
    if (v->threads < 2 || !v->store.whole || !v->index.scanned || v->no_seek || v->no_skip || v->asleep || v->index.entries < 2 || n < 2 ||
        reel_video_keeps(v, want, n))
        return false;
    size_t runs = divide(v, want, n, NULL, &most, &all);
    int64_t frame = (int64_t)v->codec->width * v->codec->height * 2;
    return runs >= 2 && all >= FEWEST && all <= v->limits.max_frames && frame * (int64_t)n <= HELD_BYTES && most * v->threads <= all + all / 2;
}

/* The next frame of a run, or false at its end; packets are sent from *at on. */
static reel_status next_frame(hand *h, const run *r, size_t *at, bool *got, reel_error *err)
{
    const reel_video *v = h->c->v;
    *got = false;
    av_frame_unref(h->frame);
    for (;;) {
        int code = avcodec_receive_frame(h->codec, h->frame);
        if (code == AVERROR(ENOMEM))
            return reel_fail_nomem(err, v->path);
        if (code == 0) {
            *got = true;
            return REEL_OK;
        }
        if (code != AVERROR(EAGAIN) || *at > v->store.n)
            return REEL_OK;
        reel_status status = reel_work_check(h->c->v, err);
        if (status != REEL_OK)
            return status;
        if (*at == v->store.n) {
            avcodec_send_packet(h->codec, NULL);
            ++*at;
            continue;
        }
        av_packet_unref(h->packet);
        if (av_packet_ref(h->packet, v->store.packet[*at]) < 0)
            return reel_fail_nomem(err, v->path);
        int64_t spare = reel_index_spare(&v->index, *at, h->packet->pts, h->c->want + r->first, r->stop - r->first);
        h->codec->skip_frame = spare >= 0 ? AVDISCARD_NONREF : AVDISCARD_DEFAULT;
        ++*at;
        if (avcodec_send_packet(h->codec, h->packet) == AVERROR(ENOMEM))
            return reel_fail_nomem(err, v->path);
    }
}

/* The frame of places [from, to). */
static reel_status take(hand *h, size_t from, size_t to, reel_error *err)
{
    crew *c = h->c;
    reel_status status = REEL_OK;
    for (size_t k = from; c->any_order && status == REEL_OK && k < to; k++)
        status = c->deliver(c->user, h->frame, k, err);
    if (c->any_order)
        return status;
    c->got[from] = av_frame_clone(h->frame);
    return c->got[from] != NULL ? REEL_OK : reel_fail_nomem(err, c->v->path);
}

/* Decodes a run; frames that do not come as expected are left out. *all: they all came. */
static reel_status decode_run(hand *h, const run *r, bool *all, reel_error *err)
{
    const crew *c = h->c;
    const reel_index *x = &c->v->index;
    size_t at = reel_store_find(&c->v->store, r->entry->pos, r->entry->pts), k = r->first;
    int64_t next = r->entry->frame;
    bool entered = true;
    *all = false;
    avcodec_flush_buffers(h->codec);
    while (k < r->stop) {
        bool got;
        reel_status status = next_frame(h, r, &at, &got, err);
        if (status != REEL_OK)
            return status;
        int64_t number = got && h->frame->data[0] != NULL ? reel_index_follow(x, h->frame, next, entered) : -1;
        if (number == REEL_LEADING)
            continue;
        if (number < 0 || number > c->want[k])
            return REEL_OK;
        entered = false;
        next = number + 1;
        if (number < c->want[k])
            continue;
        size_t from = k;
        while (k < r->stop && c->want[k] == number)
            k++;
        status = take(h, from, k, err);
        if (status != REEL_OK)
            return status;
    }
    *all = true;
    return REEL_OK;
}

/* What a decoder learns from the first picture (who made the stream, which inverse transform is meant) it must know behind every key frame. */
static void prime(hand *h)
{
    const reel_store *s = &h->c->v->store;
    if (!h->fresh)
        return;
    h->fresh = false;
    h->codec->skip_frame = AVDISCARD_DEFAULT;
    av_packet_unref(h->packet);
    if (av_packet_ref(h->packet, s->packet[0]) == 0)
        avcodec_send_packet(h->codec, h->packet);
}

/* One run; false: none is left. */
static bool work_once(hand *h)
{
    crew *c = h->c;
    reel_error err = {.status = REEL_OK};
    pthread_mutex_lock(&c->lock);
    size_t i = c->status == REEL_OK ? c->next : c->runs;
    if (i < c->runs)
        c->next++;
    pthread_mutex_unlock(&c->lock);
    if (i == c->runs)
        return false;
    prime(h);
    bool all;
    reel_status status = decode_run(h, &c->run[i], &all, &err);
    pthread_mutex_lock(&c->lock);
    c->done[i] = true;
    c->given[i] = c->any_order && all;
    if (status != REEL_OK && c->status == REEL_OK) {
        c->status = status;
        c->error = err;
    }
    pthread_mutex_unlock(&c->lock);
    return true;
}

static void *help(void *user)
{
    hand *h = user;
    while (work_once(h))
        ;
    return NULL;
}

static bool hand_open(hand *h, crew *c, AVCodecContext *codec)
{
    *h = (hand){.c = c, .codec = codec, .packet = av_packet_alloc(), .frame = av_frame_alloc()};
    h->fresh = codec == NULL || codec->frame_number == 0;
    if (codec == NULL) {
        h->own = true;
        if (reel_source_decoder(c->v, 1, &h->codec, NULL) != REEL_OK)
            h->codec = NULL;
    }
    return h->packet != NULL && h->frame != NULL && h->codec != NULL;
}

static void hand_close(hand *h)
{
    av_packet_free(&h->packet);
    av_frame_free(&h->frame);
    if (h->own)
        avcodec_free_context(&h->codec);
}

/* Hands over, in order, what is there. The rest of the list stays from the first frame that is missing on. */
static reel_status hand_over(crew *c, reel_deliver_fn deliver, void *user, size_t *run_at, size_t *delivered, reel_error *err)
{
    for (;;) {
        pthread_mutex_lock(&c->lock);
        bool done = *run_at < c->runs && c->done[*run_at];
        pthread_mutex_unlock(&c->lock);
        if (!done)
            return REEL_OK;
        const run *r = &c->run[*run_at];
        size_t from = r->first;
        if (c->given[*run_at]) {
            *delivered = r->stop;
            ++*run_at;
            continue;
        }
        for (size_t k = r->first; k < r->stop; k++) {
            if (k == r->first || c->want[k] != c->want[k - 1]) {
                if (k > r->first)
                    av_frame_free(&c->got[from]);
                from = k;
            }
            if (c->got[from] == NULL)
                return REEL_OK;  /* *run_at stays: nothing behind it is handed over */
            reel_status status = deliver(user, c->got[from], k, err);
            if (status != REEL_OK)
                return status;
            *delivered = k + 1;
        }
        av_frame_free(&c->got[from]);
        ++*run_at;
    }
}

reel_status reel_runs_decode(reel_video *v, const int64_t *want, size_t n, reel_deliver_fn deliver, void *user, size_t *delivered, reel_error *err)
{
    reel_status status = REEL_OK;
    crew c = {.v = v, .want = want, .n = n, .any_order = v->any_order && !v->keep_wanted, .deliver = deliver, .user = user};
    hand hands[1 + HELPERS];
    int helpers = 0, opened = 0;
    int64_t most, all;
    size_t at = 0;
    *delivered = 0;
    pthread_mutex_init(&c.lock, NULL);
    c.run = reel_calloc(n, sizeof *c.run);
    c.got = reel_calloc(n, sizeof(AVFrame *));
    c.done = reel_calloc(n, sizeof *c.done);
    c.given = reel_calloc(n, sizeof *c.given);
    if (c.run == NULL || c.got == NULL || c.done == NULL || c.given == NULL || !hand_open(&hands[opened++], &c, v->codec)) {
        status = reel_fail_nomem(err, v->path);
        goto done;
    }
    c.runs = divide(v, want, n, c.run, &most, &all);
    while (helpers + 1 < v->threads && helpers < HELPERS && (size_t)helpers + 1 < c.runs) {
        hand *h = &hands[opened++];
        if (!hand_open(h, &c, NULL) || pthread_create(&h->thread, NULL, help, h) != 0)
            break;  /* fewer do it too */
        helpers++;
    }
    while (status == REEL_OK && work_once(&hands[0]))
        status = hand_over(&c, deliver, user, &at, delivered, err);
done:
    pthread_mutex_lock(&c.lock);
    if (status != REEL_OK)
        c.next = c.runs;  /* the others need not go on */
    pthread_mutex_unlock(&c.lock);
    for (int i = 1; i <= helpers; i++)
        pthread_join(hands[i].thread, NULL);
    if (status == REEL_OK && c.status != REEL_OK) {
        status = c.status;
        if (err != NULL)
            *err = c.error;
    }
    if (status == REEL_OK)
        status = hand_over(&c, deliver, user, &at, delivered, err);
    for (int i = 0; i < opened; i++)
        hand_close(&hands[i]);
    for (size_t k = 0; c.got != NULL && k < n; k++)
        av_frame_free(&c.got[k]);
    /* The reader's own place is lost: the decoder was used elsewhere. */
    v->next = v->current = -1;
    v->skipped = v->lost = -1;
    pthread_mutex_destroy(&c.lock);
    reel_free(c.run);
    reel_free(c.got);
    reel_free(c.done);
    reel_free(c.given);
    return status;
}
