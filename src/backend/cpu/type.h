/* What products and attention need of a type of numbers, float32 or bfloat16: packing, blocks of products, softmax. linear.c and
 * the files of attention are written once over this table. */
#ifndef REEL_BACKEND_CPU_TYPE_H
#define REEL_BACKEND_CPU_TYPE_H

#include "backend/cpu/cpu.h"

typedef struct reel_cpu_type {
    size_t size;                                     /* bytes of a number */
    size_t (*rows)(const reel_cpu *c, size_t most);  /* of a block: the largest number up to `most` that the product likes */
    size_t (*depth)(size_t k);                       /* numbers that a left operand's row of k is read as: it is filled up with zeros */
    size_t (*packed)(size_t k, size_t n);            /* numbers in a right operand (k, n): panels of depth(k) rows (panel.h) */
    void (*pack)(const reel_cpu *c, void *b, const void *x, size_t ld, size_t k, size_t n);
    void (*pack_turned)(const reel_cpu *c, void *b, const void *x, size_t ld, size_t k, size_t n);
    /* One panel from float32 numbers: n is at most REEL_PANEL. */
    void (*pack_float)(const reel_cpu *c, void *b, const float *x, size_t ld, size_t k, size_t n);
    void (*pack_turned_float)(const reel_cpu *c, void *b, const float *x, size_t ld, size_t k, size_t n);
    void (*turn)(const reel_cpu *c, void *y, size_t ldy, const void *x, size_t ldx, size_t rows, size_t cols);
    void (*block)(const reel_cpu *c, float *out, size_t ldc, const void *a, size_t lda, const void *b, size_t m, size_t n, size_t k,
                  bool sum);
    /* Attention, in place: scores to probabilities at the start of each row. */
    void (*softmax)(const reel_cpu *c, float *s, size_t n, size_t room, float scale, float *lse, float *sum);
    void (*softmax_bwd)(const reel_cpu *c, float *s, float *dp, size_t n, float scale, const float *lse, const float *delta);
    void (*store)(const reel_cpu *c, void *y, const float *x, size_t n);
} reel_cpu_type;

extern const reel_cpu_type reel_cpu_f32, reel_cpu_bf16;

static inline const reel_cpu_type *reel_cpu_type_of(reel_view v) { return v.dtype == REEL_BF16 ? &reel_cpu_bf16 : &reel_cpu_f32; }

/* Number i of an array. */
static inline void *reel_cpu_at(const reel_cpu_type *t, void *array, size_t i) { return (char *)array + i * t->size; }
static inline const void *reel_cpu_at_const(const reel_cpu_type *t, const void *array, size_t i)
{
    return (const char *)array + i * t->size;
}

/* Row r of a view that has the type. */
static inline void *reel_cpu_type_row(const reel_cpu_type *t, reel_view v, size_t r) { return (char *)v.dev + r * v.ld * t->size; }

/* Numbers of a column of a panel that stays in the second cache with all else: products go through k by so many. */
static inline size_t reel_cpu_deep(const reel_cpu_type *t) { return 128 * 1024 / REEL_PANEL / t->size; }

/* C (m, n) = A B, or += with `sum`, panel by panel and k by parts. */
void reel_cpu_multiply(const reel_cpu *c, const reel_cpu_type *t, float *out, size_t ldc, const void *a, size_t lda, const void *b,
                       size_t m, size_t n, size_t k, bool sum);

/* Numbers that a quantised row of k is read as. */
static inline size_t reel_cpu_fours(size_t k) { return (k + 3) & ~(size_t)3; }

/* Rows side by side, filled up to the type's depth. */
void reel_cpu_copy_rows(const reel_cpu_type *t, void *to, const void *from, size_t ld, size_t rows, size_t cols);

/* Cuts `bytes` off a scratch, which is NULL while its size is being found. */
static inline void *reel_cpu_carve(unsigned char *scratch, size_t *at, size_t bytes)
{
    void *p = scratch != NULL ? scratch + *at : NULL;
    *at += reel_cpu_round(bytes);
    return p;
}

#endif
