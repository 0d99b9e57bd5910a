/* The plain C rows of the low table: what the others are tested against. */
#include <math.h>
#include <string.h>

#include "kernels/low_rows.h"

static uint16_t half_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    if ((u & 0x7FFFFFFFu) > 0x7F800000u)
        return (uint16_t)(u >> 16 | 0x40u);  /* stays not a number */
    return (uint16_t)((u + 0x7FFFu + (u >> 16 & 1u)) >> 16);
}

static float float_of(uint16_t h)
{
    uint32_t u = (uint32_t)h << 16;
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

void reel_to_bf16_c(uint16_t *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = half_of(x[i]);
}

void reel_from_bf16_c(float *y, const uint16_t *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = float_of(x[i]);
}

/* Place of element (i, j) in packed panels of k rows. */
static size_t place(size_t i, size_t j, size_t k)
{
    const size_t pairs = (k + 1) / 2;
    return ((j / REEL_PANEL * pairs + i / 2) * REEL_PANEL + j % REEL_PANEL) * 2 + i % 2;
}

void reel_pack_bf16_c(uint16_t *b, const uint16_t *x, size_t ld, size_t k, size_t n)
{
    memset(b, 0, reel_panels_size(k, n) * sizeof *b);
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < n; j++)
            b[place(i, j, k)] = x[i * ld + j];
}

void reel_pack_turned_bf16_c(uint16_t *b, const uint16_t *x, size_t ld, size_t k, size_t n)
{
    memset(b, 0, reel_panels_size(k, n) * sizeof *b);
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < k; i++)
            b[place(i, j, k)] = x[j * ld + i];
}

void reel_turn_bf16_c(uint16_t *y, size_t ldy, const uint16_t *x, size_t ldx, size_t rows, size_t cols)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            y[c * ldy + r] = x[r * ldx + c];
}

void reel_bf16_block_c(float *c, size_t ldc, const uint16_t *a, size_t lda, const uint16_t *b, size_t m, size_t n, size_t k,
                       bool sum)
{
    const size_t written = (n + 15) & ~(size_t)15;
    for (size_t r = 0; r < m; r++)
        for (size_t j = 0; j < written; j++) {
            double all = sum ? (double)c[r * ldc + j] : 0;
            for (size_t i = 0; i < k; i++)
                all += (double)float_of(a[r * lda + i]) * (double)float_of(b[place(i, j, k)]);
            c[r * ldc + j] = (float)all;
        }
}

void reel_int8_block_c(int32_t *c, size_t ldc, const uint8_t *a, size_t lda, const int8_t *b, const int32_t *start, size_t m,
                       size_t n, size_t k)
{
    const size_t written = (n + 15) & ~(size_t)15, deep = (k + 3) & ~(size_t)3;
    for (size_t r = 0; r < m; r++)
        for (size_t j = 0; j < written; j++) {
            const int8_t *column = b + j / REEL_PANEL * REEL_PANEL * deep + j % REEL_PANEL * 4;
            int32_t all = start != NULL ? start[j] : 0;
            for (size_t i = 0; i < k; i++)
                all += (int32_t)a[r * lda + i] * (int32_t)column[i / 4 * 4 * REEL_PANEL + i % 4];
            c[r * ldc + j] = all;
        }
}

void reel_softmax_bf16_c(uint16_t *p, const float *s, size_t n, size_t room, float factor, float *top, float *sum)
{
    float most = -INFINITY;
    double all = 0;
    for (size_t i = 0; i < n; i++)
        most = s[i] > most ? s[i] : most;
    for (size_t i = 0; i < n; i++) {  /* 2 i never passes 4 i: p may lie in s */
        const float e = expf(factor * (s[i] - most));
        all += (double)e;
        p[i] = half_of(e);
    }
    for (size_t i = n; i < room; i++)
        p[i] = 0;
    *top = most;
    *sum = (float)all;
}

void reel_softmax_bwd_bf16_c(uint16_t *p, uint16_t *ds, const float *s, const float *dp, size_t n, float factor, const float *lse,
                             const float *delta)
{
    for (size_t i = 0; i < n; i++) {
        const float e = expf(factor * s[i] - lse[i]), d = e * (dp[i] - delta[i]);
        p[i] = half_of(e);
        ds[i] = half_of(d);
    }
}

void reel_gelu_near_c(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = 0.5f * x[i] * erfcf(-0.70710678f * x[i]);
}

void reel_quantise_row_c(uint8_t *q, const float *x, size_t n, float *scale)
{
    float most = 0;
    for (size_t i = 0; i < n; i++)
        most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    const float factor = reel_quantise_factor(most);
    for (size_t i = 0; i < n; i++)
        q[i] = (uint8_t)((int)nearbyintf(x[i] * factor) + 128);
    *scale = most / 127.0f;
}

void reel_dequantise_row_c(float *y, const int32_t *acc, size_t n, float row, const float *column, const float *bias)
{
    for (size_t i = 0; i < n; i++)
        y[i] = fmaf((float)acc[i], row * column[i], bias != NULL ? bias[i] : 0.0f);
}

void reel_quantise_keys_c(int8_t *q, float *scale, const uint16_t *x, size_t ld, const float *mean, size_t rows, size_t d)
{
    const size_t ldq = (d + 3) & ~(size_t)3;
    float most = 0;
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < d; i++) {
            const float size = fabsf(float_of(x[r * ld + i]) - mean[i]);
            most = size > most ? size : most;
        }
    const float factor = reel_quantise_factor(most);
    memset(q, 0, rows * ldq);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < d; i++)
            q[r * ldq + i] = (int8_t)nearbyintf((float_of(x[r * ld + i]) - mean[i]) * factor);
    *scale = most / 127.0f;
}

void reel_softmax_int8_c(uint8_t *p, float *weight, const int32_t *s, size_t n, size_t room, float factor, const float *panel,
                         float *sum)
{
    float most = -INFINITY;
    double all = 0;
    for (size_t g = 0; g * REEL_GROUP < n; g++) {
        const size_t end = n - g * REEL_GROUP < REEL_GROUP ? n : (g + 1) * REEL_GROUP;
        float top = -INFINITY;
        for (size_t i = g * REEL_GROUP; i < end; i++) {
            const float x = factor * panel[i / REEL_PANEL] * (float)s[i];
            top = x > top ? x : top;
        }
        for (size_t i = g * REEL_GROUP; i < end; i++)  /* i never passes 4 i: p may lie in s */
            p[i] = (uint8_t)nearbyintf(255 * expf(factor * panel[i / REEL_PANEL] * (float)s[i] - top));
        weight[g] = top;
        most = top > most ? top : most;
    }
    for (size_t i = n; i < room; i++)
        p[i] = 0;
    for (size_t g = 0; g * REEL_GROUP < n; g++) {
        int32_t bytes = 0;
        weight[g] = expf(weight[g] - most);
        for (size_t i = g * REEL_GROUP; i < n && i < (g + 1) * REEL_GROUP; i++)
            bytes += p[i];
        all += (double)weight[g] * bytes;
    }
    *sum = (float)all;
}

void reel_quantise_values_c(uint16_t *q, const uint16_t *x, size_t ld, const float *factor, size_t rows, size_t d)
{
    for (size_t r = 0; r < rows; r += 2)
        for (size_t i = 0; i < d; i++) {
            const int low = (int)nearbyintf(float_of(x[r * ld + i]) * factor[i]);
            const int high = r + 1 < rows ? (int)nearbyintf(float_of(x[(r + 1) * ld + i]) * factor[i]) : 0;
            q[r / 2 * d + i] = (uint16_t)((low & 0xFF) | (high & 0xFF) << 8);
        }
}

void reel_add_whole_c(float *y, const int32_t *x, float factor, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = fmaf((float)x[i], factor, y[i]);
}
