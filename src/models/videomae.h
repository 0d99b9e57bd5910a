/* VideoMAE for video classification (Tong, Song, Wang, Wang, arXiv:2203.12602), as transformers computes it. */
#ifndef REEL_MODELS_VIDEOMAE_H
#define REEL_MODELS_VIDEOMAE_H

#include "models/arch.h"

extern const reel_arch reel_arch_videomae;

/* Its walks (videomae_walk.c). */
size_t reel_videomae_cache_bytes(const reel_config *config);
void reel_videomae_forward(reel_pass *pass, const reel_config *config, const reel_params *params, const float *pixels,
                           reel_view logits, reel_view hidden);
void reel_videomae_backward(reel_pass *pass, const reel_config *config, const reel_params *params, reel_view dlogits);

/* Places in the table of parameters: PATCH first, then LAYER for each layer, then NORM and CLASSIFIER. */
enum {
    REEL_VM_PATCH_W, REEL_VM_PATCH_B, REEL_VM_LAYERS,
    REEL_VM_Q_W = 0, REEL_VM_K_W, REEL_VM_V_W, REEL_VM_Q_B, REEL_VM_K_B, REEL_VM_V_B, REEL_VM_PROJ_W, REEL_VM_PROJ_B,
    REEL_VM_FC1_W, REEL_VM_FC1_B, REEL_VM_FC2_W, REEL_VM_FC2_B, REEL_VM_BEFORE_W, REEL_VM_BEFORE_B, REEL_VM_AFTER_W,
    REEL_VM_AFTER_B, REEL_VM_LAYER_SIZE,
    REEL_VM_NORM_W = 0, REEL_VM_NORM_B, REEL_VM_CLASSIFIER_W, REEL_VM_CLASSIFIER_B
};

#endif
