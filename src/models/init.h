/* New weights, drawn as transformers draws them (torch's generator, its order). */
#ifndef REEL_MODELS_INIT_H
#define REEL_MODELS_INIT_H

#include "models/model.h"

/* All weights of a model made from a config, as after torch.manual_seed(seed). */
void reel_init_all(reel_model *m, uint64_t seed);

/* Only the parameters i with fresh[i], as from_pretrained does for what a checkpoint lacks: nothing else is drawn. */
void reel_init_fresh(reel_model *m, uint64_t seed, const bool *fresh);

#endif
