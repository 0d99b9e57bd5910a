/* Frames into a clip: one row of the source after the other is normalised and resampled across, kept in a ring of as many rows
 * as an output row needs, and combined down. */
#include "transforms/clip.h"

#include <string.h>

#include "base/cpu.h"
#include "base/mem.h"

static void to_planes(const reel_clip *c, float *r, float *g, float *b, const uint8_t *rgb, size_t n)
{
    if (c->scaled)
        c->kernels.planes_scaled(r, g, b, rgb, n, c->scale);
    else
        c->kernels.planes_from_rgb(r, g, b, rgb, n, (const float (*)[256])c->table);
}

reel_status reel_clip_begin(const reel_transform *t, const reel_transform_draws *d, int frames, float *out, reel_clip **clip,
                            reel_error *err)
{
    *clip = NULL;
    if (frames < 1 || t->height < 1 || t->width < 1 || t->processor == NULL)
        return reel_fail(err, REEL_ERR_ARG, "a clip of %d frames of %dx%d cannot be made", frames, t->width, t->height);
    reel_clip *c = reel_calloc(1, sizeof *c);
    if (c == NULL)
        return reel_fail_nomem(err, "clip");
    c->t = *t;
    if (d != NULL)
        c->draws = *d;
    c->frames = frames;
    c->out = out;
    if (t->kernels != NULL)
        c->kernels = *t->kernels;
    else
        reel_pixel_kernels_select(&c->kernels, reel_cpu_flags());
    reel_byte_table_make(t, c->table);
    c->scaled = reel_byte_scale_make(t, &c->kernels, (const float (*)[256])c->table, c->scale);
    *clip = c;
    return REEL_OK;
}

static void drop_buffers(reel_clip *c)
{
    reel_free(c->planes);
    reel_free(c->ring);
    reel_free(c->ring_tag);
    reel_free((void *)c->taps);
    reel_free(c->bytes);
    reel_free(c->combined);
    c->planes = NULL;
    c->ring = NULL;
    c->ring_tag = NULL;
    c->taps = NULL;
    c->bytes = NULL;
    c->combined = NULL;
    reel_geometry_free(&c->plan);
}

void reel_clip_end(reel_clip **clip)
{
    if (clip == NULL || *clip == NULL)
        return;
    drop_buffers(*clip);
    reel_free((*clip)->rgb);
    reel_free(*clip);
    *clip = NULL;
}

static bool is_bytes(const reel_geometry *p)
{
    return p->how.method == REEL_METHOD_BYTES || p->how.method == REEL_METHOD_WIDE;
}

/* Tables and scratch for frames of this size. */
static reel_status prepare(reel_clip *c, int width, int height, reel_error *err)
{
    if (c->plan.in_w == width && c->plan.in_h == height)
        return REEL_OK;
    drop_buffers(c);
    if (width < 1 || height < 1)
        return reel_fail(err, REEL_ERR_FORMAT, "a frame of %dx%d cannot be used", width, height);
    reel_status status = reel_geometry_make(&c->t, &c->draws, width, height, &c->plan, err);
    if (status != REEL_OK)
        return status;
    const reel_geometry *p = &c->plan;
    size_t cols = 3 * (size_t)p->cols, source = 3 * (size_t)p->source.w;
    c->ring_rows = p->down.most;
    c->planes = reel_alloc_aligned(source, sizeof *c->planes);
    c->ring = reel_alloc_aligned((size_t)c->ring_rows * cols, is_bytes(p) ? 1 : sizeof(float));
    c->ring_tag = reel_calloc((size_t)c->ring_rows, sizeof *c->ring_tag);
    c->taps = reel_calloc((size_t)c->ring_rows, sizeof *c->taps);
    c->bytes = reel_alloc_aligned(cols, 1);
    c->combined = reel_alloc_aligned(p->down_first ? source : 1, 1);
    if (c->combined == NULL || c->planes == NULL || c->ring == NULL || c->ring_tag == NULL || c->taps == NULL || c->bytes == NULL) {
        drop_buffers(c);
        return reel_fail_nomem(err, "clip");
    }
    return REEL_OK;
}

static void across(const reel_clip *c, uint8_t *out, const uint8_t *in)
{
    const reel_axis *a = &c->plan.across;
    if (c->plan.how.method == REEL_METHOD_WIDE)
        c->kernels.resize_row_wide(out, in, a->n, a->lo, a->count, a->wide, a->stride);
    else
        c->kernels.resize_row_u8(out, in, a->n, a->lo, a->count, a->q, a->stride, a->shift);
}

/* Row y of the window from the rows that c->taps holds, `n` bytes of each. */
static void down(const reel_clip *c, uint8_t *out, size_t y, size_t n)
{
    const reel_axis *d = &c->plan.down;
    const uint8_t *const *taps = (const uint8_t *const *)c->taps;
    if (c->plan.how.method == REEL_METHOD_WIDE)
        c->kernels.resize_col_wide(out, taps, d->wide + y * d->stride, (size_t)d->count[y], n);
    else
        c->kernels.resize_col_u8(out, taps, d->q + y * d->stride, (size_t)d->count[y], n, d->shift);
}

static void *ring_row(const reel_clip *c, int row)
{
    size_t at = (size_t)(row % c->ring_rows) * 3 * (size_t)c->plan.cols;
    return is_bytes(&c->plan) ? (void *)((uint8_t *)c->ring + at) : (void *)((float *)c->ring + at);
}

/* Source row `row` (counted in the source rectangle), resampled across. */
static void make_row(reel_clip *c, const uint8_t *rgb, int row)
{
    const reel_geometry *p = &c->plan;
    const reel_axis *a = &p->across;
    if (is_bytes(p)) {
        across(c, ring_row(c, row), rgb);
        return;
    }
    size_t w = (size_t)p->source.w, cols = (size_t)p->cols;
    float *in = c->planes, *out = ring_row(c, row);
    to_planes(c, in, in + w, in + 2 * w, rgb, w);
    for (size_t k = 0; k < 3; k++)
        if (p->how.method == REEL_METHOD_LERP)
            c->kernels.lerp_row(out + k * cols, in + k * w, cols, a->lo, a->hi, a->l0, a->l1);
        else
            c->kernels.area_row(out + k * cols, in + k * w, cols, a->lo, a->count, a->weight_by_tap, cols);
}

/* Where row y of the window of frame k goes. */
static void place_row(const reel_clip *c, int k, int y, float *plane[3])
{
    const reel_geometry *p = &c->plan;
    for (size_t j = 0; j < 3; j++)
        plane[j] = c->out + (((size_t)k * 3 + j) * (size_t)c->t.height + (size_t)(p->y0 + y)) * (size_t)c->t.width + (size_t)p->x0;
}

/* Output row y of the window from the rows in the ring. */
static void combine(reel_clip *c, int k, int y)
{
    const reel_geometry *p = &c->plan;
    const reel_axis *d = &p->down;
    size_t i = (size_t)y, cols = (size_t)p->cols, n = (size_t)d->count[i];
    float *plane[3];
    place_row(c, k, y, plane);
    for (size_t j = 0; j < n; j++)
        c->taps[j] = ring_row(c, d->lo[i] + (int)j);
    if (is_bytes(p)) {
        down(c, c->bytes, i, 3 * cols);
        to_planes(c, plane[0], plane[1], plane[2], c->bytes, cols);
        return;
    }
    for (size_t j = 0; j < 3; j++) {
        if (p->how.method == REEL_METHOD_LERP)
            c->kernels.lerp_col(plane[j], c->taps[0], c->taps[n - 1], d->l0[i], d->l1[i], cols);
        else
            c->kernels.area_col(plane[j], (const float *const *)c->taps, d->weight + i * d->stride, n, cols);
        for (size_t m = 0; m < n; m++)
            c->taps[m] = (const float *)c->taps[m] + cols;
    }
}

/* Zero pixels around a picture that is smaller than the crop. */
static void pad(reel_clip *c, int k)
{
    const reel_geometry *p = &c->plan;
    size_t plane = (size_t)c->t.height * (size_t)c->t.width;
    if (p->cols == c->t.width && p->rows == c->t.height)
        return;
    for (size_t j = 0; j < 3; j++)
        for (size_t i = 0; i < plane; i++)
            c->out[((size_t)k * 3 + j) * plane + i] = c->table[j][0];
}

/* The columns first, then the rows: bytes only. */
static void transform_down_first(reel_clip *c, const uint8_t *rgb, size_t stride, int k)
{
    const reel_geometry *p = &c->plan;
    for (int y = 0; y < p->rows; y++) {
        float *plane[3];
        place_row(c, k, y, plane);
        for (int j = 0; j < p->down.count[y]; j++)
            c->taps[j] = rgb + (size_t)(p->down.lo[y] + j) * stride;
        down(c, c->combined, (size_t)y, 3 * (size_t)p->source.w);
        across(c, c->bytes, c->combined);
        to_planes(c, plane[0], plane[1], plane[2], c->bytes, (size_t)p->cols);
    }
}

/* `rgb`: the source rectangle. */
static void transform(reel_clip *c, const uint8_t *rgb, size_t stride, int k)
{
    const reel_axis *d = &c->plan.down;
    pad(c, k);
    if (c->plan.down_first) {
        transform_down_first(c, rgb, stride, k);
        return;
    }
    for (int i = 0; i < c->ring_rows; i++)
        c->ring_tag[i] = -1;
    for (int y = 0; y < c->plan.rows; y++) {
        for (int row = d->lo[y]; row < d->lo[y] + d->count[y]; row++) {
            int *tag = &c->ring_tag[row % c->ring_rows];
            if (*tag != row)
                make_row(c, rgb + (size_t)row * stride, row);
            *tag = row;
        }
        combine(c, k, y);
    }
}

static reel_status check_place(const reel_clip *c, int k, reel_error *err)
{
    if (k < 0 || k >= c->frames)
        return reel_fail(err, REEL_ERR_ARG, "frame %d of a clip of %d frames", k, c->frames);
    return REEL_OK;
}

reel_status reel_clip_put(reel_clip *c, reel_frame *frame, int k, reel_error *err)
{
    reel_status status = REEL_OK;
    REEL_TRY(check_place(c, k, err));
    REEL_TRY(prepare(c, reel_frame_width(frame), reel_frame_height(frame), err));
    size_t stride = 3 * (size_t)c->plan.source.w, wanted;
    if (!reel_mul(&wanted, stride, (size_t)c->plan.source.h)) {
        status = reel_fail_nomem(err, "clip");
        goto done;
    }
    if (c->rgb_size < wanted) {
        reel_free(c->rgb);
        c->rgb = reel_alloc_aligned(wanted, 1);
        c->rgb_size = c->rgb != NULL ? wanted : 0;
        if (c->rgb == NULL) {
            status = reel_fail_nomem(err, "clip");
            goto done;
        }
    }
    REEL_TRY(reel_frame_rgb(frame, &c->plan.source, c->rgb, stride, err));
    transform(c, c->rgb, stride, k);
done:
    return status;
}

reel_status reel_clip_put_rgb(reel_clip *c, const uint8_t *rgb, int width, int height, int k, reel_error *err)
{
    reel_status status = REEL_OK;
    REEL_TRY(check_place(c, k, err));
    REEL_TRY(prepare(c, width, height, err));
    const reel_rect *s = &c->plan.source;
    size_t stride = 3 * (size_t)width;
    transform(c, rgb + (size_t)s->y * stride + 3 * (size_t)s->x, stride, k);
done:
    return status;
}

void reel_clip_repeat(reel_clip *c, int from, int to)
{
    size_t n = 3 * (size_t)c->t.height * (size_t)c->t.width;
    if (from != to && from >= 0 && to >= 0 && from < c->frames && to < c->frames)
        memcpy(c->out + (size_t)to * n, c->out + (size_t)from * n, n * sizeof(float));
}

/* torch.linspace in float32: the first half counts from 0, the second from the end. */
void reel_subsample(int64_t t, int n, int64_t *index)
{
    if (n == 1) {
        index[0] = 0;
        return;
    }
    float last = (float)(t - 1), step = last / (float)(n - 1);
    for (int i = 0; i < n; i++) {
        float v = i < n / 2 ? step * (float)i : last - step * (float)(n - 1 - i);
        v = v < 0 ? 0 : v > last ? last : v;
        index[i] = (int64_t)v;
    }
}
