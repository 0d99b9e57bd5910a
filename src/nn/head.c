#include "nn/head.h"

static const reel_view none = {0};

/* Row 0 of each clip, in place. */
static reel_view first_rows(reel_view x, size_t batch, size_t tokens)
{
    return (reel_view){x.dev, x.dtype, batch, x.cols, x.ld * tokens};
}

void reel_head_fwd(reel_pass *p, const reel_head *h, reel_head_cache *cache, reel_view logits, reel_view x)
{
    if (reel_pass_stopped(p))
        return;
    cache->norm = reel_norm_cache_take(p, p->batch);
    cache->z = reel_arena_view(&p->arena, REEL_F32, p->batch, x.cols);
    if (h->mean) {
        cache->pooled = reel_arena_view(&p->arena, REEL_F32, p->batch, x.cols);
        p->be->ops->rows_mean(p->be, cache->pooled, x);
    } else
        cache->pooled = first_rows(x, p->batch, h->tokens);
    reel_norm_fwd(p, &h->norm, &cache->norm, cache->z, cache->pooled);
    reel_linear_fwd(p, &h->classifier, logits, none, cache->z, REEL_ACT_NONE, none);
}

void reel_head_bwd(reel_pass *p, const reel_head *h, const reel_head_cache *cache, reel_view dx, reel_view dlogits)
{
    if (reel_pass_stopped(p))
        return;
    reel_linear_bwd_params(p, &h->classifier, dlogits, cache->z);
    reel_view dz = cache->z;  /* no longer needed: its place takes its gradient */
    reel_linear_bwd_input(p, &h->classifier, dz, dlogits);
    if (h->mean) {
        reel_norm_bwd(p, &h->norm, &cache->norm, dz, false, dz, cache->pooled);
        p->be->ops->rows_mean_bwd(p->be, dx, dz);
    } else {
        p->be->ops->zero(p->be, dx.dev, dx.rows * dx.cols * reel_dtype_size(dx.dtype));
        reel_norm_bwd(p, &h->norm, &cache->norm, first_rows(dx, p->batch, h->tokens), false, dz, cache->pooled);
    }
}
