/* The options of a run as text: kept in a checkpoint, and compared when the run goes on. */
#ifndef REEL_TRAIN_OPTIONS_H
#define REEL_TRAIN_OPTIONS_H

#include "args/args.h"
#include "args/jobs.h"
#include "base/json.h"

/* Every option's value as text: {"learning_rate": "5e-05", …}. NULL: no memory. */
reel_json *reel_options_json(const reel_args *args);

/* Options of a run that goes on: those given now, the stored ones for the rest. An option given now that differs from the
 * stored one and changes the run is refused with both values (`where` names the checkpoint). */
reel_status reel_options_resume(const reel_args *given, const reel_json *stored, const char *where, reel_args **out,
                                reel_error *err);

#endif
