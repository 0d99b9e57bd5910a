#include "train/options.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/* Does the option say where things are, or how fast, rather than what is computed? Those may change when a run goes
 * on. */
static bool is_free(const char *name)
{
    static const char *const free_ones[] = {"model",
                                            "from_config",
                                            "data",
                                            "output_dir",
                                            "resume_from_checkpoint",
                                            "config",
                                            "overwrite_output_dir",
                                            "dataloader_num_workers",
                                            "dataloader_cache_mb",
                                            "gradient_checkpointing",
                                            "save_total_limit",
                                            "push_to_hub",
                                            "hub_model_id",
                                            "hub_private_repo",
                                            "hub_revision",
                                            "license"};
    for (size_t i = 0; i < sizeof free_ones / sizeof *free_ones; i++)
        if (strcmp(name, free_ones[i]) == 0)
            return true;
    return false;
}

/* Of this call alone, not of the run. */
static bool is_passing(const char *name)
{
    return strcmp(name, "resume_from_checkpoint") == 0 || strcmp(name, "overwrite_output_dir") == 0 || strcmp(name, "plan") == 0;
}

static bool is_place(const char *name)
{
    return strcmp(name, "data") == 0 || strcmp(name, "model") == 0 || strcmp(name, "from_config") == 0;
}

reel_json *reel_options_json(const reel_args *args)
{
    size_t n;
    const reel_option *rows = reel_job_options(args->job, &n);
    reel_json *json = reel_json_object();
    for (size_t i = 0; json != NULL && i < n; i++) {
        if (is_passing(rows[i].name))
            continue;
        char *text = reel_value_text(&rows[i], reel_args_field(args, &rows[i])), shown[4096];
        bool ok = text != NULL;
        char whole[PATH_MAX];  /* a place is kept whole: the run may go on from another folder */
        if (ok && is_place(rows[i].name) && *text != '\0' && realpath(text, whole) != NULL) {
            reel_free(text);
            text = reel_strdup(whole);
            ok = text != NULL;
        }
        if (ok) {
            reel_escape(shown, sizeof shown, text);  /* a path may hold anything; JSON may not */
            ok = reel_json_set_string(json, rows[i].name, shown);
        }
        reel_free(text);
        if (!ok) {
            reel_json_free(json);
            json = NULL;
        }
    }
    return json;
}

/* The weights come from the checkpoint. */
static bool is_model(const char *name)
{
    return strcmp(name, "model") == 0 || strcmp(name, "from_config") == 0;
}

/* One row of the new options: from `given` where it was set there, else the stored text, else the default. */
static reel_status row_resume(const reel_args *given, const reel_option *row, const char *stored, const char *where,
                              reel_args *out, reel_error *err)
{
    reel_status status = REEL_OK;
    char *now = NULL;
    if (stored != NULL && *stored != '\0')
        REEL_TRY(reel_args_set(out, row->name, stored, err));
    if (!reel_args_is_set(given, row->name) || is_model(row->name))
        return REEL_OK;
    now = reel_value_text(row, reel_args_field(given, row));
    if (now == NULL) {
        status = reel_fail_nomem(err, row->name);
        goto done;
    }
    if (stored != NULL && strcmp(now, stored) != 0 && !is_free(row->name)) {
        status = reel_fail(err, REEL_ERR_MISMATCH,
                           "--%s is %s here and was %s in %s; a run goes on with the options that it began with. "
                           "Leave "
                           "the option out, or start a new run.",
                           row->name, *now != '\0' ? now : "empty", *stored != '\0' ? stored : "empty", where);
        goto done;
    }
    status = reel_args_set(out, row->name, now, err);
done:
    reel_free(now);
    return status;
}

reel_status reel_options_resume(const reel_args *given, const reel_json *stored, const char *where, reel_args **out,
                                reel_error *err)
{
    size_t n;
    reel_status status = REEL_OK;
    reel_args *args = NULL;
    const reel_option *rows = reel_job_options(given->job, &n);
    *out = NULL;
    REEL_TRY(reel_args_open(given->job, &args, err));
    for (size_t i = 0; i < n; i++) {
        const char *text = stored != NULL ? reel_json_string(reel_json_get(stored, rows[i].name)) : NULL;
        REEL_TRY(row_resume(given, &rows[i], text, where, args, err));
    }
    *out = args;
    args = NULL;
done:
    reel_args_close(&args);
    return status;
}
