/* Pieces of loading that several callers share. */
#ifndef REEL_MODELS_LOAD_H
#define REEL_MODELS_LOAD_H

#include "models/tensors.h"

/* A model with config, labels and table of parameters, but neither weights nor processor. */
reel_status reel_model_begin(reel_context *ctx, const char *config_path, const reel_load_options *options, reel_model **out,
                             reel_load_report *report, reel_error *err);
/* Its weights (not initialised), after a look at the memory. */
reel_status reel_model_allocate(reel_model *m, const char *what, reel_error *err);

/* "NAME is missing", with up to three names and a count. */
reel_status reel_fail_missing(const reel_params *params, const bool *missing, const char *what, reel_error *err);

bool reel_report_add(char ***list, size_t *n, const char *name);

#endif
