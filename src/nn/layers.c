#include "nn/layers.h"

static const reel_view none = {0};

const float *reel_pass_weight(const reel_pass *p, size_t offset)
{
    return offset == REEL_NO_PARAM ? NULL : p->weights + offset;
}

float *reel_pass_grad(const reel_pass *p, size_t offset)
{
    return offset == REEL_NO_PARAM ? NULL : p->grads + offset;
}

bool reel_pass_stopped(reel_pass *p)
{
    if (!p->cancelled && !p->be->planning && reel_cancelled(p->ctx))
        p->cancelled = true;
    return p->cancelled;
}

reel_view reel_pass_narrow(reel_pass *p, reel_view x, reel_view scratch)
{
    if (x.dtype == p->dtype)
        return x;
    p->be->ops->cast(p->be, scratch, x);
    return scratch;
}

/* --- linear --- */

static reel_pack kind_of(const reel_pass *p, const reel_linear *l)
{
    if (p->pack == REEL_PACK_INT8 && l->most == REEL_PACK_INT8)
        return REEL_PACK_INT8;
    return p->dtype == REEL_BF16 && l->most != REEL_PACK_F32 ? REEL_PACK_BF16 : REEL_PACK_F32;
}

static reel_weight weight_of(reel_pass *p, const reel_linear *l)
{
    union { const float *in; void *out; } address = {.in = p->weights + l->w};
    reel_weight w = {.plain = {address.out, REEL_F32, l->out, l->in, l->in}, .kind = kind_of(p, l)};
    if (p->packed != NULL) {
        p->packed[l->slot].plain = w.plain;  /* a measuring walk finds out here what is to be packed, and how */
        p->packed[l->slot].kind = w.kind;
        w.packed = p->packed[l->slot].packed;
    }
    return w;
}

void reel_linear_fwd(reel_pass *p, const reel_linear *l, reel_view y, reel_view pre, reel_view x, reel_act act,
                     reel_view residual)
{
    reel_weight w = weight_of(p, l);
    p->be->ops->linear_fwd(p->be, y, pre, x, &w, reel_pass_weight(p, l->b), act, residual);
}

void reel_linear_bwd_params(reel_pass *p, const reel_linear *l, reel_view dy, reel_view x)
{
    reel_view dw = {reel_pass_grad(p, l->w), REEL_F32, l->out, l->in, l->in};
    p->be->ops->linear_bwd_weight(p->be, dw, reel_pass_grad(p, l->b), dy, x, p->accumulate);
}

void reel_linear_bwd_input(reel_pass *p, const reel_linear *l, reel_view dx, reel_view dy)
{
    reel_weight w = weight_of(p, l);
    p->be->ops->linear_bwd_input(p->be, dx, dy, &w, false);
}

/* --- layer norm --- */

reel_norm_cache reel_norm_cache_take(reel_pass *p, size_t rows)
{
    reel_norm_cache c = {reel_arena_take(&p->arena, rows, sizeof(float)), reel_arena_take(&p->arena, rows, sizeof(float))};
    return c;
}

void reel_norm_fwd(reel_pass *p, const reel_norm *n, reel_norm_cache *cache, reel_view y, reel_view x)
{
    p->be->ops->layernorm_fwd(p->be, y, cache != NULL ? cache->mean : NULL, cache != NULL ? cache->rstd : NULL, x,
                              reel_pass_weight(p, n->gamma), reel_pass_weight(p, n->beta), n->eps);
}

void reel_norm_bwd(reel_pass *p, const reel_norm *n, const reel_norm_cache *cache, reel_view dx, bool accumulate_dx,
                   reel_view dy, reel_view x)
{
    p->be->ops->layernorm_bwd(p->be, dx, accumulate_dx, reel_pass_grad(p, n->gamma), reel_pass_grad(p, n->beta), p->accumulate,
                              dy, x, cache->mean, cache->rstd, reel_pass_weight(p, n->gamma));
}

/* --- dropout --- */

void reel_dropout(reel_pass *p, reel_view y, reel_view x, uint32_t site)
{
    const uint32_t counter[2] = {p->draw[0], p->draw[1] + site};
    p->be->ops->dropout(p->be, y, x, p->dropout, p->seed, counter);
}

/* --- patch embedding --- */

void reel_patch_embed_fwd(reel_pass *p, const reel_patch_embed *e, reel_view x, reel_view rows, const float *pixels)
{
    p->be->ops->patch_gather(p->be, rows, pixels, &e->cut);
    reel_linear_fwd(p, &e->projection, x, none, rows, REEL_ACT_NONE, none);
    p->be->ops->add_table(p->be, x, x, p->constants + e->table, e->tokens);
}

void reel_patch_embed_bwd(reel_pass *p, const reel_patch_embed *e, reel_view dx, reel_view rows, reel_view scratch,
                          const float *pixels)
{
    p->be->ops->patch_gather(p->be, rows, pixels, &e->cut);
    reel_linear_bwd_params(p, &e->projection, reel_pass_narrow(p, dx, scratch), rows);
}
