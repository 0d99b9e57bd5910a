/* Learning rate over the steps, as transformers' optimization.py defines it: lr of step k + 1 = lr * factor(k). */
#ifndef REEL_TRAIN_SCHEDULE_H
#define REEL_TRAIN_SCHEDULE_H

#include <stdint.h>

#include "base/error.h"

typedef struct reel_schedule {
    double (*factor)(const struct reel_schedule *s, double k);
    double lr, warmup, total;    /* peak; steps */
    double cycles, power, lr_end, timescale, min_rate, warmup_rate;  /* warmup_rate < 0: none */
} reel_schedule;

/* kwargs: a JSON object as text, or "". REEL_ERR_UNSUPPORTED: a schedule that this version does not have. */
reel_status reel_schedule_open(const char *type, const char *kwargs, double lr, int64_t warmup, int64_t total,
                               reel_schedule *out, reel_error *err);

/* Learning rate of the step after `done` steps. */
double reel_schedule_lr(const reel_schedule *s, int64_t done);

/* Steps that warm up: `steps` >= 1 as they are (cut to a whole number), below 1 a part of the total; -1: `ratio` of
 * it. */
int64_t reel_warmup_steps(double steps, double ratio, int64_t total);

#endif
