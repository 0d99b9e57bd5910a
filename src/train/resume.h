/* Going on with a run: which checkpoint, and whether data and machine are what they were. */
#ifndef REEL_TRAIN_RESUME_H
#define REEL_TRAIN_RESUME_H

#include <reel/model.h>

#include "base/context.h"
#include "base/json.h"
#include "data/dataset.h"

/* Is --resume_from_checkpoint given ("" and false are not)? */
bool reel_resume_wanted(const char *option);

/* The checkpoint: the newest whole one of a folder (option true, or the folder of a run named), or the one named. A
 * damaged one of `true` is passed over with a warning. *path and *dir (its parent, the run's folder) are to be freed.
 */
reel_status reel_resume_find(reel_context *ctx, const char *option, const char *output_dir, char **path, char **dir,
                             reel_error *err);

/* {"options", "data", "threads", "isa", "precision", "reel"}; NULL: no memory. options is taken. */
reel_json *reel_about_make(reel_context *ctx, reel_json *options_taken, reel_precision precision, const reel_dataset *ds, int train,
                           int val);

/* Data that differ are refused, with both figures; another machine is warned about. */
reel_status reel_about_compare(reel_context *ctx, const reel_json *now, const reel_json *then, const char *where,
                               reel_error *err);

#endif
