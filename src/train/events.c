#include <math.h>

#include "base/cpu.h"
#include "train/score.h"
#include "train/trainer.h"

reel_event reel_event_make(const reel_trainer *t, reel_event_kind kind)
{
    reel_event e = {.kind = kind, .step = t->state.step, .steps = t->state.max_steps, .epoch = t->state.epoch,
                    .epochs = (double)t->state.max_steps / (double)(t->updates_per_epoch > 0 ? t->updates_per_epoch : 1),
                    .loss = NAN, .grad_norm = NAN, .learning_rate = NAN, .eval_loss = NAN, .eval_accuracy = NAN,
                    .eval_video_accuracy = NAN, .seconds_left = NAN};
    double all = reel_now() - t->began, training = all - t->saving - t->evaluating;
    if (all > 0) {
        e.wait_share = t->waited / all;
        e.checkpoint_share = t->saving / all;
    }
    if (training > 0)
        e.clips_per_second = (double)t->clips_here / training;
    if (t->steps_here > 0) {
        int64_t left = t->state.max_steps - t->state.step;
        e.seconds_left = training / (double)t->steps_here * (double)left;
        if (t->evaluates && t->updates_per_epoch > 0)
            e.seconds_left += t->last_evaluation * (double)(left / t->updates_per_epoch);
    }
    e.peak_memory = reel_memory_peak();
    return e;
}

void reel_trainer_tell(reel_trainer *t, const reel_event *event)
{
    if (t->fn != NULL && !t->fn(event, t->user))
        t->stop = true;
}

reel_status reel_trainer_skip(reel_trainer *t, const reel_samples *s, const reel_plan *plan, const char *reason,
                              reel_error *err)
{
    char buf[64];
    bool is_new;
    const char *name = reel_samples_name(s, t->data, reel_samples_video(s, t->data, plan), buf);
    if (plan->item != NULL)
        reason = reel_reason_short(reason, plan->item->path);
    reel_status status = reel_state_skip(&t->state, name, reason, &is_new, err);
    if (status != REEL_OK || !is_new)
        return status;
    t->skips_changed = true;
    t->train_skips += s == &t->train;
    reel_log(t->ctx, REEL_LOG_WARNING, "warning", "%s: %s; skipped (%zu of %zu, listed in %s/skipped.csv)", name, reason,
             t->state.n_skips, t->train.videos + t->val.videos, t->dir);
    reel_event e = reel_event_make(t, REEL_EVENT_SKIP);
    e.path = name;
    e.reason = reason;
    reel_trainer_tell(t, &e);
    return REEL_OK;
}
