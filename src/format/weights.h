/* The weights of a checkpoint folder, in whatever file it has them. */
#ifndef REEL_FORMAT_WEIGHTS_H
#define REEL_FORMAT_WEIGHTS_H

#include "format/tensors.h"

/* The forms of weights, in transformers' order: the first that is there counts. */
enum { REEL_WEIGHTS_FORMS = 4 };
typedef struct reel_weights_form {
    const char *file;
    bool index;   /* it names shards */
} reel_weights_form;
extern const reel_weights_form reel_weights_form_of[REEL_WEIGHTS_FORMS];

/* The first that is there of model.safetensors, model.safetensors.index.json with its shards, pytorch_model.bin,
 * pytorch_model.bin.index.json with its shards: transformers' order. out->path says which. REEL_ERR_NOT_FOUND: none. */
reel_status reel_weights_open(const char *dir, reel_tensors *out, reel_error *err);

#endif
