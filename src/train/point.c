/* What is due at a step: log, evaluate, save, in Trainer's order; each stage is remembered so that a run that was
 * stopped in between goes on with the next. */
#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "train/checkpoint.h"
#include "train/trainer.h"

static bool is(const char *a, const char *b) { return strcmp(a, b) == 0; }

/* loss: mean over the steps since the last line, from a float32 sum; a step without a readable clip has none. */
reel_status reel_trainer_log(reel_trainer *t, reel_error *err)
{
    reel_state *s = &t->state;
    if (s->step <= s->last_logged)
        return REEL_OK;
    double loss = s->loss_steps > 0 ? (double)s->loss_sum / (double)s->loss_steps : NAN;
    s->total_loss += (double)s->loss_sum;
    s->total_steps += s->loss_steps;
    s->loss_sum = 0;
    s->loss_steps = 0;
    s->last_logged = s->step;
    reel_json *j = reel_json_object();
    if (j == NULL || !reel_json_set_known(j, "loss", loss) || !reel_json_set_known(j, "grad_norm", s->grad_norm) ||
        !reel_json_set_known(j, "learning_rate", s->learning_rate)) {
        reel_json_free(j);
        return reel_fail_nomem(err, "the log");
    }
    reel_status status = reel_state_log(s, j, err);
    if (status != REEL_OK)
        return status;
    reel_event e = reel_event_make(t, REEL_EVENT_LOG);
    e.loss = loss;
    e.grad_norm = s->grad_norm;
    e.learning_rate = s->learning_rate;
    reel_trainer_tell(t, &e);
    return REEL_OK;
}

reel_status reel_trainer_save(reel_trainer *t, reel_error *err)
{
    double began = reel_now();
    char *path = NULL;
    reel_saving s = {.dir = t->dir, .model = t->model, .run = t->run, .state = &t->state,
                     .about = t->about, .only_model = t->o->save_only_model && !t->saves_all, .limit = t->o->save_total_limit,
                     .resumed_from = t->resumed_from};
    reel_status status = reel_checkpoint_save(&s, &path, err);
    t->saving += reel_now() - began;
    if (status == REEL_OK && t->skips_changed) {
        status = reel_skips_write(&t->state, t->dir, err);
        t->skips_changed = status != REEL_OK;
    }
    if (status == REEL_OK) {
        t->saved_step = t->state.step;
        t->saved_now = true;
        reel_event e = reel_event_make(t, REEL_EVENT_CHECKPOINT);
        e.path = path;
        e.seconds = reel_now() - began;
        e.best = t->state.best_step == t->state.step;
        reel_trainer_tell(t, &e);
    }
    reel_free(path);
    return status;
}

static reel_status stage_evaluate(reel_trainer *t, bool due, reel_stage stage, reel_error *err)
{
    t->is_new_best = false;
    if (due) {
        reel_status status = reel_trainer_evaluate(t, err);
        if (status != REEL_OK)
            return status;
        t->saved_now = false;
    }
    t->state.stage = stage;
    return REEL_OK;
}

static reel_status stage_save(reel_trainer *t, bool due, reel_stage stage, reel_error *err)
{
    t->state.stage = stage;
    const bool learned = t->state.updates > 0;  /* without a readable clip so far there is nothing to keep */
    return due && learned && !t->saved_now ? reel_trainer_save(t, err) : REEL_OK;
}

/* By steps: the last step counts too, so that the end of a run is evaluated and saved. */
static bool due_by_steps(const reel_trainer *t, const char *strategy, int64_t every)
{
    return is(strategy, "steps") && every > 0 && (t->state.step % every == 0 || t->state.step >= t->state.max_steps);
}

static reel_status epoch_log(reel_trainer *t, reel_error *err)
{
    return is(t->o->logging_strategy, "epoch") ? reel_trainer_log(t, err) : REEL_OK;
}

reel_status reel_trainer_after_step(reel_trainer *t, reel_error *err)
{
    const reel_train_args *o = t->o;
    reel_state *s = &t->state;
    reel_status status = REEL_OK;
    bool epoch_ends = s->step % t->updates_per_epoch == 0 || s->step >= s->max_steps;
    if (s->stage < REEL_STAGE_EVALUATED)
        REEL_TRY(stage_evaluate(
            t, t->evaluates && due_by_steps(t, o->eval_strategy, s->eval_steps) && (double)s->step >= o->eval_delay,
            REEL_STAGE_EVALUATED, err));
    if (s->stage < REEL_STAGE_SAVED)
        REEL_TRY(stage_save(t, due_by_steps(t, o->save_strategy, s->save_steps) || (t->saves_best && t->is_new_best),
                            epoch_ends ? REEL_STAGE_SAVED : REEL_STAGE_DONE, err));
    if (s->stage < REEL_STAGE_EPOCH_EVALUATED) {
        REEL_TRY(epoch_log(t, err));
        REEL_TRY(stage_evaluate(t, t->evaluates && is(o->eval_strategy, "epoch") && s->epoch >= o->eval_delay,
                                REEL_STAGE_EPOCH_EVALUATED, err));
    }
    if (s->stage < REEL_STAGE_DONE)
        REEL_TRY(stage_save(t, is(o->save_strategy, "epoch") || (t->saves_best && t->is_new_best), REEL_STAGE_DONE, err));
done:
    return status;
}
