#include "train/outdir.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "hub/card.h"
#include "train/checkpoint.h"
#include "train/lock.h"
#include "train/manifest.h"

/* Is `path` the folder `dir`, or inside it? */
static bool is_inside(const char *path, const char *dir)
{
    char a[PATH_MAX], b[PATH_MAX];
    if (*path == '\0' || realpath(path, a) == NULL || realpath(dir, b) == NULL)
        return false;
    size_t n = strlen(b);
    return strncmp(a, b, n) == 0 && (a[n] == '\0' || a[n] == '/');
}

/* A run whose videos were all unreadable leaves its list of them, which must not block the next try. */
static bool is_skip_list(const char *dir, const char *name)
{
    static const char head[] = "video,reason\n";
    char *path = strcmp(name, "skipped.csv") == 0 ? reel_path_join(dir, name) : NULL, *text = NULL;
    size_t n = 0;
    bool ours = path != NULL && reel_file_read(path, REEL_JSON_LIMIT * 64, &text, &n, NULL) == REEL_OK && n >= sizeof head - 1 &&
                memcmp(text, head, sizeof head - 1) == 0;
    reel_free(text);
    reel_free(path);
    return ours;
}

/* The card of an earlier run; one that its user wrote, or took over, is his. */
static bool is_our_card(const char *dir, const char *name)
{
    char *path = strcmp(name, "README.md") == 0 ? reel_path_join(dir, name) : NULL, *text = NULL;
    size_t n = 0;
    bool ours = path != NULL && reel_file_read(path, REEL_JSON_LIMIT * 64, &text, &n, NULL) == REEL_OK && reel_card_is_ours(text);
    reel_free(text);
    reel_free(path);
    return ours;
}

/* trainer_state.json marks a run, if it is one. */
static bool is_state(const char *dir, const char *name)
{
    reel_json *j = NULL;
    char *path = reel_path_join(dir, name);
    bool ours = path != NULL && reel_json_read(path, REEL_JSON_LIMIT * 64, true, &j, NULL) == REEL_OK &&
                reel_json_is_number(reel_json_get(j, "global_step"));
    reel_json_free(j);
    reel_free(path);
    return ours;
}

typedef struct contents { bool state, any; char other[256], result[256], foreign[256]; size_t checkpoints; } contents;

static reel_status look(const char *dir, contents *c, reel_error *err)
{
    reel_names names = {0};
    int64_t step;
    *c = (contents){0};
    reel_status status = reel_dir_list(dir, &names, err);
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.name[i];
        char *manifest = reel_format("%s/%s/" REEL_MANIFEST_NAME, dir, name);
        bool numbered = reel_checkpoint_step(name, &step);
        if (strcmp(name, REEL_LOCK_NAME) == 0 || reel_checkpoint_is_stale(name) || is_skip_list(dir, name) || is_our_card(dir, name))
            ;
        else if (numbered && manifest != NULL && reel_is_file(manifest))
            c->checkpoints++;
        else if (numbered)
            snprintf(c->foreign, sizeof c->foreign, "%s", name);
        else if (reel_result_is(name))
            snprintf(c->result, sizeof c->result, "%s", name);
        else
            snprintf(c->other, sizeof c->other, "%s", name);
        c->state = c->state || (strcmp(name, REEL_TRAINER_STATE_NAME) == 0 && is_state(dir, name));
        reel_free(manifest);
    }
    reel_names_free(&names);
    c->any = c->checkpoints > 0 || *c->foreign || *c->result || *c->other;
    return status;
}

static reel_status refuse(const char *dir, const contents *c, reel_error *err)
{
    if (c->state)
        return reel_fail(err, REEL_ERR_EXISTS,
                         "%s already holds a finished run. Choose another --output_dir, or --overwrite_output_dir to "
                         "replace it.",
                         dir);
    if (c->checkpoints > 0)
        return reel_fail(err, REEL_ERR_EXISTS,
                         "%s already holds a run that was not finished. Go on with --resume_from_checkpoint true, "
                         "choose "
                         "another --output_dir, or --overwrite_output_dir to replace it.",
                         dir);
    return reel_fail(err, REEL_ERR_EXISTS, "%s is not empty (it holds %s). Choose another --output_dir.", dir,
                     *c->foreign ? c->foreign : *c->result ? c->result : c->other);
}

reel_status reel_outdir_check(const char *dir, bool overwrite, const char *model, const char *data, reel_error *err)
{
    contents c;
    reel_status status = look(dir, &c, err);
    if (status != REEL_OK || !c.any)
        return status;
    if (!overwrite)
        return refuse(dir, &c, err);
    if (is_inside(model, dir))
        return reel_fail(err, REEL_ERR_EXISTS,
                         "%s holds the model that the run starts from (%s), which --overwrite_output_dir would "
                         "remove. "
                         "Choose another --output_dir.",
                         dir, model);
    if (is_inside(data, dir))
        return reel_fail(err, REEL_ERR_EXISTS, "%s holds the data of the run (%s). Choose another --output_dir.", dir, data);
    if (*c.foreign)
        return reel_fail(err, REEL_ERR_EXISTS,
                         "%s/%s is not a checkpoint that reel wrote, and would be in the way. Choose another "
                         "--output_dir.",
                         dir, c.foreign);
    if (*c.result && !c.state && c.checkpoints == 0)
        return reel_fail(err, REEL_ERR_EXISTS,
                         "%s/%s does not come from a training run, so --overwrite_output_dir does not replace it. "
                         "Choose "
                         "another --output_dir.",
                         dir, c.result);
    return REEL_OK;
}

/* A run that was killed while it wrote its results has no trainer_state.json yet; but config.json, which comes first, is then
 * that of its checkpoints. */
static bool same_config(const char *dir, const char *checkpoint)
{
    char *text[2] = {NULL, NULL};
    size_t n[2] = {0, 0};
    const char *const folder[2] = {dir, checkpoint};
    bool same = true;
    for (int i = 0; i < 2 && same; i++) {
        char *path = reel_path_join(folder[i], "config.json");
        same = path != NULL && reel_file_read(path, REEL_JSON_LIMIT, &text[i], &n[i], NULL) == REEL_OK;
        reel_free(path);
    }
    same = same && n[0] == n[1] && memcmp(text[0], text[1], n[0]) == 0;
    reel_free(text[0]);
    reel_free(text[1]);
    return same;
}

reel_status reel_outdir_resume_check(const char *dir, const char *checkpoint, reel_error *err)
{
    contents c;
    reel_status status = look(dir, &c, err);
    if (status != REEL_OK || c.state || *c.result == '\0' || same_config(dir, checkpoint))
        return status;
    return reel_fail(err, REEL_ERR_EXISTS,
                     "%s/%s is not of the run that %s belongs to, and going on would replace it. Move the checkpoint into a "
                     "folder of its own.",
                     dir, c.result, checkpoint);
}

reel_status reel_outdir_clear(const char *dir, reel_error *err)
{
    reel_checkpoints all = {0};
    reel_status status = reel_checkpoints_list(dir, &all, err);
    for (size_t i = 0; i < all.n && status == REEL_OK; i++)
        status = reel_checkpoint_remove(dir, all.step[i], err);
    for (size_t i = 0; i < REEL_RESULT_FILES && status == REEL_OK; i++) {
        char *path = reel_path_join(dir, reel_result_file[i]);
        if (path == NULL)
            status = reel_fail_nomem(err, dir);
        else if (unlink(path) != 0 && errno != ENOENT)
            status = reel_fail_errno(err, errno, path, "remove");
        reel_free(path);
    }
    char *card = is_our_card(dir, "README.md") ? reel_path_join(dir, "README.md") : NULL;
    if (status == REEL_OK && card != NULL && unlink(card) != 0 && errno != ENOENT)
        status = reel_fail_errno(err, errno, card, "remove");
    reel_free(card);
    reel_checkpoints_free(&all);
    return status;
}
