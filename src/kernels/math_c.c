/* The plain C rows: what every faster row must compute. Formulas as in the papers, sums in double, never tuned. */
#include "kernels/math_rows.h"

#include <math.h>
#include <string.h>

void reel_layernorm_fwd_c(float *y, size_t ldy, float *mean, float *rstd, const float *x, size_t ldx, const float *gamma,
                          const float *beta, float eps, size_t rows, size_t cols)
{
    for (size_t r = 0; r < rows; r++, x += ldx, y += ldy) {
        double sum = 0, squares = 0;
        for (size_t c = 0; c < cols; c++)
            sum += (double)x[c];
        double mu = sum / (double)cols;
        for (size_t c = 0; c < cols; c++)
            squares += ((double)x[c] - mu) * ((double)x[c] - mu);
        double scale = 1 / sqrt(squares / (double)cols + (double)eps);
        for (size_t c = 0; c < cols; c++)
            y[c] = (float)(((double)x[c] - mu) * scale * (double)gamma[c] + (double)beta[c]);
        if (mean != NULL)
            mean[r] = (float)mu;
        if (rstd != NULL)
            rstd[r] = (float)scale;
    }
}

/* With h = (x - mean) rstd and g = dy gamma: dx = rstd (g - mean(g) - h mean(g h)), dgamma = sum dy h, dbeta = sum dy. */
void reel_layernorm_bwd_c(float *dx, size_t lddx, bool accumulate, float *dgamma, float *dbeta, const float *dy, size_t lddy,
                          const float *x, size_t ldx, const float *mean, const float *rstd, const float *gamma, size_t rows,
                          size_t cols)
{
    for (size_t r = 0; r < rows; r++, dx += lddx, dy += lddy, x += ldx) {
        double g1 = 0, g2 = 0, mu = (double)mean[r], scale = (double)rstd[r];
        for (size_t c = 0; c < cols; c++) {
            double g = (double)dy[c] * (double)gamma[c], h = ((double)x[c] - mu) * scale;
            g1 += g;
            g2 += g * h;
        }
        g1 /= (double)cols;
        g2 /= (double)cols;
        for (size_t c = 0; c < cols; c++) {
            double h = ((double)x[c] - mu) * scale, d = scale * ((double)dy[c] * (double)gamma[c] - g1 - h * g2);
            dgamma[c] += (float)((double)dy[c] * h);
            dbeta[c] += dy[c];
            dx[c] = accumulate ? (float)((double)dx[c] + d) : (float)d;
        }
    }
}

/* x sigmoid(u) is the common form: the tanh form of GELU is x sigmoid(2 u), for 1 + tanh(u) = 2 sigmoid(2 u).
 * value: act(x); slope: act'(x). */
static void act_sigmoid(double x, double u, double du, double *value, double *slope)
{
    double s = 1 / (1 + exp(-u));
    *value = x * s;
    *slope = s + x * s * (1 - s) * du;
}

static void act_both(double x, int act, double *value, double *slope)
{
    const double root_2_pi = 0.7978845608028654;  /* sqrt(2 / pi) */
    switch (act) {
    case REEL_KACT_GELU:
        *value = x * 0.5 * erfc(-x * 0.7071067811865476);
        *slope = 0.5 * erfc(-x * 0.7071067811865476) + x * exp(-0.5 * x * x) * 0.3989422804014327;
        break;
    case REEL_KACT_GELU_TANH:
        act_sigmoid(x, 2 * root_2_pi * (x + 0.044715 * x * x * x), 2 * root_2_pi * (1 + 3 * 0.044715 * x * x), value, slope);
        break;
    case REEL_KACT_QUICK_GELU:
        act_sigmoid(x, 1.702 * x, 1.702, value, slope);
        break;
    case REEL_KACT_SILU:
        act_sigmoid(x, x, 1, value, slope);
        break;
    case REEL_KACT_RELU:
        *value = x < 0 ? 0 : x;
        *slope = x > 0 ? 1 : 0;
        break;
    default:
        *value = x;
        *slope = 1;
        break;
    }
}

void reel_act_fwd_c(float *y, const float *x, size_t n, int act)
{
    for (size_t i = 0; i < n; i++) {
        double value, slope;
        act_both((double)x[i], act, &value, &slope);
        y[i] = (float)value;
    }
}

void reel_act_bwd_c(float *dx, float *again, const float *dy, const float *x, size_t n, int act)
{
    for (size_t i = 0; i < n; i++) {
        double value, slope;
        act_both((double)x[i], act, &value, &slope);
        dx[i] = (float)((double)dy[i] * slope);
        if (again != NULL)
            again[i] = (float)value;
    }
}

void reel_add_c(float *y, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = a[i] + b[i];
}

void reel_add_bias_c(float *y, const float *bias, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += bias[i];
}

void reel_softmax_row_c(float *s, size_t n, float scale, float *max, float *sum)
{
    float top = -INFINITY;
    double total = 0;
    for (size_t i = 0; i < n; i++) {
        s[i] *= scale;
        top = s[i] > top ? s[i] : top;
    }
    for (size_t i = 0; i < n; i++) {
        s[i] = expf(s[i] - top);
        total += (double)s[i];
    }
    *max = top;
    *sum = (float)total;
}

void reel_softmax_bwd_c(float *s, float *dp, size_t n, float scale, const float *lse, const float *delta)
{
    for (size_t i = 0; i < n; i++) {
        s[i] = expf(s[i] * scale - lse[i]);
        dp[i] = s[i] * (dp[i] - delta[i]);
    }
}

/* Place of element (i, j) in panels of k rows. */
static size_t place(size_t i, size_t j, size_t k)
{
    return (j / REEL_PANEL * k + i) * REEL_PANEL + j % REEL_PANEL;
}

void reel_pack_c(float *b, const float *x, size_t ld, size_t k, size_t n)
{
    memset(b, 0, reel_panel_columns(n) * k * sizeof *b);
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < n; j++)
            b[place(i, j, k)] = x[i * ld + j];
}

void reel_pack_turned_c(float *b, const float *x, size_t ld, size_t k, size_t n)
{
    memset(b, 0, reel_panel_columns(n) * k * sizeof *b);
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < k; i++)
            b[place(i, j, k)] = x[j * ld + i];
}

void reel_turn_c(float *y, size_t ldy, const float *x, size_t ldx, size_t rows, size_t cols)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            y[c * ldy + r] = x[r * ldx + c];
}

/* Sums in float32, for this is what runs where there is no vector form: loops that a compiler turns into vectors. */
void reel_block_c(float *c, size_t ldc, const float *a, size_t lda, const float *b, size_t m, size_t n, size_t k, bool sum)
{
    enum { COLS = 16 };
    for (size_t j = 0; j < n; j += COLS) {
        const float *panel = b + place(0, j, k);
        for (size_t r = 0; r < m; r++) {
            float all[COLS];
            for (size_t q = 0; q < COLS; q++)
                all[q] = sum ? c[r * ldc + j + q] : 0;
            for (size_t i = 0; i < k; i++)
                for (size_t q = 0; q < COLS; q++)
                    all[q] += a[r * lda + i] * panel[i * REEL_PANEL + q];
            memcpy(c + r * ldc + j, all, sizeof all);
        }
    }
}

void reel_scale_c(float *y, const float *x, float factor, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * factor;
}

void reel_dot_c(double *out, const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    *out = sum;
}

void reel_sum_squares_c(double *out, const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    *out = sum;
}

/* Rounded where torch's fused form rounds: two fmaf. Every row gives the same bits. */
void reel_adamw_c(float *p, float *m, float *v, const float *g, size_t n, const float h[8])
{
    const float grad_scale = h[0], decay = h[1], one_minus_beta1 = h[2], beta2 = h[3], one_minus_beta2 = h[4],
                step_size = h[5], bias2_root = h[6], eps = h[7];
    for (size_t i = 0; i < n; i++) {
        float d = g[i] * grad_scale, q = p[i] * decay;
        m[i] = fmaf(one_minus_beta1, d - m[i], m[i]);
        v[i] = fmaf(one_minus_beta2 * d, d, v[i] * beta2);
        p[i] = q - step_size * m[i] / (sqrtf(v[i]) / bias2_root + eps);
    }
}
