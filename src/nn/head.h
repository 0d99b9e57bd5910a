/* The classification head: one vector a clip (the mean of its tokens, or its first token), layer norm, one product. */
#ifndef REEL_NN_HEAD_H
#define REEL_NN_HEAD_H

#include "nn/layers.h"

typedef struct reel_head {
    bool mean;              /* pool by the mean; else take token 0 */
    reel_norm norm;
    reel_linear classifier;
    size_t tokens;          /* N of a clip */
} reel_head;

typedef struct reel_head_cache { reel_view pooled, z; reel_norm_cache norm; } reel_head_cache;

/* x (B N, D) to logits (B, K). */
void reel_head_fwd(reel_pass *p, const reel_head *h, reel_head_cache *cache, reel_view logits, reel_view x);
/* dx (B N, D) is written. */
void reel_head_bwd(reel_pass *p, const reel_head *h, const reel_head_cache *cache, reel_view dx, reel_view dlogits);

#endif
