/* The folder of a run: may it be used, what in it is ours. Nothing that is not ours is ever removed. */
#ifndef REEL_TRAIN_OUTDIR_H
#define REEL_TRAIN_OUTDIR_H

#include <stdbool.h>

#include "base/error.h"

/* An existing folder, under its lock: REEL_ERR_EXISTS where it holds a run or other things that a new run must not touch.
 * `model`: the folder that the run starts from ("" none), which overwriting must not remove. */
reel_status reel_outdir_check(const char *dir, bool overwrite, const char *model, const char *data, reel_error *err);

/* May a run go on in `dir` from `checkpoint`? REEL_ERR_EXISTS where result files lie there that are not of that run. */
reel_status reel_outdir_resume_check(const char *dir, const char *checkpoint, reel_error *err);

/* Removes the checkpoints and result files of an earlier run. */
reel_status reel_outdir_clear(const char *dir, reel_error *err);

#endif
