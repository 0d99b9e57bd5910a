/* Loops over numbers of low precision: bfloat16 (as uint16_t) and int8. As math.h: one list makes table, test and benchmark, the
 * plain C form is the specification. Sums are float32 (int32 for whole numbers). */
#ifndef REEL_KERNELS_LOW_H
#define REEL_KERNELS_LOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/panel.h"

/* Numbers in a right operand (k, n) of bf16_block (panel.h): rows go in pairs, a column's two numbers side by side, as the
 * instructions VDPBF16PS and TDPBF16PS take them; an odd k gets a row of zeros. */
static inline size_t reel_panels_size(size_t k, size_t n) { return reel_panel_columns(n) * ((k + 1) & ~(size_t)1); }

/* The same for int8: rows go in fours (VPDPBUSD, TDPBUSD). */
static inline size_t reel_quads_size(size_t k, size_t n) { return reel_panel_columns(n) * ((k + 3) & ~(size_t)3); }
/* What a row of largest magnitude `most` is multiplied by to be whole numbers up to 127; 0 where that would be no finite number:
 * such a row is as good as zero. */
enum { REEL_GROUP = 2 * REEL_PANEL };  /* keys whose probabilities have one scale */

static inline float reel_quantise_factor(float most) { return most > 1e-36f ? 127.0f / most : 0.0f; }

/* Packs row j of W (n, k), that is column j of B = W^T; the panels are zero before. */
static inline void reel_pack_int8_row(int8_t *b, const int8_t *w, size_t j, size_t k)
{
    int8_t *at = b + j / REEL_PANEL * REEL_PANEL * ((k + 3) & ~(size_t)3) + j % REEL_PANEL * 4;
    for (size_t i = 0; i < k; i++)
        at[i / 4 * 4 * REEL_PANEL + i % 4] = w[i];
}

#define REEL_LOW_KERNELS(K) \
    K(to_bf16, (uint16_t *y, const float *x, size_t n))          /* nearest even; may flush denormal numbers to zero */ \
    K(from_bf16, (float *y, const uint16_t *x, size_t n)) \
    /* B = x (k, n), rows ld apart. */ \
    K(pack_bf16, (uint16_t *b, const uint16_t *x, size_t ld, size_t k, size_t n)) \
    /* B = x^T, x (n, k). */ \
    K(pack_turned_bf16, (uint16_t *b, const uint16_t *x, size_t ld, size_t k, size_t n)) \
    /* y (cols, rows) = x^T, x (rows, cols). */ \
    K(turn_bf16, (uint16_t *y, size_t ldy, const uint16_t *x, size_t ldx, size_t rows, size_t cols)) \
    /* C (m, n) = A B, or += with `sum`: A (m, k) bfloat16, B packed, C float32. lda, and k where it is odd: A is read up to the \
     * even k. Columns of C up to the next multiple of 16 are written. */ \
    K(bf16_block, (float *c, size_t ldc, const uint16_t *a, size_t lda, const uint16_t *b, size_t m, size_t n, size_t k, bool sum)) \
    /* C (m, n) = A B + start in whole numbers: A (m, k) of 0 to 255, read up to the next multiple of 4; B as above, from \
     * reel_pack_int8_row. start: one a column up to the next multiple of 16, or NULL. */ \
    K(int8_block, (int32_t *c, size_t ldc, const uint8_t *a, size_t lda, const int8_t *b, const int32_t *start, size_t m, size_t n, \
                   size_t k)) \
    /* p = exp(factor (s - max of the row)); *sum of them (before rounding), *top = that max. p may lie in s, from its start. \
     * Numbers of p behind n up to `room` become 0. */ \
    K(softmax_bf16, (uint16_t *p, const float *s, size_t n, size_t room, float factor, float *top, float *sum)) \
    /* p = exp(factor s - lse[i]), ds = p (dp - delta[i]); p may lie in s and ds in dp, from their starts. */ \
    K(softmax_bwd_bf16, (uint16_t *p, uint16_t *ds, const float *s, const float *dp, size_t n, float factor, const float *lse, \
                         const float *delta)) \
    /* y = GELU(x) within 1.5e-4, for what is rounded to bfloat16 or int8 next; y may be x. */ \
    K(gelu_near, (float *y, const float *x, size_t n)) \
    /* A row to whole numbers 1 to 255 around 128: x = *scale (q - 128) but for rounding; *scale = max |x| / 127. */ \
    K(quantise_row, (uint8_t *q, const float *x, size_t n, float *scale)) \
    /* y = row column[i] acc + bias[i]; bias may be NULL. */ \
    K(dequantise_row, (float *y, const int32_t *acc, size_t n, float row, const float *column, const float *bias)) \
    /* Keys for scores in whole numbers: rows (at most REEL_PANEL) of x less mean, q = x / *scale from -127 to 127; rows of q are d \
     * filled up with zeros to a multiple of 4. */ \
    K(quantise_keys, (int8_t *q, float *scale, const uint16_t *x, size_t ld, const float *mean, size_t rows, size_t d)) \
    /* Probabilities as bytes from whole scores, s[i] standing for x[i] = factor panel[i / REEL_PANEL] s[i]: in a group of \
     * REEL_GROUP, p = 255 exp(x - max of the group) to the nearest, and weight = exp(max of the group - max of the row); \
     * *sum of weight p. p may lie in s, from its start; bytes behind n up to `room` become 0. */ \
    K(softmax_int8, (uint8_t *p, float *weight, const int32_t *s, size_t n, size_t room, float factor, const float *panel, \
                     float *sum)) \
    /* Values for such probabilities: q = x factor[column], two rows side by side: (rows + 1) / 2 rows of d pairs. */ \
    K(quantise_values, (uint16_t *q, const uint16_t *x, size_t ld, const float *factor, size_t rows, size_t d)) \
    K(add_whole, (float *y, const int32_t *x, float factor, size_t n))  /* y += factor x */

typedef struct reel_low_kernels {
#define K(name, args) void (*name) args;
    REEL_LOW_KERNELS(K)
#undef K
    size_t tile_rows;  /* bf16_block likes m to be a multiple of it */
    const char *isa;
} reel_low_kernels;

void reel_low_kernels_select(reel_low_kernels *k, unsigned cpu_flags);

#endif
