/* The lines that tell what a run works with (docs/design.md, "What a person sees"). */
#ifndef REEL_TRAIN_TOLD_H
#define REEL_TRAIN_TOLD_H

#include "data/dataset.h"
#include "models/model.h"

void reel_told_data(reel_context *ctx, const reel_dataset *ds);
void reel_told_model(reel_context *ctx, const reel_model *model, const char *source, const reel_load_report *report);
/* Predicting and evaluating write no file that would show it: there it is a warning. */
void reel_told_no_processor(reel_context *ctx, const reel_model *model, const char *source);

#endif
