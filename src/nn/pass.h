/* What a walk through the layers carries along. */
#ifndef REEL_NN_PASS_H
#define REEL_NN_PASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/backend.h"
#include "nn/arena.h"

typedef struct reel_pass {
    reel_backend *be;
    reel_arena arena;
    reel_context *ctx;           /* asked between layers whether to stop */
    const float *weights;        /* device block */
    float *grads;                /* device block; NULL in inference */
    const float *constants;      /* device */
    reel_weight *packed;         /* one a parameter, `packed` made in inference; NULL: use the plain ones */
    reel_pack pack;              /* what products may be computed in, where their layer allows it */
    void *cache;                 /* the architecture's own memory between forward and backward (host structs in cache_bytes) */
    size_t batch;
    reel_dtype dtype;            /* of activations; the residual stream and the head are float32 always */
    bool train;
    bool checkpointing;          /* blocks keep their input only */
    bool accumulate;             /* gradients are added to */
    bool cancelled;              /* set when the context wants to stop; the rest of the walk does nothing */
    float dropout;
    uint32_t seed[2]; uint32_t draw[2];
} reel_pass;

#endif
