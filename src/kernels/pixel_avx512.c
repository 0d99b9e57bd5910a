/* Pixel kernels with AVX-512. Sixteen neighbours of a resampled row mostly read from 32 neighbouring values, so that two loads
 * and a permutation do the work of a gather. */
#include <immintrin.h>
#include <string.h>

#include "kernels/pixel_rows.h"

static inline __m512i load_index(const int32_t *p) { return _mm512_loadu_si512(p); }

static inline __mmask16 first_lanes(size_t n)
{
    return (__mmask16)(n >= 16 ? 0xFFFFu : (1u << n) - 1);
}

static inline __m128i load16(const void *p) { return _mm_loadu_si128(p); }

/* Which byte of the three vectors of packed RGB goes to place `i` of a channel; -1: not from this vector. */
static const int8_t part_of[3][3][16] = {
    {{0, 3, 6, 9, 12, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
     {-1, -1, -1, -1, -1, -1, 2, 5, 8, 11, 14, -1, -1, -1, -1, -1},
     {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 1, 4, 7, 10, 13}},
    {{1, 4, 7, 10, 13, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
     {-1, -1, -1, -1, -1, 0, 3, 6, 9, 12, 15, -1, -1, -1, -1, -1},
     {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 2, 5, 8, 11, 14}},
    {{2, 5, 8, 11, 14, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
     {-1, -1, -1, -1, -1, 1, 4, 7, 10, 13, -1, -1, -1, -1, -1, -1},
     {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 3, 6, 9, 12, 15}},
};

/* 16 packed pixels to a channel of them. */
static inline __m128i channel(const __m128i x[3], int c)
{
    __m128i v = _mm_shuffle_epi8(x[0], load16(part_of[c][0]));
    v = _mm_or_si128(v, _mm_shuffle_epi8(x[1], load16(part_of[c][1])));
    return _mm_or_si128(v, _mm_shuffle_epi8(x[2], load16(part_of[c][2])));
}

static inline __m512 quotient(__m512 x, __m512 d, __m512 r)
{
    __m512 q = _mm512_mul_ps(x, r);
    return _mm512_fmadd_ps(_mm512_fnmadd_ps(q, d, x), r, q);
}

static inline void planes_scaled(float *const out[3], const uint8_t *rgb, size_t n, const reel_byte_scale scale[3], int divide)
{
    __m512 d[3], dr[3], m[3], s[3], sr[3];
    for (int c = 0; c < 3; c++) {
        d[c] = _mm512_set1_ps(scale[c].d);
        dr[c] = _mm512_set1_ps(scale[c].dr);
        m[c] = _mm512_set1_ps(scale[c].m);
        s[c] = _mm512_set1_ps(scale[c].s);
        sr[c] = _mm512_set1_ps(scale[c].sr);
    }
    for (size_t i = 0; i < n; i += 16) {
        i = i + 16 > n ? n - 16 : i;  /* the last, part group goes back over values that are done */
        const __m128i x[3] = {load16(rgb + 3 * i), load16(rgb + 3 * i + 16), load16(rgb + 3 * i + 32)};
        for (int c = 0; c < 3; c++) {
            __m512 v = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(channel(x, c)));
            if (divide)
                v = quotient(v, d[c], dr[c]);
            _mm512_storeu_ps(out[c] + i, quotient(_mm512_sub_ps(v, m[c]), s[c], sr[c]));
        }
    }
}

void reel_planes_scaled_avx512(float *r, float *g, float *b, const uint8_t *rgb, size_t n, const reel_byte_scale scale[3])
{
    float *const out[3] = {r, g, b};
    if (n < 16)
        reel_planes_scaled_c(r, g, b, rgb, n, scale);
    else if (scale[0].d == 1 && scale[1].d == 1 && scale[2].d == 1)
        planes_scaled(out, rgb, n, scale, 0);
    else
        planes_scaled(out, rgb, n, scale, 1);
}

/* Four output pixels, one a lane of 128 bits; 4 taps (12 of 16 bytes) at a time; a lane holds r, g, b and nothing. */
static inline __m512i four_pixels(const uint8_t *in, const int32_t *lo, const int16_t *w, size_t stride, int32_t most, __m512i sum)
{
    const __m512i first = _mm512_broadcast_i32x4(_mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
    const __m512i second = _mm512_broadcast_i32x4(_mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));
    const __m512i even = _mm512_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2, 4, 4, 4, 4, 6, 6, 6, 6);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    const uint8_t *p[4];
    for (int j = 0; j < 4; j++)
        p[j] = in + 3 * (size_t)lo[j];
    for (int32_t k = 0; k < most; k += 4) {
        __m512i px = _mm512_castsi128_si512(load16(p[0] + 3 * k));
        px = _mm512_inserti32x4(px, load16(p[1] + 3 * k), 1);
        px = _mm512_inserti32x4(px, load16(p[2] + 3 * k), 2);
        px = _mm512_inserti32x4(px, load16(p[3] + 3 * k), 3);
        int64_t q0, q1, q2, q3;
        memcpy(&q0, w + k, 8);
        memcpy(&q1, w + stride + (size_t)k, 8);
        memcpy(&q2, w + 2 * stride + (size_t)k, 8);
        memcpy(&q3, w + 3 * stride + (size_t)k, 8);
        __m512i q = _mm512_castsi256_si512(stride == 4 ? _mm256_loadu_si256((const void *)w) : _mm256_setr_epi64x(q0, q1, q2, q3));
        sum = _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_shuffle_epi8(px, first), _mm512_permutexvar_epi32(even, q)));
        sum = _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_shuffle_epi8(px, second), _mm512_permutexvar_epi32(odd, q)));
    }
    return sum;
}

static inline int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }

void reel_resize_row_u8_avx512(uint8_t *out, const uint8_t *in, size_t out_n, const int32_t *lo, const int32_t *count,
                               const int16_t *weight, size_t stride, int shift)
{
    size_t i = 0;
    if (out_n > 0) {
        const __m512i half = _mm512_set1_epi32(1 << (shift - 1));
        const __m128i by = _mm_cvtsi32_si128(shift);
        const __m512i lows = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
        const __m128i dense = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
        size_t end = 3 * ((size_t)lo[out_n - 1] + (size_t)count[out_n - 1]);  /* bytes that may be read: lo does not fall */
        for (; i + 6 <= out_n; i += 4) {  /* 16 bytes are written for 4 pixels */
            int32_t most = larger(larger(count[i], count[i + 1]), larger(count[i + 2], count[i + 3]));
            if (3 * (size_t)lo[i + 3] + 12 * ((size_t)(most + 3) / 4) + 4 > end)
                break;
            __m512i sum = _mm512_sra_epi32(four_pixels(in, lo + i, weight + i * stride, stride, most, half), by);
            sum = _mm512_packs_epi32(sum, sum);
            sum = _mm512_packus_epi16(sum, sum);
            __m128i bytes = _mm512_castsi512_si128(_mm512_permutexvar_epi32(lows, sum));
            _mm_storeu_si128((__m128i *)(void *)(out + 3 * i), _mm_shuffle_epi8(bytes, dense));
        }
    }
    if (i < out_n)
        reel_resize_row_u8_avx2(out + 3 * i, in, out_n - i, lo + i, count + i, weight + i * stride, stride, shift);
}

void reel_resize_col_u8_avx512(uint8_t *out, const uint8_t *const *in, const int16_t *weight, size_t taps, size_t n, int shift)
{
    const __m512i half = _mm512_set1_epi32(1 << (shift - 1));
    const __m128i by = _mm_cvtsi32_si128(shift);
    for (size_t i = 0; i < n; i += 64) {
        __mmask64 lanes = n - i >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << (n - i)) - 1;
        __m512i sum[4] = {half, half, half, half};
        for (size_t k = 0; k < taps; k += 2) {
            int pair = k + 1 < taps;
            __m512i a = _mm512_maskz_loadu_epi8(lanes, in[k] + i);
            __m512i b = pair ? _mm512_maskz_loadu_epi8(lanes, in[k + 1] + i) : _mm512_setzero_si512();
            unsigned q = (uint16_t)weight[k] | (unsigned)(uint16_t)(pair ? weight[k + 1] : 0) << 16;
            __m512i w = _mm512_set1_epi32((int)q), zero = _mm512_setzero_si512();
            __m512i low = _mm512_unpacklo_epi8(a, b), high = _mm512_unpackhi_epi8(a, b);  /* in each lane: a0 b0 a1 b1 … */
            sum[0] = _mm512_add_epi32(sum[0], _mm512_madd_epi16(_mm512_unpacklo_epi8(low, zero), w));
            sum[1] = _mm512_add_epi32(sum[1], _mm512_madd_epi16(_mm512_unpackhi_epi8(low, zero), w));
            sum[2] = _mm512_add_epi32(sum[2], _mm512_madd_epi16(_mm512_unpacklo_epi8(high, zero), w));
            sum[3] = _mm512_add_epi32(sum[3], _mm512_madd_epi16(_mm512_unpackhi_epi8(high, zero), w));
        }
        for (int j = 0; j < 4; j++)
            sum[j] = _mm512_sra_epi32(sum[j], by);
        /* Packing undoes the unpacking: each lane holds its own 16 bytes again. */
        __m512i words = _mm512_packs_epi32(sum[0], sum[1]), more = _mm512_packs_epi32(sum[2], sum[3]);
        _mm512_mask_storeu_epi8(out + i, lanes, _mm512_packus_epi16(words, more));
    }
}

/* A window of up to 32 floats from in[base] on; nothing behind `end` is read. */
typedef struct window { __m512 low, high; __m512i base; } window;

static inline window window_load(const float *in, int32_t base, int32_t end)
{
    size_t n = (size_t)(end - base);
    window w = {.base = _mm512_set1_epi32(base)};
    w.low = _mm512_maskz_loadu_ps(first_lanes(n), in + base);
    w.high = n > 16 ? _mm512_maskz_loadu_ps(first_lanes(n - 16), in + base + 16) : _mm512_setzero_ps();
    return w;
}

static inline __m512 window_pick(const window *w, __m512i index)
{
    return _mm512_permutex2var_ps(w->low, _mm512_sub_epi32(index, w->base), w->high);
}

void reel_lerp_row_avx512(float *out, const float *in, size_t n, const int32_t *i0, const int32_t *i1, const float *l0,
                          const float *l1)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        /* Indices rise or fall; i1 is i0 or the one behind it. */
        int32_t first = i0[i] < i0[i + 15] ? i0[i] : i0[i + 15];
        int32_t end = (i1[i] > i1[i + 15] ? i1[i] : i1[i + 15]) + 1;
        __m512i at0 = load_index(i0 + i), at1 = load_index(i1 + i);
        __m512 a, b;
        if (end - first <= 32) {
            window w = window_load(in, first, end);
            a = window_pick(&w, at0);
            b = window_pick(&w, at1);
        } else {
            a = _mm512_i32gather_ps(at0, in, 4);
            b = _mm512_i32gather_ps(at1, in, 4);
        }
        b = _mm512_mul_ps(b, _mm512_loadu_ps(l1 + i));
        _mm512_storeu_ps(out + i, _mm512_fmadd_ps(a, _mm512_loadu_ps(l0 + i), b));
    }
    if (i < n)
        reel_lerp_row_c(out + i, in, n - i, i0 + i, i1 + i, l0 + i, l1 + i);
}

void reel_lerp_col_avx512(float *out, const float *a, const float *b, float h0, float h1, size_t n)
{
    const __m512 w0 = _mm512_set1_ps(h0), w1 = _mm512_set1_ps(h1);
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 lanes = first_lanes(n - i);
        __m512 bottom = _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, b + i), w1);
        _mm512_mask_storeu_ps(out + i, lanes, _mm512_fmadd_ps(_mm512_maskz_loadu_ps(lanes, a + i), w0, bottom));
    }
}

/* Taps of the widest output of a row, and the end of what the row reads. */
static inline void extent(const int32_t *lo, const int32_t *count, size_t n, int *most, int32_t *end)
{
    __m512i m = _mm512_setzero_si512(), e = m;
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 lanes = first_lanes(n - i);
        __m512i c = _mm512_maskz_loadu_epi32(lanes, count + i);
        m = _mm512_max_epi32(m, c);
        e = _mm512_max_epi32(e, _mm512_add_epi32(_mm512_maskz_loadu_epi32(lanes, lo + i), c));
    }
    *most = _mm512_reduce_max_epi32(m);
    *end = _mm512_reduce_max_epi32(e);
}

void reel_area_row_avx512(float *out, const float *in, size_t n, const int32_t *lo, const int32_t *count, const float *weight,
                          size_t stride)
{
    size_t i = 0;
    int most = 0;
    int32_t last = 0;
    const __m512i one = _mm512_set1_epi32(1);
    extent(lo, count, n, &most, &last);
    for (; i + 16 <= n; i += 16) {
        __m512i at = load_index(lo + i), taps = load_index(count + i);
        int32_t first = lo[i], end = lo[i + 15] + most < last ? lo[i + 15] + most : last;
        int narrow = end - first <= 32;
        window w = {0};
        if (narrow)
            w = window_load(in, first, end);
        __m512 p = narrow ? window_pick(&w, at) : _mm512_i32gather_ps(at, in, 4);
        __m512 sum = _mm512_mul_ps(p, _mm512_loadu_ps(weight + i));
        __m512i split = _mm512_add_epi32(_mm512_andnot_si512(_mm512_set1_epi32(3), _mm512_sub_epi32(taps, one)), one);
        for (int k = 1; k < most; k++) {
            __m512i here = _mm512_set1_epi32(k);
            __mmask16 valid = _mm512_cmpgt_epi32_mask(taps, here);
            at = _mm512_add_epi32(at, one);
            p = narrow ? window_pick(&w, at) : _mm512_mask_i32gather_ps(_mm512_setzero_ps(), valid, at, in, 4);
            __m512 q = _mm512_loadu_ps(weight + (size_t)k * stride + i);
            if (most <= 4) {  /* no whole group of four behind the first */
                sum = _mm512_mask3_fmadd_ps(p, q, sum, valid);
                continue;
            }
            __mmask16 twice = _mm512_cmpgt_epi32_mask(split, here);
            __m512 added = _mm512_add_ps(sum, _mm512_mul_ps(p, q));
            sum = _mm512_mask3_fmadd_ps(p, q, sum, (__mmask16)(valid & ~twice));
            sum = _mm512_mask_mov_ps(sum, (__mmask16)(valid & twice), added);
        }
        _mm512_storeu_ps(out + i, sum);
    }
    if (i < n)
        reel_area_row_c(out + i, in, n - i, lo + i, count + i, weight + i, stride);
}

void reel_area_col_avx512(float *out, const float *const *in, const float *weight, size_t taps, size_t n)
{
    size_t split = taps == 0 ? 0 : 1 + (taps - 1) / 4 * 4;
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 lanes = first_lanes(n - i);
        __m512 sum = _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, in[0] + i), _mm512_set1_ps(weight[0]));
        for (size_t k = 1; k < split; k++)
            sum = _mm512_add_ps(sum, _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, in[k] + i), _mm512_set1_ps(weight[k])));
        for (size_t k = split; k < taps; k++)
            sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(lanes, in[k] + i), _mm512_set1_ps(weight[k]), sum);
        _mm512_mask_storeu_ps(out + i, lanes, sum);
    }
}
