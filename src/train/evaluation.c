/* Evaluation while training: the guide's uniform clips of val. */
#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "train/metrics.h"
#include "train/score.h"
#include "train/trainer.h"

typedef struct evaluating { reel_trainer *t; reel_tally tally; double loss, began; size_t batches; } evaluating;

/* The loss that training has (smoothed if it is), of one clip: the mean over clips is what Trainer logs. */
static reel_status scored(const reel_plan *plan, const float *logits, void *user, reel_error *err)
{
    evaluating *e = user;
    int64_t label = plan->label;
    reel_loss loss = {.kind = REEL_LOSS_SINGLE,
                      .label_smoothing = e->t->o->label_smoothing_factor,
                      .label = &label,
                      .items = 1};
    reel_status status =
        reel_tally_add(&e->tally, reel_samples_video(&e->t->val, e->t->data, plan), plan->label, logits, err);
    if (status == REEL_OK)
        e->loss += reel_loss_compute(&loss, logits, 1, e->tally.labels, NULL);
    return status;
}

static reel_status unscored(const reel_plan *plan, const char *reason, void *user, reel_error *err)
{
    evaluating *e = user;
    return reel_trainer_skip(e->t, &e->t->val, plan, reason, err);
}

static bool batch_done(size_t batch, size_t batches, void *user)
{
    evaluating *e = user;
    reel_event event = reel_event_make(e->t, REEL_EVENT_EVAL_STEP);
    event.step = (int64_t)batch;
    event.steps = (int64_t)batches;
    event.clips_per_second = (double)e->tally.n_clips / (reel_now() - e->began);
    e->batches = batches;
    reel_trainer_tell(e->t, &event);
    return !e->t->stop;
}

static reel_json *entry_make(const reel_evaluation *e)
{
    reel_json *j = reel_json_object();
    bool ok = j != NULL && reel_json_set_double(j, "eval_loss", e->loss) &&
              reel_json_set_double(j, "eval_accuracy", e->accuracy) &&
              reel_json_set_double(j, "eval_video_accuracy", e->video_accuracy) &&
              reel_json_set_double(j, "eval_runtime", reel_rounded(e->seconds, 1e4)) &&
              reel_json_set_double(j, "eval_samples_per_second", reel_rounded((double)e->clips / e->seconds, 1e3)) &&
              reel_json_set_double(j, "eval_steps_per_second", reel_rounded((double)e->batches / e->seconds, 1e3));
    if (ok)
        return j;
    reel_json_free(j);
    return NULL;
}

/* Strictly better than all before; the first counts in any case (unless it is no number). */
static bool best_update(reel_trainer *t, const reel_evaluation *e)
{
    reel_state *s = &t->state;
    double value = strcmp(t->metric, "eval_loss") == 0 ? e->loss
        : strcmp(t->metric, "eval_accuracy") == 0 ? e->accuracy : e->video_accuracy;
    bool better = s->has_best ? (t->greater ? value > s->best_metric : value < s->best_metric) : !isnan(value);
    if (!better)
        return false;
    s->has_best = true;
    s->best_metric = value;
    if (strcmp(t->o->save_strategy, "no") != 0)
        s->best_step = s->step;
    return true;
}

static reel_status evaluation_end(reel_trainer *t, const reel_evaluation *e, reel_error *err)
{
    reel_status status = reel_state_log(&t->state, entry_make(e), err);
    if (status != REEL_OK)
        return status;
    t->is_new_best = best_update(t, e);
    reel_event event = reel_event_make(t, REEL_EVENT_EVAL);
    event.eval_loss = e->loss;
    event.eval_accuracy = e->accuracy;
    event.eval_video_accuracy = e->video_accuracy;
    event.seconds = e->seconds;
    event.best = t->is_new_best;
    reel_trainer_tell(t, &event);
    return REEL_OK;
}

reel_status reel_trainer_evaluate(reel_trainer *t, reel_error *err)
{
    double began = reel_now();
    evaluating e = {.t = t, .began = began};
    reel_status status = REEL_OK;
    reel_tally_totals totals;
    size_t *confusion = NULL;
    reel_scoring s = {.run = t->run,
                      .run_batch = (size_t)t->o->per_device_train_batch_size,
                      .labels = (size_t)t->model->config.labels,
                      .scored = scored,
                      .unscored = unscored,
                      .step = batch_done,
                      .user = &e};
    s.loader = (reel_loader_config){.dataset = t->data,
                                    .plan = t->val.plan,
                                    .plans = t->val.n,
                                    .batch = (size_t)t->o->per_device_eval_batch_size,
                                    .transform = &t->eval_transform,
                                    .frames = t->model->config.frames,
                                    .clip_floats = t->clip_floats,
                                    .threads = t->loaders,
                                    .ahead = 2,
                                    .autorotate = t->o->autorotate,
                                    .cache = t->cache,
                                    .skip_truncated = true};
    t->is_new_best = false;
    REEL_TRY(reel_tally_open(&e.tally, t->val.videos, s.labels, err));
    status = reel_score_clips(t->ctx, &s, err);
    t->waited += s.waited;
    if (status != REEL_OK)
        goto done;
    if (e.tally.n_clips == 0) {
        status = reel_fail(err, REEL_ERR_FORMAT, "none of the %zu val videos could be read (%s: %s)", t->val.videos,
                           t->state.n_skips > 0 ? t->state.skip[t->state.n_skips - 1].video : "val",
                           t->state.n_skips > 0 ? t->state.skip[t->state.n_skips - 1].reason : "no clip");
        goto done;
    }
    confusion = reel_calloc(s.labels * s.labels, sizeof *confusion);
    if (confusion == NULL) {
        status = reel_fail_nomem(err, "the figures of the classes");
        goto done;
    }
    REEL_TRY(reel_tally_total(&e.tally, &totals, confusion, err));
    reel_evaluation figures = {.loss = e.loss / (double)e.tally.n_clips, .accuracy = totals.clip_accuracy,
                               .video_accuracy = totals.accuracy, .seconds = reel_now() - began,
                               .clips = e.tally.n_clips, .batches = e.batches};
    t->last_evaluation = figures.seconds;
    REEL_TRY(evaluation_end(t, &figures, err));
    REEL_TRY(reel_state_classes(&t->state, confusion, s.labels, err));
done:
    t->evaluating += reel_now() - began;
    reel_free(confusion);
    reel_tally_free(&e.tally);
    return status;
}
