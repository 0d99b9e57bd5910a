/* The processor's own loops for the back end: single-threaded, on part of the rows or elements (backend/cpu shares the work).
 * One list makes table, test and benchmark. The plain C form is the specification: simple, sums in double where long. */
#ifndef REEL_KERNELS_MATH_H
#define REEL_KERNELS_MATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/act.h"
#include "kernels/panel.h"

/* K(name, (arguments)). Rows: ld in elements. Pointers need no alignment; n may be 0. */
#define REEL_MATH_KERNELS(K) \
    K(layernorm_fwd, (float *y, size_t ldy, float *mean, float *rstd, const float *x, size_t ldx, const float *gamma, \
                      const float *beta, float eps, size_t rows, size_t cols)) \
    /* dgamma, dbeta: added to. */ \
    K(layernorm_bwd, (float *dx, size_t lddx, bool accumulate, float *dgamma, float *dbeta, const float *dy, size_t lddy, \
                      const float *x, size_t ldx, const float *mean, const float *rstd, const float *gamma, size_t rows, \
                      size_t cols)) \
    K(act_fwd, (float *y, const float *x, size_t n, int act)) \
    /* dx = dy act'(x); again (NULL: not wanted) = act(x), may be x. */ \
    K(act_bwd, (float *dx, float *again, const float *dy, const float *x, size_t n, int act)) \
    K(add, (float *y, const float *a, const float *b, size_t n)) \
    K(add_bias, (float *y, const float *bias, size_t n)) \
    /* s = exp(scale s - max of the scaled row), in place; *sum of them, *max. */ \
    K(softmax_row, (float *s, size_t n, float scale, float *max, float *sum)) \
    /* p = exp(scale s - lse) in place of s; dp = p (dp - delta) in place of dp. */ \
    K(softmax_bwd, (float *s, float *dp, size_t n, float scale, const float *lse, const float *delta)) \
    /* Right operands of `block` (panel.h): B = x (k, n), rows ld apart; B = x^T, x (n, k). */ \
    K(pack, (float *b, const float *x, size_t ld, size_t k, size_t n)) \
    K(pack_turned, (float *b, const float *x, size_t ld, size_t k, size_t n)) \
    /* y (cols, rows) = x^T, x (rows, cols). */ \
    K(turn, (float *y, size_t ldy, const float *x, size_t ldx, size_t rows, size_t cols)) \
    /* C (m, n) = A B, or += with `sum`; B packed. Columns of C up to the next multiple of 16 are written. */ \
    K(block, (float *c, size_t ldc, const float *a, size_t lda, const float *b, size_t m, size_t n, size_t k, bool sum)) \
    K(scale, (float *y, const float *x, float factor, size_t n)) \
    K(dot, (double *out, const float *a, const float *b, size_t n)) \
    K(sum_squares, (double *out, const float *x, size_t n)) \
    /* h: reel_adamw of backend.h: grad_scale, decay, one_minus_beta1, beta2, one_minus_beta2, step_size, bias2_root, eps. */ \
    K(adamw, (float *p, float *m, float *v, const float *g, size_t n, const float h[8]))

typedef struct reel_math_kernels {
#define K(name, args) void (*name) args;
    REEL_MATH_KERNELS(K)
#undef K
    const char *isa;
} reel_math_kernels;

/* The best rows that `cpu_flags` (base/cpu.h bits) allow; 0 gives the plain C ones. */
void reel_math_kernels_select(reel_math_kernels *k, unsigned cpu_flags);

#endif
