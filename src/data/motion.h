/* The motions of the synthetic set. A frame shows a few shapes in a fixed pattern. Where the pattern stands and how large each
 * shape is have the same distribution at any one moment in every motion: place uniform on a frame whose edges are joined,
 * sizes log-uniform, all independent. So one frame tells nothing, and only what happens over time can be learnt. Mirrored
 * left to right, each motion is again one of its own kind. */
#ifndef REEL_DATA_MOTION_H
#define REEL_DATA_MOTION_H

#include <stdint.h>

#include "base/rng.h"

enum { REEL_MOTIONS = 8, REEL_COPIES = 6 };

/* Random numbers one after the other: a counter of Philox. */
typedef struct reel_stream { uint64_t seed, sample; uint32_t kind, draw; } reel_stream;
double reel_stream_next(reel_stream *s);                              /* [0, 1) */
double reel_stream_between(reel_stream *s, double low, double high);

/* One clip's movement: where it begins and how fast it goes. */
typedef struct reel_motion {
    int kind;                         /* 0 to REEL_MOTIONS - 1 */
    double x, y, size[REEL_COPIES];   /* at rest: fractions of width, height and of the range of log sizes */
    double rate, phase, reach;
} reel_motion;

/* Where the pattern is, x, y in [0, 1) of width and height; the shapes' sizes in [0, 1] of the range of log sizes. */
typedef struct reel_pose { double x, y, size[REEL_COPIES]; } reel_pose;

const char *reel_motion_name(int kind);  /* the class's name */
void reel_motion_draw(reel_motion *m, int kind, reel_stream *s);
reel_pose reel_motion_at(const reel_motion *m, double seconds);

#endif
