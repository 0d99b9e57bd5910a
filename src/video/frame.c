/* From a decoded frame to RGB: only the wanted rectangle, turned as the container says.
 *
 * 8-bit 4:2:0 (of even height) and 4:2:2 are computed as libswscale's x86 code does (kernels/pixel_c.c); everything else goes
 * through libswscale. */
#include <stdlib.h>
#include <string.h>

#include <libavutil/display.h>
#include <libavutil/pixdesc.h>

#include "video/media.h"

static int sign_of(int32_t x)
{
    return x < 0 ? -1 : 1;
}

/* The display matrix maps coded (x, y) to shown X = a x + c y, Y = b x + d y (+ a shift that keeps both positive). Quarter
 * turns and mirrorings are applied; other angles go to the nearest, a matrix without meaning to none. */
reel_orientation reel_orientation_of(const AVStream *stream)
{
    reel_orientation o = {0};
    size_t size = 0;
    const uint8_t *data = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    int32_t m[9];
    if (data == NULL || size < sizeof m)
        return o;
    memcpy(m, data, sizeof m);
    int64_t a = m[0], b = m[1], c = m[3], d = m[4];
    int64_t straight = a * d, crossed = b * c;
    if (straight == crossed)
        return o;
    o.transposed = llabs(crossed) > llabs(straight);
    int32_t from_x = o.transposed ? m[3] : m[0], from_y = o.transposed ? m[1] : m[4];
    if (from_x == 0 || from_y == 0)
        return (reel_orientation){0};
    o.mirror_x = sign_of(from_x) < 0;
    o.mirror_y = sign_of(from_y) < 0;
    if (o.transposed)
        o.degrees = o.mirror_x ? 90 : 270;
    else if (o.mirror_x && o.mirror_y)
        o.degrees = 180;
    return o;
}

int reel_frame_width(const reel_frame *f)
{
    return f->video->orientation.transposed ? f->av->height : f->av->width;
}

int reel_frame_height(const reel_frame *f)
{
    return f->video->orientation.transposed ? f->av->width : f->av->height;
}

bool reel_buffer_need(uint8_t **buffer, size_t *size, size_t wanted)
{
    if (*size >= wanted)
        return true;
    reel_free(*buffer);
    *buffer = reel_alloc_aligned(wanted, 1);
    *size = *buffer != NULL ? wanted : 0;
    return *buffer != NULL;
}

static bool full_range(const AVFrame *f)
{
    return f->color_range == AVCOL_RANGE_JPEG || f->format == AV_PIX_FMT_YUVJ420P || f->format == AV_PIX_FMT_YUVJ422P ||
           f->format == AV_PIX_FMT_YUVJ444P || f->format == AV_PIX_FMT_YUVJ440P || f->format == AV_PIX_FMT_YUVJ411P;
}

/* libswscale's inverse table in 16.16 (Cr to R, Cb to B, Cb to G, Cr to G) to the 13 bits of its x86 converter. */
static reel_yuv_matrix matrix_of(const AVFrame *f)
{
    const int *table = sws_getCoefficients((int)f->colorspace);
    int64_t crv = table[0], cbu = table[1], cgu = -table[2], cgv = -table[3], cy = 76309;  /* 65536 * 255 / 219 */
    reel_yuv_matrix m = {.y_offset = 16};
    if (full_range(f)) {
        crv = crv * 224 / 255;
        cbu = cbu * 224 / 255;
        cgu = cgu * 224 / 255;
        cgv = cgv * 224 / 255;
        cy = 65536;
        m.y_offset = 0;
    }
    m.cy = (int)((cy * 8192 + 32768) >> 16);
    m.crv = (int)((crv * 8192 + 32768) >> 16);
    m.cbu = (int)((cbu * 8192 + 32768) >> 16);
    m.cgu = (int)((cgu * 8192 + 32768) >> 16);
    m.cgv = (int)((cgv * 8192 + 32768) >> 16);
    return m;
}

static bool by_formula(const AVFrame *f)
{
    if (f->format == AV_PIX_FMT_YUV422P || f->format == AV_PIX_FMT_YUVJ422P)
        return true;
    return (f->format == AV_PIX_FMT_YUV420P || f->format == AV_PIX_FMT_YUVJ420P) && f->height % 2 == 0;
}

static void convert_rows(const reel_frame *f, const reel_rect *r, uint8_t *rgb, size_t stride)
{
    const AVFrame *av = f->av;
    reel_yuv_matrix m = matrix_of(av);
    int shift = av->format == AV_PIX_FMT_YUV420P || av->format == AV_PIX_FMT_YUVJ420P ? 1 : 0;
    for (int i = 0; i < r->h; i++) {
        ptrdiff_t y = r->y + i, c = y >> shift;
        f->video->kernels.yuv_row(rgb + (size_t)i * stride, av->data[0] + y * av->linesize[0] + r->x,
                                  av->data[1] + c * av->linesize[1], av->data[2] + c * av->linesize[2], (size_t)r->x,
                                  (size_t)r->w, &m);
    }
}

/* A whole frame of another format into video->picture; *stride gets its row length. */
static reel_status scale_whole(reel_frame *f, size_t *stride, reel_error *err)
{
    reel_video *v = f->video;
    const AVFrame *av = f->av;
    enum AVPixelFormat format = av->format;
    size_t size;
    *stride = ((size_t)av->width * 3 + 63) / 64 * 64;
    if (!reel_mul(&size, *stride, (size_t)av->height) || !reel_add(&size, size, 256) ||
        !reel_buffer_need(&v->picture, &v->picture_size, size))
        return reel_fail_nomem(err, v->path);
    v->sws = sws_getCachedContext(v->sws, av->width, av->height, format, av->width, av->height, AV_PIX_FMT_RGB24, SWS_BICUBIC,
                                  NULL, NULL, NULL);
    if (v->sws == NULL)
        return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: pixel format %s cannot be converted to RGB", v->path,
                         av_get_pix_fmt_name(format) != NULL ? av_get_pix_fmt_name(format) : "unknown");
    const int *table = sws_getCoefficients((int)av->colorspace);
    sws_setColorspaceDetails(v->sws, table, full_range(av), table, 0, 0, 1 << 16, 1 << 16);  /* fails, harmlessly, for RGB */
    uint8_t *planes[4] = {v->picture};
    int strides[4] = {(int)*stride};
    int rows = sws_scale(v->sws, (const uint8_t *const *)av->data, av->linesize, 0, av->height, planes, strides);
    if (rows != av->height)
        return reel_av_fail(v, rows < 0 ? rows : 0, REEL_ERR_FORMAT, "a frame cannot be converted to RGB", err);
    return REEL_OK;
}

/* The rectangle in coded pixels. */
static reel_status convert(reel_frame *f, const reel_rect *r, uint8_t *rgb, size_t stride, reel_error *err)
{
    if (by_formula(f->av)) {
        convert_rows(f, r, rgb, stride);
        return REEL_OK;
    }
    size_t whole;
    reel_status status = scale_whole(f, &whole, err);
    for (int i = 0; status == REEL_OK && i < r->h; i++)
        memcpy(rgb + (size_t)i * stride, f->video->picture + (size_t)(r->y + i) * whole + 3 * (size_t)r->x, 3 * (size_t)r->w);
    return status;
}

/* Where shown pixels of the rectangle lie in the coded frame. */
static reel_rect coded_rect(const reel_frame *f, const reel_rect *r)
{
    const reel_orientation *o = &f->video->orientation;
    int x = o->mirror_x ? reel_frame_width(f) - r->x - r->w : r->x;
    int y = o->mirror_y ? reel_frame_height(f) - r->y - r->h : r->y;
    return o->transposed ? (reel_rect){y, x, r->h, r->w} : (reel_rect){x, y, r->w, r->h};
}

/* `in`: the coded rectangle, densely packed. */
static void turn(const reel_orientation *o, const reel_rect *r, const uint8_t *in, uint8_t *rgb, size_t stride)
{
    size_t w = (size_t)r->w, h = (size_t)r->h;
    size_t step_x = o->transposed ? 3 * h : 3, step_y = o->transposed ? 3 : 3 * w;
    for (size_t y = 0; y < h; y++) {
        const uint8_t *row = in + (o->mirror_y ? h - 1 - y : y) * step_y;
        uint8_t *out = rgb + y * stride;
        for (size_t x = 0; x < w; x++)
            memcpy(out + 3 * x, row + (o->mirror_x ? w - 1 - x : x) * step_x, 3);
    }
}

bool reel_frame_alone(const reel_frame *f)
{
    const reel_orientation *o = &f->video->orientation;
    return by_formula(f->av) && !o->transposed && !o->mirror_x && !o->mirror_y;
}

reel_status reel_frame_rgb(reel_frame *f, const reel_rect *rect, uint8_t *rgb, size_t stride, reel_error *err)
{
    reel_video *v = f->video;
    int width = reel_frame_width(f), height = reel_frame_height(f);
    if (rect->x < 0 || rect->y < 0 || rect->w <= 0 || rect->h <= 0 || rect->w > width - rect->x || rect->h > height - rect->y)
        return reel_fail(err, REEL_ERR_ARG, "%s: a rectangle of %dx%d at (%d, %d) is not inside a frame of %dx%d", v->path,
                         rect->w, rect->h, rect->x, rect->y, width, height);
    reel_rect coded = coded_rect(f, rect);
    const reel_orientation *o = &v->orientation;
    if (!o->transposed && !o->mirror_x && !o->mirror_y)
        return convert(f, &coded, rgb, stride, err);
    size_t row, size;
    if (!reel_mul(&row, (size_t)coded.w, 3) || !reel_mul(&size, row, (size_t)coded.h) ||
        !reel_buffer_need(&v->turned, &v->turned_size, size))
        return reel_fail_nomem(err, v->path);
    reel_status status = convert(f, &coded, v->turned, row, err);
    if (status == REEL_OK)
        turn(o, rect, v->turned, rgb, stride);
    return status;
}
