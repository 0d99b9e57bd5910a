/* Rows of the low table that read or write bfloat16 and what goes with them: as low_tmpl.h. */
#include "kernels/low_rows.h"

/* ---- conversions ---- */

void SIMD_NAME(to_bf16)(uint16_t *y, const float *x, size_t n)
{
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES)
        vf_put_half_two(y + i, vf_load(x + i), vf_load(x + i + LANES));
    for (; i < n; i += LANES)
        vf_put_half(y + i, vf_get(x + i, n - i), n - i);
}

void SIMD_NAME(from_bf16)(float *y, const uint16_t *x, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        vf_store(y + i, vf_get_half(x + i, LANES));
    if (i < n)
        vf_put(y + i, vf_get_half(x + i, n - i), n - i);
}

/* ---- softmax ---- */

/* 2^x to 3e-6: the result becomes bfloat16. x = n + f, f in [-1/2, 1/2]; coefficients of least largest relative error. */
static inline vf exp2_near(vf x)
{
    const vf n = vf_round(x), f = vf_sub(x, n);
    vf p = vf_fma(vf_set(0.00957009382f), f, vf_set(0.0559178597f));
    p = vf_fma(p, f, vf_set(0.24024745f));
    p = vf_fma(p, f, vf_set(0.693121815f));
    p = vf_fma(p, f, vf_set(0.999999261f));
    return vf_ldexp_down(p, n);
}

static const float log2_e = 1.44269504f;

void SIMD_NAME(softmax_bf16)(uint16_t *p, const float *s, size_t n, size_t room, float factor, float *top, float *sum)
{
    const vf low = vf_set(-__builtin_inff());
    vf a = low, b = low, sum0 = vf_set(0.0f), sum1 = sum0;
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        a = vf_max(vf_load(s + i), a);
        b = vf_max(vf_load(s + i + LANES), b);
    }
    for (; i < n; i += LANES)
        a = vf_max(vf_keep(vf_get(s + i, n - i), low, n - i), a);
    *top = vf_top(vf_max(a, b));
    const vf scale = vf_set(factor * log2_e), shift = vf_set(*top);
    for (i = 0; i + 2 * LANES <= n; i += 2 * LANES) {
        const vf x = exp2_near(vf_mul(vf_sub(vf_load(s + i), shift), scale));
        const vf y = exp2_near(vf_mul(vf_sub(vf_load(s + i + LANES), shift), scale));
        sum0 = vf_add(sum0, x);
        sum1 = vf_add(sum1, y);
        vf_put_half_two(p + i, x, y);
    }
    for (; i < n; i += LANES) {
        const vf x = vf_keep(exp2_near(vf_mul(vf_sub(vf_get(s + i, n - i), shift), scale)), vf_set(0.0f), n - i);
        sum0 = vf_add(sum0, x);
        vf_put_half(p + i, x, n - i);
    }
    for (i = n; i < room; i++)
        p[i] = 0;
    *sum = vf_sum(vf_add(sum0, sum1));
}

void SIMD_NAME(softmax_bwd_bf16)(uint16_t *p, uint16_t *ds, const float *s, const float *dp, size_t n, float factor,
                                 const float *lse, const float *delta)
{
    const vf scale = vf_set(factor * log2_e), turn = vf_set(log2_e);
    for (size_t i = 0; i < n; i += LANES) {
        const size_t k = n - i;
        const vf x = exp2_near(vf_sub(vf_mul(vf_get(s + i, k), scale), vf_mul(vf_get(lse + i, k), turn)));
        const vf d = vf_mul(x, vf_sub(vf_get(dp + i, k), vf_get(delta + i, k)));
        vf_put_half(p + i, x, k);
        vf_put_half(ds + i, d, k);
    }
}

/* ---- attention in whole numbers ---- */

static inline vf key_part(const uint16_t *x, const float *mean, size_t n)
{
    return vf_keep(vf_sub(vf_get_half(x, n), vf_get(mean, n)), vf_set(0.0f), n);
}

void SIMD_NAME(quantise_keys)(int8_t *q, float *scale, const uint16_t *x, size_t ld, const float *mean, size_t rows, size_t d)
{
    const size_t ldq = (d + 3) & ~(size_t)3;
    vf most = vf_set(0.0f);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < d; i += LANES)
            most = vf_max(vf_abs(key_part(x + r * ld + i, mean + i, d - i)), most);
    const float top = vf_top(most);
    const vf factor = vf_set(reel_quantise_factor(top));
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < ldq; i += LANES) {
            const vf part = i < d ? key_part(x + r * ld + i, mean + i, d - i) : vf_set(0.0f);
            vi_put_bytes(q + r * ldq + i, vi_of(vf_mul(part, factor)), ldq - i);
        }
    *scale = top / 127.0f;
}

void SIMD_NAME(quantise_values)(uint16_t *q, const uint16_t *x, size_t ld, const float *factor, size_t rows, size_t d)
{
    for (size_t r = 0; r < rows; r += 2)
        for (size_t i = 0; i < d; i += LANES) {
            const vf f = vf_get(factor + i, d - i), low = vf_get_half(x + r * ld + i, d - i);
            const vf high = r + 1 < rows ? vf_get_half(x + (r + 1) * ld + i, d - i) : vf_set(0.0f);
            vi_put_halves(q + r / 2 * d + i, vi_pair(vi_of(vf_mul(low, f)), vi_of(vf_mul(high, f))), d - i);
        }
}

void SIMD_NAME(add_whole)(float *y, const int32_t *x, float factor, size_t n)
{
    const vf f = vf_set(factor);
    for (size_t i = 0; i < n; i += LANES)
        vf_put(y + i, vf_fma(vf_of(vi_get(x + i, n - i)), f, vf_get(y + i, n - i)), n - i);
}
