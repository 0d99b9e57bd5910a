/* Pixel kernels with AVX-512. Sixteen neighbours of a resampled row mostly read from 32 neighbouring values, so that two loads
 * and a permutation do the work of a gather. */
#include <immintrin.h>

#include "kernels/pixel_rows.h"

static inline __m512i load_index(const int32_t *p) { return _mm512_loadu_si512(p); }

static inline __mmask16 first_lanes(size_t n)
{
    return (__mmask16)(n >= 16 ? 0xFFFFu : (1u << n) - 1);
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

void reel_area_row_avx512(float *out, const float *in, size_t n, const int32_t *lo, const int32_t *count, const float *weight,
                          size_t stride)
{
    size_t i = 0;
    const __m512i one = _mm512_set1_epi32(1);
    for (; i + 16 <= n; i += 16) {
        __m512i at = load_index(lo + i), taps = load_index(count + i);
        int most = _mm512_reduce_max_epi32(taps);
        int32_t first = lo[i], end = _mm512_reduce_max_epi32(_mm512_add_epi32(at, taps));
        int narrow = end - first <= 32;
        window w = {0};
        if (narrow)
            w = window_load(in, first, end);
        __m512i split = _mm512_add_epi32(_mm512_andnot_si512(_mm512_set1_epi32(3), _mm512_sub_epi32(taps, one)), one);
        __m512 p = narrow ? window_pick(&w, at) : _mm512_i32gather_ps(at, in, 4);
        __m512 sum = _mm512_mul_ps(p, _mm512_loadu_ps(weight + i));
        for (int k = 1; k < most; k++) {
            __m512i here = _mm512_set1_epi32(k);
            __mmask16 valid = _mm512_cmpgt_epi32_mask(taps, here), twice = _mm512_cmpgt_epi32_mask(split, here);
            at = _mm512_add_epi32(at, one);
            p = narrow ? window_pick(&w, at) : _mm512_mask_i32gather_ps(_mm512_setzero_ps(), valid, at, in, 4);
            __m512 q = _mm512_loadu_ps(weight + (size_t)k * stride + i);
            __m512 once = _mm512_mask_fmadd_ps(p, (__mmask16)(valid & ~twice), q, sum);
            __m512 added = _mm512_add_ps(sum, _mm512_mul_ps(p, q));
            sum = _mm512_mask_mov_ps(sum, (__mmask16)(valid & ~twice), once);
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
