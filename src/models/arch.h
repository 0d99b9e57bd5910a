/* An architecture: its config, its parameters, its forward and backward. One row of the registry each. */
#ifndef REEL_MODELS_ARCH_H
#define REEL_MODELS_ARCH_H

#include "models/model.h"
#include "nn/pass.h"

struct reel_arch {
    const char *model_type;       /* in config.json: "videomae" */
    const char *architecture;     /* "VideoMAEForVideoClassification" */
    const char *base_prefix;      /* "videomae." */
    const char *shown;            /* for people: "VideoMAE" */
    const char *config_defaults;  /* JSON object: the fields that a save always writes, at their defaults */

    /* Reads and checks what is its own in config->json (the shared fields are read). */
    reel_status (*config_read)(reel_config *config, const char *what, reel_error *err);
    /* Adds the parameters in module order. */
    reel_status (*params_list)(const reel_config *config, reel_params *params, reel_error *err);
    /* Multiplications and additions of one clip's forward. */
    double (*flops)(const reel_config *config);

    /* A tensor of an older or other spelling: its name in our table (static or in buf), or NULL to leave it. May be NULL. */
    const char *(*rename)(const char *name, char *buf, size_t size);

    /* Bytes of constants (position tables) kept on the device, and their numbers; may be NULL. */
    size_t (*constants)(const reel_config *config);
    void (*constants_fill)(const reel_config *config, float *host);

    /* Bytes of host memory that forward and backward share (pass->cache). */
    size_t (*cache_bytes)(const reel_config *config);

    /* Walks the model: pixels (B, T, C, H, W) on the device to logits (B, K). What the backward needs stays in the arena
     * when pass->train. hidden: (B N, D) copy of last_hidden_state, or dev NULL. */
    void (*forward)(reel_pass *pass, const reel_config *config, const reel_params *params, const float *pixels,
                    reel_view logits, reel_view hidden);
    /* From dlogits (B, K) to all gradients; same pass, right after its forward. */
    void (*backward)(reel_pass *pass, const reel_config *config, const reel_params *params, reel_view dlogits);
};

const reel_arch *reel_arch_find(const char *model_type);  /* NULL: none */
const reel_arch *reel_arch_at(size_t i);                  /* NULL past the end */

#endif
