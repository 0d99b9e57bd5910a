/* The vector vocabulary of the kernel templates in AVX2 with FMA; simd_avx512.h has the meanings. */
#ifndef REEL_KERNELS_SIMD_H
#define REEL_KERNELS_SIMD_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SIMD_NAME(name) reel_##name##_avx2
enum { LANES = 8 };
typedef __m256 vf;
typedef struct vd { __m256d lo, hi; } vd;

static inline __m256i vf_mask(size_t k)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)k), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline vf vf_set(float x) { return _mm256_set1_ps(x); }
static inline vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
static inline void vf_store(float *p, vf x) { _mm256_storeu_ps(p, x); }
static inline vf vf_get(const float *p, size_t k) { return k >= LANES ? vf_load(p) : _mm256_maskload_ps(p, vf_mask(k)); }
static inline void vf_put(float *p, vf x, size_t k)
{
    if (k >= LANES)
        vf_store(p, x);
    else
        _mm256_maskstore_ps(p, vf_mask(k), x);
}
static inline vf vf_keep(vf x, vf rest, size_t k)
{
    return k >= LANES ? x : _mm256_blendv_ps(rest, x, _mm256_castsi256_ps(vf_mask(k)));
}

static inline vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
static inline vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
static inline vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
static inline vf vf_div(vf a, vf b) { return _mm256_div_ps(a, b); }
static inline vf vf_sqrt(vf a) { return _mm256_sqrt_ps(a); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
static inline vf vf_fnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); }
static inline vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
static inline vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
static inline vf vf_abs(vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
static inline vf vf_round(vf a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
static inline vf vf_if_negative(vf x, vf yes, vf no)
{
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_LT_OQ));
}
static inline vf vf_if_positive(vf x, vf yes, vf no)
{
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_GT_OQ));
}
/* 2^n in two factors: n may lie beyond the exponents of a normal number, -252 to 254. */
static inline vf vf_ldexp(vf x, vf n)
{
    __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1), bias = _mm256_set1_epi32(127);
    __m256i other = _mm256_sub_epi32(whole, half);
    vf a = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
    vf b = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(other, bias), 23));
    return _mm256_mul_ps(_mm256_mul_ps(x, a), b);
}
/* Where n is below -126 the result is of that size. What is not a number stays none. */
static inline vf vf_ldexp_down(vf x, vf n)
{
    const __m256i whole = _mm256_cvtps_epi32(_mm256_max_ps(_mm256_set1_ps(-126.0f), n));
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), _mm256_slli_epi32(whole, 23)));
}
static inline float vf_sum(vf x)
{
    __m128 a = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    a = _mm_add_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));
}
static inline float vf_top(vf x)
{
    __m128 a = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    a = _mm_max_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)));
}

/* Eight rows of eight numbers, turned. */
static inline void vf_turn(vf r[8])
{
    vf t[8];
    for (int i = 0; i < 4; i++) {
        t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++) {
        r[4 * i] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
        r[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xee);
        r[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
        r[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2f128_ps(r[i], r[4 + i], 0x20);
        t[4 + i] = _mm256_permute2f128_ps(r[i], r[4 + i], 0x31);
    }
    for (int i = 0; i < 8; i++)
        r[i] = t[i];
}

/* Whole numbers of 32 bits. */
typedef __m256i vi;
static inline vi vi_set(int32_t x) { return _mm256_set1_epi32(x); }
static inline vi vi_get(const int32_t *p, size_t k)
{
    return k >= LANES ? _mm256_loadu_si256((const vi *)(const void *)p) : _mm256_maskload_epi32(p, vf_mask(k));
}
static inline vi vi_keep(vi x, vi rest, size_t k) { return k >= LANES ? x : _mm256_blendv_epi8(rest, x, vf_mask(k)); }
static inline vi vi_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
static inline vi vi_max(vi a, vi b) { return _mm256_max_epi32(a, b); }
static inline int32_t vi_sum(vi x)
{
    __m128i a = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    a = _mm_add_epi32(a, _mm_unpackhi_epi64(a, a));
    return _mm_cvtsi128_si32(_mm_add_epi32(a, _mm_shuffle_epi32(a, 1)));
}
static inline vi vi_of(vf x) { return _mm256_cvtps_epi32(x); }
static inline vf vf_of(vi x) { return _mm256_cvtepi32_ps(x); }
static inline vi vi_pair(vi x, vi y)
{
    const vi byte = vi_set(0xFF);
    return _mm256_or_si256(_mm256_and_si256(x, byte), _mm256_slli_epi32(_mm256_and_si256(y, byte), 8));
}
static inline void vi_put_bytes(void *p, vi x, size_t k)
{
    const vi low = _mm256_shuffle_epi8(x, _mm256_set1_epi32(0x0C080400));
    const __m128i bytes = _mm_unpacklo_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
    if (k >= LANES)
        _mm_storel_epi64(p, bytes);
    else
        memcpy(p, &bytes, k);
}
static inline void vi_put_halves(uint16_t *p, vi x, size_t k)
{
    const __m128i halves = _mm_packus_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    if (k >= LANES)
        _mm_storeu_si128((__m128i *)(void *)p, halves);
    else
        memcpy(p, &halves, k * sizeof *p);
}

/* bfloat16 */
static inline vf vf_get_half(const uint16_t *p, size_t k)
{
    __m128i h = _mm_setzero_si128();
    if (k >= LANES)
        h = _mm_loadu_si128((const __m128i *)(const void *)p);
    else
        memcpy(&h, p, k * sizeof *p);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}
/* The upper half of each word, rounded to the nearest, ties to even; what is not a number stays none. */
static inline vi vf_half(vf x)
{
    const vi u = _mm256_castps_si256(x), odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), vi_set(1));
    const vi near = vi_add(u, vi_add(odd, vi_set(0x7FFF))), none = _mm256_or_si256(u, vi_set(0x400000));
    const vi is_none = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    return _mm256_srli_epi32(_mm256_blendv_epi8(near, none, is_none), 16);
}
static inline void vf_put_half(uint16_t *p, vf x, size_t k) { vi_put_halves(p, vf_half(x), k); }
static inline void vf_put_half_two(uint16_t *p, vf x, vf y)
{
    const vi both = _mm256_packus_epi32(vf_half(x), vf_half(y));
    _mm256_storeu_si256((vi *)(void *)p, _mm256_permute4x64_epi64(both, 0xD8));
}

static inline vd vd_zero(void) { return (vd){_mm256_setzero_pd(), _mm256_setzero_pd()}; }
static inline vd vd_add(vd a, vd b) { return (vd){_mm256_add_pd(a.lo, b.lo), _mm256_add_pd(a.hi, b.hi)}; }
static inline vd vd_of(vf x)
{
    return (vd){_mm256_cvtps_pd(_mm256_castps256_ps128(x)), _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1))};
}
static inline vd vd_fma(vd a, vd b, vd c)
{
    return (vd){_mm256_fmadd_pd(a.lo, b.lo, c.lo), _mm256_fmadd_pd(a.hi, b.hi, c.hi)};
}
static inline double vd_sum(vd x)
{
    __m256d a = _mm256_add_pd(x.lo, x.hi);
    __m128d b = _mm_add_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
    return _mm_cvtsd_f64(_mm_add_sd(b, _mm_unpackhi_pd(b, b)));
}

#endif
