/* optimizer.safetensors: exp_avg.NAME and exp_avg_sq.NAME of every parameter, and step. */
#ifndef REEL_TRAIN_MOMENTS_H
#define REEL_TRAIN_MOMENTS_H

#include "models/run.h"

#define REEL_MOMENTS_NAME "optimizer.safetensors"

reel_status reel_moments_write(reel_run *run, const reel_params *params, int64_t step, const char *dir, reel_error *err);
reel_status reel_moments_read(reel_run *run, const reel_params *params, int64_t *step, const char *dir, reel_error *err);

#endif
