/* VideoMAE's forward and backward: patches, encoder blocks, head. */
#include "models/videomae.h"

#include "nn/block.h"
#include "nn/head.h"

/* What the forward leaves for the backward. */
typedef struct walk {
    const float *pixels;
    reel_work work;
    reel_view x;              /* output of the last block */
    reel_head_cache head;
    reel_block_cache block[]; /* one a layer in training */
} walk;

size_t reel_videomae_cache_bytes(const reel_config *config)
{
    return sizeof(walk) + (size_t)config->layers * sizeof(reel_block_cache);
}

static reel_linear linear_at(const reel_params *params, size_t weight, size_t bias, size_t out, size_t in, reel_pack most)
{
    return (reel_linear){.most = most,
                         .w = params->param[weight].offset,
                         .b = bias == REEL_NO_PARAM ? REEL_NO_PARAM : params->param[bias].offset, .slot = weight, .out = out,
                         .in = in};
}

static reel_norm norm_at(const reel_params *params, size_t weight, float eps)
{
    return (reel_norm){params->param[weight].offset, params->param[weight + 1].offset, eps};
}

static reel_block block_at(const reel_config *c, const reel_params *params, int layer)
{
    size_t at = REEL_VM_LAYERS + (size_t)layer * REEL_VM_LAYER_SIZE, d = (size_t)c->hidden, i = (size_t)c->intermediate;
    return (reel_block){
        .before = norm_at(params, at + REEL_VM_BEFORE_W, c->layer_norm_eps),
        .after = norm_at(params, at + REEL_VM_AFTER_W, c->layer_norm_eps),
        .qkv = linear_at(params, at + REEL_VM_Q_W, c->qv_bias ? at + REEL_VM_Q_B : REEL_NO_PARAM, 3 * d, d, REEL_PACK_INT8),
        .proj = linear_at(params, at + REEL_VM_PROJ_W, at + REEL_VM_PROJ_B, d, d, REEL_PACK_INT8),
        .fc1 = linear_at(params, at + REEL_VM_FC1_W, at + REEL_VM_FC1_B, i, d, REEL_PACK_INT8),
        .fc2 = linear_at(params, at + REEL_VM_FC2_W, at + REEL_VM_FC2_B, d, i, REEL_PACK_INT8),
        .heads = (size_t)c->heads, .act = c->act, .site = 2 * (uint32_t)layer,
    };
}

static size_t patch_numbers(const reel_config *c)
{
    return (size_t)c->channels * (size_t)c->tubelet * (size_t)c->patch_h * (size_t)c->patch_w;
}

static reel_patch_embed patches_at(const reel_pass *p, const reel_config *c, const reel_params *params)
{
    return (reel_patch_embed){
        .projection = linear_at(params, REEL_VM_PATCH_W, REEL_VM_PATCH_B, (size_t)c->hidden, patch_numbers(c),
                                REEL_PACK_BF16),
        .cut = {.batch = p->batch, .frames = (size_t)c->frames, .channels = (size_t)c->channels, .height = (size_t)c->height,
                .width = (size_t)c->width, .t = (size_t)c->tubelet, .ph = (size_t)c->patch_h, .pw = (size_t)c->patch_w},
        .table = 0, .tokens = (size_t)c->tokens,
    };
}

/* fc_norm has torch's own epsilon, the norm of the other form the config's. */
static reel_head head_at(const reel_config *c, const reel_params *params)
{
    size_t at = REEL_VM_LAYERS + (size_t)c->layers * REEL_VM_LAYER_SIZE;
    return (reel_head){
        .mean = c->mean_pooling, .tokens = (size_t)c->tokens,
        .norm = norm_at(params, at + REEL_VM_NORM_W, c->mean_pooling ? 1e-5f : c->layer_norm_eps),
        .classifier = linear_at(params, at + REEL_VM_CLASSIFIER_W, at + REEL_VM_CLASSIFIER_B, (size_t)c->labels,
                                (size_t)c->hidden, REEL_PACK_F32),
    };
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

void reel_videomae_forward(reel_pass *p, const reel_config *c, const reel_params *params, const float *pixels, reel_view logits,
                           reel_view hidden)
{
    walk *w = p->cache;
    size_t rows = p->batch * (size_t)c->tokens, d = (size_t)c->hidden;
    w->pixels = pixels;
    w->work = reel_work_take(p, rows, d, most(most(3 * d, (size_t)c->intermediate), patch_numbers(c)));
    w->x = reel_arena_view(&p->arena, REEL_F32, rows, d);
    reel_patch_embed patches = patches_at(p, c, params);
    reel_patch_embed_fwd(p, &patches, w->x, reel_work_part(w->work.wide, rows, patch_numbers(c)), pixels);
    for (int l = 0; l < c->layers; l++) {
        reel_block b = block_at(c, params, l);
        w->x = reel_block_fwd(p, &b, &w->block[l], &w->work, w->x);
    }
    reel_head head = head_at(c, params);
    if (hidden.dev != NULL && !reel_pass_stopped(p)) {
        if (c->mean_pooling)
            p->be->ops->copy(p->be, hidden.dev, w->x.dev, rows * d * sizeof(float));
        else
            reel_norm_fwd(p, &head.norm, NULL, hidden, w->x);
    }
    reel_head_fwd(p, &head, &w->head, logits, w->x);
}

void reel_videomae_backward(reel_pass *p, const reel_config *c, const reel_params *params, reel_view dlogits)
{
    walk *w = p->cache;
    reel_view dx = reel_arena_view(&p->arena, REEL_F32, w->x.rows, w->x.cols);
    reel_head head = head_at(c, params);
    reel_head_bwd(p, &head, &w->head, dx, dlogits);
    for (int l = c->layers; l-- > 0;) {
        reel_block b = block_at(c, params, l);
        reel_block_bwd(p, &b, &w->block[l], &w->work, dx);
    }
    if (reel_pass_stopped(p))
        return;
    reel_patch_embed patches = patches_at(p, c, params);
    reel_patch_embed_bwd(p, &patches, dx, reel_work_part(w->work.wide, dx.rows, patch_numbers(c)), w->work.narrow, w->pixels);
}
