/* The processor's own loops over pixels: colour conversion, resampling, normalising. One list makes table, test and benchmark;
 * the plain C form is the specification (data-and-inference semantics: see docs/design.md). */
#ifndef REEL_KERNELS_PIXEL_H
#define REEL_KERNELS_PIXEL_H

#include <stddef.h>
#include <stdint.h>

/* What becomes of a byte of a channel: ((x / d) - m) / s, each operation rounded. As multiplications: a quotient is q = x r with r = 1/d rounded,
 * mended once, fma(fma(-q, d, x), r, q), which is the rounded quotient for nearly all numbers; whoever fills this checks it for all 256. */
typedef struct reel_byte_scale { float d, dr, m, s, sr; } reel_byte_scale;

/* YUV to RGB as libswscale's x86 code computes it: see kernels/pixel_c.c. */
typedef struct reel_yuv_matrix { int y_offset, cy, crv, cbu, cgv, cgu; } reel_yuv_matrix;

enum { REEL_WIDE_SHIFT = 22 };

#define REEL_PIXEL_KERNELS(K) \
    /* One row of n pixels to packed RGB. Chroma of pixel x (from x0 on) is u[(x0 + x) / 2]; y starts at x0. */ \
    K(yuv_row, (uint8_t *rgb, const uint8_t *y, const uint8_t *u, const uint8_t *v, size_t x0, size_t n, \
                const reel_yuv_matrix *m)) \
    /* uint8, antialiased, along a row of packed pixels of 3 channels: out[i] = clamp8((round + sum q[i][k] in[lo[i]+k]) >> shift). \
     * q[i] = weight + i * stride; stride is a multiple of 4 and the weights behind count[i] are zero; lo does not fall. */ \
    K(resize_row_u8, (uint8_t *out, const uint8_t *in, size_t out_n, const int32_t *lo, const int32_t *count, \
                      const int16_t *weight, size_t stride, int shift)) \
    /* the same down a column: n bytes of `taps` rows. */ \
    K(resize_col_u8, (uint8_t *out, const uint8_t *const *in, const int16_t *weight, size_t taps, size_t n, int shift)) \
    /* both with Pillow's weights of 32 bits, of which REEL_WIDE_SHIFT lie behind the point. */ \
    K(resize_row_wide, (uint8_t *out, const uint8_t *in, size_t out_n, const int32_t *lo, const int32_t *count, \
                        const int32_t *weight, size_t stride)) \
    K(resize_col_wide, (uint8_t *out, const uint8_t *const *in, const int32_t *weight, size_t taps, size_t n)) \
    /* n packed RGB pixels to three float planes through a table of 256 values a channel. */ \
    K(planes_from_rgb, (float *r, float *g, float *b, const uint8_t *rgb, size_t n, const float table[3][256])) \
    /* the same by calculation. */ \
    K(planes_scaled, (float *r, float *g, float *b, const uint8_t *rgb, size_t n, const reel_byte_scale scale[3])) \
    /* float rows: out[i] = fma(in[i0[i]], l0[i], in[i1[i]] * l1[i]). i0 and i1 rise, or fall for a mirrored row. */ \
    K(lerp_row, (float *out, const float *in, size_t n, const int32_t *i0, const int32_t *i1, const float *l0, const float *l1)) \
    /* out[i] = fma(a[i], h0, b[i] * h1). */ \
    K(lerp_col, (float *out, const float *a, const float *b, float h0, float h1, size_t n)) \
    /* float, antialiased, along a row: the sum of weight[k * stride + i] in[lo[i] + k]. The first tap is a product; of the \
     * others, whole groups of four are added with two roundings, the last 0 to 3 with one (fma), as torch's build does. */ \
    K(area_row, (float *out, const float *in, size_t n, const int32_t *lo, const int32_t *count, const float *weight, \
                 size_t stride)) \
    /* the same down a column: n values of `taps` rows, one weight a row. */ \
    K(area_col, (float *out, const float *const *in, const float *weight, size_t taps, size_t n))

typedef struct reel_pixel_kernels {
#define K(name, args) void (*name) args;
    REEL_PIXEL_KERNELS(K)
#undef K
    const char *isa;
} reel_pixel_kernels;

void reel_pixel_kernels_select(reel_pixel_kernels *k, unsigned cpu_flags);

#endif
