/* The weights of a checkpoint folder, in whatever file it has them. */
#ifndef REEL_FORMAT_WEIGHTS_H
#define REEL_FORMAT_WEIGHTS_H

#include "base/json.h"
#include "format/tensors.h"

/* The forms of weights, in transformers' order: the first that is there counts. */
enum { REEL_WEIGHTS_FORMS = 4 };
typedef struct reel_weights_form {
    const char *file;
    bool index;   /* it names shards */
} reel_weights_form;
extern const reel_weights_form reel_weights_form_of[REEL_WEIGHTS_FORMS];

/* What an index says: its tensors by shard, each shard's in one piece. Texts are borrowed from the index. */
typedef struct reel_weights_place {
    const char *shard, *tensor;
    bool lacks;   /* the shard was read and does not have it */
} reel_weights_place;
typedef struct reel_weights_places { reel_weights_place *place; size_t n, shards; } reel_weights_places;
enum { REEL_WEIGHTS_SHARDS = 10000 };  /* most that a checkpoint may have */
/* path names the index in messages. A shard that would not lie in the folder or below it is refused. */
reel_status reel_weights_places_read(const reel_json *index, const char *path, reel_weights_places *out, reel_error *err);
void reel_weights_places_free(reel_weights_places *p);
/* Behind the last tensor of the shard that place i begins. */
size_t reel_weights_places_next(const reel_weights_places *p, size_t i);

/* The first that is there of model.safetensors, model.safetensors.index.json with its shards, pytorch_model.bin,
 * pytorch_model.bin.index.json with its shards: transformers' order. out->path says which. REEL_ERR_NOT_FOUND: none. */
reel_status reel_weights_open(const char *dir, reel_tensors *out, reel_error *err);

#endif
