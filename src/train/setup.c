/* From options to a run that is ready for its first step. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/file.h"
#include "base/mem.h"
#include "models/wanted.h"
#include "train/checkpoint.h"
#include "train/moments.h"
#include "train/need.h"
#include "train/outdir.h"
#include "train/resume.h"
#include "train/score.h"
#include "train/trainer.h"
#include "train/told.h"

/* --- options, and what is to be gone on with --- */

static reel_status options_open(reel_trainer *t, const reel_args *args, reel_error *err)
{
    const reel_train_args *given = reel_args_values(args, REEL_JOB_TRAIN);
    reel_json *then = NULL;
    reel_status status = REEL_OK;
    if (given == NULL)
        return reel_fail(err, REEL_ERR_ARG, "reel_train wants the options of REEL_JOB_TRAIN");
    REEL_TRY(reel_state_init(&t->state, err));
    if (!reel_resume_wanted(given->resume_from_checkpoint)) {
        REEL_TRY(reel_args_copy(args, &t->args, err));
        t->o = reel_args_values(t->args, REEL_JOB_TRAIN);
        REEL_TRY(reel_args_check(t->args, err));
        t->dir = reel_path_trim(t->o->output_dir);
        return t->dir != NULL ? REEL_OK : reel_fail_nomem(err, "--output_dir");
    }
    REEL_TRY(reel_resume_find(t->ctx, given->resume_from_checkpoint, given->output_dir, &t->resume_path, &t->dir, err));
    REEL_TRY(reel_trainer_state_read(&t->state, t->resume_path, err));
    REEL_TRY(reel_state_read(&t->state, t->resume_path, &then, err));
    REEL_TRY(reel_options_resume(args, reel_json_get(then, "options"), t->resume_path, &t->args, err));
    REEL_TRY(reel_args_set(t->args, "output_dir", t->dir, err));
    t->o = reel_args_values(t->args, REEL_JOB_TRAIN);
    REEL_TRY(reel_args_check(t->args, err));
    if (*given->model != '\0' || *given->from_config != '\0')
        reel_log(t->ctx, REEL_LOG_NOTE, "resume", "--model and --from_config have no effect: the weights are those of %s",
                 t->resume_path);
    t->about = then;  /* what it was, until the data are known */
    t->resumed_from = t->state.step;
    then = NULL;
done:
    reel_json_free(then);
    return status;
}

/* --- the folder --- */

static reel_status dir_look(reel_trainer *t, reel_error *err)
{
    if (!reel_exists(t->dir))
        return REEL_OK;
    if (!reel_is_dir(t->dir))
        return reel_fail(err, REEL_ERR_EXISTS, "--output_dir %s is there and is not a folder", t->dir);
    /* a plan writes nothing, not even a lock */
    reel_status status = t->o->plan ? REEL_OK : reel_lock_take(t->ctx, t->dir, &t->lock, err);
    if (status == REEL_OK)
        status = t->resume_path != NULL
                     ? reel_outdir_resume_check(t->dir, t->resume_path, err)
                     : reel_outdir_check(t->dir, t->o->overwrite_output_dir, t->o->model, t->o->data, err);
    return status;
}

static reel_status dir_begin(reel_trainer *t, reel_error *err)
{
    reel_status status = REEL_OK;
    if (t->lock.path == NULL) {
        t->made_dir = !reel_exists(t->dir);
        REEL_TRY(reel_dir_make(t->dir, err));
        REEL_TRY(reel_lock_take(t->ctx, t->dir, &t->lock, err));
        REEL_TRY(reel_outdir_check(t->dir, false, "", "", err));  /* made by someone else meanwhile? */
    }
    REEL_TRY(reel_checkpoint_clear_stale(t->dir, err));
    if (t->resume_path == NULL)  /* what the check let pass is a former run's, or its list of skipped videos */
        REEL_TRY(reel_outdir_clear(t->dir, err));
done:
    return status;
}

/* --- data --- */

static reel_status data_open(reel_trainer *t, reel_error *err)
{
    reel_json *now = NULL;
    reel_status status = REEL_OK;
    REEL_TRY(reel_dataset_open(t->ctx, t->o->data, &t->data, err));
    const reel_dataset *ds = t->data;
    t->train_split = ds->is_packed ? 0 : reel_dataset_split(ds, "train");
    t->val_split = ds->is_packed ? -1 : reel_dataset_split(ds, "val");
    if (t->train_split < 0)
        t->train_split = reel_dataset_split(ds, "all");
    if (t->train_split < 0) {
        status = reel_fail(err, REEL_ERR_NOT_FOUND, "%s has no split called train; it has %s", ds->path,
                           ds->n_splits > 0 ? ds->splits[0] : "nothing");
        goto done;
    }
    if (ds->n_classes < 2) {
        status =
            reel_fail(err, REEL_ERR_MISMATCH, "%s has %s%s; telling classes apart takes at least two", ds->path,
                      ds->n_classes == 1 ? "only one class: " : "no class", ds->n_classes == 1 ? ds->classes[0] : "");
        goto done;
    }
    now = reel_about_make(t->ctx, reel_options_json(t->args), t->precision, ds, t->train_split, t->val_split);
    if (now == NULL) {
        status = reel_fail_nomem(err, ds->path);
        goto done;
    }
    if (t->about != NULL)
        REEL_TRY(reel_about_compare(t->ctx, now, t->about, t->resume_path, err));
    reel_json_free(t->about);
    t->about = now;
    now = NULL;
    reel_told_data(t->ctx, ds);
done:
    reel_json_free(now);
    return status;
}

/* --- model --- */

static reel_status model_open(reel_trainer *t, reel_error *err)
{
    reel_load_report report = {0};
    reel_status status = REEL_OK;
    reel_load_options options = {.labels = t->data->classes, .n_labels = t->data->n_classes, .seed = (uint64_t)t->o->seed,
                                 .num_frames = (int)t->o->num_frames,
                                 .ignore_mismatched = t->o->ignore_mismatched_sizes};
    if (t->resume_path != NULL) {
        options.need_all = true;
        options.ignore_mismatched = false;  /* a checkpoint of ours is taken as it is or not at all */
        status = reel_model_load(t->ctx, t->resume_path, &options, &t->model, &report, err);
    } else if (*t->o->from_config != '\0') {
        status = reel_model_create(t->ctx, t->o->from_config, &options, &t->model, err);
    } else {
        status = reel_model_load(t->ctx, t->o->model, &options, &t->model, &report, err);
    }
    if (status != REEL_OK)
        goto done;
    reel_told_model(t->ctx, t->model,
                    t->resume_path != NULL ? t->resume_path
                    : *t->o->from_config   ? t->o->from_config
                                           : t->o->model,
                    &report);
    const reel_config *c = &t->model->config;
    const char *problem = reel_json_string(reel_json_get(c->json, "problem_type"));
    if (problem != NULL && strcmp(problem, "single_label_classification") != 0) {
        status = reel_fail(err, REEL_ERR_UNSUPPORTED, "config.json says problem_type %s; a data set of classes trains "
                           "single_label_classification. Remove problem_type from config.json.", problem);
        goto done;
    }
    t->clip_floats = (size_t)c->frames * (size_t)c->channels * (size_t)c->height * (size_t)c->width;
    t->clip_seconds = t->o->clip_duration > 0 ? t->o->clip_duration : c->frames * t->o->sample_rate / t->o->fps;
    reel_pixel_kernels_select(&t->kernels, t->ctx->cpu_flags);
    t->eval_transform = (reel_transform){.kind = REEL_TRANSFORM_EVAL,
                                         .processor = &t->model->processor,
                                         .height = c->height,
                                         .width = c->width,
                                         .kernels = &t->kernels};
    t->train_transform = t->eval_transform;
    if (strcmp(t->o->train_transform, "train") == 0)
        t->train_transform.kind = REEL_TRANSFORM_TRAIN;
    else if (strcmp(t->o->train_transform, "processor") == 0)
        t->train_transform.kind = REEL_TRANSFORM_PROCESSOR;
    t->train_transform.min_size = (int)t->o->min_size;
    t->train_transform.max_size = (int)t->o->max_size;
    t->train_transform.flip = t->o->flip;
    if (t->data->is_packed)
        status = reel_packed_check(t->data, c, err);
done:
    reel_load_report_free(&report);
    return status;
}

/* --- the plan --- */

static int64_t steps_of(double value, int64_t total)
{
    return value < 1 ? (int64_t)ceil((double)total * value) : (int64_t)value;
}

static reel_status samples_open(reel_trainer *t, reel_error *err)
{
    reel_sampling sampling = {.seconds = t->clip_seconds, .autorotate = t->o->autorotate};
    reel_status status = REEL_OK;
    sampling.sampler = strcmp(t->o->train_sampler, "uniform") == 0 ? REEL_SAMPLER_UNIFORM : REEL_SAMPLER_RANDOM;
    REEL_TRY(reel_samples_open(t->ctx, t->data, t->train_split, &sampling, &t->train, err));
    if (t->train.n == 0) {
        status = reel_fail(err, REEL_ERR_NOT_FOUND, "%s: the split train holds no video", t->data->path);
        goto done;
    }
    t->evaluates = strcmp(t->o->eval_strategy, "no") != 0;
    if (t->val_split >= 0 && (t->evaluates || t->o->eval_on_start)) {
        sampling.sampler = REEL_SAMPLER_UNIFORM;
        REEL_TRY(reel_samples_open(t->ctx, t->data, t->val_split, &sampling, &t->val, err));
        if (t->val.videos > 0 && t->val.unreadable == t->val.videos) {  /* better now than after an epoch */
            status = reel_fail(err, REEL_ERR_FORMAT,
                               "none of the %zu val videos could be read; the first is %s. Mend them, or train without "
                               "evaluation: --eval_strategy no.",
                               t->val.videos, t->data->item[t->val.first].shown);
            goto done;
        }
    } else if (t->evaluates)
        reel_log(t->ctx, REEL_LOG_NOTE, "data",
                 "no split called val: nothing is evaluated while training, and the result is the last model");
    t->evaluates = t->evaluates && t->val.n > 0;
done:
    return status;
}

static void best_plan(reel_trainer *t)
{
    static const char *const metrics[] = {"eval_accuracy", "eval_video_accuracy", "eval_loss"};
    t->metric = metrics[0];
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
        if (strcmp(t->o->metric_for_best_model, metrics[i]) == 0 ||
            strcmp(t->o->metric_for_best_model, metrics[i] + strlen("eval_")) == 0)
            t->metric = metrics[i];
    t->greater = t->o->greater_is_better;
    t->saves_best = strcmp(t->o->save_strategy, "best") == 0;
    t->keeps_best = t->evaluates && t->o->load_best_model_at_end && strcmp(t->o->save_strategy, "no") != 0;
}

static reel_status steps_plan(reel_trainer *t, reel_error *err)
{
    const reel_train_args *o = t->o;
    reel_state *s = &t->state;
    int64_t batch = o->per_device_train_batch_size, n = (int64_t)t->train.n, accumulate = o->gradient_accumulation_steps;
    t->batches = o->dataloader_drop_last ? n / batch : (n + batch - 1) / batch;
    if (t->batches == 0)
        return reel_fail(err, REEL_ERR_ARG,
                         "%lld clips do not fill one batch of %lld, and --dataloader_drop_last leaves the rest out",
                         (long long)n, (long long)batch);
    t->group = batch * accumulate;
    t->updates_per_epoch = (t->batches + accumulate - 1) / accumulate;
    double wanted = ceil(o->num_train_epochs * (double)t->updates_per_epoch);
    int64_t total = o->max_steps > 0 ? o->max_steps : wanted < 1e15 ? (int64_t)wanted : (int64_t)1e15;
    s->max_steps = total;
    s->epochs = o->max_steps > 0 ? (total + t->updates_per_epoch - 1) / t->updates_per_epoch
                                 : (int64_t)ceil(o->num_train_epochs);
    s->batch = batch;
    s->logging_steps = steps_of(o->logging_steps, total);
    s->eval_steps = o->eval_steps > 0                        ? steps_of(o->eval_steps, total)
                    : strcmp(o->eval_strategy, "steps") == 0 ? s->logging_steps
                                                             : 500;
    s->save_steps = steps_of(o->save_steps, total);
    if (s->logging_steps < 1 || s->eval_steps < 1)
        return reel_fail(err, REEL_ERR_ARG, "--logging_steps and --eval_steps must be above 0");
    return reel_schedule_open(o->lr_scheduler_type, o->lr_scheduler_kwargs, o->learning_rate,
                              reel_warmup_steps(o->warmup_steps, o->warmup_ratio, total), total, &t->schedule, err);
}

/* What it needs and how long it is; a run that will not fit says so here and not when it is killed. */
static reel_status memory_plan(reel_trainer *t, reel_error *err)
{
    reel_need need;
    reel_status status = reel_train_need(t, &need, err);
    if (status == REEL_OK)
        status = reel_train_need_check(t, &need, err);
    if (status != REEL_OK)
        return status;
    char epochs[32] = "";
    if (t->o->max_steps <= 0)
        snprintf(epochs, sizeof epochs, "%g epochs, ", t->o->num_train_epochs);
    reel_log(t->ctx, REEL_LOG_NOTE, "plan", "%s%lld steps of %lld clips; memory %.1f of %.1f GB", epochs,
             (long long)t->state.max_steps, (long long)t->group, (double)need.total / 1e9, (double)need.room / 1e9);
    return REEL_OK;
}

static reel_status run_open(reel_trainer *t, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_run_settings settings = reel_train_settings(t, t->o->per_device_train_batch_size);
    settings.release = t->model;
    REEL_TRY(reel_run_open_with(t->model, &settings, NULL, &t->run, err));
    if (t->resume_path == NULL)
        return REEL_OK;
    int64_t updates;
    REEL_TRY(reel_moments_read(t->run, &t->model->params, &updates, t->resume_path, err));
    if (updates != t->state.updates) {
        status = reel_fail(err, REEL_ERR_FORMAT,
                           "%s: " REEL_MOMENTS_NAME " and " REEL_STATE_NAME " are of different steps; the checkpoint "
                                                                            "is damaged",
                           t->resume_path);
        goto done;
    }
    reel_log(t->ctx, REEL_LOG_NOTE, "resume", "going on from %s, step %lld of %lld", t->resume_path,
             (long long)t->state.step, (long long)t->state.max_steps);
done:
    return status;
}

/* The processor, what is computed in, and what else it could. */
static void machine_told(reel_trainer *t)
{
    const char *why = NULL;
    t->precision = reel_precision_usable(t->ctx, t->o->bf16 ? REEL_PRECISION_BFLOAT16 : REEL_PRECISION_FLOAT32, &why);
    const bool could = !t->o->bf16 && reel_precision_usable(t->ctx, REEL_PRECISION_BFLOAT16, NULL) == REEL_PRECISION_BFLOAT16;
    reel_log(t->ctx, REEL_LOG_NOTE, "machine", "%s, %s%s", reel_context_machine(t->ctx), reel_precision_short(t->precision),
             could ? "      (it has fast bf16 products: --bf16)" : "");
    if (why != NULL)
        reel_log(t->ctx, REEL_LOG_WARNING, "warning", "--bf16: %s", why);
}

reel_status reel_trainer_plan(reel_trainer *t, const reel_args *args, reel_error *err)
{
    reel_status status = REEL_OK;
    t->resumed_from = t->saved_step = -1;
    t->began = reel_now();
    REEL_TRY(options_open(t, args, err));
    REEL_TRY(dir_look(t, err));
    machine_told(t);
    REEL_TRY(data_open(t, err));
    REEL_TRY(model_open(t, err));
    REEL_TRY(samples_open(t, err));
    best_plan(t);
    REEL_TRY(steps_plan(t, err));
    t->loaders = reel_train_loaders(t->ctx, t->o->dataloader_num_workers, t->data->is_packed);
done:
    return status;
}

reel_status reel_trainer_open(reel_trainer *t, const reel_args *args, reel_error *err)
{
    reel_status status = REEL_OK;
    REEL_TRY(reel_trainer_plan(t, args, err));
    REEL_TRY(memory_plan(t, err));
    REEL_TRY(reel_cache_open(t->ctx, reel_cache_bytes(t->o->dataloader_cache_mb), &t->cache, err));
    REEL_TRY(run_open(t, err));
    REEL_TRY(reel_trainer_push_begin(t, err));
    REEL_TRY(dir_begin(t, err));
    if (t->resume_path != NULL) {
        t->saved_step = t->state.step;
        t->saved_now = true;
    }
done:
    return status;
}

void reel_trainer_close(reel_trainer *t)
{
    reel_lock_drop(&t->lock);
    if (t->made_dir)
        rmdir(t->dir);  /* only if nothing came into it */
    reel_run_close(&t->run);
    reel_cache_close(&t->cache);
    reel_samples_free(&t->train);
    reel_samples_free(&t->val);
    reel_model_close(&t->model);
    reel_dataset_close(&t->data);
    reel_state_free(&t->state);
    reel_json_free(t->about);
    reel_args_close(&t->args);
    reel_free(t->resume_path);
    reel_free(t->hub_id);
    reel_free(t->dir);
    *t = (reel_trainer){0};
}
