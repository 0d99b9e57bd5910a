/* The answers of reel_predict while they come together, and the list that is handed out. */
#ifndef REEL_TRAIN_ANSWERS_H
#define REEL_TRAIN_ANSWERS_H

#include <reel/train.h>

#include "data/plan.h"
#include "models/model.h"
#include "train/inputs.h"

/* How logits become scores: pipeline's function_to_apply. */
typedef enum reel_squash { REEL_SQUASH_SOFTMAX, REEL_SQUASH_SIGMOID, REEL_SQUASH_NONE } reel_squash;
/* "auto": regression none, multi_label_classification sigmoid, otherwise softmax (config.json's problem_type). */
reel_status reel_squash_choose(const char *name, const reel_json *config, reel_squash *out, reel_error *err);

typedef struct reel_answers reel_answers;

/* One answer an input; inputs with a reason are complete at once. */
reel_status reel_answers_open(const reel_model *model, const reel_inputs *inputs, const char *sampling,
                              reel_answers **out, reel_error *err);
void reel_answers_close(reel_answers **a);

/* A clip was read: what was taken from the file. Its logits will come by reel_answers_add. */
reel_status reel_answers_trace(reel_answers *a, size_t i, const reel_plan_trace *trace, int frames, reel_error *err);
reel_status reel_answers_add(reel_answers *a, size_t i, const float *logits, reel_squash squash, reel_error *err);
/* A clip could not be read or (was_read) its scores are not finite. The reason counts if no clip of the input gives
 * scores, or one gave such. */
reel_status reel_answers_fail(reel_answers *a, size_t i, const char *reason, bool was_read, reel_error *err);
/* No more clips of input i will come. */
void reel_answers_last(reel_answers *a, size_t i);
/* All clips of input i were read and computed. */
bool reel_answers_is_complete(const reel_answers *a, size_t i);
/* Scores averaged over the clips, best first, at most top_k. *out is owned by the list. */
reel_status reel_answers_finish(reel_answers *a, size_t i, size_t top_k, const reel_prediction **out, reel_error *err);

/* The list, with how long it took; a is gone. */
reel_prediction_list *reel_answers_take(reel_answers **a, double seconds, double waited);

#endif
