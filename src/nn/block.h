/* The encoder block that all these models share: pre-norm attention and MLP, each with a residual.
 *
 *   x_mid = x + drop(proj(attention(qkv(norm_before(x)))))
 *   out   = x_mid + drop(fc2(act(fc1(norm_after(x_mid)))))
 *
 * x, x_mid and out, the residual stream, are float32 always; what lies between has the type of the pass.
 * Kept for the backward, in numbers a token: x_mid D, qkv 3D, attention's output D, fc1's output before the activation I, out D
 * (the next block's x). The norms' and the activation's outputs are made again. With checkpointing only out is kept, and the
 * backward makes the rest again. */
#ifndef REEL_NN_BLOCK_H
#define REEL_NN_BLOCK_H

#include "nn/layers.h"

typedef struct reel_block {
    reel_norm before, after;
    reel_linear qkv, proj, fc1, fc2;   /* qkv: one product of (3D, D), query, key, value one after the other */
    size_t heads;
    reel_act act;
    uint32_t site;                     /* of its two dropouts: site and site + 1 */
} reel_block;

typedef struct reel_block_cache {
    reel_view x, qkv, o, x_mid, pre, out;
    float *lse;
    reel_norm_cache before, after;
} reel_block_cache;

/* Scratch that the blocks of a walk share. */
typedef struct reel_work {
    reel_view narrow;   /* (rows, D) */
    reel_view wide;     /* (rows, width): width at least 3D, I and whatever else the model gathers */
    reel_view dropped;  /* (rows, D) for a backward with dropout or in bfloat16 */
} reel_work;

reel_work reel_work_take(reel_pass *p, size_t rows, size_t narrow, size_t wide);
/* The first rows x cols numbers of a scratch matrix as a dense matrix. */
reel_view reel_work_part(reel_view scratch, size_t rows, size_t cols);

/* Training: fills *cache and returns cache->out. Inference: works in place and returns x; cache may be NULL. */
reel_view reel_block_fwd(reel_pass *p, const reel_block *b, reel_block_cache *cache, const reel_work *work, reel_view x);

/* dx: the gradient of the block's output on entry, of its input on return. */
void reel_block_bwd(reel_pass *p, const reel_block *b, const reel_block_cache *cache, const reel_work *work, reel_view dx);

#endif
