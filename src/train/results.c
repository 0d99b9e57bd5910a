/* What a finished run leaves in its folder: the model that counts, and its figures in Hugging Face's files. */
#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "base/file.h"
#include "base/mem.h"
#include "train/checkpoint.h"
#include "train/manifest.h"
#include "train/metrics.h"
#include "train/trainer.h"

/* Mean over all steps of the run, those before a stop included. */
static double train_loss(const reel_state *s)
{
    int64_t steps = s->total_steps + s->loss_steps;
    return steps > 0 ? (s->total_loss + (double)s->loss_sum) / (double)steps : NAN;
}

static reel_json *train_metrics(const reel_trainer *t, double seconds)
{
    const reel_state *s = &t->state;
    double samples =
        t->o->max_steps > 0 ? (double)(s->max_steps * t->group) : (double)t->train.n * t->o->num_train_epochs;
    samples *= (double)t->steps_here / (double)(s->max_steps > 0 ? s->max_steps : 1);
    double loss = train_loss(s);
    reel_json *j = reel_json_object();
    bool ok = j != NULL && reel_json_set_double(j, "train_runtime", reel_rounded(seconds, 1e4)) &&
              reel_json_set_double(j, "train_samples_per_second", reel_rounded(samples / seconds, 1e3)) &&
              reel_json_set_double(j, "train_steps_per_second", reel_rounded((double)t->steps_here / seconds, 1e3)) &&
              reel_json_set_double(j, "total_flos", s->total_flos) &&
              (isnan(loss) || reel_json_set_double(j, "train_loss", loss));
    if (ok)
        return j;
    reel_json_free(j);
    return NULL;
}

/* The weights of the result. */
typedef struct final_weights { const float *numbers; float *copy; } final_weights;

static reel_status last_weights(reel_trainer *t, final_weights *w, reel_error *err)
{
    return reel_run_lend(t->run, REEL_BLOCK_WEIGHTS, &w->numbers, &w->copy, err);
}

/* Best weights, all tensors: read back from the checkpoint, whose hashes are checked. */
static reel_status best_restore(reel_trainer *t, char **path, final_weights *w, reel_error *err)
{
    *path = NULL;
    if (!t->keeps_best || t->state.best_step <= 0)
        return last_weights(t, w, err);
    *path = reel_checkpoint_path(t->dir, t->state.best_step);
    if (*path == NULL)
        return reel_fail_nomem(err, t->dir);
    if (t->state.best_step == t->state.step)
        return last_weights(t, w, err);
    reel_error why;
    reel_status status = reel_manifest_check(*path, true, NULL, &why);
    w->copy = status == REEL_OK ? reel_calloc(t->model->params.floats, sizeof *w->copy) : NULL;
    if (status == REEL_OK)
        status = w->copy != NULL ? reel_model_reload(t->model, *path, w->copy, &why) : reel_fail_nomem(&why, *path);
    if (status == REEL_OK) {
        w->numbers = w->copy;
        return REEL_OK;
    }
    /* removed or damaged meanwhile: hours of work are not thrown away for that */
    reel_log(t->ctx, REEL_LOG_WARNING, "warning", "%s; the best model is lost, and the result is the last one",
             why.message);
    reel_free(w->copy);
    reel_free(*path);
    *path = NULL;
    t->state.best_step = 0;
    return last_weights(t, w, err);
}

/* The evaluation of the model that the folder gets. */
const reel_json *reel_trainer_eval_entry(const reel_trainer *t)
{
    const reel_json *best =
        t->keeps_best && t->state.best_step > 0 ? reel_state_evaluation(&t->state, t->state.best_step) : NULL;
    return best != NULL ? best : reel_state_evaluation(&t->state, t->state.step);
}

static bool merge(reel_json *into, const reel_json *from)
{
    bool ok = true;
    for (void *it = reel_json_first(from); ok && it != NULL; it = reel_json_next(from, it))
        ok = reel_json_set(into, reel_json_key(it), reel_json_copy(reel_json_value(it)));
    return ok;
}

static reel_status metrics_write(const reel_trainer *t, const reel_json *train, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_json *all = reel_json_object(), *eval = NULL;
    const reel_json *entry = reel_trainer_eval_entry(t);
    if (entry != NULL && (eval = reel_json_copy(entry)) != NULL)
        reel_json_remove(eval, "step");
    if (all == NULL || (entry != NULL && eval == NULL) || (eval != NULL && !merge(all, eval)) || !merge(all, train)) {
        status = reel_fail_nomem(err, t->dir);
        goto done;
    }
    REEL_TRY(reel_json_write(t->dir, "train_results.json", train, 4, "", err));
    if (eval != NULL)
        REEL_TRY(reel_json_write(t->dir, "eval_results.json", eval, 4, "", err));
    REEL_TRY(reel_json_write(t->dir, "all_results.json", all, 4, "", err));
done:
    reel_json_free(all);
    reel_json_free(eval);
    return status;
}

/* With --save_total_limit 1 the last checkpoint made room for two; now only the best one counts. */
static reel_status last_retention(reel_trainer *t, reel_error *err)
{
    reel_checkpoints all = {0};
    if (t->o->save_total_limit != 1 || !t->keeps_best || t->state.best_step <= 0)
        return REEL_OK;
    reel_status status = reel_checkpoints_list(t->dir, &all, err);
    for (size_t i = 0; i < all.n && status == REEL_OK; i++)
        if (all.step[i] != t->state.best_step) {
            status = reel_checkpoint_remove(t->dir, all.step[i], err);
            t->saved_step = t->saved_step == all.step[i] ? t->state.best_step : t->saved_step;
        }
    reel_checkpoints_free(&all);
    return status;
}

reel_status reel_trainer_finish(reel_trainer *t, reel_error *err)
{
    reel_status status = REEL_OK;
    double seconds = reel_now() - t->began;
    char *best = NULL;
    final_weights weights = {0};
    reel_json *train = train_metrics(t, seconds), *entry = train != NULL ? reel_json_copy(train) : NULL;
    REEL_TRY(reel_state_log(&t->state, entry, err));
    bool ok = reel_json_set_double(train, "epoch", t->state.epoch);
    if (!ok) {
        status = reel_fail_nomem(err, t->dir);
        goto done;
    }
    REEL_TRY(best_restore(t, &best, &weights, err));
    REEL_TRY(reel_model_save(t->model, t->dir, "single_label_classification", weights.numbers, err));
    REEL_TRY(metrics_write(t, train, err));
    REEL_TRY(reel_skips_write(&t->state, t->dir, err));
    REEL_TRY(last_retention(t, err));
    if (best == NULL && t->state.best_step > 0) {  /* not restored, but named where it is there, as Trainer does */
        best = reel_checkpoint_path(t->dir, t->state.best_step);
        if (best != NULL && !reel_is_dir(best)) {
            reel_free(best);
            best = NULL;
        }
    }
    REEL_TRY(reel_trainer_state_write(&t->state, t->dir, best, err));  /* last: it marks the run as finished */
    reel_event e = reel_event_make(t, REEL_EVENT_END);
    e.loss = train_loss(&t->state);
    e.seconds = seconds;
    e.path = t->dir;
    reel_trainer_tell(t, &e);
done:
    reel_json_free(train);
    reel_free(best);
    reel_free(weights.copy);
    return status;
}

/* --- the result handed out: one block of texts behind the struct --- */

typedef struct owned_result { reel_train_result shown; char *dir, *best, *last, *url, *commit; } owned_result;

reel_status reel_trainer_result(const reel_trainer *t, const reel_hub_uploaded *pushed, reel_train_result **out, reel_error *err)
{
    reel_event e = reel_event_make(t, REEL_EVENT_END);
    owned_result *r = reel_calloc(1, sizeof *r);
    if (r == NULL)
        return reel_fail_nomem(err, "the result of a run");
    r->dir = reel_strdup(t->dir);
    r->best = t->keeps_best && t->state.best_step > 0 ? reel_checkpoint_path(t->dir, t->state.best_step) : NULL;
    r->last = t->saved_step > 0 ? reel_checkpoint_path(t->dir, t->saved_step) : NULL;
    r->url = pushed != NULL ? reel_strdup(pushed->url) : NULL;
    r->commit = pushed != NULL ? reel_strdup(pushed->commit) : NULL;
    double best = NAN;
    const reel_json *entry = reel_trainer_eval_entry(t);
    if (entry != NULL)
        best = reel_json_number(reel_json_get(entry, "eval_accuracy"));
    r->shown = (reel_train_result){.steps = t->state.step,
                                   .train_loss = train_loss(&t->state),
                                   .seconds = reel_now() - t->began,
                                   .wait_share = e.wait_share,
                                   .checkpoint_share = e.checkpoint_share,
                                   .best_accuracy = best,
                                   .output_dir = r->dir,
                                   .best_checkpoint = r->best,
                                   .last_checkpoint = r->last,
                                   .skipped = t->state.n_skips,
                                   .peak_memory = e.peak_memory,
                                   .hub_url = r->url,
                                   .hub_commit = r->commit};
    *out = &r->shown;
    return REEL_OK;
}

void reel_train_result_close(reel_train_result **result)
{
    if (result == NULL || *result == NULL)
        return;
    owned_result *r = (owned_result *)(void *)*result;
    reel_free(r->dir);
    reel_free(r->best);
    reel_free(r->last);
    reel_free(r->url);
    reel_free(r->commit);
    reel_free(r);
    *result = NULL;
}
