/* The parameters of a model: one flat block, and a table that says what is where. */
#ifndef REEL_MODELS_PARAMS_H
#define REEL_MODELS_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dtype.h"
#include "base/error.h"

typedef enum reel_init { REEL_INIT_ZEROS, REEL_INIT_ONES, REEL_INIT_NORMAL } reel_init;

typedef struct reel_param {
    char *name;          /* as transformers saves it; NULL: a hole that stays zero (the bias that keys do not have) */
    reel_shape shape;
    reel_init init;
    bool decay;          /* weight decay applies (Trainer's rule: all but biases and norms) */
    bool head;           /* belongs to the head: new where the labels differ */
    bool trainable;
    size_t offset, count;  /* floats in the block */
} reel_param;

typedef struct reel_params {
    reel_param *param;   /* in module order: the order in which transformers draws new weights */
    size_t n;
    size_t floats;       /* of the block, holes and alignment included */
    int64_t named;       /* numbers in named parameters */
} reel_params;

/* Adds one at the next 64-byte boundary, or, `joined`, right behind the last one (fused products need no gap). Returns its
 * place, or -1 where memory or a size fails. */
int reel_params_add(reel_params *p, const char *name, const reel_shape *shape, reel_init init, bool decay, bool joined);
const reel_param *reel_params_find(const reel_params *p, const char *name);
void reel_params_free(reel_params *p);

#endif
