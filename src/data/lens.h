/* How clips are to look for pack and preview: a model's size and processor, or VideoMAE's defaults. */
#ifndef REEL_DATA_LENS_H
#define REEL_DATA_LENS_H

#include "data/plan.h"

typedef struct reel_lens_wish {
    const char *model;             /* folder, "" for none */
    const char *transform;         /* train, eval, processor */
    int64_t num_frames, image_size, min_size, max_size;   /* 0: the model's, the guide's */
    double flip, fps, sample_rate, clip_duration;
} reel_lens_wish;

typedef struct reel_lens {
    int frames, height, width;
    size_t clip_floats;            /* T C H W */
    double seconds;                /* of a clip */
    reel_processor processor;
    reel_pixel_kernels kernels;
    reel_transform transform;      /* points into this struct: it must not move */
} reel_lens;

/* Reads config.json and the processor of wish->model; tells (log) what it assumes where there is none. */
reel_status reel_lens_open(reel_context *ctx, const reel_lens_wish *wish, reel_lens *out, reel_error *err);
void reel_lens_close(reel_lens *lens);

/* "random", "uniform", "pipeline" as a mode. */
reel_frames_mode reel_view_mode(const char *sampling);

/* The split called `name`; data without splits has one that answers to every name. */
reel_status reel_pick_split(const reel_dataset *ds, const char *name, int *split, reel_error *err);

#endif
