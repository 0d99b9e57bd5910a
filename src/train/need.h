/* What a training run will need, known before it starts. */
#ifndef REEL_TRAIN_NEED_H
#define REEL_TRAIN_NEED_H

#include "train/trainer.h"

enum { REEL_TRAIN_AHEAD = 2 };  /* batches that a loader keeps ready */

typedef struct reel_need {
    reel_run_parts run;
    uint64_t loader;     /* clips in flight */
    uint64_t cache;      /* decoded frames that may be kept */
    uint64_t total;
    uint64_t room;       /* what may be used: --max_memory, or what is free and what the model, as it was read, gives back */
    bool is_limit;       /* room is --max_memory */
} reel_need;

/* How the run of these options is opened, with `batch` clips a forward. */
reel_run_settings reel_train_settings(const reel_trainer *t, int64_t batch);

/* Of a run that is open as far as its plan. */
reel_status reel_train_need(const reel_trainer *t, reel_need *out, reel_error *err);

/* One or two sentences of what would make it fit, each checked by a plan of its own. */
void reel_train_advice(const reel_trainer *t, const reel_need *need, char *out, size_t size);

/* REEL_ERR_NOMEM with figures and advice where it does not fit. */
reel_status reel_train_need_check(const reel_trainer *t, const reel_need *need, reel_error *err);

/* Checkpoints that lie on the disk at most at one time. */
int64_t reel_train_checkpoints(const reel_trainer *t);

#endif
