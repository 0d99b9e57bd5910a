/* The weights of a checkpoint folder, in whatever file it has them. */
#ifndef REEL_FORMAT_WEIGHTS_H
#define REEL_FORMAT_WEIGHTS_H

#include "format/tensors.h"

/* The first that is there of model.safetensors, model.safetensors.index.json with its shards, pytorch_model.bin,
 * pytorch_model.bin.index.json with its shards: transformers' order. out->path says which. REEL_ERR_NOT_FOUND: none. */
reel_status reel_weights_open(const char *dir, reel_tensors *out, reel_error *err);

#endif
