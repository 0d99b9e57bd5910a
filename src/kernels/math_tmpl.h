/* The math kernels in the vector vocabulary of simd_*.h: included once by math_avx2.c and once by math_avx512.c, behind the
 * vocabulary of that level. math_c.c says what is computed. Loops go on to n with the last vector cut (vf_get, vf_put). */
#include <math.h>

#include "kernels/math_rows.h"

/* ---- exp and its relatives ---- */

/* exp, 1e-7 relative, denormal results included. x = n ln 2 + r, ln 2 in two parts so that r is exact to rounding;
 * exp(r) = 1 + r + r^2 q(r), q fitted to 3e-9 of exp on |r| <= 0.3469. */
static inline vf vf_exp(vf x)
{
    x = vf_min(vf_set(89.0f), vf_max(vf_set(-105.0f), x));  /* infinity and zero from here on; NaN stays */
    vf n = vf_round(vf_mul(x, vf_set(1.44269504f)));
    vf r = vf_fnma(n, vf_set(-2.12194440e-4f), vf_fnma(n, vf_set(0.693359375f), x));
    vf q = vf_fma(vf_set(0.001381446374580264f), r, vf_set(0.00836878176778555f));
    q = vf_fma(q, r, vf_set(0.04166839271783829f));
    q = vf_fma(q, r, vf_set(0.1666651964187622f));
    q = vf_fma(q, r, vf_set(0.4999999403953552f));
    return vf_ldexp(vf_add(vf_fma(q, vf_mul(r, r), r), vf_set(1.0f)), n);
}

/* The normal distribution: *area = Phi(x), *density = phi(x). Phi(-|x|) = exp(-x^2 / 2) R(|x|) with R(u) = erfcx(u / sqrt 2) / 2
 * as a polynomial in t = 1 / (1 + u / 4), fitted to 8e-9 of R on 0 to 14; so the far tail keeps its relative precision. */
static inline void vf_normal(vf x, vf *area, vf *density)
{
    static const float c[10] = {0.016580481082201004f, -0.0627974346280098f, 0.05166648328304291f, 0.02841472625732422f,
        0.012731276452541351f, 0.08664542436599731f, 0.07200376689434052f, 0.0955146998167038f, 0.09949269145727158f,
        0.09974789619445801f};
    vf one = vf_set(1.0f), t = vf_div(one, vf_fma(vf_abs(x), vf_set(0.25f), one)), r = vf_set(c[0]);
    for (int i = 1; i < 10; i++)
        r = vf_fma(r, t, vf_set(c[i]));
    vf e = vf_exp(vf_mul(vf_mul(x, x), vf_set(-0.5f)));
    vf tail = vf_mul(vf_mul(r, t), e);
    *area = vf_if_negative(x, tail, vf_sub(one, tail));
    *density = vf_mul(e, vf_set(0.3989422804f));
}

/* ---- activations ---- */

/* x sigmoid(u): both sides of the curve from exp(-|u|), so that neither s nor 1 - s is a difference of near equals. */
static inline void vf_act_sigmoid(vf x, vf u, vf du, vf *value, vf *slope)
{
    vf e = vf_exp(vf_sub(vf_set(0.0f), vf_abs(u))), large = vf_div(vf_set(1.0f), vf_add(vf_set(1.0f), e));
    vf small = vf_mul(e, large), s = vf_if_negative(u, small, large), rest = vf_if_negative(u, large, small);
    *value = vf_mul(x, s);
    *slope = vf_fma(vf_mul(*value, rest), du, s);
}

static inline void vf_act(vf x, int act, vf *value, vf *slope)
{
    const float c = 1.5957691216f, a = 0.044715f;  /* 2 sqrt(2 / pi) */
    vf one = vf_set(1.0f), zero = vf_set(0.0f), area, density, w, w2;
    switch (act) {
    case REEL_KACT_GELU:
        vf_normal(x, &area, &density);
        *value = vf_mul(x, area);
        *slope = vf_fma(x, density, area);
        break;
    case REEL_KACT_GELU_TANH:
        w = vf_min(vf_set(50.0f), vf_max(vf_set(-50.0f), x));  /* flat beyond; the cube must stay finite */
        w2 = vf_mul(w, w);
        vf_act_sigmoid(x, vf_mul(vf_mul(w, vf_set(c)), vf_fma(w2, vf_set(a), one)),
                       vf_mul(vf_set(c), vf_fma(w2, vf_set(3 * a), one)), value, slope);
        break;
    case REEL_KACT_QUICK_GELU:
        vf_act_sigmoid(x, vf_mul(x, vf_set(1.702f)), vf_set(1.702f), value, slope);
        break;
    case REEL_KACT_SILU:
        vf_act_sigmoid(x, x, one, value, slope);
        break;
    case REEL_KACT_RELU:
        *value = vf_if_negative(x, zero, x);
        *slope = vf_if_positive(x, one, zero);
        break;
    default:
        *value = x;
        *slope = one;
        break;
    }
}

/* `act` is a constant where these are used, so that each activation gets a loop of its own. */
static inline void act_fwd_loop(float *y, const float *x, size_t n, int act)
{
    for (size_t i = 0; i < n; i += LANES) {
        vf value, slope;
        vf_act(vf_get(x + i, n - i), act, &value, &slope);
        vf_put(y + i, value, n - i);
    }
}

static inline void act_bwd_loop(float *dx, float *again, const float *dy, const float *x, size_t n, int act)
{
    for (size_t i = 0; i < n; i += LANES) {
        vf value, slope, d = vf_get(dy + i, n - i);
        vf_act(vf_get(x + i, n - i), act, &value, &slope);
        vf_put(dx + i, vf_mul(d, slope), n - i);
        if (again != NULL)
            vf_put(again + i, value, n - i);
    }
}

#define EACH_ACT(loop) \
    switch (act) { \
    case REEL_KACT_GELU: loop(REEL_KACT_GELU); break; \
    case REEL_KACT_GELU_TANH: loop(REEL_KACT_GELU_TANH); break; \
    case REEL_KACT_QUICK_GELU: loop(REEL_KACT_QUICK_GELU); break; \
    case REEL_KACT_RELU: loop(REEL_KACT_RELU); break; \
    case REEL_KACT_SILU: loop(REEL_KACT_SILU); break; \
    default: loop(REEL_KACT_NONE); break; \
    }

void SIMD_NAME(act_fwd)(float *y, const float *x, size_t n, int act)
{
#define FWD(a) act_fwd_loop(y, x, n, a)
    EACH_ACT(FWD)
#undef FWD
}

void SIMD_NAME(act_bwd)(float *dx, float *again, const float *dy, const float *x, size_t n, int act)
{
#define BWD(a) act_bwd_loop(dx, again, dy, x, n, a)
    EACH_ACT(BWD)
#undef BWD
}

/* ---- layer norm ---- */

/* Mean and 1/sqrt(variance + eps) of a row. The second pass sums differences from a first mean, so that nothing is lost
 * where the mean is large beside the spread. */
static inline void row_moments(const float *x, size_t cols, float eps, float *mean, float *rstd)
{
    vf sum0 = vf_set(0.0f), sum1 = sum0;
    size_t i = 0;
    for (; i + 2 * LANES <= cols; i += 2 * LANES) {
        sum0 = vf_add(sum0, vf_load(x + i));
        sum1 = vf_add(sum1, vf_load(x + i + LANES));
    }
    for (; i < cols; i += LANES)
        sum0 = vf_add(sum0, vf_get(x + i, cols - i));
    const float first = vf_sum(vf_add(sum0, sum1)) / (float)cols;
    vf shift = vf_set(first), rest = vf_set(0.0f), squares = rest;
    for (i = 0; i < cols; i += LANES) {
        vf d = vf_keep(vf_sub(vf_get(x + i, cols - i), shift), vf_set(0.0f), cols - i);
        rest = vf_add(rest, d);
        squares = vf_fma(d, d, squares);
    }
    const double n = (double)cols, off = (double)vf_sum(rest) / n;
    *mean = (float)((double)first + off);
    *rstd = (float)(1 / sqrt((double)vf_sum(squares) / n - off * off + (double)eps));
}

void SIMD_NAME(layernorm_fwd)(float *y, size_t ldy, float *mean, float *rstd, const float *x, size_t ldx, const float *gamma,
                              const float *beta, float eps, size_t rows, size_t cols)
{
    for (size_t r = 0; r < rows; r++, x += ldx, y += ldy) {
        float mu, scale;
        row_moments(x, cols, eps, &mu, &scale);
        vf m = vf_set(mu), s = vf_set(scale);
        for (size_t i = 0; i < cols; i += LANES) {
            size_t k = cols - i;
            vf h = vf_mul(vf_sub(vf_get(x + i, k), m), s);
            vf_put(y + i, vf_fma(h, vf_get(gamma + i, k), vf_get(beta + i, k)), k);
        }
        if (mean != NULL)
            mean[r] = mu;
        if (rstd != NULL)
            rstd[r] = scale;
    }
}

void SIMD_NAME(layernorm_bwd)(float *dx, size_t lddx, bool accumulate, float *dgamma, float *dbeta, const float *dy,
                              size_t lddy, const float *x, size_t ldx, const float *mean, const float *rstd,
                              const float *gamma, size_t rows, size_t cols)
{
    for (size_t r = 0; r < rows; r++, dx += lddx, dy += lddy, x += ldx) {
        vf m = vf_set(mean[r]), s = vf_set(rstd[r]), sum1 = vf_set(0.0f), sum2 = sum1;
        for (size_t i = 0; i < cols; i += LANES) {
            size_t k = cols - i;
            vf d = vf_get(dy + i, k), g = vf_mul(d, vf_get(gamma + i, k));  /* zero behind the end */
            vf h = vf_mul(vf_sub(vf_get(x + i, k), m), s);
            sum1 = vf_add(sum1, g);
            sum2 = vf_add(sum2, vf_keep(vf_mul(g, h), vf_set(0.0f), k));
            vf_put(dgamma + i, vf_fma(d, h, vf_get(dgamma + i, k)), k);
            vf_put(dbeta + i, vf_add(d, vf_get(dbeta + i, k)), k);
        }
        vf g1 = vf_set(vf_sum(sum1) / (float)cols), g2 = vf_set(vf_sum(sum2) / (float)cols);
        for (size_t i = 0; i < cols; i += LANES) {
            size_t k = cols - i;
            vf g = vf_mul(vf_get(dy + i, k), vf_get(gamma + i, k));
            vf h = vf_mul(vf_sub(vf_get(x + i, k), m), s);
            vf d = vf_mul(s, vf_fnma(h, g2, vf_sub(g, g1)));
            vf_put(dx + i, accumulate ? vf_add(vf_get(dx + i, k), d) : d, k);
        }
    }
}

/* ---- softmax of attention ---- */

void SIMD_NAME(softmax_row)(float *s, size_t n, float scale, float *max, float *sum)
{
    const vf low = vf_set(-INFINITY), factor = vf_set(scale);
    vf top0 = low, top1 = low, sum0 = vf_set(0.0f), sum1 = sum0;
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        top0 = vf_max(vf_mul(vf_load(s + i), factor), top0);
        top1 = vf_max(vf_mul(vf_load(s + i + LANES), factor), top1);
    }
    for (; i < n; i += LANES)
        top0 = vf_max(vf_keep(vf_mul(vf_get(s + i, n - i), factor), low, n - i), top0);
    const float top = vf_top(vf_max(top0, top1));
    const vf shift = vf_set(top);
    for (i = 0; i + 2 * LANES <= n; i += 2 * LANES) {
        vf a = vf_exp(vf_sub(vf_mul(vf_load(s + i), factor), shift));
        vf b = vf_exp(vf_sub(vf_mul(vf_load(s + i + LANES), factor), shift));
        vf_store(s + i, a);
        vf_store(s + i + LANES, b);
        sum0 = vf_add(sum0, a);
        sum1 = vf_add(sum1, b);
    }
    for (; i < n; i += LANES) {
        vf a = vf_exp(vf_sub(vf_mul(vf_get(s + i, n - i), factor), shift));
        vf_put(s + i, a, n - i);
        sum0 = vf_add(sum0, vf_keep(a, vf_set(0.0f), n - i));
    }
    *max = top;
    *sum = vf_sum(vf_add(sum0, sum1));
}

void SIMD_NAME(softmax_bwd)(float *s, float *dp, size_t n, float scale, const float *lse, const float *delta)
{
    const vf factor = vf_set(scale);
    for (size_t i = 0; i < n; i += LANES) {
        size_t k = n - i;
        vf p = vf_exp(vf_sub(vf_mul(vf_get(s + i, k), factor), vf_get(lse + i, k)));
        vf_put(s + i, p, k);
        vf_put(dp + i, vf_mul(p, vf_sub(vf_get(dp + i, k), vf_get(delta + i, k))), k);
    }
}

/* ---- blocks of products ---- */

/* R rows by V vectors of C in registers, of which a row of B takes V more; each number of B that is loaded is used R times.
 * A strip of B (panel.h) is as wide as a tile. */
enum { TILE_ROWS = 6, TILE_VECTORS = LANES == 16 ? 4 : 2, STRIP = TILE_VECTORS * LANES };

static inline size_t part_rows(size_t first, size_t k) { return k - first < REEL_DEEP ? k - first : REEL_DEEP; }

/* Where row i of the strip of column h lies in a panel of k rows. */
static inline float *strip_row(float *panel, size_t i, size_t h, size_t k)
{
    const size_t first = i - i % REEL_DEEP;
    return panel + first * REEL_PANEL + h / STRIP * STRIP * part_rows(first, k) + (i - first) * STRIP + h % STRIP;
}

void SIMD_NAME(pack)(float *b, const float *x, size_t ld, size_t k, size_t n)
{
    for (size_t j = 0; j < n; j += REEL_PANEL, b += k * REEL_PANEL)
        for (size_t i = 0; i < k; i++)
            for (size_t h = 0; h < REEL_PANEL; h += LANES)
                vf_store(strip_row(b, i, h, k), j + h < n ? vf_get(x + i * ld + j + h, n - j - h) : vf_set(0.0f));
}

/* LANES rows from x, of which `rows` are there, up to `cols` numbers each; turned. */
static inline void turned_tile(vf r[LANES], const float *x, size_t ld, size_t rows, size_t cols)
{
    for (size_t q = 0; q < LANES; q++)
        r[q] = q < rows ? vf_get(x + q * ld, cols) : vf_set(0.0f);
    vf_turn(r);
}

void SIMD_NAME(pack_turned)(float *b, const float *x, size_t ld, size_t k, size_t n)
{
    for (size_t j = 0; j < n; j += REEL_PANEL, b += k * REEL_PANEL)
        for (size_t h = 0; h < REEL_PANEL; h += LANES)
            for (size_t i = 0; i < k; i += LANES) {
                vf r[LANES];
                turned_tile(r, x + (j + h < n ? (j + h) * ld + i : 0), ld, j + h < n ? n - j - h : 0, k - i);
                for (size_t q = 0; q < LANES && i + q < k; q++)
                    vf_store(strip_row(b, i + q, h, k), r[q]);
            }
}

void SIMD_NAME(turn)(float *y, size_t ldy, const float *x, size_t ldx, size_t rows, size_t cols)
{
    for (size_t r = 0; r < rows; r += LANES)
        for (size_t c = 0; c < cols; c += LANES) {
            vf t[LANES];
            turned_tile(t, x + r * ldx + c, ldx, rows - r, cols - c);
            for (size_t q = 0; q < LANES && c + q < cols; q++)
                vf_put(y + (c + q) * ldy + r, t[q], rows - r);
        }
}

/* The loops are unrolled, for else gcc 12 keeps the sums in memory. */
static inline __attribute__((always_inline)) void tile(float *c, size_t ldc, const float *a, size_t lda, const float *b, size_t k,
                                                       bool sum, const int R, const int V)
{
    vf acc[6][4];
#pragma GCC unroll 6
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            acc[r][v] = sum ? vf_load(c + (size_t)r * ldc + LANES * v) : vf_set(0.0f);
    for (size_t i = 0; i < k; i++, b += STRIP) {
        vf row[4];
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            row[v] = vf_load(b + LANES * v);
#pragma GCC unroll 6
        for (int r = 0; r < R; r++) {
            const vf w = vf_set(a[(size_t)r * lda + i]);
#pragma GCC unroll 4
            for (int v = 0; v < V; v++)
                acc[r][v] = vf_fma(w, row[v], acc[r][v]);
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            vf_store(c + (size_t)r * ldc + LANES * v, acc[r][v]);
}

#define TILE_OF(R) \
    static void tile_##R(float *c, size_t ldc, const float *a, size_t lda, const float *b, size_t k, bool sum, int v) \
    { \
        switch (v) { \
        case 4: tile(c, ldc, a, lda, b, k, sum, R, LANES == 16 ? 4 : 2); break; \
        case 3: tile(c, ldc, a, lda, b, k, sum, R, LANES == 16 ? 3 : 2); break; \
        case 2: tile(c, ldc, a, lda, b, k, sum, R, 2); break; \
        default: tile(c, ldc, a, lda, b, k, sum, R, 1); break; \
        } \
    }
TILE_OF(1) TILE_OF(2) TILE_OF(3) TILE_OF(4) TILE_OF(5) TILE_OF(6)
#undef TILE_OF

void SIMD_NAME(block)(float *c, size_t ldc, const float *a, size_t lda, const float *b, size_t m, size_t n, size_t k, bool sum)
{
    static void (*const last[])(float *, size_t, const float *, size_t, const float *, size_t, bool, int) = {
        NULL, tile_1, tile_2, tile_3, tile_4, tile_5, tile_6};
    const size_t written = (n + 15) & ~(size_t)15;
    for (size_t i = 0; i < k; i += REEL_DEEP, sum = true)
        for (size_t j = 0; j < written; j += STRIP) {
            const size_t rows = part_rows(i, k), left = written - j;
            const float *strip = b + j / REEL_PANEL * REEL_PANEL * k + i * REEL_PANEL + j % REEL_PANEL * rows;
            const int v = left >= STRIP ? TILE_VECTORS : (int)(left / LANES);
            size_t r = 0;
            for (; r + TILE_ROWS <= m; r += TILE_ROWS)
                tile_6(c + r * ldc + j, ldc, a + r * lda + i, lda, strip, rows, sum, v);
            if (r < m)
                last[m - r](c + r * ldc + j, ldc, a + r * lda + i, lda, strip, rows, sum, v);
        }
}

/* ---- sums, sums of squares, the optimizer ---- */

void SIMD_NAME(add)(float *y, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        vf_put(y + i, vf_add(vf_get(a + i, n - i), vf_get(b + i, n - i)), n - i);
}

void SIMD_NAME(add_bias)(float *y, const float *bias, size_t n)
{
    SIMD_NAME(add)(y, y, bias, n);
}

void SIMD_NAME(scale)(float *y, const float *x, float factor, size_t n)
{
    const vf f = vf_set(factor);
    for (size_t i = 0; i < n; i += LANES)
        vf_put(y + i, vf_mul(vf_get(x + i, n - i), f), n - i);
}

void SIMD_NAME(dot)(double *out, const float *a, const float *b, size_t n)
{
    vd sum0 = vd_zero(), sum1 = sum0;
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        sum0 = vd_fma(vd_of(vf_load(a + i)), vd_of(vf_load(b + i)), sum0);
        sum1 = vd_fma(vd_of(vf_load(a + i + LANES)), vd_of(vf_load(b + i + LANES)), sum1);
    }
    for (; i < n; i += LANES)
        sum0 = vd_fma(vd_of(vf_get(a + i, n - i)), vd_of(vf_get(b + i, n - i)), sum0);
    *out = vd_sum(vd_add(sum0, sum1));
}

void SIMD_NAME(sum_squares)(double *out, const float *x, size_t n)
{
    SIMD_NAME(dot)(out, x, x, n);
}

void SIMD_NAME(adamw)(float *p, float *m, float *v, const float *g, size_t n, const float h[8])
{
    const vf grad_scale = vf_set(h[0]), decay = vf_set(h[1]), one_minus_beta1 = vf_set(h[2]), beta2 = vf_set(h[3]),
             one_minus_beta2 = vf_set(h[4]), step_size = vf_set(h[5]), bias2_root = vf_set(h[6]), eps = vf_set(h[7]);
    for (size_t i = 0; i < n; i += LANES) {
        size_t k = n - i;
        vf d = vf_mul(vf_get(g + i, k), grad_scale), q = vf_mul(vf_get(p + i, k), decay), mi = vf_get(m + i, k);
        mi = vf_fma(one_minus_beta1, vf_sub(d, mi), mi);
        vf next = vf_fma(vf_mul(one_minus_beta2, d), d, vf_mul(vf_get(v + i, k), beta2));
        vf below = vf_add(vf_div(vf_sqrt(next), bias2_root), eps);
        vf_put(m + i, mi, k);
        vf_put(v + i, next, k);
        vf_put(p + i, vf_sub(q, vf_div(vf_mul(step_size, mi), below)), k);
    }
}
