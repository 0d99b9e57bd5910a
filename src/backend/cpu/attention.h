/* What attention needs of a type of numbers: packing, blocks of products, softmax. attention.c and attention_bwd.c are written once
 * over this table. */
#ifndef REEL_BACKEND_CPU_ATTENTION_H
#define REEL_BACKEND_CPU_ATTENTION_H

#include "backend/cpu/cpu.h"

typedef struct reel_attention_type {
    size_t size;                                /* bytes of a number */
    size_t (*rows)(const reel_cpu *c, size_t most);  /* of a block: the largest number up to `most` that the product likes */
    size_t (*packed)(size_t k, size_t n);       /* numbers in a right operand */
    size_t (*depth)(size_t k);                  /* numbers that a row of k is read as: a left operand is filled up with zeros */
    void (*pack)(const reel_cpu *c, void *b, const void *x, size_t ld, size_t k, size_t n);
    void (*pack_turned)(const reel_cpu *c, void *b, const void *x, size_t ld, size_t k, size_t n);
    void (*turn)(const reel_cpu *c, void *y, size_t ldy, const void *x, size_t ldx, size_t rows, size_t cols);
    void (*block)(const reel_cpu *c, float *out, size_t ldc, const void *a, size_t lda, const void *b, size_t m, size_t n, size_t k,
                  bool sum);
    /* In place: scores to probabilities at the start of each row. */
    void (*softmax)(const reel_cpu *c, float *s, size_t n, size_t room, float scale, float *lse, float *sum);
    void (*softmax_bwd)(const reel_cpu *c, float *s, float *dp, size_t n, float scale, const float *lse, const float *delta);
    void (*store)(const reel_cpu *c, void *y, const float *x, size_t n);
} reel_attention_type;

extern const reel_attention_type reel_attention_f32, reel_attention_bf16;

static inline const reel_attention_type *reel_attention_type_of(reel_view v)
{
    return v.dtype == REEL_BF16 ? &reel_attention_bf16 : &reel_attention_f32;
}

typedef struct reel_attention_shape { size_t batch, heads, nq, nk, d; float scale; } reel_attention_shape;

static inline reel_attention_shape reel_attention_shape_of(reel_view q, reel_view k, size_t batch, size_t heads, float scale)
{
    return (reel_attention_shape){batch, heads, q.rows / batch, k.rows / batch, q.cols / heads, scale};
}

/* Columns of head h, from row r of clip b on; n rows a clip. */
static inline void *reel_attention_head(reel_view v, size_t b, size_t n, size_t h, size_t d, size_t r)
{
    return (char *)v.dev + ((b * n + r) * v.ld + h * d) * reel_dtype_size(v.dtype);
}

/* Cuts `bytes` off the scratch, which is NULL while its size is being found. */
static inline void *reel_attention_cut(unsigned char *scratch, size_t *at, size_t bytes)
{
    void *p = scratch != NULL ? scratch + *at : NULL;
    *at += reel_cpu_round(bytes);
    return p;
}

/* Number i of an array. */
static inline void *reel_attention_at(const reel_attention_type *t, void *array, size_t i) { return (char *)array + i * t->size; }

/* Rows of a head side by side, filled up to the type's depth. */
void reel_attention_copy_rows(const reel_attention_type *t, void *to, const void *from, size_t ld, size_t rows, size_t d);

#endif
