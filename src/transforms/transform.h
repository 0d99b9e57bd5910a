/* From decoded frames to a clip (T, C, H, W) float32 in a batch slot: the guide's training and evaluation transforms and the
 * processors' own. What is cut away is never converted. */
#ifndef REEL_TRANSFORMS_TRANSFORM_H
#define REEL_TRANSFORMS_TRANSFORM_H

#include <stdint.h>

#include "kernels/pixel.h"
#include "transforms/processor.h"
#include "video/decode.h"

typedef enum reel_transform_kind {
    REEL_TRANSFORM_TRAIN,      /* guide, training: /255, normalise, short side, random crop, flip */
    REEL_TRANSFORM_EVAL,       /* guide, evaluation: /255, normalise, squash to H x W, antialiased */
    REEL_TRANSFORM_PROCESSOR   /* resize uint8, centre crop, rescale and normalise */
} reel_transform_kind;

/* What is fixed for a run. */
typedef struct reel_transform {
    reel_transform_kind kind;
    const reel_processor *processor;
    int height, width;            /* of the clip: the model's */
    int min_size, max_size;       /* short side of TRAIN; 0: 256/224 and 320/224 of the crop, rounded */
    double flip;                  /* probability; 0.5 in the guide */
    int crop, crops;              /* multi-view: EVAL's short-side form cut at place `crop` of `crops` (3: left/top, centre,
                                     right/bottom); crops 0 or 1: the kind's own */
    const reel_pixel_kernels *kernels;
} reel_transform;

/* The draws of one clip, in the order and form that the guide's Python consumes them (torch: size = min + size_u mod
 * (max - min + 1); top = top_u mod (H - h + 1); left likewise; flip if (flip_u & 0xFFFFFF) / 2^24 < p). */
typedef struct reel_transform_draws { uint32_t size_u, top_u, left_u, flip_u; } reel_transform_draws;

/* A clip under construction: frame k of T is put in with reel_clip_put (any order, each once), from one thread. */
typedef struct reel_clip reel_clip;
reel_status reel_clip_begin(const reel_transform *t, const reel_transform_draws *d, int frames, float *out, reel_clip **clip,
                            reel_error *err);
/* Geometry is fixed by the first frame; a frame of another size is resized by its own geometry to the same result. */
reel_status reel_clip_put(reel_clip *clip, reel_frame *frame, int k, reel_error *err);
/* Raw pixels instead of a decoded frame: packed RGB (height, width, 3). Same arithmetic. */
reel_status reel_clip_put_rgb(reel_clip *clip, const uint8_t *rgb, int width, int height, int k, reel_error *err);
/* Copies frame `from`, already put, to place `to` (repeated frames). */
void reel_clip_repeat(reel_clip *clip, int from, int to);
void reel_clip_end(reel_clip **clip);

/* mean and std with which a byte of a clip is (x std + mean) 255: those of the processor, where it rescales to 0 … 1 and normalises. */
void reel_transform_levels(const reel_transform *t, double mean[3], double std[3]);
/* The clip back as packed RGB bytes (T, H, W, 3), rounded, clamped. */
void reel_clip_to_rgb(const double mean[3], const double std[3], const float *clip, int frames, int height, int width, uint8_t *rgb);

/* UniformTemporalSubsample: n numbers from 0 to t - 1, with torch's float32 linspace. */
void reel_subsample(int64_t t, int n, int64_t *index);

#endif
