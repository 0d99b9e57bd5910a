#include "train/checkpoint.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "format/processor_names.h"
#include "train/manifest.h"
#include "train/moments.h"

#define PREFIX "checkpoint-"

/* --- names --- */

bool reel_checkpoint_step(const char *name, int64_t *step)
{
    size_t n = strlen(PREFIX);
    if (strncmp(name, PREFIX, n) != 0 || name[n] < '0' || name[n] > '9' || (name[n] == '0' && name[n + 1] != '\0'))
        return false;
    return reel_parse_int(name + n, step);
}

char *reel_checkpoint_path(const char *dir, int64_t step)
{
    size_t n = strlen(dir);
    return reel_format("%s%s" PREFIX "%lld", dir, n > 0 && dir[n - 1] == '/' ? "" : "/", (long long)step);
}

static int compare_steps(const void *a, const void *b)
{
    int64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

static bool has_manifest(const char *dir, const char *name)
{
    char *path = reel_format("%s/%s/" REEL_MANIFEST_NAME, dir, name);
    bool yes = path != NULL && reel_is_file(path);
    reel_free(path);
    return yes;
}

reel_status reel_checkpoints_list(const char *dir, reel_checkpoints *out, reel_error *err)
{
    reel_names names = {0};
    *out = (reel_checkpoints){0};
    reel_status status = reel_dir_list(dir, &names, err);
    if (status != REEL_OK)
        return status;
    out->step = reel_calloc(names.n, sizeof *out->step);
    if (out->step == NULL)
        status = reel_fail_nomem(err, dir);
    for (size_t i = 0; i < names.n && status == REEL_OK; i++) {
        int64_t step;
        if (reel_checkpoint_step(names.name[i], &step) && has_manifest(dir, names.name[i]))
            out->step[out->n++] = step;
    }
    if (out->n > 0)
        qsort(out->step, out->n, sizeof *out->step, compare_steps);
    reel_names_free(&names);
    return status;
}

void reel_checkpoints_free(reel_checkpoints *c)
{
    reel_free(c->step);
    *c = (reel_checkpoints){0};
}

const char *const reel_result_file[REEL_RESULT_FILES] = {
    "config.json", "model.safetensors", REEL_PROCESSOR_NAMES, "train_results.json", "eval_results.json", "all_results.json",
    "skipped.csv", REEL_TRAINER_STATE_NAME,  /* last: it marks a run */
};

bool reel_result_is(const char *name)
{
    for (size_t i = 0; i < REEL_RESULT_FILES; i++)
        if (strcmp(name, reel_result_file[i]) == 0)
            return true;
    return false;
}

/* --- removing --- */

reel_status reel_checkpoint_remove(const char *dir, int64_t step, reel_error *err)
{
    char *path = reel_checkpoint_path(dir, step);
    char *trash = reel_format("%s/.trash-%lld.%d", dir, (long long)step, (int)getpid());
    reel_status status = REEL_OK;
    if (path == NULL || trash == NULL)
        status = reel_fail_nomem(err, dir);
    if (status == REEL_OK)
        status = reel_dir_rename(path, trash, err);
    if (status == REEL_OK)
        status = reel_dir_remove(trash, err);
    reel_free(path);
    reel_free(trash);
    return status;
}

/* Behind `prefix`: digits, a dot, digits, and `suffix`, as names with a step and a process have it? */
static bool is_step_and_pid(const char *name, const char *prefix, const char *suffix)
{
    size_t n = strlen(prefix);
    if (strncmp(name, prefix, n) != 0)
        return false;
    const char *step = name + n, *pid = step + strspn(step, "0123456789");
    if (pid == step || *pid != '.')
        return false;
    const char *end = pid + 1 + strspn(pid + 1, "0123456789");
    return end > pid + 1 && strcmp(end, suffix) == 0;
}

bool reel_checkpoint_is_stale(const char *name)
{
    if (is_step_and_pid(name, ".trash-", "") || is_step_and_pid(name, "." PREFIX, ".tmp"))
        return true;
    if (*name != '.' || !reel_ends_with(name, ".tmp"))
        return false;
    /* one file of ours being written: .NAME.PID-RANDOM.tmp (base/file.h) */
    for (size_t i = 0; i < REEL_RESULT_FILES; i++) {
        size_t n = strlen(reel_result_file[i]);
        if (strncmp(name + 1, reel_result_file[i], n) == 0 && name[1 + n] == '.')
            return true;
    }
    return false;
}

reel_status reel_checkpoint_clear_stale(const char *dir, reel_error *err)
{
    reel_names names = {0};
    reel_status status = reel_dir_list(dir, &names, err);
    for (size_t i = 0; i < names.n && status == REEL_OK; i++) {
        if (!reel_checkpoint_is_stale(names.name[i]))
            continue;
        char *path = reel_path_join(dir, names.name[i]);
        status = path == NULL ? reel_fail_nomem(err, dir) : reel_dir_remove(path, err);
        reel_free(path);
    }
    reel_names_free(&names);
    return status;
}

/* --- saving --- */

uint64_t reel_checkpoint_bytes(const reel_model *model, bool only_model)
{
    uint64_t numbers = (uint64_t)model->params.named * sizeof(float);
    return (only_model ? numbers : 3 * numbers) + (1u << 20);
}

static reel_status check_room(const reel_saving *s, reel_error *err)
{
    uint64_t need = reel_checkpoint_bytes(s->model, s->only_model), free_bytes = reel_disk_free(s->dir);
    need += need / 50;
    if (free_bytes >= need)
        return REEL_OK;
    return reel_fail(err, REEL_ERR_IO,
                     "%s: a checkpoint needs %.1f MB and %.1f MB are free on that disk; nothing was written or "
                     "removed. Free some space and go on with --resume_from_checkpoint.",
                     s->dir, (double)need / 1e6, (double)free_bytes / 1e6);
}

static reel_status weights_save(const reel_saving *s, const char *dir, reel_error *err)
{
    const float *weights;
    float *copy;
    reel_status status = reel_run_lend(s->run, REEL_BLOCK_WEIGHTS, &weights, &copy, err);
    if (status == REEL_OK)
        status = reel_model_save(s->model, dir, "single_label_classification", weights, err);
    reel_free(copy);
    return status;
}

static reel_status fill(const reel_saving *s, const char *dir, reel_error *err)
{
    char *best = s->state->best_step > 0 ? reel_checkpoint_path(s->dir, s->state->best_step) : NULL;
    reel_status status = REEL_OK;
    REEL_TRY(weights_save(s, dir, err));
    if (!s->only_model)
        REEL_TRY(reel_moments_write(s->run, &s->model->params, s->state->updates, dir, err));
    /* a best checkpoint is one that exists, or the one being made */
    bool is_best_there = best != NULL && (s->state->best_step == s->state->step || reel_is_dir(best));
    REEL_TRY(reel_trainer_state_write(s->state, dir, is_best_there ? best : NULL, err));
    REEL_TRY(reel_state_write(s->state, dir, s->about, err));
    REEL_TRY(reel_manifest_write(dir, s->state->step, err));
    status = reel_dir_sync(dir, err);
done:
    reel_free(best);
    return status;
}

/* The newest and the best stay; of the rest the oldest go. */
static reel_status retain(const reel_saving *s, reel_error *err)
{
    reel_checkpoints all = {0};
    if (s->limit <= 0)
        return REEL_OK;
    reel_status status = reel_checkpoints_list(s->dir, &all, err);
    size_t left = all.n;
    for (size_t i = 0; i < all.n && status == REEL_OK && left > (size_t)s->limit; i++) {
        if (all.step[i] == s->state->step || all.step[i] == s->state->best_step)
            continue;
        status = reel_checkpoint_remove(s->dir, all.step[i], err);
        left--;
    }
    reel_checkpoints_free(&all);
    return status;
}

/* What failed was told by whoever knows; what it means for the run is told here. */
static void told_given_up(const reel_saving *s, reel_status status, reel_error *err)
{
    if (err == NULL)
        return;
    reel_error why = *err;
    reel_fail(err, status, "%s; the checkpoint of step %lld was given up, older ones are as they were", why.message,
              (long long)s->state->step);
}

reel_status reel_checkpoint_save(const reel_saving *s, char **path, reel_error *err)
{
    reel_status status = REEL_OK;
    bool begun = false;
    *path = NULL;
    char *final = reel_checkpoint_path(s->dir, s->state->step);
    char *temp = reel_format("%s/." PREFIX "%lld.%d.tmp", s->dir, (long long)s->state->step, (int)getpid());
    if (final == NULL || temp == NULL) {
        status = reel_fail_nomem(err, s->dir);
        goto done;
    }
    if (s->state->step != s->resumed_from) {
        REEL_TRY(check_room(s, err));
        begun = true;  /* from here on there is something to undo */
        REEL_TRY(reel_dir_remove(temp, err));
        REEL_TRY(reel_dir_make(temp, err));
        REEL_TRY(fill(s, temp, err));
        /* of an earlier course of this run that was given up (damaged, or resumed from an older one) */
        if (reel_exists(final) && has_manifest(s->dir, reel_path_base(final)))
            REEL_TRY(reel_checkpoint_remove(s->dir, s->state->step, err));
        REEL_TRY(reel_dir_rename(temp, final, err));
        begun = false;
    }
    REEL_TRY(retain(s, err));
    *path = final;
    final = NULL;
done:
    if (begun) {
        reel_dir_remove(temp, NULL);
        told_given_up(s, status, err);
    }
    reel_free(final);
    reel_free(temp);
    return status;
}
