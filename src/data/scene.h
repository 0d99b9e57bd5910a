/* What a group of synthetic clips has in common: background, shape, colours. And the picture of shapes in it, which all do
 * the same at the same time. */
#ifndef REEL_DATA_SCENE_H
#define REEL_DATA_SCENE_H

#include "base/error.h"
#include "data/motion.h"

enum { REEL_SHAPES = 6 };

typedef struct reel_scene {
    int width, height;
    uint8_t *background;   /* height x width x 3 */
    int shape;             /* 0 to REEL_SHAPES - 1 */
    double angle;
    uint8_t color[3];
} reel_scene;

/* The scene of a group; needs reel_scene_free. */
reel_status reel_scene_make(uint64_t seed, int group, int width, int height, reel_scene *out, reel_error *err);
void reel_scene_free(reel_scene *scene);

/* One frame, height x width x 3: the pose is that of the first of the shapes. What leaves at an edge enters at the opposite
 * one. */
void reel_scene_render(const reel_scene *scene, const reel_pose *pose, uint8_t *rgb);

#endif
