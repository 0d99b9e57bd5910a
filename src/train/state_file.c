/* trainer_state.json with the fields of transformers' TrainerState, and reel_state.json. */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "train/state.h"

enum { STATE_VERSION = 1, STATE_LIMIT = 256 << 20 };  /* a long run logs much */

/* --- writing --- */

/* {"TrainerControl": {"args": {…}, "attributes": {}}}: Trainer reads it back without complaint. */
static reel_json *callbacks_make(void)
{
    static const char *const flags[] = {"should_epoch_stop", "should_evaluate", "should_log", "should_save",
                                        "should_training_stop"};
    reel_json *all = reel_json_object(), *control = reel_json_object(), *args = reel_json_object();
    bool ok = all != NULL && control != NULL && args != NULL;
    for (size_t i = 0; ok && i < sizeof flags / sizeof *flags; i++)
        ok = reel_json_set_bool(args, flags[i], false);
    ok = ok && reel_json_set(control, "attributes", reel_json_object());
    if (ok) {
        ok = reel_json_set(control, "args", args);
        args = NULL;
    }
    if (ok) {
        ok = reel_json_set(all, "TrainerControl", control);
        control = NULL;
    }
    reel_json_free(control);
    reel_json_free(args);
    if (!ok) {
        reel_json_free(all);
        return NULL;
    }
    return all;
}

static bool best_set(reel_json *j, const reel_state *s, const char *best_dir)
{
    bool ok = reel_json_set_string(j, "best_model_checkpoint", best_dir);
    ok = ok && (s->has_best ? reel_json_set_double(j, "best_metric", s->best_metric)
                            : reel_json_set_string(j, "best_metric", NULL));
    return ok && (s->best_step > 0 ? reel_json_set_int(j, "best_global_step", s->best_step)
                                   : reel_json_set_string(j, "best_global_step", NULL));
}

reel_status reel_trainer_state_write(const reel_state *s, const char *dir, const char *best_dir, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_json *j = reel_json_object();
    bool ok = j != NULL && best_set(j, s, best_dir) && reel_json_set_double(j, "epoch", s->epoch) &&
        reel_json_set_int(j, "eval_steps", s->eval_steps) && reel_json_set_int(j, "global_step", s->step) &&
        reel_json_set_bool(j, "is_hyper_param_search", false) && reel_json_set_bool(j, "is_local_process_zero", true) &&
        reel_json_set_bool(j, "is_world_process_zero", true) && reel_json_set_int(j, "logging_steps", s->logging_steps) &&
        reel_json_set_int(j, "max_steps", s->max_steps) && reel_json_set_int(j, "num_input_tokens_seen", 0) &&
        reel_json_set_int(j, "num_train_epochs", s->epochs) && reel_json_set_int(j, "save_steps", s->save_steps) &&
        reel_json_set_double(j, "total_flos", s->total_flos) && reel_json_set_int(j, "train_batch_size", s->batch) &&
        reel_json_set_string(j, "trial_name", NULL) && reel_json_set_string(j, "trial_params", NULL) &&
        reel_json_set(j, "log_history", reel_json_copy(s->log_history)) &&
        reel_json_set(j, "stateful_callbacks", callbacks_make());
    if (!ok)
        status = reel_fail_nomem(err, dir);
    else
        status = reel_json_write(dir, REEL_TRAINER_STATE_NAME, j, 2, "\n", err);
    reel_json_free(j);
    return status;
}

static reel_json *skips_make(const reel_state *s)
{
    reel_json *list = reel_json_array();
    bool ok = list != NULL;
    for (size_t i = 0; ok && i < s->n_skips; i++) {
        reel_json *entry = reel_json_object();
        ok = entry != NULL && reel_json_set_string(entry, "video", s->skip[i].video) &&
            reel_json_set_string(entry, "reason", s->skip[i].reason);
        ok = reel_json_push(list, entry) && ok;
    }
    if (ok)
        return list;
    reel_json_free(list);
    return NULL;
}

reel_status reel_state_write(const reel_state *s, const char *dir, const reel_json *about, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_json *j = reel_json_object();
    bool ok = j != NULL && reel_json_set_int(j, "version", STATE_VERSION) && reel_json_set_int(j, "stage", s->stage) &&
        reel_json_set_int(j, "updates", s->updates) && reel_json_set_double(j, "loss_sum", (double)s->loss_sum) &&
        reel_json_set_int(j, "loss_steps", s->loss_steps) && reel_json_set_int(j, "last_logged", s->last_logged) &&
        reel_json_set_double(j, "total_loss", s->total_loss) && reel_json_set_int(j, "total_steps", s->total_steps) &&
        reel_json_set_known(j, "grad_norm", s->grad_norm) && reel_json_set_known(j, "learning_rate", s->learning_rate) &&
        reel_json_set(j, "skipped", skips_make(s)) && reel_json_set(j, "about", reel_json_copy(about));
    if (s->by_class != NULL)
        ok = ok && reel_json_set(j, "by_class", reel_json_copy(s->by_class));
    if (!ok)
        status = reel_fail_nomem(err, dir);
    else
        status = reel_json_write(dir, REEL_STATE_NAME, j, 2, "\n", err);
    reel_json_free(j);
    return status;
}

/* --- reading --- */

static reel_status fail_field(const char *path, const char *key, reel_error *err)
{
    return reel_fail(err, REEL_ERR_FORMAT, "%s: %s is missing or not what it should be; the checkpoint is damaged",
                     path, key);
}

static bool read_int(const reel_json *j, const char *key, int64_t *out)
{
    return reel_json_integer(reel_json_get(j, key), out) && *out >= 0;
}

static bool read_number(const reel_json *j, const char *key, double *out)
{
    const reel_json *value = reel_json_get(j, key);
    *out = reel_json_is_number(value) ? reel_json_number(value) : NAN;
    return isfinite(*out);
}

static reel_status trainer_fields(reel_state *s, const reel_json *j, const char *path, reel_error *err)
{
    const struct { const char *key; int64_t *out; } whole[] = {
        {"global_step", &s->step}, {"max_steps", &s->max_steps}, {"num_train_epochs", &s->epochs},
        {"train_batch_size", &s->batch}, {"logging_steps", &s->logging_steps}, {"eval_steps", &s->eval_steps},
        {"save_steps", &s->save_steps},
    };
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (!read_int(j, whole[i].key, whole[i].out))
            return fail_field(path, whole[i].key, err);
    if (!read_number(j, "epoch", &s->epoch))
        return fail_field(path, "epoch", err);
    if (!read_number(j, "total_flos", &s->total_flos))
        return fail_field(path, "total_flos", err);
    s->has_best = read_number(j, "best_metric", &s->best_metric);
    if (!read_int(j, "best_global_step", &s->best_step))
        s->best_step = 0;
    if (!reel_json_is_array(reel_json_get(j, "log_history")))
        return fail_field(path, "log_history", err);
    reel_json_free(s->log_history);
    s->log_history = reel_json_copy(reel_json_get(j, "log_history"));
    return s->log_history == NULL ? reel_fail_nomem(err, path) : REEL_OK;
}

reel_status reel_trainer_state_read(reel_state *s, const char *dir, reel_error *err)
{
    reel_json *json = NULL;
    reel_status status = REEL_OK;
    char *path = reel_path_join(dir, REEL_TRAINER_STATE_NAME);
    if (path == NULL)
        return reel_fail_nomem(err, dir);
    REEL_TRY(reel_json_read(path, STATE_LIMIT, true, &json, err));
    REEL_TRY(trainer_fields(s, json, path, err));
done:
    reel_json_free(json);
    reel_free(path);
    return status;
}

static reel_status skips_read(reel_state *s, const reel_json *list, const char *path, reel_error *err)
{
    for (size_t i = 0; i < reel_json_size(list); i++) {
        const reel_json *entry = reel_json_at(list, i);
        const char *video = reel_json_string(reel_json_get(entry, "video"));
        const char *reason = reel_json_string(reel_json_get(entry, "reason"));
        bool is_new;
        if (video == NULL || reason == NULL)
            return fail_field(path, "skipped", err);
        reel_status status = reel_state_skip(s, video, reason, &is_new, err);
        if (status != REEL_OK)
            return status;
    }
    return REEL_OK;
}

static reel_status state_fields(reel_state *s, const reel_json *j, const char *path, reel_error *err)
{
    int64_t version, stage;
    double sum;
    const struct { const char *key; int64_t *out; } whole[] = {
        {"version", &version}, {"stage", &stage}, {"updates", &s->updates}, {"loss_steps", &s->loss_steps},
        {"last_logged", &s->last_logged}, {"total_steps", &s->total_steps},
    };
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (!read_int(j, whole[i].key, whole[i].out))
            return fail_field(path, whole[i].key, err);
    if (version != STATE_VERSION)
        return reel_fail(err, REEL_ERR_UNSUPPORTED,
                         "%s is of another version of reel, which this one does not continue", path);
    if (stage > REEL_STAGE_DONE)
        return fail_field(path, "stage", err);
    if (!read_number(j, "loss_sum", &sum))
        return fail_field(path, "loss_sum", err);
    if (!read_number(j, "total_loss", &s->total_loss))
        return fail_field(path, "total_loss", err);
    s->stage = (reel_stage)stage;
    s->loss_sum = (float)sum;
    read_number(j, "grad_norm", &s->grad_norm);
    read_number(j, "learning_rate", &s->learning_rate);
    return skips_read(s, reel_json_get(j, "skipped"), path, err);
}

reel_status reel_state_read(reel_state *s, const char *dir, reel_json **about, reel_error *err)
{
    reel_json *json = NULL;
    reel_status status = REEL_OK;
    char *path = reel_path_join(dir, REEL_STATE_NAME);
    *about = NULL;
    if (path == NULL)
        return reel_fail_nomem(err, dir);
    REEL_TRY(reel_json_read(path, STATE_LIMIT, false, &json, err));
    REEL_TRY(state_fields(s, json, path, err));
    if (reel_json_is_object(reel_json_get(json, "by_class"))) {  /* only for the card: who uses it checks it */
        reel_json_free(s->by_class);
        s->by_class = reel_json_copy(reel_json_get(json, "by_class"));
    }
    *about = reel_json_copy(reel_json_get(json, "about"));
    if (*about == NULL)
        status = fail_field(path, "about", err);
done:
    reel_json_free(json);
    reel_free(path);
    return status;
}
