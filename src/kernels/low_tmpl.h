/* Rows of the low table for layers with int8 weights, in the vector vocabulary of simd_*.h: included behind it, with names by
 * SIMD_NAME. low_c.c says what is computed. */
#include "kernels/low_rows.h"

static inline vf most_of(const float *x, size_t n)
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
void SIMD_NAME(gelu_near)(float *y, const float *x, size_t n)
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

void SIMD_NAME(quantise_row)(uint8_t *q, const float *x, size_t n, float *scale)
{
    const float most = vf_top(most_of(x, n));
    const vf factor = vf_set(reel_quantise_factor(most));
    const vi middle = vi_set(128);
    for (size_t i = 0; i < n; i += LANES)
        vi_put_bytes(q + i, vi_add(vi_of(vf_mul(vf_get(x + i, n - i), factor)), middle), n - i);
    *scale = most / 127.0f;
}

void SIMD_NAME(dequantise_row)(float *y, const int32_t *acc, size_t n, float row, const float *column, const float *bias)
{
    const vf factor = vf_set(row);
    for (size_t i = 0; i < n; i += LANES) {
        const vf c = vf_mul(factor, vf_get(column + i, n - i)), b = bias != NULL ? vf_get(bias + i, n - i) : vf_set(0.0f);
        vf_put(y + i, vf_fma(vf_of(vi_get(acc + i, n - i)), c, b), n - i);
    }
}
