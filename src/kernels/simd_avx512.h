/* The vector vocabulary of the kernel templates in AVX-512: vf is a vector of floats, k the elements of it that count. */
#ifndef REEL_KERNELS_SIMD_H
#define REEL_KERNELS_SIMD_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define SIMD_NAME(name) reel_##name##_avx512
enum { LANES = 16 };
typedef __m512 vf;
typedef struct vd { __m512d lo, hi; } vd;  /* the same elements as doubles */

static inline __mmask16 vf_mask(size_t k) { return (__mmask16)((1u << k) - 1u); }
static inline vf vf_set(float x) { return _mm512_set1_ps(x); }
static inline vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void vf_store(float *p, vf x) { _mm512_storeu_ps(p, x); }
/* Up to the k-th element; the rest is zero, and is not touched in memory. */
static inline vf vf_get(const float *p, size_t k)
{
    return k >= LANES ? vf_load(p) : _mm512_maskz_loadu_ps(vf_mask(k), p);
}
static inline void vf_put(float *p, vf x, size_t k)
{
    if (k >= LANES)
        vf_store(p, x);
    else
        _mm512_mask_storeu_ps(p, vf_mask(k), x);
}
static inline vf vf_keep(vf x, vf rest, size_t k) { return k >= LANES ? x : _mm512_mask_blend_ps(vf_mask(k), rest, x); }

static inline vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
static inline vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
static inline vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
static inline vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
static inline vf vf_sqrt(vf a) { return _mm512_sqrt_ps(a); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }    /* a b + c, one rounding */
static inline vf vf_fnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); }  /* c - a b, one rounding */
/* b where one of them is not a number */
static inline vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
static inline vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
static inline vf vf_abs(vf a) { return _mm512_abs_ps(a); }
static inline vf vf_round(vf a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
static inline vf vf_if_negative(vf x, vf yes, vf no)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ), no, yes);
}
static inline vf vf_if_positive(vf x, vf yes, vf no)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GT_OQ), no, yes);
}
/* x 2^n for whole n; denormal results are rounded once. */
static inline vf vf_ldexp(vf x, vf n) { return _mm512_scalef_ps(x, n); }
/* The same where n is at most 127 and nothing depends on what becomes of results below 1e-37. */
static inline vf vf_ldexp_down(vf x, vf n) { return _mm512_scalef_ps(x, n); }
static inline float vf_sum(vf x) { return _mm512_reduce_add_ps(x); }
static inline float vf_top(vf x) { return _mm512_reduce_max_ps(x); }

/* Sixteen rows of sixteen numbers, turned. */
static inline void vf_turn(vf r[16])
{
    vf t[16];
    for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 4; i++) {
        r[4 * i] = _mm512_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
        r[4 * i + 1] = _mm512_shuffle_ps(t[4 * i], t[4 * i + 2], 0xee);
        r[4 * i + 2] = _mm512_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
        r[4 * i + 3] = _mm512_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(r[i], r[4 + i], 0x88);
        t[4 + i] = _mm512_shuffle_f32x4(r[i], r[4 + i], 0xdd);
        t[8 + i] = _mm512_shuffle_f32x4(r[8 + i], r[12 + i], 0x88);
        t[12 + i] = _mm512_shuffle_f32x4(r[8 + i], r[12 + i], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_f32x4(t[i], t[8 + i], 0x88);
        r[4 + i] = _mm512_shuffle_f32x4(t[4 + i], t[12 + i], 0x88);
        r[8 + i] = _mm512_shuffle_f32x4(t[i], t[8 + i], 0xdd);
        r[12 + i] = _mm512_shuffle_f32x4(t[4 + i], t[12 + i], 0xdd);
    }
}

/* Whole numbers of 32 bits. */
typedef __m512i vi;
static inline vi vi_set(int32_t x) { return _mm512_set1_epi32(x); }
static inline vi vi_get(const int32_t *p, size_t k)
{
    return k >= LANES ? _mm512_loadu_si512(p) : _mm512_maskz_loadu_epi32(vf_mask(k), p);
}
static inline vi vi_keep(vi x, vi rest, size_t k) { return k >= LANES ? x : _mm512_mask_blend_epi32(vf_mask(k), rest, x); }
static inline vi vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
static inline vi vi_max(vi a, vi b) { return _mm512_max_epi32(a, b); }
static inline int32_t vi_sum(vi x) { return _mm512_reduce_add_epi32(x); }
static inline vi vi_of(vf x) { return _mm512_cvtps_epi32(x); }  /* to the nearest */
static inline vf vf_of(vi x) { return _mm512_cvtepi32_ps(x); }
/* x + 256 y in the low half of each word, of two numbers of 8 bits */
static inline vi vi_pair(vi x, vi y)
{
    const vi byte = vi_set(0xFF);
    return _mm512_or_si512(_mm512_and_si512(x, byte), _mm512_slli_epi32(_mm512_and_si512(y, byte), 8));
}
/* The low byte of each; each as a number of 16 bits, which it must be. */
static inline void vi_put_bytes(void *p, vi x, size_t k)
{
    if (k >= LANES)
        _mm_storeu_si128(p, _mm512_cvtepi32_epi8(x));
    else
        _mm512_mask_cvtepi32_storeu_epi8(p, vf_mask(k), x);
}
static inline void vi_put_halves(uint16_t *p, vi x, size_t k)
{
    if (k >= LANES)
        _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtepi32_epi16(x));
    else
        _mm512_mask_cvtepi32_storeu_epi16(p, vf_mask(k), x);
}

/* bfloat16 */
static inline vf vf_get_half(const uint16_t *p, size_t k)
{
    const __m256i h = k >= LANES ? _mm256_loadu_si256((const __m256i *)(const void *)p) : _mm256_maskz_loadu_epi16(vf_mask(k), p);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}
#ifdef __AVX512BF16__
static inline void vf_put_half(uint16_t *p, vf x, size_t k)
{
    _mm256_mask_storeu_epi16(p, k >= LANES ? (__mmask16)0xFFFF : vf_mask(k), (__m256i)_mm512_cvtneps_pbh(x));
}
/* Two vectors, one behind the other. */
static inline void vf_put_half_two(uint16_t *p, vf x, vf y) { _mm512_storeu_si512(p, (__m512i)_mm512_cvtne2ps_pbh(y, x)); }
#endif

static inline vd vd_zero(void) { return (vd){_mm512_setzero_pd(), _mm512_setzero_pd()}; }
static inline vd vd_add(vd a, vd b) { return (vd){_mm512_add_pd(a.lo, b.lo), _mm512_add_pd(a.hi, b.hi)}; }
static inline vd vd_of(vf x)
{
    return (vd){_mm512_cvtps_pd(_mm512_castps512_ps256(x)), _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1))};
}
static inline vd vd_fma(vd a, vd b, vd c)
{
    return (vd){_mm512_fmadd_pd(a.lo, b.lo, c.lo), _mm512_fmadd_pd(a.hi, b.hi, c.hi)};
}
static inline double vd_sum(vd x) { return _mm512_reduce_add_pd(_mm512_add_pd(x.lo, x.hi)); }

#endif
