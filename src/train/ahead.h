/* Clips of a list of files, decoded by threads ahead of the consumer and handed out in the order of the files, with what was
 * taken from each. Unlike the loader's plans, how many clips a file has is only known once it is open. Results do not depend
 * on the number of threads. */
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
    int threads;                         /* files decoded at the same time, at most */
    size_t batch;                        /* clips that the consumer takes together */
} reel_ahead_config;

/* One clip, or why it could not be read. Valid until the next call. */
typedef struct reel_ahead_clip {
    size_t item;
    bool last;                           /* of its file */
    float *pixels;
    reel_plan_trace trace;               /* index, time: `frames` entries */
    reel_status status; reel_error error;
} reel_ahead_clip;

/* Bytes of the clips that it will keep. */
bool reel_ahead_bytes(const reel_ahead_config *config, size_t *bytes);

reel_status reel_ahead_open(reel_context *ctx, const reel_ahead_config *config, reel_ahead **out, reel_error *err);
/* *out NULL at the end. Only memory, cancelling and threads fail here; files fail in the clip. */
reel_status reel_ahead_next(reel_ahead *a, reel_ahead_clip **out, reel_error *err);
double reel_ahead_waited(const reel_ahead *a);   /* seconds that the consumer waited so far */
void reel_ahead_close(reel_ahead **a);

#endif
