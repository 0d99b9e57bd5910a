/* Chosen frames: seek where that saves decoding, see that the frames are those meant, and decode from the start where a file
 * leads astray. */
#include <string.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/file.h"
#include "base/text.h"
#include "video/media.h"

/* A seek costs about as much as decoding so many frames. Up to so many bytes of frames are kept from making the index. */
enum { SEEK_GAIN = 3, KEEP_BYTES = 64 << 20, SHARED_FRAMES = 12, SHARED_PIXELS = 480 * 270, IO_BYTES = 1 << 17 };

const reel_video_limits reel_video_limits_default = {.max_pixels = 8192 * 4320, .max_seconds = 60, .max_frames = 20000};

bool reel_video_name(const char *path)
{
    static const char *const suffix[] = {".avi", ".mp4", ".mkv", ".webm", ".mov", ".m4v", ".gif", ".mpg", ".mpeg", ".ts", ".mts",
                                         ".wmv", ".flv", ".3gp"};
    for (size_t i = 0; i < sizeof suffix / sizeof *suffix; i++)
        if (reel_ends_with(path, suffix[i]))
            return true;
    return false;
}

reel_status reel_video_open_with(reel_context *ctx, const char *path, bool autorotate, int codec_threads,
                                 const reel_video_limits *limits, reel_video **out, reel_error *err)
{
    reel_status status = REEL_OK;
    *out = NULL;
    reel_video_init();
    reel_video *v = reel_calloc(1, sizeof *v);
    if (v == NULL)
        return reel_fail_nomem(err, path);
    v->fd = -1;
    v->ctx = ctx;
    v->autorotate = autorotate;
    v->keep_limit = KEEP_BYTES;
    v->limits = limits != NULL ? *limits : reel_video_limits_default;
    v->threads = codec_threads > 0 ? codec_threads : ctx != NULL ? reel_context_threads(ctx) : 1;
    if (v->threads > 16)
        v->threads = 16;
    reel_pixel_kernels_select(&v->kernels, ctx != NULL ? ctx->cpu_flags : reel_cpu_flags());
    reel_work_begin(v, reel_now());
    v->path = reel_strdup(path);
    v->packet = av_packet_alloc();
    v->frame = av_frame_alloc();
    if (v->path == NULL || v->packet == NULL || v->frame == NULL) {
        status = reel_fail_nomem(err, path);
        goto done;
    }
    REEL_TRY(reel_file_open(path, &v->fd, &v->bytes, err));
    if (v->bytes == 0) {
        status = reel_fail(err, REEL_ERR_FORMAT, "%s: the file is empty (0 bytes)", path);
        goto done;
    }
    REEL_TRY(reel_source_open(v, err));
    reel_work_end(v, reel_now());
    *out = v;
    v = NULL;
done:
    reel_video_close(&v);
    return status;
}

void reel_video_keep(reel_video *v, size_t limit)
{
    v->keep_wanted = true;
    v->keep_limit = limit;
}

void reel_video_forget(reel_video *v, const int64_t *frame, size_t n)
{
    for (size_t i = 0; v->kept != NULL && i < v->index.n; i++)
        if (!reel_is_wanted(frame, n, (int64_t)i))
            av_frame_free(&v->kept[i]);
}

bool reel_video_mended(const reel_video *v)
{
    return v->mended;
}

size_t reel_video_sleep(reel_video *v, reel_context *ctx)
{
    size_t bytes = sizeof *v + IO_BYTES + (v->index.n + 1) * (sizeof *v->kept + sizeof *v->index.shown + sizeof *v->index.time) +
                   v->index.entries * sizeof *v->index.entry;
    v->asleep = true;
    v->ctx = ctx;
    reel_store_free(&v->store);
    avcodec_free_context(&v->codec);
    av_frame_unref(v->frame);
    av_packet_unref(v->packet);
    v->next = v->current = -1;
    if (v->fd >= 0)
        close(v->fd);
    v->fd = -1;
    for (size_t i = 0; v->kept != NULL && i < v->index.n; i++)
        if (v->kept[i] != NULL)
            bytes += reel_frame_bytes(v->kept[i]) + sizeof(AVFrame);
    return bytes;
}

void reel_video_close(reel_video **video)
{
    if (video == NULL || *video == NULL)
        return;
    reel_video *v = *video;
    reel_index_free(v);
    reel_source_close(v);
    av_packet_free(&v->packet);
    av_frame_free(&v->frame);
    sws_freeContext(v->sws);
    reel_free(v->picture);
    reel_free(v->turned);
    if (v->fd >= 0)
        close(v->fd);
    reel_free(v->path);
    reel_free(v);
    *video = NULL;
}

/* Is the frame just decoded the one that the index expects? Sets v->current and v->next. */
static bool identify(reel_video *v)
{
    int64_t number = reel_index_follow(&v->index, v->frame, v->next, v->entered);
    if (number == REEL_LEADING)
        return true;
    if (number < 0)
        return false;
    v->entered = false;
    v->current = number;
    v->next = number + 1;
    return true;
}

/* Frame threads cost more than they bring where frames are small or few. They wait for each other, so that a few more than the processor has
 * cores keep it busy (720p h264 on two cores: 4 threads take 0.83 of the time of 2). */
reel_status reel_work_share(reel_video *v, int64_t frames, reel_error *err)
{
    int threads = v->threads > 8 ? 16 : 2 * v->threads;
    if (v->threads == 1 || v->codec_threads > 1 || frames < SHARED_FRAMES || (int64_t)v->codec->width * v->codec->height < SHARED_PIXELS ||
        (v->decoder->capabilities & (AV_CODEC_CAP_FRAME_THREADS | AV_CODEC_CAP_SLICE_THREADS | AV_CODEC_CAP_OTHER_THREADS)) == 0)
        return REEL_OK;
    return reel_source_redecode(v, threads, err);
}

static reel_status go_near(reel_video *v, int64_t number, reel_error *err)
{
    const reel_entry *e = v->no_seek ? NULL : reel_index_entry(&v->index, number);
    bool here = v->next >= 0 && v->next <= number && number > v->lost;
    if (here && (e == NULL || e->frame <= v->next + SEEK_GAIN))
        return REEL_OK;
    bool done = false;
    v->entered = false;
    if (e != NULL && e->frame > 0) {
        reel_status status = reel_reader_seek(v, e, &done, err);
        if (status != REEL_OK)
            return status;
        v->entered = done;
    }
    if (done)
        return REEL_OK;
    reel_status status = reel_reader_restart(v, err);
    v->next = status == REEL_OK ? 0 : -1;
    return status;
}

/* Brings frame `number` into v->frame; *found false: it did not come where the index expects it. */
static reel_status decode_to(reel_video *v, int64_t number, int64_t *decoded, bool *found, reel_error *err)
{
    reel_status status = REEL_OK;
    *found = v->current == number;
    if (*found)
        return REEL_OK;
    REEL_TRY(go_near(v, number, err));
    for (;;) {
        bool end;
        REEL_TRY(reel_reader_frame(v, &end, err));
        if (end || !identify(v) || v->current > number) {
            v->next = -1;
            goto done;
        }
        if (++*decoded > v->limits.max_frames) {
            status = reel_fail(err, REEL_ERR_LIMIT, "%s: more than %lld frames had to be decoded for one clip", v->path,
                               (long long)v->limits.max_frames);
            goto done;
        }
        *found = v->current == number;
        if (*found)
            goto done;
    }
done:
    return status;
}

/* The index was wrong: it is made anew by decoding, and the frames still wanted are found again by their times. */
static reel_status start_over(reel_video *v, int64_t *want, size_t n, reel_error *err)
{
    int64_t *time = reel_calloc(n, sizeof *time);
    if (time == NULL)
        return reel_fail_nomem(err, v->path);
    for (size_t k = 0; k < n; k++)
        time[k] = v->index.time[want[k]];
    v->next = -1;
    v->mended = true;
    reel_status status = reel_index_by_decoding(v, err);
    for (size_t k = 0; status == REEL_OK && k < n; k++) {
        size_t i = reel_index_first_at(&v->index, time[k]);
        want[k] = (int64_t)(i < v->index.n ? i : v->index.n - 1);
    }
    reel_free(time);
    return status;
}

static reel_status keep_wanted(reel_video *v, int64_t number, const AVFrame *av, reel_error *err)
{
    if (!v->keep_wanted || v->kept == NULL || v->kept[number] != NULL)
        return REEL_OK;
    v->kept_bytes += reel_frame_bytes(av);
    if (v->kept_bytes > v->keep_limit)
        return REEL_OK;
    v->kept[number] = av_frame_clone(av);
    return v->kept[number] != NULL ? REEL_OK : reel_fail_nomem(err, v->path);
}

/* One wanted frame as av; what does not come by seeking comes by decoding from the start. */
static reel_status fetch(reel_video *v, int64_t *want, size_t n, int64_t *decoded, const AVFrame **av, reel_error *err)
{
    for (;;) {
        bool found;
        if (v->kept != NULL && v->kept[want[0]] != NULL) {
            *av = v->kept[want[0]];
            return REEL_OK;
        }
        reel_status status = decode_to(v, want[0], decoded, &found, err);
        if (status != REEL_OK)
            return status;
        if (found) {
            *av = v->frame;
            return REEL_OK;
        }
        if (!v->no_seek || !v->no_skip) {
            v->no_seek = v->no_skip = true;
        } else if (v->index.scanned) {
            v->no_seek = v->no_skip = false;
            status = start_over(v, want, n, err);
            if (status != REEL_OK)
                return status;
        } else {
            return reel_av_fail(v, 0, REEL_ERR_FORMAT, "its frames did not decode a second time as they did the first", err);
        }
    }
}

bool reel_video_keeps(const reel_video *v, const int64_t *frame, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (v->kept == NULL || frame[k] < 0 || frame[k] >= (int64_t)v->index.n || v->kept[frame[k]] == NULL)
            return false;
    return true;
}

static reel_status check_wanted(const reel_video *v, const int64_t *frame, size_t n, reel_error *err)
{
    for (size_t k = 0; k < n; k++) {
        if (frame[k] < 0 || frame[k] >= (int64_t)v->index.n)
            return reel_fail(err, REEL_ERR_ARG, "%s: there is no frame %lld; the video has %zu, counted from 0", v->path,
                             (long long)frame[k], v->index.n);
        if (k > 0 && frame[k] < frame[k - 1])
            return reel_fail(err, REEL_ERR_ARG, "%s: frame %lld is asked for after %lld; numbers must rise", v->path,
                             (long long)frame[k], (long long)frame[k - 1]);
    }
    return REEL_OK;
}

typedef struct delivery { reel_video *v; const int64_t *want; reel_frame_fn fn; void *user; } delivery;

static reel_status deliver(void *user, const AVFrame *av, size_t k, reel_error *err)
{
    delivery *d = user;
    reel_frame f = {.video = d->v, .av = av};
    reel_status status = keep_wanted(d->v, d->want[k], av, err);
    return status != REEL_OK ? status : d->fn(&f, k, d->user, err);
}

/* One decoder for all: with threads of its own if there is enough to do. */
static reel_status share_work(reel_video *v, const int64_t *want, size_t n, reel_error *err)
{
    if (n == 0 || v->asleep || reel_video_keeps(v, want, n))
        return REEL_OK;
    const reel_entry *e = v->no_seek ? NULL : reel_index_entry(&v->index, want[0]);
    int64_t from = e != NULL ? e->frame : 0;
    if (v->next >= 0 && v->next <= want[0] && v->next > from)
        from = v->next;
    int was = v->codec_threads;
    reel_status status = reel_work_share(v, want[n - 1] - from + 1, err);
    if (v->codec_threads != was)
        v->next = v->current = -1;  /* the reader is ahead of the new decoder */
    return status;
}

reel_status reel_video_decode(reel_video *v, const int64_t *frame, size_t n, reel_frame_fn fn, void *user, reel_error *err)
{
    reel_status status = REEL_OK;
    int64_t *want = NULL, decoded = 0;
    reel_work_begin(v, reel_now());
    reel_av_forget();
    if (v->codec == NULL && !v->asleep)
        return reel_fail(err, REEL_ERR_IO, "%s: could not be opened again", v->path);
    REEL_TRY(reel_index_make(v, err));
    REEL_TRY(check_wanted(v, frame, n, err));
    if (v->asleep && !reel_video_keeps(v, frame, n))
        return reel_fail(err, REEL_ERR_ARG, "%s: only the frames that were kept can be had", v->path);
    want = reel_calloc(n, sizeof *want);
    if (want == NULL) {
        status = reel_fail_nomem(err, v->path);
        goto done;
    }
    if (n > 0)
        memcpy(want, frame, n * sizeof *want);
    v->lost = v->skipped;
    v->want = want;
    v->want_n = n;
    {
        delivery d = {v, want, fn, user};
        size_t k = 0;
        if (reel_runs_worth(v, want, n))
            REEL_TRY(reel_runs_decode(v, want, n, deliver, &d, &k, err));
        else
            REEL_TRY(share_work(v, want, n, err));
        for (; k < n; k++) {
            const AVFrame *av = NULL;
            REEL_TRY(fetch(v, want + k, n - k, &decoded, &av, err));
            REEL_TRY(deliver(&d, av, k, err));
        }
    }
done:
    v->want = NULL;
    v->want_n = 0;
    reel_free(want);
    reel_work_end(v, reel_now());
    return status;
}
