#include "nn/block.h"

#include <math.h>

static const reel_view none = {0};

reel_work reel_work_take(reel_pass *p, size_t rows, size_t narrow, size_t wide)
{
    reel_work w = {.narrow = reel_arena_view(&p->arena, p->dtype, rows, narrow),
                   .wide = reel_arena_view(&p->arena, p->dtype, rows, wide)};
    if (p->train && (p->dropout > 0 || p->dtype != REEL_F32))
        w.dropped = reel_arena_view(&p->arena, p->dtype, rows, narrow);
    return w;
}

reel_view reel_work_part(reel_view scratch, size_t rows, size_t cols)
{
    return (reel_view){scratch.dev, scratch.dtype, rows, cols, cols};
}

/* y = linear(x) + residual, with dropout on the product where the walk has it. scratch must be neither x nor residual. */
static void linear_residual(reel_pass *p, const reel_linear *l, reel_view y, reel_view x, reel_view residual, reel_view scratch,
                            uint32_t site)
{
    if (!p->train || !(p->dropout > 0)) {
        reel_linear_fwd(p, l, y, none, x, REEL_ACT_NONE, residual);
        return;
    }
    reel_linear_fwd(p, l, scratch, none, x, REEL_ACT_NONE, none);
    reel_dropout(p, scratch, scratch, site);
    p->be->ops->add(p->be, y, scratch, residual);
}

static float score_scale(const reel_block *b)
{
    return (float)(1.0 / sqrt((double)(b->proj.in / b->heads)));
}

static void attention_fwd(reel_pass *p, const reel_block *b, reel_view o, float *lse, reel_view qkv)
{
    size_t d = b->proj.in;
    if (p->pack == REEL_PACK_INT8 && p->dtype == REEL_BF16) {
        p->be->ops->attention_int8(p->be, o, reel_view_cols(qkv, 0, d), reel_view_cols(qkv, d, d), reel_view_cols(qkv, 2 * d, d),
                                   p->batch, b->heads, score_scale(b));
        return;
    }
    p->be->ops->attention_fwd(p->be, o, lse, reel_view_cols(qkv, 0, d), reel_view_cols(qkv, d, d), reel_view_cols(qkv, 2 * d, d),
                              p->batch, b->heads, score_scale(b));
}

static reel_view infer(reel_pass *p, const reel_block *b, const reel_work *work, reel_view x)
{
    reel_view qkv = reel_work_part(work->wide, x.rows, b->qkv.out), h = reel_work_part(work->wide, x.rows, b->fc1.out);
    reel_norm_fwd(p, &b->before, NULL, work->narrow, x);
    reel_linear_fwd(p, &b->qkv, qkv, none, work->narrow, REEL_ACT_NONE, none);
    attention_fwd(p, b, work->narrow, NULL, qkv);
    reel_linear_fwd(p, &b->proj, x, none, work->narrow, REEL_ACT_NONE, x);
    reel_norm_fwd(p, &b->after, NULL, work->narrow, x);
    reel_linear_fwd(p, &b->fc1, h, none, work->narrow, b->act, none);
    reel_linear_fwd(p, &b->fc2, x, none, h, REEL_ACT_NONE, x);
    return x;
}

static void cache_take(reel_pass *p, const reel_block *b, reel_block_cache *c, reel_view x)
{
    c->x = x;
    c->before = reel_norm_cache_take(p, x.rows);
    c->qkv = reel_arena_view(&p->arena, p->dtype, x.rows, b->qkv.out);
    c->o = reel_arena_view(&p->arena, p->dtype, x.rows, b->proj.in);
    c->lse = reel_arena_take(&p->arena, x.rows * b->heads, sizeof(float));
    c->x_mid = reel_arena_view(&p->arena, x.dtype, x.rows, x.cols);
    c->after = reel_norm_cache_take(p, x.rows);
    c->pre = reel_arena_view(&p->arena, p->dtype, x.rows, b->fc1.out);
}

/* All that the backward needs but the MLP's pre-activation. */
static void fill_attention(reel_pass *p, const reel_block *b, reel_block_cache *c, const reel_work *work)
{
    reel_norm_fwd(p, &b->before, &c->before, work->narrow, c->x);
    reel_linear_fwd(p, &b->qkv, c->qkv, none, work->narrow, REEL_ACT_NONE, none);
    attention_fwd(p, b, c->o, c->lse, c->qkv);
    linear_residual(p, &b->proj, c->x_mid, c->o, c->x, work->narrow, b->site);
    reel_norm_fwd(p, &b->after, &c->after, work->narrow, c->x_mid);
}

/* The forward of training that keeps the input only; x_mid has its place in out. */
static reel_view keep_input(reel_pass *p, const reel_block *b, reel_block_cache *c, const reel_work *work, reel_view x)
{
    reel_view qkv = reel_work_part(work->wide, x.rows, b->qkv.out), h = reel_work_part(work->wide, x.rows, b->fc1.out);
    c->x = x;
    c->out = reel_arena_view(&p->arena, x.dtype, x.rows, x.cols);
    reel_norm_fwd(p, &b->before, NULL, work->narrow, x);
    reel_linear_fwd(p, &b->qkv, qkv, none, work->narrow, REEL_ACT_NONE, none);
    attention_fwd(p, b, work->narrow, NULL, qkv);
    linear_residual(p, &b->proj, c->out, work->narrow, x, work->dropped, b->site);
    reel_norm_fwd(p, &b->after, NULL, work->narrow, c->out);
    if (p->dtype == REEL_F32) {  /* bit for bit what a pass that keeps fc1's output makes of it: no activation inside the product */
        reel_linear_fwd(p, &b->fc1, h, none, work->narrow, REEL_ACT_NONE, none);
        p->be->ops->act_fwd(p->be, h, h, b->act);
    } else
        reel_linear_fwd(p, &b->fc1, h, none, work->narrow, b->act, none);
    linear_residual(p, &b->fc2, c->out, h, c->out, work->narrow, b->site + 1);
    return c->out;
}

reel_view reel_block_fwd(reel_pass *p, const reel_block *b, reel_block_cache *cache, const reel_work *work, reel_view x)
{
    if (reel_pass_stopped(p))
        return x;
    if (!p->train)
        return infer(p, b, work, x);
    if (p->checkpointing)
        return keep_input(p, b, cache, work, x);
    reel_block_cache *c = cache;
    reel_view h = reel_work_part(work->wide, x.rows, b->fc1.out);
    cache_take(p, b, c, x);
    c->out = reel_arena_view(&p->arena, x.dtype, x.rows, x.cols);
    fill_attention(p, b, c, work);
    reel_linear_fwd(p, &b->fc1, h, c->pre, work->narrow, b->act, none);
    linear_residual(p, &b->fc2, c->out, h, c->x_mid, work->narrow, b->site + 1);
    return c->out;
}

/* The gradient behind a dropout, in the type that products take; dx itself where that is the same. */
static reel_view dropped(reel_pass *p, const reel_work *work, reel_view dx, uint32_t site)
{
    if (!(p->dropout > 0))
        return reel_pass_narrow(p, dx, work->dropped);
    reel_dropout(p, work->dropped, dx, site);
    return work->dropped;
}

static void mlp_bwd(reel_pass *p, const reel_block *b, const reel_block_cache *c, const reel_work *work, reel_view dx)
{
    reel_view d = dropped(p, work, dx, b->site + 1), dh = reel_work_part(work->wide, dx.rows, b->fc1.out);
    reel_linear_bwd_input(p, &b->fc2, dh, d);
    p->be->ops->act_bwd(p->be, dh, c->pre, dh, c->pre, b->act);  /* pre becomes act(pre), which fc2's weight gradient needs */
    reel_linear_bwd_params(p, &b->fc2, d, c->pre);
    reel_norm_fwd(p, &b->after, NULL, work->narrow, c->x_mid);
    reel_linear_bwd_params(p, &b->fc1, dh, work->narrow);
    reel_linear_bwd_input(p, &b->fc1, work->narrow, dh);
    reel_norm_bwd(p, &b->after, &c->after, dx, true, work->narrow, c->x_mid);
}

static void attention_bwd(reel_pass *p, const reel_block *b, const reel_block_cache *c, const reel_work *work, reel_view dx)
{
    size_t n = b->proj.in;
    reel_view d = dropped(p, work, dx, b->site), dqkv = reel_work_part(work->wide, dx.rows, b->qkv.out);
    reel_linear_bwd_params(p, &b->proj, d, c->o);
    reel_linear_bwd_input(p, &b->proj, work->narrow, d);
    p->be->ops->attention_bwd(p->be, reel_view_cols(dqkv, 0, n), reel_view_cols(dqkv, n, n), reel_view_cols(dqkv, 2 * n, n),
                              work->narrow, c->o, c->lse, reel_view_cols(c->qkv, 0, n), reel_view_cols(c->qkv, n, n),
                              reel_view_cols(c->qkv, 2 * n, n), p->batch, b->heads, score_scale(b));
    reel_norm_fwd(p, &b->before, NULL, work->narrow, c->x);
    reel_linear_bwd_params(p, &b->qkv, dqkv, work->narrow);
    reel_linear_bwd_input(p, &b->qkv, work->narrow, dqkv);
    reel_norm_bwd(p, &b->before, &c->before, dx, true, work->narrow, c->x);
}

static void both_bwd(reel_pass *p, const reel_block *b, const reel_block_cache *cache, const reel_work *work, reel_view dx)
{
    mlp_bwd(p, b, cache, work, dx);
    if (!reel_pass_stopped(p))
        attention_bwd(p, b, cache, work, dx);
}

void reel_block_bwd(reel_pass *p, const reel_block *b, const reel_block_cache *cache, const reel_work *work, reel_view dx)
{
    if (reel_pass_stopped(p))
        return;
    if (!p->checkpointing) {
        both_bwd(p, b, cache, work, dx);
        return;
    }
    const size_t mark = reel_arena_mark(&p->arena);
    reel_block_cache again;
    cache_take(p, b, &again, cache->x);
    fill_attention(p, b, &again, work);
    reel_linear_fwd(p, &b->fc1, again.pre, none, work->narrow, REEL_ACT_NONE, none);
    both_bwd(p, b, &again, work, dx);
    reel_arena_rewind(&p->arena, mark);
}
