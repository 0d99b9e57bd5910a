/* Plain C: the specification of the pixel kernels. */
#include <math.h>

#include "kernels/pixel_rows.h"

static uint8_t clamp8(int v)
{
    return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v;
}

/* libswscale's unscaled x86 converter: luma and chroma are taken times 8, every product keeps the upper 16 of its 32 bits
 * (pmulhw), so each term is floored on its own. Shifts of negative numbers are arithmetic in gcc and clang. */
static int product(int value, int coefficient)
{
    return (value * 8 * coefficient) >> 16;
}

void reel_yuv_row_c(uint8_t *rgb, const uint8_t *y, const uint8_t *u, const uint8_t *v, size_t x0, size_t n,
                    const reel_yuv_matrix *m)
{
    for (size_t i = 0; i < n; i++) {
        int luma = product(y[i] - m->y_offset, m->cy);
        int cu = u[(x0 + i) / 2] - 128, cv = v[(x0 + i) / 2] - 128;
        rgb[3 * i] = clamp8(luma + product(cv, m->crv));
        rgb[3 * i + 1] = clamp8(luma + product(cu, m->cgu) + product(cv, m->cgv));
        rgb[3 * i + 2] = clamp8(luma + product(cu, m->cbu));
    }
}

void reel_resize_row_u8_c(uint8_t *out, const uint8_t *in, size_t out_n, const int32_t *lo, const int32_t *count,
                          const int16_t *weight, size_t stride, int shift)
{
    for (size_t i = 0; i < out_n; i++) {
        const uint8_t *p = in + 3 * (size_t)lo[i];
        const int16_t *w = weight + i * stride;
        int sum[3] = {1 << (shift - 1), 1 << (shift - 1), 1 << (shift - 1)};
        for (int32_t k = 0; k < count[i]; k++)
            for (int c = 0; c < 3; c++)
                sum[c] += w[k] * p[3 * k + c];
        for (int c = 0; c < 3; c++)
            out[3 * i + (size_t)c] = clamp8(sum[c] >> shift);
    }
}

void reel_resize_col_u8_c(uint8_t *out, const uint8_t *const *in, const int16_t *weight, size_t taps, size_t n, int shift)
{
    for (size_t i = 0; i < n; i++) {
        int sum = 1 << (shift - 1);
        for (size_t k = 0; k < taps; k++)
            sum += weight[k] * in[k][i];
        out[i] = clamp8(sum >> shift);
    }
}

void reel_resize_row_wide_c(uint8_t *out, const uint8_t *in, size_t out_n, const int32_t *lo, const int32_t *count,
                            const int32_t *weight, size_t stride)
{
    for (size_t i = 0; i < out_n; i++) {
        const uint8_t *p = in + 3 * (size_t)lo[i];
        const int32_t *w = weight + i * stride;
        int32_t r = 1 << (REEL_WIDE_SHIFT - 1), g = r, b = r;
        for (int32_t k = 0; k < count[i]; k++) {
            r += w[k] * p[3 * k];
            g += w[k] * p[3 * k + 1];
            b += w[k] * p[3 * k + 2];
        }
        out[3 * i] = clamp8(r >> REEL_WIDE_SHIFT);
        out[3 * i + 1] = clamp8(g >> REEL_WIDE_SHIFT);
        out[3 * i + 2] = clamp8(b >> REEL_WIDE_SHIFT);
    }
}

void reel_resize_col_wide_c(uint8_t *out, const uint8_t *const *in, const int32_t *weight, size_t taps, size_t n)
{
    enum { BLOCK = 256 };  /* sums that stay in the first cache */
    int32_t sum[BLOCK];
    for (size_t from = 0; from < n; from += BLOCK) {
        size_t here = n - from < BLOCK ? n - from : BLOCK;
        for (size_t i = 0; i < here; i++)
            sum[i] = 1 << (REEL_WIDE_SHIFT - 1);
        for (size_t k = 0; k < taps; k++)
            for (size_t i = 0; i < here; i++)
                sum[i] += weight[k] * in[k][from + i];
        for (size_t i = 0; i < here; i++)
            out[from + i] = clamp8(sum[i] >> REEL_WIDE_SHIFT);
    }
}

void reel_planes_from_rgb_c(float *r, float *g, float *b, const uint8_t *rgb, size_t n, const float table[3][256])
{
    for (size_t i = 0; i < n; i++) {
        r[i] = table[0][rgb[3 * i]];
        g[i] = table[1][rgb[3 * i + 1]];
        b[i] = table[2][rgb[3 * i + 2]];
    }
}

static float quotient(float x, float d, float r)
{
    float q = x * r;
    return fmaf(fmaf(-q, d, x), r, q);
}

static float scaled(uint8_t x, const reel_byte_scale *s)
{
    return quotient(quotient((float)x, s->d, s->dr) - s->m, s->s, s->sr);
}

void reel_planes_scaled_c(float *r, float *g, float *b, const uint8_t *rgb, size_t n, const reel_byte_scale scale[3])
{
    for (size_t i = 0; i < n; i++) {
        r[i] = scaled(rgb[3 * i], &scale[0]);
        g[i] = scaled(rgb[3 * i + 1], &scale[1]);
        b[i] = scaled(rgb[3 * i + 2], &scale[2]);
    }
}

void reel_lerp_row_c(float *out, const float *in, size_t n, const int32_t *i0, const int32_t *i1, const float *l0,
                     const float *l1)
{
    for (size_t i = 0; i < n; i++)
        out[i] = fmaf(in[i0[i]], l0[i], in[i1[i]] * l1[i]);
}

void reel_lerp_col_c(float *out, const float *a, const float *b, float h0, float h1, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = fmaf(a[i], h0, b[i] * h1);
}

/* Taps 1 … grouped(taps) - 1 are rounded twice, the rest once (pixel.h). */
static size_t grouped(size_t taps)
{
    return taps == 0 ? 0 : 1 + (taps - 1) / 4 * 4;
}

void reel_area_row_c(float *out, const float *in, size_t n, const int32_t *lo, const int32_t *count, const float *weight,
                     size_t stride)
{
    for (size_t i = 0; i < n; i++) {
        const float *p = in + lo[i], *w = weight + i;
        size_t taps = (size_t)count[i], split = grouped(taps);
        float sum = p[0] * w[0];
        for (size_t k = 1; k < split; k++)
            sum += p[k] * w[k * stride];
        for (size_t k = split; k < taps; k++)
            sum = fmaf(p[k], w[k * stride], sum);
        out[i] = sum;
    }
}

void reel_area_col_c(float *out, const float *const *in, const float *weight, size_t taps, size_t n)
{
    size_t split = grouped(taps);
    for (size_t i = 0; i < n; i++) {
        float sum = in[0][i] * weight[0];
        for (size_t k = 1; k < split; k++)
            sum += in[k][i] * weight[k];
        for (size_t k = split; k < taps; k++)
            sum = fmaf(in[k][i], weight[k], sum);
        out[i] = sum;
    }
}
