/* What attention's forward and backward share. */
#ifndef REEL_BACKEND_CPU_ATTENTION_H
#define REEL_BACKEND_CPU_ATTENTION_H

#include "backend/cpu/type.h"

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

/* false: the views are not all of one type, F32 or BF16; the failure is kept. */
bool reel_attention_takes(reel_cpu *c, const char *op, const reel_view *views, size_t n);

#endif
