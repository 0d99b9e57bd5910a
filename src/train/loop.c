/* The loop over epochs and steps, as Trainer runs it (models-and-training, 4.2). */
#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "train/checkpoint.h"
#include "train/score.h"
#include "train/trainer.h"

static reel_status fail_not_finite(const reel_trainer *t, const char *what, double value, reel_error *err)
{
    return reel_fail(err, REEL_ERR_NUMERIC,
                     "step %lld: the %s is not a finite number (%g), so the run cannot go on. The weights of the step "
                     "before were not changed. A smaller --learning_rate or more --warmup_steps may help.",
                     (long long)t->state.step + 1, what, value);
}

/* Forward and backward of a step's clips in micro batches; the loss of each is its sum over the clips of all of them,
 * so the result does not depend on the split. *sum: added in float32, as Trainer adds it. */
static reel_status gradients_make(reel_trainer *t, const reel_batch *batch, float *sum, reel_error *err)
{
    size_t size = (size_t)t->o->per_device_train_batch_size;
    uint64_t draw = (uint64_t)t->state.step * (uint64_t)t->o->gradient_accumulation_steps;
    reel_status status = REEL_OK;
    for (size_t at = 0; at < batch->n && status == REEL_OK; at += size, draw++) {
        size_t n = batch->n - at < size ? batch->n - at : size;
        double value = NAN;
        reel_loss loss = {.kind = REEL_LOSS_SINGLE,
                          .label_smoothing = t->o->label_smoothing_factor,
                          .label = batch->label + at,
                          .items = (double)batch->n};
        status = reel_run_train(t->run, batch->pixels + at * t->clip_floats, n, &loss, at > 0, (uint64_t)t->o->seed,
                                draw, &value, NULL, err);
        if (status == REEL_OK && !isfinite(value))
            status = fail_not_finite(t, "loss", value, err);
        *sum += (float)value;
        t->state.total_flos += 6.0 * (double)(n * t->clip_floats) * (double)t->model->params.named;
    }
    return status;
}

/* max_norm / (norm + 1e-6), at most 1, in float32 as torch's clip_grad_norm_. */
static double clip_factor(double norm, double max_norm)
{
    if (max_norm <= 0)
        return 1;
    float f = (float)max_norm / ((float)norm + 1e-6f);
    return f < 1 ? (double)f : 1;
}

static reel_status weights_step(reel_trainer *t, reel_error *err)
{
    const reel_train_args *o = t->o;
    double norm = NAN;
    reel_status status = reel_run_grad_norm(t->run, &norm, err);
    if (status != REEL_OK)
        return status;
    if (!isfinite(norm))
        return fail_not_finite(t, "norm of the gradient", norm, err);
    reel_adamw_options a = {.lr = t->state.learning_rate,
                            .beta1 = o->adam_beta1,
                            .beta2 = o->adam_beta2,
                            .epsilon = o->adam_epsilon,
                            .weight_decay = o->weight_decay,
                            .grad_scale = clip_factor(norm, o->max_grad_norm),
                            .step = t->state.updates + 1};
    status = reel_run_adamw(t->run, &a, err);
    if (status == REEL_OK) {
        t->state.updates++;
        t->state.grad_norm = norm;
    }
    return status;
}

static reel_status bad_clips_note(reel_trainer *t, const reel_plan *plans, const reel_batch *batch, reel_error *err)
{
    reel_status status = REEL_OK;
    for (size_t i = 0; i < batch->bads && status == REEL_OK; i++)
        status = reel_trainer_skip(t, &t->train, &plans[batch->bad[i].plan], batch->bad[i].reason, err);
    if (status == REEL_OK && batch->bads > 0 && t->state.updates == 0 && batch->n == 0 &&
        t->train_skips >= t->train.videos)
        status = reel_fail(err, REEL_ERR_FORMAT, "none of the %zu training videos could be read; the first is %s: %s",
                           t->train.videos, t->state.skip[0].video, t->state.skip[0].reason);
    return status;
}

/* One optimizer step. A batch without a readable clip changes nothing, but counts. */
static reel_status step_do(reel_trainer *t, const reel_plan *plans, const reel_batch *batch, int64_t in_epoch,
                           int64_t epoch, reel_error *err)
{
    reel_state *s = &t->state;
    reel_status status = REEL_OK;
    double began = reel_now(), flos = s->total_flos;
    float sum = s->loss_sum;
    t->waited += batch->waited;
    REEL_TRY(bad_clips_note(t, plans, batch, err));
    double lr_before = s->learning_rate;
    s->learning_rate = reel_schedule_lr(&t->schedule, s->step);
    if (batch->n > 0) {
        status = gradients_make(t, batch, &sum, err);
        if (status == REEL_OK)
            status = weights_step(t, err);
        if (status != REEL_OK) {  /* as if the step had not begun */
            s->learning_rate = lr_before;
            s->total_flos = flos;
            goto done;
        }
        s->loss_sum = sum;
        s->loss_steps++;
    } else
        s->grad_norm = NAN;
    s->step++;
    int64_t batches = (in_epoch + 1) * t->o->gradient_accumulation_steps;
    s->epoch = (double)epoch + (double)(batches < t->batches ? batches : t->batches) / (double)t->batches;
    s->stage = REEL_STAGE_STEPPED;
    t->saved_now = false;
    t->steps_here++;
    t->clips_here += (int64_t)batch->n;
    reel_event e = reel_event_make(t, REEL_EVENT_STEP);
    e.loss = batch->n > 0 && s->loss_steps > 0 ? (double)s->loss_sum / (double)s->loss_steps : NAN;
    e.grad_norm = s->grad_norm;
    e.learning_rate = s->learning_rate;
    e.seconds = reel_now() - began + batch->waited;
    reel_trainer_tell(t, &e);
    if ((s->step == 1 && t->o->logging_first_step) ||
        (strcmp(t->o->logging_strategy, "steps") == 0 && s->step % s->logging_steps == 0))
        status = reel_trainer_log(t, err);
done:
    return status;
}

/* The steps of one epoch that are still to do. */
static reel_status epoch_do(reel_trainer *t, int64_t epoch, int64_t first, reel_error *err)
{
    reel_state *s = &t->state;
    reel_status status = REEL_OK;
    reel_plan *plans = NULL;
    reel_loader *loader = NULL;
    const reel_batch *batch;
    uint64_t seed = (uint64_t)(t->o->data_seed >= 0 ? t->o->data_seed : t->o->seed);
    int64_t last = t->updates_per_epoch, left = s->max_steps - s->step;
    last = last - first > left ? first + left : last;
    size_t clips = t->o->dataloader_drop_last ? (size_t)(t->batches * t->o->per_device_train_batch_size) : t->train.n;
    size_t wanted = (size_t)(last * t->group) < clips ? (size_t)(last * t->group) : clips,
           begin = (size_t)(first * t->group);
    REEL_TRY(reel_samples_epoch(&t->train, seed, (uint32_t)epoch, t->o->shuffle, wanted, &plans, err));
    reel_loader_config config = {.dataset = t->data,
                                 .plan = plans + begin,
                                 .plans = wanted - begin,
                                 .batch = (size_t)t->group,
                                 .transform = &t->train_transform,
                                 .frames = t->model->config.frames,
                                 .clip_floats = t->clip_floats,
                                 .threads = t->loaders,
                                 .ahead = 2,
                                 .autorotate = t->o->autorotate,
                                 .cache = t->cache,
                                 .skip_truncated = true};
    REEL_TRY(reel_loader_open(t->ctx, &config, &loader, err));
    for (int64_t k = first; k < last; k++) {
        if (t->stop || reel_cancelled(t->ctx)) {
            status = reel_fail_cancelled(err);
            goto done;
        }
        REEL_TRY(reel_loader_next(loader, &batch, err));
        if (batch == NULL) {
            status = reel_fail(err, REEL_ERR_FORMAT, "the loader ended before epoch %lld did", (long long)epoch + 1);
            goto done;
        }
        REEL_TRY(step_do(t, config.plan, batch, k, epoch, err));
        if (k + 1 == last)
            reel_loader_close(&loader);  /* its memory and threads are not wanted while evaluating */
        REEL_TRY(reel_trainer_after_step(t, err));
    }
done:
    reel_loader_close(&loader);
    reel_free(plans);
    return status;
}

/* Stopped: keep what whole steps have made. */
static reel_status put_in_order(reel_trainer *t, reel_error *err)
{
    reel_status status = REEL_OK;
    /* with --save_only_model too: a run can go on only from a whole checkpoint */
    if (t->state.step > 0 && (!t->saved_now || t->o->save_only_model)) {
        t->saves_all = true;
        status = reel_trainer_save(t, err);
    }
    if (status != REEL_OK)
        return status;
    char *path = t->saved_step > 0 ? reel_checkpoint_path(t->dir, t->saved_step) : NULL;
    status = path != NULL ? reel_fail(err, REEL_ERR_CANCELLED, "stopped at step %lld; everything is in %s",
                                      (long long)t->state.step, path)
                          : reel_fail(err, REEL_ERR_CANCELLED, "stopped before the first step was done");
    reel_free(path);
    return status;
}

static reel_status loop(reel_trainer *t, reel_error *err)
{
    reel_state *s = &t->state;
    reel_status status = REEL_OK;
    t->began = reel_now();
    reel_event e = reel_event_make(t, REEL_EVENT_START);
    reel_trainer_tell(t, &e);
    if (s->step == 0 && t->o->eval_on_start && t->val.n > 0)
        REEL_TRY(reel_trainer_evaluate(t, err));
    if (s->stage != REEL_STAGE_DONE)  /* stopped in the midst of an evaluation */
        REEL_TRY(reel_trainer_after_step(t, err));
    while (s->step < s->max_steps)
        REEL_TRY(epoch_do(t, s->step / t->updates_per_epoch, s->step % t->updates_per_epoch, err));
    if (s->updates == 0)
        status = reel_fail(err, REEL_ERR_FORMAT,
                           "no step had a video that could be read, so nothing was learned and no model is written; the "
                           "first is %s: %s",
                           s->n_skips > 0 ? s->skip[0].video : "?", s->n_skips > 0 ? s->skip[0].reason : "?");
done:
    return status;
}

/* Adds the newest checkpoint to the message. */
static void say_where(const reel_trainer *t, reel_error *err)
{
    char *last = t->saved_step >= 0 ? reel_checkpoint_path(t->dir, t->saved_step) : NULL;
    if (err != NULL) {
        reel_error why = *err;
        reel_fail(err, why.status, "%s The last checkpoint is %s.", why.message, last != NULL ? last : "none");
    }
    reel_free(last);
}

reel_status reel_trainer_loop(reel_trainer *t, reel_error *err)
{
    reel_status status = loop(t, err);
    if (status == REEL_ERR_CANCELLED)
        return put_in_order(t, err);
    if (status != REEL_OK && t->skips_changed)
        reel_skips_write(&t->state, t->dir, NULL);
    /* bad data, or a loss that is no number, must not cost what was learned: memory holds the last whole step */
    if ((status == REEL_ERR_FORMAT || status == REEL_ERR_NUMERIC) && t->state.updates > 0 && !t->saved_now)
        reel_trainer_save(t, NULL);
    if (status == REEL_ERR_NUMERIC)
        say_where(t, err);
    return status;
}
