/* The public functions on a video. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "video/media.h"

reel_status reel_video_open(reel_context *ctx, const char *path, bool autorotate, reel_video **out, reel_error *err)
{
    if (out == NULL || path == NULL)
        return reel_fail(err, REEL_ERR_ARG, "reel_video_open: path and out must not be NULL");
    return reel_video_open_with(ctx, path, autorotate, 0, NULL, out, err);
}

static void fill(const reel_video *v, reel_video_info *info)
{
    info->width = v->orientation.transposed ? v->height : v->width;
    info->height = v->orientation.transposed ? v->width : v->height;
    info->rotation = v->orientation.degrees;
    info->fps = av_q2d(reel_frame_rate(v->stream));
    info->duration = reel_known_duration(v);
    info->frames = v->index.made ? (int64_t)v->index.n : -1;
    info->has_audio = v->has_audio;
    snprintf(info->codec, sizeof info->codec, "%s", avcodec_get_name(v->stream->codecpar->codec_id));
    /* FFmpeg names families: "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm". */
    const char *name = v->format->iformat->name;
    if (av_match_name("mp4", name))
        name = "mp4";
    snprintf(info->container, sizeof info->container, "%.*s", (int)strcspn(name, ","), name);
}

reel_status reel_video_get_info(const reel_video *v, reel_video_info *info, reel_error *err)
{
    if (info == NULL || info->size < sizeof info->size)
        return reel_fail(err, REEL_ERR_ARG, "reel_video_get_info: set info->size to sizeof(reel_video_info)");
    if (v->stream == NULL)
        return reel_fail(err, REEL_ERR_IO, "%s: could not be opened again", v->path);
    reel_video_info full = {0};
    fill(v, &full);
    full.size = info->size;
    /* A caller that was compiled against another version has a shorter or longer struct. */
    memcpy(info, &full, info->size < sizeof full ? info->size : sizeof full);
    return REEL_OK;
}

reel_status reel_video_count(reel_video *v, int64_t *frames, reel_error *err)
{
    *frames = 0;
    reel_work_begin(v, reel_now());
    reel_av_forget();
    if (v->codec == NULL && !v->asleep)
        return reel_fail(err, REEL_ERR_IO, "%s: could not be opened again", v->path);
    reel_status status = reel_index_make(v, err);
    reel_work_end(v, reel_now());
    if (status == REEL_OK)
        *frames = (int64_t)v->index.n;
    return status;
}

typedef struct target { uint8_t *rgb; int width, height; pthread_mutex_t lock; } target;

/* A frame of another size than the first ones is fitted into the place of theirs. */
static reel_status fit(reel_frame *f, uint8_t *rgb, const target *t, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_video *v = f->video;
    int w = reel_frame_width(f), h = reel_frame_height(f);
    struct SwsContext *sws = NULL;
    size_t size;
    uint8_t *own = NULL, *fitted = NULL;
    if (!reel_mul(&size, (size_t)w * 3, (size_t)h) || !reel_add(&size, size, 256)) {
        status = reel_fail_nomem(err, v->path);
        goto done;
    }
    size_t row = ((size_t)t->width * 3 + 63) / 64 * 64;  /* libswscale may write whole vectors */
    own = reel_alloc_aligned(size, 1);
    fitted = reel_alloc_aligned(row * (size_t)t->height + 256, 1);
    sws = sws_getContext(w, h, AV_PIX_FMT_RGB24, t->width, t->height, AV_PIX_FMT_RGB24, SWS_BICUBIC, NULL, NULL, NULL);
    if (own == NULL || fitted == NULL || sws == NULL) {
        status = reel_fail_nomem(err, v->path);
        goto done;
    }
    REEL_TRY(reel_frame_rgb(f, &(reel_rect){0, 0, w, h}, own, (size_t)w * 3, err));
    const uint8_t *from[4] = {own};
    uint8_t *to[4] = {fitted};
    sws_scale(sws, from, (int[4]){w * 3}, 0, h, to, (int[4]){(int)row});
    for (int y = 0; y < t->height; y++)
        memcpy(rgb + (size_t)y * (size_t)t->width * 3, fitted + (size_t)y * row, (size_t)t->width * 3);
done:
    sws_freeContext(sws);
    reel_free(own);
    reel_free(fitted);
    return status;
}

static reel_status take(reel_frame *f, size_t k, void *user, reel_error *err)
{
    target *t = user;
    uint8_t *rgb = t->rgb + k * (size_t)t->width * (size_t)t->height * 3;
    bool same = reel_frame_width(f) == t->width && reel_frame_height(f) == t->height;
    const reel_rect all = {0, 0, t->width, t->height};
    if (same && reel_frame_alone(f))
        return reel_frame_rgb(f, &all, rgb, (size_t)t->width * 3, err);
    pthread_mutex_lock(&t->lock);
    reel_status status = same ? reel_frame_rgb(f, &all, rgb, (size_t)t->width * 3, err) : fit(f, rgb, t, err);
    pthread_mutex_unlock(&t->lock);
    return status;
}

reel_status reel_video_read(reel_video *v, const int64_t *frame, size_t n, uint8_t *rgb, reel_error *err)
{
    int64_t frames;
    reel_status status = reel_video_count(v, &frames, err);
    if (status != REEL_OK)
        return status;
    target t = {.rgb = rgb, .width = v->orientation.transposed ? v->height : v->width,
                .height = v->orientation.transposed ? v->width : v->height};
    pthread_mutex_init(&t.lock, NULL);
    v->any_order = true;
    status = reel_video_decode(v, frame, n, take, &t, err);
    v->any_order = false;
    pthread_mutex_destroy(&t.lock);
    return status;
}
