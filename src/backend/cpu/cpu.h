/* The inside of the CPU back end: what its files share. */
#ifndef REEL_BACKEND_CPU_CPU_H
#define REEL_BACKEND_CPU_CPU_H

#include "backend/backend.h"
#include "kernels/low.h"
#include "kernels/math.h"

typedef struct reel_cpu {
    reel_backend base;  /* first: a reel_backend * is a reel_cpu * */
    int threads;
    reel_math_kernels k;
    reel_low_kernels low;
    unsigned char *scratch;  /* of the operation that runs; grows while planning */
    size_t scratch_bytes;
} reel_cpu;

reel_status reel_cpu_open(reel_context *ctx, reel_backend **out, reel_error *err);

/* NULL where an operation has failed before: then nothing is done any more. */
static inline reel_cpu *reel_cpu_ready(reel_backend *be)
{
    return be->failed.status == REEL_OK ? (reel_cpu *)be : NULL;
}

/* NULL also while planning: for operations that need nothing but their operands. */
static inline reel_cpu *reel_cpu_running(reel_backend *be)
{
    return be->planning ? NULL : reel_cpu_ready(be);
}

/* Is an optional operand there? While planning an address says nothing. */
static inline bool reel_cpu_given(const reel_cpu *c, reel_view v)
{
    return v.dev != NULL || (c->base.planning && v.rows > 0);
}

static inline float *reel_cpu_row(reel_view v, size_t r) { return (float *)v.dev + r * v.ld; }
static inline uint16_t *reel_cpu_half_row(reel_view v, size_t r) { return (uint16_t *)v.dev + r * v.ld; }
static inline size_t reel_cpu_min(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t reel_cpu_round(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

/* Work below this many elements is not worth waking the other threads. */
enum { REEL_CPU_SHARE = 1 << 14 };

/* Columns [col, col + n) of row r as float32: in place where they are that, else converted into buffer. */
static inline const float *reel_cpu_load(const reel_cpu *c, reel_view v, size_t r, size_t col, size_t n, float *buffer)
{
    if (v.dtype == REEL_F32)
        return reel_cpu_row(v, r) + col;
    c->low.from_bf16(buffer, reel_cpu_half_row(v, r) + col, n);
    return buffer;
}

/* Where such columns are to be computed; reel_cpu_store brings them home. */
static inline float *reel_cpu_target(reel_view v, size_t r, size_t col, float *buffer)
{
    return v.dtype == REEL_F32 ? reel_cpu_row(v, r) + col : buffer;
}

static inline void reel_cpu_store(const reel_cpu *c, reel_view v, size_t r, size_t col, size_t n, const float *computed)
{
    if (v.dtype == REEL_BF16)
        c->low.to_bf16(reel_cpu_half_row(v, r) + col, computed, n);
}

/* Rows of bfloat16 pass through buffers of this many numbers, which the first cache holds. */
enum { REEL_CPU_PART = 1024 };

/* false: one of the views (the second may be none) is of a type that this back end does not compute in; the failure is kept. */
bool reel_cpu_takes(reel_cpu *c, const char *op, reel_view a, reel_view b);        /* F32, BF16 */
bool reel_cpu_takes_float(reel_cpu *c, const char *op, reel_view a, reel_view b);  /* F32 */

/* At least `bytes` on a 64-byte boundary, until the next call; NULL: no memory, the failure is kept. */
void *reel_cpu_scratch(reel_cpu *c, size_t bytes);

/* Sums over rows that do not depend on the number of threads: rows are cut into blocks whose size follows from their number
 * alone, each block has its own sums, and these are added in order. */
typedef struct reel_cpu_blocks { size_t rows, count; } reel_cpu_blocks;
reel_cpu_blocks reel_cpu_cut(size_t rows);
/* out (cols) = or += the sum of `count` rows of partial sums. */
void reel_cpu_combine(reel_cpu *c, float *out, const float *partial, size_t count, size_t ld, size_t cols, bool accumulate);
/* out (cols) = or += column sums of x. */
void reel_cpu_column_sums(reel_cpu *c, float *out, reel_view x, bool accumulate);

/* Rows of the table, by file. */
/* weight.c, linear.c */
void reel_cpu_weight_load(reel_backend *be, reel_weight *w, const void *numbers, reel_dtype type);
void reel_cpu_weight_unpack(reel_backend *be, reel_weight *w);
void reel_cpu_linear_fwd(reel_backend *be, reel_view y, reel_view pre, reel_view x, const reel_weight *w, const float *bias,
                         reel_act act, reel_view residual);
void reel_cpu_linear_bwd_input(reel_backend *be, reel_view dx, reel_view dy, const reel_weight *w, bool accumulate);
void reel_cpu_linear_bwd_weight(reel_backend *be, reel_view dw, float *db, reel_view dy, reel_view x, bool accumulate);
/* attention.c, attention_bwd.c */
void reel_cpu_attention_fwd(reel_backend *be, reel_view o, float *lse, reel_view q, reel_view k, reel_view v, size_t batch,
                            size_t heads, float scale);
void reel_cpu_attention_int8(reel_backend *be, reel_view o, reel_view q, reel_view k, reel_view v, size_t batch, size_t heads,
                             float scale);
void reel_cpu_attention_bwd(reel_backend *be, reel_view dq, reel_view dk, reel_view dv, reel_view do_, reel_view o,
                            const float *lse, reel_view q, reel_view k, reel_view v, size_t batch, size_t heads, float scale);
/* norm.c */
void reel_cpu_layernorm_fwd(reel_backend *be, reel_view y, float *mean, float *rstd, reel_view x, const float *gamma,
                            const float *beta, float eps);
void reel_cpu_layernorm_bwd(reel_backend *be, reel_view dx, bool accumulate_dx, float *dgamma, float *dbeta,
                            bool accumulate_params, reel_view dy, reel_view x, const float *mean, const float *rstd,
                            const float *gamma);
void reel_cpu_rows_mean(reel_backend *be, reel_view y, reel_view x);
void reel_cpu_rows_mean_bwd(reel_backend *be, reel_view dx, reel_view dy);
/* elementwise.c */
void reel_cpu_act_fwd(reel_backend *be, reel_view y, reel_view x, reel_act act);
void reel_cpu_act_bwd(reel_backend *be, reel_view dx, reel_view again, reel_view dy, reel_view x, reel_act act);
void reel_cpu_add(reel_backend *be, reel_view y, reel_view a, reel_view b);
void reel_cpu_add_table(reel_backend *be, reel_view y, reel_view x, const float *table, size_t period);
void reel_cpu_dropout(reel_backend *be, reel_view y, reel_view x, float p, const uint32_t key[2], const uint32_t counter[2]);
void reel_cpu_cast(reel_backend *be, reel_view y, reel_view x);
/* optimizer.c */
void reel_cpu_sum_squares(reel_backend *be, double *out, const float *x, size_t n);
void reel_cpu_adamw(reel_backend *be, float *p, float *m, float *v, const float *g, size_t n, const reel_adamw *h);
/* patches.c */
void reel_cpu_patch_gather(reel_backend *be, reel_view rows, const float *pixels, const reel_patching *p);

#endif
