/* One run of `reel train`, from options to result: what its parts share. Private to src/train. */
#ifndef REEL_TRAIN_TRAINER_H
#define REEL_TRAIN_TRAINER_H

#include <reel/hub.h>
#include <reel/train.h>

#include "data/cache.h"
#include "data/loader.h"
#include "models/run.h"
#include "train/lock.h"
#include "train/options.h"
#include "train/samples.h"
#include "train/schedule.h"
#include "train/state.h"

/* Figures of one evaluation. */
typedef struct reel_evaluation {
    double loss, accuracy, video_accuracy, seconds;
    size_t clips, batches;
} reel_evaluation;

typedef struct reel_trainer {
    reel_context *ctx;
    reel_args *args;                  /* in force: given, or given and resumed */
    const reel_train_args *o;         /* their values */
    reel_event_fn fn; void *user;
    bool stop;                        /* the listener or the context wants to end */

    char *dir;                        /* output_dir without a '/' behind */
    bool made_dir;                    /* this run made the folder */
    reel_lock lock;

    reel_dataset *data;
    int train_split, val_split;       /* -1: none */
    reel_samples train, val;
    reel_model *model;
    reel_precision precision;         /* of the products, as the processor has them */
    reel_run *run;
    reel_transform train_transform, eval_transform;
    reel_pixel_kernels kernels;
    reel_cache *cache;                /* decoded frames, or NULL */
    double clip_seconds;
    size_t clip_floats;

    /* the plan */
    bool evaluates, keeps_best, greater, saves_best;
    const char *metric;               /* "eval_accuracy", … */
    int64_t batches, updates_per_epoch;  /* an epoch: batches, steps */
    int64_t group;                    /* clips of one step */
    reel_schedule schedule;
    int loaders;

    reel_state state;
    reel_json *about;                 /* options, data, machine: kept in checkpoints */
    char *resume_path;                /* checkpoint the run goes on from, or NULL */
    int64_t resumed_from;             /* its step, or -1 */

    int64_t saved_step;               /* last checkpoint that is complete; -1: none */
    bool saved_now;                   /* it holds the state as it is */
    bool saves_all;                   /* whatever --save_only_model says */
    bool is_new_best;                 /* by the evaluation just done */
    bool skips_changed;
    size_t train_skips;               /* training videos among the skips of this call */
    char *hub_id;                     /* repository that gets the result, or NULL */
    double began, waited, saving, evaluating, last_evaluation;  /* seconds */
    int64_t steps_here;               /* done by this call */
    int64_t clips_here;
} reel_trainer;

/* setup.c: options, data, model, memory, output folder, run; everything that can be refused is refused before it
 * writes. _plan ends before memory is looked at: nothing is written, no run is opened. */
reel_status reel_trainer_plan(reel_trainer *t, const reel_args *args, reel_error *err);
reel_status reel_trainer_open(reel_trainer *t, const reel_args *args, reel_error *err);
void reel_trainer_close(reel_trainer *t);

/* loop.c: all steps; REEL_ERR_CANCELLED after putting things in order. */
reel_status reel_trainer_loop(reel_trainer *t, reel_error *err);

/* point.c: log, evaluate and save as far as that is due at the present step. */
reel_status reel_trainer_log(reel_trainer *t, reel_error *err);
reel_status reel_trainer_after_step(reel_trainer *t, reel_error *err);
reel_status reel_trainer_save(reel_trainer *t, reel_error *err);

/* evaluation.c */
reel_status reel_trainer_evaluate(reel_trainer *t, reel_error *err);

/* results.c: the files of the finished run. */
reel_status reel_trainer_finish(reel_trainer *t, reel_error *err);
/* The evaluation of the model that the folder gets, or NULL. */
const reel_json *reel_trainer_eval_entry(const reel_trainer *t);

/* push.c: what --push_to_hub asks for. _begin: the repository is there and may be written to. _end: the card, then the push. */
reel_status reel_trainer_push_begin(reel_trainer *t, reel_error *err);
reel_status reel_trainer_push_end(reel_trainer *t, reel_hub_uploaded **out, reel_error *err);

/* card_facts.c: README.md of the result; one of the user's is added to. */
reel_status reel_trainer_card_write(const reel_trainer *t, reel_error *err);
/* pushed: or NULL */
reel_status reel_trainer_result(const reel_trainer *t, const reel_hub_uploaded *pushed, reel_train_result **out, reel_error *err);

/* events.c */
reel_event reel_event_make(const reel_trainer *t, reel_event_kind kind);
void reel_trainer_tell(reel_trainer *t, const reel_event *event);
/* A video that cannot be read: remembered, told once. */
reel_status reel_trainer_skip(reel_trainer *t, const reel_samples *s, const reel_plan *plan, const char *reason,
                              reel_error *err);

#endif
