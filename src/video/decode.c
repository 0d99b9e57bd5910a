/* Chosen frames: seek where that saves decoding, see that the frames are those meant, and decode from the start where a file
 * leads astray. */
#include <string.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/file.h"
#include "base/text.h"
#include "video/media.h"

/* A seek costs about as much as decoding so many frames. Up to so many bytes of frames are kept from making the index. */
enum { SEEK_GAIN = 3, KEEP_BYTES = 64 << 20 };

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
    const reel_index *x = &v->index;
    int64_t number;
    if (x->scanned) {
        number = reel_index_find(x, reel_frame_pts(v->frame));
        /* The first frame behind a seek must be a key frame, whatever the container says of it. */
        if (number < 0 || number < v->next || (v->entered && v->next > 0 && !v->frame->key_frame))
            return false;
    } else {
        number = v->next;
        if (number < 0 || number >= (int64_t)x->n || x->shown[number].pos != v->frame->pkt_pos)
            return false;
    }
    v->entered = false;
    v->current = number;
    v->next = number + 1;
    return true;
}

/* The last entry at or before frame `number`. */
static const reel_entry *entry_before(const reel_index *x, int64_t number)
{
    size_t lo = 0, hi = x->entries;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (x->entry[mid].frame <= number)
            lo = mid;
        else
            hi = mid;
    }
    return x->entries > 0 ? &x->entry[lo] : NULL;
}

static reel_status go_near(reel_video *v, int64_t number, reel_error *err)
{
    const reel_entry *e = v->no_seek ? NULL : entry_before(&v->index, number);
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
    reel_status status = reel_index_by_decoding(v, err);
    for (size_t k = 0; status == REEL_OK && k < n; k++) {
        size_t i = reel_index_first_at(&v->index, time[k]);
        want[k] = (int64_t)(i < v->index.n ? i : v->index.n - 1);
    }
    reel_free(time);
    return status;
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

reel_status reel_video_decode(reel_video *v, const int64_t *frame, size_t n, reel_frame_fn fn, void *user, reel_error *err)
{
    reel_status status = REEL_OK;
    int64_t *want = NULL, decoded = 0;
    reel_work_begin(v, reel_now());
    reel_av_forget();
    if (v->codec == NULL)
        return reel_fail(err, REEL_ERR_IO, "%s: could not be opened again", v->path);
    REEL_TRY(reel_index_make(v, err));
    REEL_TRY(check_wanted(v, frame, n, err));
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
    for (size_t k = 0; k < n; k++) {
        reel_frame f = {.video = v};
        REEL_TRY(fetch(v, want + k, n - k, &decoded, &f.av, err));
        REEL_TRY(fn(&f, k, user, err));
    }
done:
    v->want = NULL;
    v->want_n = 0;
    reel_free(want);
    reel_work_end(v, reel_now());
    return status;
}
