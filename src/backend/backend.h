/* The device table: what a compute device must offer, and nothing about how.
 *
 * - A reel_backend is one device with one in-order queue (a stream): operations are issued in order, none need be finished on
 *   return, `sync` waits. One thread at a time may use it.
 * - `dev` addresses belong to the device. Layers and models offset them; nobody above this table reads or writes through them
 *   (the fence table of the tests closes the memory between operations to keep it so).
 * - Operations return nothing. The first failure is kept in `failed` and reported by `sync`; later operations do nothing.
 * - While `planning` is true an operation makes whatever it needs for these shapes (primitives, scratch) and touches no
 *   operand, whose dev address may be anything. Running a pass once while planning therefore makes all that can fail fail
 *   before the first step.
 * - Sizes are checked above the table; the table trusts.
 * - Views carry their dtype. Parameters, their gradients, statistics and moments are float32; activations have the dtype of
 *   their view, F32 or BF16 (a table may refuse one by failing while planning); what an operation computes is rounded once,
 *   when it is stored.
 */
#ifndef REEL_BACKEND_BACKEND_H
#define REEL_BACKEND_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/context.h"
#include "base/dtype.h"
#include "base/error.h"

typedef struct reel_backend reel_backend;

/* A matrix on the device: rows x cols, row-major, `ld` elements from row to row (ld >= cols). dev NULL: none. */
typedef struct reel_view { void *dev; reel_dtype dtype; size_t rows, cols, ld; } reel_view;

/* What the products of a weight are computed in. */
typedef enum reel_pack { REEL_PACK_F32, REEL_PACK_BF16, REEL_PACK_INT8 } reel_pack;

/* A weight (O, I): its float32 numbers on the device, or (inference) what weight_load made of them, owned by the device; then
 * plain.dev may be NULL. */
typedef struct reel_weight { reel_view plain; reel_pack kind; void *packed; } reel_weight;

typedef enum reel_act {
    REEL_ACT_NONE, REEL_ACT_GELU, REEL_ACT_GELU_TANH, REEL_ACT_QUICK_GELU, REEL_ACT_RELU, REEL_ACT_SILU
} reel_act;

/* Clips (B, T, C, H, W) float32 and how they are cut: tubelets of t frames, patches of ph x pw. N = T/t * H/ph * W/pw. */
typedef struct reel_patching { size_t batch, frames, channels, height, width, t, ph, pw; } reel_patching;

/* One AdamW step, decoupled decay (Loshchilov and Hutter 2019), with the scalars rounded as torch's fused form does:
 *   p *= decay;  m += one_minus_beta1 (g s - m);  v = beta2 v + one_minus_beta2 (g s)^2;
 *   p -= step_size m / (sqrt(v) / bias2_root + eps)          s = grad_scale, the clipping factor */
typedef struct reel_adamw {
    float grad_scale, decay, one_minus_beta1, beta2, one_minus_beta2, step_size, bias2_root, eps;
} reel_adamw;

typedef struct reel_backend_ops {
    const char *name;  /* "cpu", "fence" */

    void (*close)(reel_backend *be);
    reel_status (*sync)(reel_backend *be, reel_error *err);  /* waits; the first failure since it was last asked */

    /* Memory: 64-byte aligned, not zeroed. upload and download are ordered with the operations; `host` may be reused when
     * upload returns, and is valid after sync for download. */
    reel_status (*mem_alloc)(reel_backend *be, size_t bytes, void **dev, reel_error *err);
    void (*mem_free)(reel_backend *be, void *dev);
    void (*upload)(reel_backend *be, void *dev, const void *host, size_t bytes);
    void (*download)(reel_backend *be, void *host, const void *dev, size_t bytes);
    /* Where the host may read device memory in place (after sync, until the next operation): its address, else NULL. */
    const void *(*host_view)(reel_backend *be, const void *dev);
    void (*copy)(reel_backend *be, void *to, const void *from, size_t bytes);
    void (*zero)(reel_backend *be, void *dev, size_t bytes);

    /* Makes or renews w->packed for linear_fwd, in the kind that w says, from dense numbers (O, I) in host memory: F32, BF16, F16
     * or F64, at any address. plain says the shape. INT8: a scale for each row of W. weight_unpack frees it and sets it to NULL. */
    void (*weight_load)(reel_backend *be, reel_weight *w, const void *numbers, reel_dtype type);
    void (*weight_unpack)(reel_backend *be, reel_weight *w);

    /* y = act(x W^T + b) + residual.  x (M, I), w (O, I), bias (O) or NULL, y (M, O).
     * pre: where x W^T + b is kept for the backward (M, O), or dev NULL; must not be y unless act is NONE.
     * residual: (M, O), may be y itself, or dev NULL.
     * GELU whose result becomes bfloat16 (y) may be off by 6e-5 before it is rounded (2.2e-4 beyond x = 4.2).
     * w->kind BF16: x is bfloat16 (and so is W, rounded), sums are float32. INT8: a row of x is quantised by itself to 8 bits. */
    void (*linear_fwd)(reel_backend *be, reel_view y, reel_view pre, reel_view x, const reel_weight *w, const float *bias,
                       reel_act act, reel_view residual);
    /* dx = dy W, or dx += dy W.  dy (M, O), dx (M, I). */
    void (*linear_bwd_input)(reel_backend *be, reel_view dx, reel_view dy, const reel_weight *w, bool accumulate);
    /* dw = dy^T x, db = column sums of dy (db may be NULL); with accumulate both are added to.  dw (O, I) F32, db (O). */
    void (*linear_bwd_weight)(reel_backend *be, reel_view dw, float *db, reel_view dy, reel_view x, bool accumulate);

    /* o = softmax(scale q k^T) v, each head by itself; the (Nq, Nk) matrix is never stored.
     * q, o (batch Nq, heads d); k, v (batch Nk, heads d): columns of a wider matrix (ld). Head h owns columns [h d, (h+1) d).
     * lse: out, float32 (batch, heads, Nq), natural log of the sum of exponentials of a row, or NULL. */
    void (*attention_fwd)(reel_backend *be, reel_view o, float *lse, reel_view q, reel_view k, reel_view v, size_t batch,
                          size_t heads, float scale);
    /* The same for bfloat16 views without lse, and with scores in whole numbers: each row of q is quantised to 8 bits by itself, rows
     * of k less their mean over the clip's head (which changes no probability) in groups; probabilities and v stay bfloat16
     * (Zhang et al. 2024, SageAttention, arXiv:2410.02367, has the mean). */
    void (*attention_int8)(reel_backend *be, reel_view o, reel_view q, reel_view k, reel_view v, size_t batch, size_t heads,
                           float scale);
    /* dq, dk, dv are written (not added to). do_ (batch Nq, heads d). Recomputes the softmax from lse. */
    void (*attention_bwd)(reel_backend *be, reel_view dq, reel_view dk, reel_view dv, reel_view do_, reel_view o,
                          const float *lse, reel_view q, reel_view k, reel_view v, size_t batch, size_t heads, float scale);

    /* y = (x - mean) rstd gamma + beta over each row; rstd = 1/sqrt(variance + eps), variance over the count.
     * mean, rstd: out, one a row, for the backward, or NULL. y may be x. */
    void (*layernorm_fwd)(reel_backend *be, reel_view y, float *mean, float *rstd, reel_view x, const float *gamma,
                          const float *beta, float eps);
    /* dx = (or, accumulate_dx, +=) the gradient; dgamma, dbeta likewise with accumulate_params. dx may be dy. */
    void (*layernorm_bwd)(reel_backend *be, reel_view dx, bool accumulate_dx, float *dgamma, float *dbeta,
                          bool accumulate_params, reel_view dy, reel_view x, const float *mean, const float *rstd,
                          const float *gamma);

    void (*act_fwd)(reel_backend *be, reel_view y, reel_view x, reel_act act);  /* y may be x */
    /* dx = dy act'(x), and again = act(x) (dev NULL: not wanted). dx may be dy; again may be x. */
    void (*act_bwd)(reel_backend *be, reel_view dx, reel_view again, reel_view dy, reel_view x, reel_act act);

    void (*add)(reel_backend *be, reel_view y, reel_view a, reel_view b);       /* y = a + b; y may be either */
    /* y[r] = x[r] + table[r mod period]; table (period, cols) float32. y may be x. */
    void (*add_table)(reel_backend *be, reel_view y, reel_view x, const float *table, size_t period);

    /* rows (B N, C t ph pw): token (time, row, column) gets its pixels in the order (c, dt, dy, dx), c slowest. */
    void (*patch_gather)(reel_backend *be, reel_view rows, const float *pixels, const reel_patching *p);

    void (*rows_mean)(reel_backend *be, reel_view y, reel_view x);      /* y (B, D) = mean of each B-th part of x (B N, D) */
    void (*rows_mean_bwd)(reel_backend *be, reel_view dx, reel_view dy); /* dx[b, n] = dy[b] / N */

    /* y = x * mask / (1 - p); mask bit of element (r, c): Philox of (seed; r, c) >= p, so the backward is the same call. */
    void (*dropout)(reel_backend *be, reel_view y, reel_view x, float p, const uint32_t key[2], const uint32_t counter[2]);

    /* *out (device memory, double) = sum of squares of n float32 numbers; fixed order, whatever the threads. */
    void (*sum_squares)(reel_backend *be, double *out, const float *x, size_t n);
    void (*adamw)(reel_backend *be, float *p, float *m, float *v, const float *g, size_t n, const reel_adamw *h);
    void (*cast)(reel_backend *be, reel_view y, reel_view x);           /* between F32 and BF16, nearest even */
} reel_backend_ops;

struct reel_backend {
    const reel_backend_ops *ops;
    bool planning;
    reel_error failed;   /* status REEL_OK: nothing failed */
};

/* Opens the back end that ctx names ("cpu"). The only place that knows which there are. */
reel_status reel_backend_open(reel_context *ctx, reel_backend **out, reel_error *err);
void reel_backend_close(reel_backend **be);

/* For tests: the CPU's functions over memory that is closed (mprotect) whenever no operation runs. */
reel_status reel_backend_fence_open(reel_context *ctx, reel_backend **out, reel_error *err);

/* Keeps the first failure. */
void reel_backend_fail(reel_backend *be, reel_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Part of a view: `rows` rows from row r; `cols` columns from column c. */
reel_view reel_view_rows(reel_view v, size_t r, size_t rows);
reel_view reel_view_cols(reel_view v, size_t c, size_t cols);

#endif
