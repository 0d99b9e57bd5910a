/* Clips of a list of files, decoded by one thread ahead of the consumer, with what was taken from the file. Unlike the
 * loader's plans, how many clips a file has is only known once it is open. */
#ifndef REEL_TRAIN_AHEAD_H
#define REEL_TRAIN_AHEAD_H

#include "data/plan.h"

typedef struct reel_ahead reel_ahead;

typedef struct reel_ahead_config {
    reel_item *item; size_t items;       /* files in order; durations are filled in; borrowed */
    bool guide;                          /* all uniform clips of `seconds`; else frames over the whole video */
    double seconds;
    const reel_transform *transform;
    int frames;
    size_t clip_floats;
    bool autorotate;
    int slots;                           /* clips kept */
} reel_ahead_config;

/* One clip, or why it could not be read. Valid until the next call. */
typedef struct reel_ahead_clip {
    size_t item;
    bool last;                           /* of its file */
    float *pixels;
    reel_plan_trace trace;               /* index, time: `frames` entries */
    reel_status status; reel_error error;
} reel_ahead_clip;

reel_status reel_ahead_open(reel_context *ctx, const reel_ahead_config *config, reel_ahead **out, reel_error *err);
/* *out NULL at the end. Only memory, cancelling and threads fail here; files fail in the clip. */
reel_status reel_ahead_next(reel_ahead *a, reel_ahead_clip **out, reel_error *err);
void reel_ahead_close(reel_ahead **a);

#endif
