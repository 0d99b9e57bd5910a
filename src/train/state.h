/* Where a run stands: what Python's Trainer keeps in trainer_state.json, and beside it in reel_state.json what an exact
 * continuation needs besides. */
#ifndef REEL_TRAIN_STATE_H
#define REEL_TRAIN_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"

#define REEL_TRAINER_STATE_NAME "trainer_state.json"
#define REEL_STATE_NAME "reel_state.json"

/* What has been done at the present step; the rest is done on resuming. */
typedef enum reel_stage {
    REEL_STAGE_STEPPED = 0,      /* weights are new, the line is logged */
    REEL_STAGE_EVALUATED = 1,    /* evaluation by steps is done, or not due */
    REEL_STAGE_SAVED = 2,        /* checkpoint by steps likewise */
    REEL_STAGE_EPOCH_EVALUATED = 3,
    REEL_STAGE_DONE = 4
} reel_stage;

typedef struct reel_skip { char *video, *reason; } reel_skip;

typedef struct reel_state {
    /* trainer_state.json */
    int64_t step, max_steps, epochs, batch;
    int64_t logging_steps, eval_steps, save_steps;
    double epoch, total_flos;
    bool has_best;               /* best_metric counts */
    double best_metric;
    int64_t best_step;           /* 0: none */
    reel_json *log_history;      /* array of objects */

    /* reel_state.json */
    reel_stage stage;
    int64_t updates;             /* of AdamW: steps whose batch could be read */
    float loss_sum;              /* of the steps since the last log, added in float32 as Trainer does */
    int64_t loss_steps, last_logged;
    double total_loss;           /* of all logged */
    int64_t total_steps;
    double grad_norm, learning_rate;  /* of the last step; NaN: none */
    reel_skip *skip;             /* videos that could not be read, in the order in which that was found */
    size_t n_skips, skip_capacity;
    reel_json *by_class;         /* of the best evaluation and the last: {"STEP": {"videos": [...], "answers": [...],
                                  * "right": [...]}}; or NULL */
} reel_state;

reel_status reel_state_init(reel_state *s, reel_error *err);
void reel_state_free(reel_state *s);

/* Adds one entry of log_history: the object gets epoch and step, and is taken. NULL: no memory. */
reel_status reel_state_log(reel_state *s, reel_json *entry_taken, reel_error *err);
/* The last evaluation at `step` in the history, or NULL. */
const reel_json *reel_state_evaluation(const reel_state *s, int64_t step);

/* Keeps the evaluation's figures by class, from its confusion matrix (row: true label) of videos. */
reel_status reel_state_classes(reel_state *s, const size_t *confusion, size_t classes, reel_error *err);

/* Remembers a video; *is_new tells whether it was not known. */
reel_status reel_state_skip(reel_state *s, const char *video, const char *reason, bool *is_new, reel_error *err);
/* video,reason as csv. Removes nothing: without skips nothing is written. */
reel_status reel_skips_write(const reel_state *s, const char *dir, reel_error *err);

/* best_dir: folder of the best checkpoint, or NULL. */
reel_status reel_trainer_state_write(const reel_state *s, const char *dir, const char *best_dir, reel_error *err);
reel_status reel_trainer_state_read(reel_state *s, const char *dir, reel_error *err);

/* `about` (options, data, machine: train/resume.h) goes into reel_state.json beside the state. */
reel_status reel_state_write(const reel_state *s, const char *dir, const reel_json *about, reel_error *err);
/* Checks every field; *about gets a reference to be freed. */
reel_status reel_state_read(reel_state *s, const char *dir, reel_json **about, reel_error *err);

/* A JSON file: indented text, keys sorted, `end` behind. */
reel_status reel_json_write(const char *dir, const char *name, const reel_json *json, int indent, const char *end,
                            reel_error *err);

#endif
