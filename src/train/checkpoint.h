/* Checkpoint folders: written beside their name, whole or absent; the protocol of docs/design.md, "Checkpoints". */
#ifndef REEL_TRAIN_CHECKPOINT_H
#define REEL_TRAIN_CHECKPOINT_H

#include "models/run.h"
#include "train/state.h"

/* "checkpoint-12" gives 12; other names false. */
bool reel_checkpoint_step(const char *name, int64_t *step);
char *reel_checkpoint_path(const char *dir, int64_t step);  /* NULL: no memory */

/* Folders checkpoint-N of reel (they have a manifest; whole or not) in rising order of N. */
typedef struct reel_checkpoints { int64_t *step; size_t n; } reel_checkpoints;
reel_status reel_checkpoints_list(const char *dir, reel_checkpoints *out, reel_error *err);
void reel_checkpoints_free(reel_checkpoints *c);

/* Removes a checkpoint so that half a deletion never looks valid: renamed to .trash first. */
reel_status reel_checkpoint_remove(const char *dir, int64_t step, reel_error *err);

/* Files that a run leaves in its folder beside checkpoints. */
bool reel_result_is(const char *name);
enum { REEL_RESULT_FILES = 10 };
extern const char *const reel_result_file[REEL_RESULT_FILES];

/* Is it a name that a killed run leaves behind? */
bool reel_checkpoint_is_stale(const char *name);
/* Removes .checkpoint-N.PID.tmp and .trash-N.PID that a killed run left. Only under the lock. */
reel_status reel_checkpoint_clear_stale(const char *dir, reel_error *err);

typedef struct reel_saving {
    const char *dir;           /* output_dir */
    const reel_model *model;
    reel_run *run;
    const reel_state *state;
    const reel_json *about;
    bool only_model;
    int64_t limit;             /* save_total_limit; 0: all are kept */
    int64_t resumed_from; /* a checkpoint of this step is what the run goes on from, and is left as it is; -1: none */
} reel_saving;

/* Bytes that one checkpoint takes. */
uint64_t reel_checkpoint_bytes(const reel_model *model, bool only_model);

/* *path gets the folder's name. Old checkpoints are removed only after this one is durable. Failure leaves no trace. */
reel_status reel_checkpoint_save(const reel_saving *s, char **path, reel_error *err);

#endif
