/* int8 rows in AVX-512: what low_c.c says, with the sums of maxima in another order (they are exact). */
#include "kernels/low_rows.h"
#include "kernels/simd_avx512.h"

static inline __m512 most_of(const float *x, size_t n)
{
    vf a = vf_set(0.0f), b = a;
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        a = vf_max(vf_abs(vf_load(x + i)), a);
        b = vf_max(vf_abs(vf_load(x + i + LANES)), b);
    }
    for (; i < n; i += LANES)
        a = vf_max(vf_abs(vf_get(x + i, n - i)), a);
    return vf_max(a, b);
}

void reel_quantise_row_avx512(uint8_t *q, const float *x, size_t n, float *scale)
{
    const float most = vf_top(most_of(x, n));
    const vf factor = vf_set(reel_quantise_factor(most));
    const __m512i middle = _mm512_set1_epi32(128);
    for (size_t i = 0; i < n; i += LANES) {
        const __m512i w = _mm512_add_epi32(_mm512_cvtps_epi32(vf_mul(vf_get(x + i, n - i), factor)), middle);
        if (n - i >= LANES)
            _mm_storeu_si128((__m128i *)(void *)(q + i), _mm512_cvtepi32_epi8(w));
        else
            _mm512_mask_cvtepi32_storeu_epi8(q + i, vf_mask(n - i), w);
    }
    *scale = most / 127.0f;
}

void reel_dequantise_row_avx512(float *y, const int32_t *acc, size_t n, float row, const float *column, const int32_t *shift,
                                const float *bias)
{
    const vf factor = vf_set(row);
    for (size_t i = 0; i < n; i += LANES) {
        const __mmask16 m = n - i >= LANES ? (__mmask16)0xFFFF : vf_mask(n - i);
        const __m512i w = _mm512_sub_epi32(_mm512_maskz_loadu_epi32(m, acc + i), _mm512_maskz_loadu_epi32(m, shift + i));
        const vf c = vf_mul(factor, _mm512_maskz_loadu_ps(m, column + i));
        const vf b = bias != NULL ? _mm512_maskz_loadu_ps(m, bias + i) : vf_set(0.0f);
        _mm512_mask_storeu_ps(y + i, m, vf_fma(_mm512_cvtepi32_ps(w), c, b));
    }
}
