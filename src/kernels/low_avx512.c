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

/* x (1/2 + x q(x^2)), q of least largest error of GELU on -4.2 to 4.2, where the area is taken as 0 and 1 beyond. */
void reel_gelu_near_avx512(float *y, const float *x, size_t n)
{
    static const float c[9] = {4.923372820542227e-11f, -4.7953365722719354e-09f, 2.072378180173473e-07f, -5.2894056352670304e-06f,
                               8.983445877674967e-05f, -0.0010864509968087077f, 0.009740916080772877f, -0.06622204184532166f,
                               0.39883455634117126f};
    for (size_t i = 0; i < n; i += LANES) {
        const vf v = vf_get(x + i, n - i), cut = vf_min(vf_set(4.2f), vf_max(vf_set(-4.2f), v)), t = vf_mul(cut, cut);
        vf q = vf_set(c[0]);
        for (int j = 1; j < 9; j++)
            q = vf_fma(q, t, vf_set(c[j]));
        vf_put(y + i, vf_mul(v, vf_fma(cut, q, vf_set(0.5f))), n - i);
    }
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

void reel_dequantise_row_avx512(float *y, const int32_t *acc, size_t n, float row, const float *column, const float *bias)
{
    const vf factor = vf_set(row);
    for (size_t i = 0; i < n; i += LANES) {
        const __mmask16 m = n - i >= LANES ? (__mmask16)0xFFFF : vf_mask(n - i);
        const vf c = vf_mul(factor, _mm512_maskz_loadu_ps(m, column + i));
        const vf b = bias != NULL ? _mm512_maskz_loadu_ps(m, bias + i) : vf_set(0.0f);
        _mm512_mask_storeu_ps(y + i, m, vf_fma(_mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(m, acc + i)), c, b));
    }
}
