/* Ours: the operations of the table with the types that the walk through a model gives them (src/nn/block.c): the residual stream and
 * the gradient of it float32, all between in the type of the pass. */
#include <math.h>
#include <stdlib.h>

#include "limit.h"

static const reel_view none = {.dtype = REEL_F32};

static reel_pack pack_of(const bench *b, const op *o)
{
    return b->precision == REEL_PRECISION_INT8 && o->kind == INFER ? REEL_PACK_INT8 : b->type == REEL_BF16 ? REEL_PACK_BF16 : REEL_PACK_F32;
}

void ours_prepare(bench *b, op *o)
{
    if (o->kind != INFER && o->kind != PATCH_INFER)
        return;
    float *numbers = limit_memory(o->n * o->k * sizeof *numbers);
    limit_fill(numbers, o->n * o->k);
    o->weight = (reel_weight){{NULL, REEL_F32, o->n, o->k, o->k}, pack_of(b, o), NULL};
    b->be->ops->weight_load(b->be, &o->weight, numbers, REEL_F32);
    free(numbers);
}

static reel_view take(bench *b, reel_dtype t, int set, size_t rows, size_t cols)
{
    return (reel_view){limit_take(b, t, set, rows * cols), t, rows, cols, cols};
}

static float *row(bench *b, int set, size_t n) { return limit_take(b, REEL_F32, set, n); }

static void forward(bench *b, op *o, int set)
{
    const bool stream = o->residual || o->kind == PATCH || o->kind == PATCH_INFER, packed = o->kind == INFER || o->kind == PATCH_INFER;
    const reel_view x = take(b, b->type, set, o->m, o->k), y = take(b, stream ? REEL_F32 : b->type, set, o->m, o->n);
    const reel_view pre = o->keep ? take(b, b->type, set, o->m, o->n) : none, other = take(b, REEL_F32, set, o->m, o->n);
    const reel_weight plain = {take(b, REEL_F32, set, o->n, o->k), pack_of(b, o), NULL};
    b->be->ops->linear_fwd(b->be, y, pre, x, packed ? &o->weight : &plain, row(b, set, o->n), o->act,
                           !o->residual ? none : packed ? y : other);
}

static void patches(bench *b, op *o, int set)
{
    const reel_patching cut = {b->batch, 16, 3, 224, 224, 2, 16, 16};
    float *table = row(b, set, b->tokens * o->n), *pixels = row(b, set, b->batch * 16 * 3 * 224 * 224);
    const size_t here[] = {b->floats.at, b->halves.at};
    const reel_view x = take(b, b->type, set, o->m, o->k), y = take(b, REEL_F32, set, o->m, o->n);
    b->be->ops->patch_gather(b->be, x, pixels, &cut);
    b->floats.at = here[0];  /* the same operands again */
    b->halves.at = here[1];
    forward(b, o, set);
    b->be->ops->add_table(b->be, y, y, table, b->tokens);
}

static void attention(bench *b, op *o, int set)
{
    const size_t m = b->batch * b->tokens, w = b->width;
    const reel_view qkv = take(b, b->type, set, m, 3 * w), out = take(b, b->type, set, m, w), dout = take(b, b->type, set, m, w);
    const reel_view dqkv = take(b, b->type, set, m, 3 * w), q = reel_view_cols(qkv, 0, w), k = reel_view_cols(qkv, w, w), v = reel_view_cols(qkv, 2 * w, w);
    float *lse = row(b, set, m * b->heads), scale = (float)(1 / sqrt((double)(w / b->heads)));
    if (o->kind == ATTENTION_FWD)
        b->be->ops->attention_fwd(b->be, out, lse, q, k, v, b->batch, b->heads, scale);
    else
        b->be->ops->attention_bwd(b->be, reel_view_cols(dqkv, 0, w), reel_view_cols(dqkv, w, w), reel_view_cols(dqkv, 2 * w, w), dout, out, lse,
                                  q, k, v, b->batch, b->heads, scale);
}

static void rows(bench *b, op *o, int set)
{
    const reel_view stream = take(b, REEL_F32, set, o->m, o->n), gradient = take(b, REEL_F32, set, o->m, o->n);
    const reel_view y = take(b, b->type, set, o->m, o->n), other = take(b, b->type, set, o->m, o->n);
    float *mean = row(b, set, o->m), *rstd = row(b, set, o->m), *gamma = row(b, set, o->n), *dgamma = row(b, set, o->n), *dbeta = row(b, set, o->n);
    if (o->kind == NORM_FWD)
        b->be->ops->layernorm_fwd(b->be, y, mean, rstd, stream, gamma, gamma, 1e-6f);
    else if (o->kind == NORM_BWD)
        b->be->ops->layernorm_bwd(b->be, gradient, true, dgamma, dbeta, false, y, stream, mean, rstd, gamma);
    else if (o->kind == ACT_BWD)
        b->be->ops->act_bwd(b->be, y, other, y, other, REEL_ACT_GELU);
    else
        b->be->ops->cast(b->be, y, gradient);
}

static void update(bench *b)
{
    const reel_adamw h = {0.5f, 0.999f, 0.1f, 0.999f, 0.001f, 1e-4f, 0.9f, 1e-8f};
    float *all = b->all, *sum = row(b, 0, 16);
    b->be->ops->sum_squares(b->be, (double *)(void *)sum, all, b->parameters);
    b->be->ops->adamw(b->be, all, all + b->parameters, all + 2 * b->parameters, all + 3 * b->parameters, b->parameters, &h);
}

void ours_run(bench *b, op *o, int set)
{
    limit_begin(b);
    switch (o->kind) {
    case PATCH:
    case PATCH_INFER:
        patches(b, o, set);
        break;
    case FORWARD:
    case INFER:
        forward(b, o, set);
        break;
    case INPUT: {
        const reel_view dy = take(b, b->type, set, o->m, o->k), dx = take(b, b->type, set, o->m, o->n);
        const reel_weight w = {take(b, REEL_F32, set, o->k, o->n), pack_of(b, o), NULL};
        b->be->ops->linear_bwd_input(b->be, dx, dy, &w, false);
        break;
    }
    case WEIGHT: {
        const reel_view dy = take(b, b->type, set, o->k, o->m), x = take(b, b->type, set, o->k, o->n), dw = take(b, REEL_F32, set, o->m, o->n);
        b->be->ops->linear_bwd_weight(b->be, dw, row(b, set, o->m), dy, x, false);
        break;
    }
    case ATTENTION_FWD:
    case ATTENTION_BWD:
        attention(b, o, set);
        break;
    case UPDATE:
        update(b);
        break;
    default:
        rows(b, o, set);
    }
}
