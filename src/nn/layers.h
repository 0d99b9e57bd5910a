/* The small layers: each a forward and a backward that take inputs, parameters and what the forward kept. Parameters are
 * places in the flat blocks of the pass; gradients are written where pass->accumulate is false and added to where it is true. */
#ifndef REEL_NN_LAYERS_H
#define REEL_NN_LAYERS_H

#include "nn/pass.h"

#define REEL_NO_PARAM SIZE_MAX

/* The device address of a parameter or of its gradient; NULL for REEL_NO_PARAM. */
const float *reel_pass_weight(const reel_pass *p, size_t offset);
float *reel_pass_grad(const reel_pass *p, size_t offset);

/* Asks the context whether to stop; once it does, every layer of the walk returns at once. */
bool reel_pass_stopped(reel_pass *p);

/* x in the type of the pass's activations: itself where it has that, else rounded into scratch. */
reel_view reel_pass_narrow(reel_pass *p, reel_view x, reel_view scratch);

/* y = x W^T + b. w, b: places of the parameters (b may be REEL_NO_PARAM); slot: row of pass->packed; most: how low the
 * precision of the product may be (its x has the pass's type unless that is F32). */
typedef struct reel_linear { size_t w, b, slot, out, in; reel_pack most; } reel_linear;

/* y = act(linear(x)) + residual; pre and residual as in the table: dev NULL where not wanted. */
void reel_linear_fwd(reel_pass *p, const reel_linear *l, reel_view y, reel_view pre, reel_view x, reel_act act,
                     reel_view residual);
/* Gradients of weight and bias from dy and the x of the forward. */
void reel_linear_bwd_params(reel_pass *p, const reel_linear *l, reel_view dy, reel_view x);
/* dx = dy W. */
void reel_linear_bwd_input(reel_pass *p, const reel_linear *l, reel_view dx, reel_view dy);

/* Layer norm over the last axis (Ba, Kiros, Hinton, arXiv:1607.06450). */
typedef struct reel_norm { size_t gamma, beta; float eps; } reel_norm;
typedef struct reel_norm_cache { float *mean, *rstd; } reel_norm_cache;

reel_norm_cache reel_norm_cache_take(reel_pass *p, size_t rows);
void reel_norm_fwd(reel_pass *p, const reel_norm *n, reel_norm_cache *cache, reel_view y, reel_view x);  /* cache may be NULL */
void reel_norm_bwd(reel_pass *p, const reel_norm *n, const reel_norm_cache *cache, reel_view dx, bool accumulate_dx,
                   reel_view dy, reel_view x);

/* y = dropout(x) of place `site` in the model; the backward is the same call on the gradient. p->dropout is not 0. */
void reel_dropout(reel_pass *p, reel_view y, reel_view x, uint32_t site);

/* Clips to tokens: patches gathered, one product, positions added. table: place in the constants. */
typedef struct reel_patch_embed { reel_linear projection; reel_patching cut; size_t table, tokens; } reel_patch_embed;

/* x (B N, D); rows: scratch for (B N, C t ph pw). */
void reel_patch_embed_fwd(reel_pass *p, const reel_patch_embed *e, reel_view x, reel_view rows, const float *pixels);
/* The patches are gathered again: that costs less than keeping them. scratch: (B N, D) of the pass's type. */
void reel_patch_embed_bwd(reel_pass *p, const reel_patch_embed *e, reel_view dx, reel_view rows, reel_view scratch,
                          const float *pixels);

#endif
