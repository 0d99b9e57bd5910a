/* Encoders and muxers write into memory; the file is then put in place at once. Bit-exact flags and one thread make equal
 * input give equal bytes. */
#include "video/encode.h"

#include <stdbool.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswscale/swscale.h>

#include "base/file.h"
#include "base/mem.h"
#include "video/decode.h"
#include "video/palette.h"

enum { MOST_SIDE = 16384, IO_BUFFER = 1 << 15 };

typedef struct writer {
    const char *path;
    AVCodecContext *codec;
    AVFormatContext *format;     /* NULL: a packet is the file */
    AVIOContext *io;
    AVPacket *packet;
    AVFrame *frame;
    uint8_t *data;               /* the file: size bytes of room, at: where writing goes on */
    size_t size, room, at;
} writer;

/* FFmpeg's own growing buffer would put zeros where a muxer stopped last, which is not always the end. */
static int write_some(void *opaque, uint8_t *data, int n)
{
    writer *w = opaque;
    size_t end;
    if (n < 0 || !reel_add(&end, w->at, (size_t)n))
        return AVERROR(EINVAL);
    if (end > w->room) {
        size_t room = end < SIZE_MAX / 2 ? end + end / 2 : end;
        uint8_t *more = reel_realloc(w->data, room, 1);
        if (more == NULL)
            return AVERROR(ENOMEM);
        memset(more + w->room, 0, room - w->room);
        w->data = more;
        w->room = room;
    }
    memcpy(w->data + w->at, data, (size_t)n);
    w->at = end;
    if (end > w->size)
        w->size = end;
    return n;
}

static int64_t move(void *opaque, int64_t offset, int whence)
{
    writer *w = opaque;
    if (whence & AVSEEK_SIZE)
        return (int64_t)w->size;
    if (whence != SEEK_SET || offset < 0)
        return AVERROR(EINVAL);
    w->at = (size_t)offset;
    return offset;
}

static reel_status fail(const writer *w, const char *what, int code, reel_error *err)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    if (code == AVERROR(ENOMEM))
        return reel_fail_nomem(err, w->path);
    av_strerror(code, text, sizeof text);
    return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: %s (FFmpeg: %s)", w->path, what, text);
}

static reel_status check(const char *path, size_t frames, int width, int height, reel_error *err)
{
    if (frames == 0 || width <= 0 || height <= 0)
        return reel_fail(err, REEL_ERR_ARG, "%s: there is no picture to write (%zu frames of %dx%d)", path, frames, width, height);
    if (width > MOST_SIDE || height > MOST_SIDE)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: %dx%d is too large a picture to write; a side may have %d pixels", path, width,
                         height, MOST_SIDE);
    return REEL_OK;
}

/* A codec context with the settings that all share; the caller sets its own before writer_open. */
static reel_status writer_begin(writer *w, const char *path, enum AVCodecID id, enum AVPixelFormat format, int width, int height,
                                AVRational time_base, reel_error *err)
{
    *w = (writer){.path = path};
    reel_video_init();
    const AVCodec *codec = avcodec_find_encoder(id);
    if (codec == NULL)
        return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: this FFmpeg has no %s encoder", path, avcodec_get_name(id));
    w->codec = avcodec_alloc_context3(codec);
    w->packet = av_packet_alloc();
    w->frame = av_frame_alloc();
    if (w->codec == NULL || w->packet == NULL || w->frame == NULL)
        return reel_fail_nomem(err, path);
    w->codec->width = w->frame->width = width;
    w->codec->height = w->frame->height = height;
    w->codec->pix_fmt = format;
    w->frame->format = format;
    w->codec->time_base = time_base;
    w->codec->framerate = av_inv_q(time_base);
    w->codec->thread_count = 1;
    w->codec->flags |= AV_CODEC_FLAG_BITEXACT;
    return REEL_OK;
}

static reel_status writer_open(writer *w, const char *container, reel_error *err)
{
    int code = avcodec_open2(w->codec, w->codec->codec, NULL);
    if (code < 0)
        return fail(w, "the encoder cannot be started", code, err);
    code = av_frame_get_buffer(w->frame, 0);
    if (code < 0)
        return fail(w, "no room for a frame", code, err);
    if (container == NULL)
        return REEL_OK;
    code = avformat_alloc_output_context2(&w->format, NULL, container, NULL);
    if (code < 0)
        return fail(w, "the container cannot be written", code, err);
    w->format->flags |= AVFMT_FLAG_BITEXACT;
    AVStream *stream = avformat_new_stream(w->format, NULL);
    uint8_t *buffer = av_malloc(IO_BUFFER);
    w->io = buffer != NULL ? avio_alloc_context(buffer, IO_BUFFER, 1, w, NULL, write_some, move) : NULL;
    if (w->io == NULL)
        av_free(buffer);
    if (stream == NULL || w->io == NULL)
        return reel_fail_nomem(err, w->path);
    w->format->pb = w->io;
    stream->time_base = w->codec->time_base;
    stream->avg_frame_rate = w->codec->framerate;
    code = avcodec_parameters_from_context(stream->codecpar, w->codec);
    if (code >= 0)
        code = avformat_write_header(w->format, NULL);
    return code < 0 ? fail(w, "the container's header cannot be written", code, err) : REEL_OK;
}

static reel_status keep_packet(writer *w, reel_error *err)
{
    if (w->format != NULL) {
        av_packet_rescale_ts(w->packet, w->codec->time_base, w->format->streams[0]->time_base);
        w->packet->stream_index = 0;
        int code = av_interleaved_write_frame(w->format, w->packet);
        return code < 0 ? fail(w, "a frame cannot be written", code, err) : REEL_OK;
    }
    return write_some(w, w->packet->data, w->packet->size) < 0 ? reel_fail_nomem(err, w->path) : REEL_OK;
}

/* Sends w->frame (`more`) or the end, and takes what comes out. */
static reel_status writer_put(writer *w, bool more, reel_error *err)
{
    int code = avcodec_send_frame(w->codec, more ? w->frame : NULL);
    if (code < 0)
        return fail(w, "a frame cannot be encoded", code, err);
    for (;;) {
        code = avcodec_receive_packet(w->codec, w->packet);
        if (code == AVERROR(EAGAIN) || code == AVERROR_EOF)
            return REEL_OK;
        if (code < 0)
            return fail(w, "a frame cannot be encoded", code, err);
        w->packet->duration = 1;
        reel_status status = keep_packet(w, err);
        av_packet_unref(w->packet);
        if (status != REEL_OK)
            return status;
    }
}

/* Readies w->frame to be filled. */
static reel_status writer_frame(writer *w, int64_t pts, reel_error *err)
{
    int code = av_frame_make_writable(w->frame);
    w->frame->pts = pts;
    return code < 0 ? fail(w, "no room for a frame", code, err) : REEL_OK;
}

static reel_status writer_finish(writer *w, reel_error *err)
{
    reel_status status = writer_put(w, false, err);
    if (status != REEL_OK)
        return status;
    if (w->format != NULL) {
        int code = av_write_trailer(w->format);
        if (code < 0)
            return fail(w, "the container's end cannot be written", code, err);
        avio_flush(w->io);
        if (w->io->error < 0)
            return fail(w, "the file does not fit into memory", w->io->error, err);
    }
    return reel_file_write(w->path, w->data, w->size, err);
}

static void writer_end(writer *w)
{
    avformat_free_context(w->format);
    if (w->io != NULL)
        av_freep(&w->io->buffer);
    avio_context_free(&w->io);
    avcodec_free_context(&w->codec);
    av_packet_free(&w->packet);
    av_frame_free(&w->frame);
    reel_free(w->data);
}

reel_status reel_png_write(const char *path, const uint8_t *rgb, int width, int height, reel_error *err)
{
    reel_status status = REEL_OK;
    writer w = {0};
    REEL_TRY(check(path, 1, width, height, err));
    REEL_TRY(writer_begin(&w, path, AV_CODEC_ID_PNG, AV_PIX_FMT_RGB24, width, height, (AVRational){1, 25}, err));
    REEL_TRY(writer_open(&w, NULL, err));
    REEL_TRY(writer_frame(&w, 0, err));
    for (size_t y = 0; y < (size_t)height; y++)
        memcpy(w.frame->data[0] + (ptrdiff_t)y * w.frame->linesize[0], rgb + y * (size_t)width * 3, (size_t)width * 3);
    REEL_TRY(writer_put(&w, true, err));
    REEL_TRY(writer_finish(&w, err));
done:
    writer_end(&w);
    return status;
}

static void set_palette(const reel_palette *p, AVFrame *frame)
{
    uint32_t argb[256] = {0};  /* what is left, the last among it, is transparent: "as in the frame before" */
    for (int i = 0; i < p->n; i++)
        argb[i] = 0xff000000u | (uint32_t)p->colour[i][0] << 16 | (uint32_t)p->colour[i][1] << 8 | p->colour[i][2];
    memcpy(frame->data[1], argb, sizeof argb);
}

reel_status reel_gif_write(const char *path, const uint8_t *rgb, size_t frames, int width, int height, int centiseconds,
                           reel_error *err)
{
    reel_status status = REEL_OK;
    writer w = {0};
    reel_palette *palette = NULL;
    int *error = NULL;
    REEL_TRY(check(path, frames, width, height, err));
    REEL_TRY(writer_begin(&w, path, AV_CODEC_ID_GIF, AV_PIX_FMT_PAL8, width, height, (AVRational){centiseconds, 100}, err));
    REEL_TRY(writer_open(&w, "gif", err));
    size_t pixels = (size_t)width * (size_t)height, total;
    palette = reel_mul(&total, pixels, frames) ? reel_palette_make(rgb, total) : NULL;
    error = reel_calloc(6 * ((size_t)width + 2), sizeof *error);
    if (palette == NULL || error == NULL) {
        status = reel_fail_nomem(err, path);
        goto done;
    }
    for (size_t i = 0; i < frames; i++) {
        REEL_TRY(writer_frame(&w, (int64_t)i, err));
        reel_palette_apply(palette, rgb + i * pixels * 3, width, height, w.frame->data[0], (size_t)w.frame->linesize[0], error);
        set_palette(palette, w.frame);
        REEL_TRY(writer_put(&w, true, err));
    }
    REEL_TRY(writer_finish(&w, err));
done:
    writer_end(&w);
    reel_palette_free(palette);
    reel_free(error);
    return status;
}

reel_status reel_avi_write(const char *path, const uint8_t *rgb, size_t frames, int width, int height, int fps, int qscale,
                           int b_frames, reel_error *err)
{
    reel_status status = REEL_OK;
    writer w = {0};
    struct SwsContext *sws = NULL;
    uint8_t *padded = NULL;
    REEL_TRY(check(path, frames, width, height, err));
    if (fps < 1 || fps > 1000 || qscale < 1 || qscale > 31 || b_frames < 0 || b_frames > 1) {
        status = reel_fail(err, REEL_ERR_ARG, "%s: %d frames a second, quality %d, %d B-frames: 1 to 1000, 1 to 31, 0 or 1 are "
                           "possible", path, fps, qscale, b_frames);
        goto done;
    }
    REEL_TRY(writer_begin(&w, path, AV_CODEC_ID_MPEG4, AV_PIX_FMT_YUV420P, width, height, (AVRational){1, fps}, err));
    w.codec->codec_tag = MKTAG('X', 'V', 'I', 'D');
    w.codec->flags |= AV_CODEC_FLAG_QSCALE;
    w.codec->global_quality = qscale * FF_QP2LAMBDA;
    w.codec->gop_size = fps;
    w.codec->max_b_frames = b_frames;
    REEL_TRY(writer_open(&w, "avi", err));
    /* Without these flags the bytes would depend on the processor. */
    sws = sws_getContext(width, height, AV_PIX_FMT_RGB24, width, height, AV_PIX_FMT_YUV420P,
                         SWS_BICUBIC | SWS_ACCURATE_RND | SWS_BITEXACT, NULL, NULL, NULL);
    if (sws == NULL) {
        status = reel_fail_nomem(err, path);
        goto done;
    }
    /* swscale reads whole vectors, past the end of a frame that is not padded. */
    const size_t bytes = (size_t)width * (size_t)height * 3;
    padded = reel_calloc(bytes + AV_INPUT_BUFFER_PADDING_SIZE, 1);
    if (padded == NULL) {
        status = reel_fail_nomem(err, path);
        goto done;
    }
    for (size_t i = 0; i < frames; i++) {
        const uint8_t *from[4] = {padded};
        REEL_TRY(writer_frame(&w, (int64_t)i, err));
        memcpy(padded, rgb + i * bytes, bytes);
        sws_scale(sws, from, (int[4]){width * 3}, 0, height, w.frame->data, w.frame->linesize);
        w.frame->quality = w.codec->global_quality;
        REEL_TRY(writer_put(&w, true, err));
    }
    REEL_TRY(writer_finish(&w, err));
done:
    sws_freeContext(sws);
    reel_free(padded);
    writer_end(&w);
    return status;
}
