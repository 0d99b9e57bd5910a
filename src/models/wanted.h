/* The precision that a user asks for, and what is said about it. */
#ifndef REEL_MODELS_WANTED_H
#define REEL_MODELS_WANTED_H

#include <reel/model.h>

#include "base/context.h"

/* The precision called `name` (--dtype), as the processor computes it; a warning where that is another one. */
reel_status reel_precision_wanted(reel_context *ctx, const char *name, reel_precision *out, reel_error *err);

/* "fp32", "bf16", "int8": as a line of the log calls it. */
const char *reel_precision_short(reel_precision p);

#endif
