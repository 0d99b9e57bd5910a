/* Opening. Three locks keep a file from making reel read another file or connect: FFmpeg gets bytes of a descriptor that reel
 * opened and never a name; only the containers listed here are tried; and what a container may want to open is refused. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/file.h"
#include "video/media.h"

enum { IO_BUFFER = 1 << 16, MAX_STREAMS = 64, PROBE_BYTES = 5000000, ANALYSE_SECONDS = 5, PROBE_PACKETS = 2500 };

static const char formats[] =
    "avi,mov,matroska,webm,mpegts,mpeg,mpegvideo,m4v,gif,apng,ogg,flv,asf,h264,hevc,ivf,mjpeg,"
    "png_pipe,jpeg_pipe,bmp_pipe,webp_pipe";

static int read_some(void *opaque, uint8_t *data, int size)
{
    reel_video *v = opaque;
    for (;;) {
        ssize_t n = pread(v->fd, data, (size_t)size, (off_t)v->at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return AVERROR(errno);
        if (n == 0)
            return AVERROR_EOF;
        v->at += (uint64_t)n;
        return (int)n;
    }
}

static int64_t move(void *opaque, int64_t offset, int whence)
{
    reel_video *v = opaque;
    int64_t base = 0;
    switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE: return (int64_t)v->bytes;
    case SEEK_SET: break;
    case SEEK_CUR: base = (int64_t)v->at; break;
    case SEEK_END: base = (int64_t)v->bytes; break;
    default: return AVERROR(EINVAL);
    }
    int64_t to;
    if (__builtin_add_overflow(base, offset, &to) || to < 0)
        return AVERROR(EINVAL);
    v->at = (uint64_t)to;
    return to;
}

static int refuse(AVFormatContext *s, AVIOContext **pb, const char *url, int flags, AVDictionary **options)
{
    (void)s;
    (void)url;
    (void)flags;
    (void)options;
    *pb = NULL;
    return AVERROR(EPERM);
}

int reel_work_interrupted(void *video)
{
    const reel_video *v = video;
    if (v->ctx != NULL && reel_cancelled(v->ctx))
        return 1;
    return v->worked + (reel_now() - v->begun) > v->limits.max_seconds;
}

reel_status reel_work_check(reel_video *v, reel_error *err)
{
    if (v->ctx != NULL && reel_cancelled(v->ctx))
        return reel_fail_cancelled(err);
    if (v->worked + (reel_now() - v->begun) > v->limits.max_seconds)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: decoding took longer than the %g seconds that one video may take", v->path,
                         v->limits.max_seconds);
    return REEL_OK;
}

/* A letter called .avi is commoner than a damaged header, and another thing to do about. */
static bool is_text(const reel_video *v)
{
    unsigned char head[64];
    ssize_t n = pread(v->fd, head, sizeof head, 0);
    for (ssize_t i = 0; i < n; i++)
        if (head[i] == 0x7f || (head[i] < 0x20 && strchr("\t\r\n", head[i]) == NULL) || head[i] == 0)
            return false;
    return n >= 8;
}

static reel_status open_container(reel_video *v, reel_error *err)
{
    AVDictionary *options = NULL;
    v->at = 0;
    v->failed_read = 0;
    uint8_t *buffer = av_malloc(IO_BUFFER);
    v->io = buffer == NULL ? NULL : avio_alloc_context(buffer, IO_BUFFER, 0, v, read_some, NULL, move);
    if (v->io == NULL) {
        av_free(buffer);
        return reel_fail_nomem(err, v->path);
    }
    v->format = avformat_alloc_context();
    if (v->format == NULL)
        return reel_fail_nomem(err, v->path);
    v->format->pb = v->io;
    v->format->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_GENPTS;
    v->format->io_open = refuse;
    v->format->interrupt_callback = (AVIOInterruptCB){reel_work_interrupted, v};
    v->format->max_streams = MAX_STREAMS;
    v->format->probesize = PROBE_BYTES;
    v->format->max_analyze_duration = ANALYSE_SECONDS * (int64_t)AV_TIME_BASE;
    v->format->max_probe_packets = PROBE_PACKETS;
    av_dict_set(&options, "format_whitelist", formats, 0);
    av_dict_set(&options, "protocol_whitelist", "file", 0);
    int code = avformat_open_input(&v->format, NULL, NULL, &options);  /* frees format when it fails */
    av_dict_free(&options);
    if (code >= 0)
        return REEL_OK;
    if (reel_work_interrupted(v))
        return reel_work_check(v, err);
    if (code == AVERROR(EINVAL))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: not a video in one of the formats that reel opens (avi, mp4, mov, mkv, webm, "
                         "mpeg, ts, wmv, flv, gif and others)", v->path);
    if (is_text(v))
        return reel_av_fail(v, code, REEL_ERR_FORMAT, "not a video: it begins like a text file", err);
    return reel_av_fail(v, code, REEL_ERR_FORMAT, "not a video, or its header is damaged or truncated", err);
}

/* Looks into the packets for what the header does not tell. This decodes, hence the limit on pixels here too. */
static reel_status probe(reel_video *v, reel_error *err)
{
    reel_status status = REEL_OK;
    unsigned n = v->format->nb_streams;
    AVDictionary **options = reel_calloc(n, sizeof *options);
    if (options == NULL)
        return reel_fail_nomem(err, v->path);
    for (unsigned i = 0; i < n; i++) {
        av_dict_set_int(&options[i], "max_pixels", v->limits.max_pixels, 0);
        if (v->format->streams[i]->codecpar->codec_type != AVMEDIA_TYPE_VIDEO)
            v->format->streams[i]->discard = AVDISCARD_ALL;
    }
    int code = avformat_find_stream_info(v->format, options);
    if (reel_work_interrupted(v))
        status = reel_work_check(v, err);
    else if (code < 0)
        status = reel_av_fail(v, code, REEL_ERR_FORMAT, "its streams cannot be read", err);
    for (unsigned i = 0; i < n; i++)
        av_dict_free(&options[i]);
    reel_free(options);
    return status;
}

static reel_status choose_stream(reel_video *v, const AVCodec **decoder, reel_error *err)
{
    AVFormatContext *format = v->format;
    int best = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, decoder, 0);
    if (best == AVERROR_DECODER_NOT_FOUND)
        return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: FFmpeg has no decoder for its video stream", v->path);
    v->has_audio = false;
    for (unsigned i = 0; i < format->nb_streams; i++)
        v->has_audio |= format->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO;
    if (best < 0 && format->nb_streams == 0)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: no video stream in it; the file holds a header and nothing else, or is truncated",
                         v->path);
    if (best < 0)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: no video stream in it%s", v->path, v->has_audio ? ", only sound" : "");
    v->stream = format->streams[best];
    if (v->stream->disposition & AV_DISPOSITION_ATTACHED_PIC)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: no video stream in it, only a cover picture", v->path);
    for (unsigned i = 0; i < format->nb_streams; i++)
        format->streams[i]->discard = (int)i == best ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    return REEL_OK;
}

reel_status reel_source_decoder(const reel_video *v, int threads, AVCodecContext **out, reel_error *err)
{
    const AVCodecParameters *par = v->stream->codecpar;
    *out = NULL;
    if (par->width > 0 && par->height > 0 && (int64_t)par->width * par->height > v->limits.max_pixels)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: a frame of %dx%d is larger than the %lld pixels that are allowed", v->path,
                         par->width, par->height, (long long)v->limits.max_pixels);
    AVCodecContext *codec = avcodec_alloc_context3(v->decoder);
    if (codec == NULL)
        return reel_fail_nomem(err, v->path);
    const char *what = "its video stream cannot be described";
    reel_status kind = REEL_ERR_FORMAT;
    int code = avcodec_parameters_to_context(codec, par);
    if (code >= 0) {
        codec->pkt_timebase = v->stream->time_base;
        codec->max_pixels = v->limits.max_pixels;
        codec->thread_count = threads;
        codec->thread_type = threads > 1 ? FF_THREAD_FRAME | FF_THREAD_SLICE : FF_THREAD_SLICE;
        what = "its decoder cannot be started";
        kind = REEL_ERR_UNSUPPORTED;
        code = avcodec_open2(codec, v->decoder, NULL);
    }
    if (code < 0) {
        avcodec_free_context(&codec);
        return reel_av_fail(v, code, kind, what, err);
    }
    *out = codec;
    return REEL_OK;
}

reel_status reel_source_redecode(reel_video *v, int threads, reel_error *err)
{
    avcodec_free_context(&v->codec);
    v->codec_threads = threads;
    reel_status status = reel_source_decoder(v, threads, &v->codec, err);
    if (status == REEL_OK)
        reel_reader_flush(v);
    return status;
}

reel_status reel_source_open(reel_video *v, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_av_forget();
    REEL_TRY(open_container(v, err));
    REEL_TRY(probe(v, err));
    REEL_TRY(choose_stream(v, &v->decoder, err));
    /* One thread until it is known how much there is to decode, and from where: to start more takes time. */
    v->codec_threads = 1;
    REEL_TRY(reel_source_decoder(v, 1, &v->codec, err));
    v->width = v->codec->width;
    v->height = v->codec->height;
    v->orientation = v->autorotate ? reel_orientation_of(v->stream) : (reel_orientation){0};
    v->await_pos = -1;
    v->current = -1;
    v->skipped = v->lost = -1;
    v->next = 0;
    v->drained = false;
    v->silent = 0;
done:
    return status;
}

void reel_source_close(reel_video *v)
{
    reel_store_free(&v->store);
    avcodec_free_context(&v->codec);
    avformat_close_input(&v->format);
    if (v->io != NULL)
        av_freep(&v->io->buffer);
    avio_context_free(&v->io);
    v->stream = NULL;
}
