#include "train/resume.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/text.h"
#include "train/checkpoint.h"
#include "train/manifest.h"

/* --- which checkpoint --- */

static bool is_true(const char *option)
{
    bool value;
    return reel_parse_bool(option, &value) && value;
}

bool reel_resume_wanted(const char *option)
{
    bool value;
    return *option != '\0' && (!reel_parse_bool(option, &value) || value);
}

/* From the newest down to the first that is whole. */
static reel_status find_newest(reel_context *ctx, const char *dir, char **path, reel_error *err)
{
    reel_checkpoints all = {0};
    reel_error why;
    reel_status status = reel_checkpoints_list(dir, &all, err);
    for (size_t i = all.n; i > 0 && status == REEL_OK && *path == NULL; i--) {
        char *one = reel_checkpoint_path(dir, all.step[i - 1]);
        if (one == NULL) {
            status = reel_fail_nomem(err, dir);
        } else if (reel_manifest_check(one, true, NULL, &why) == REEL_OK) {
            *path = one;
            one = NULL;
        } else {
            reel_log(ctx, REEL_LOG_WARNING, "warning", "%s; an older checkpoint is tried", why.message);
        }
        reel_free(one);
    }
    reel_checkpoints_free(&all);
    if (status == REEL_OK && *path == NULL)
        status = reel_fail(err, REEL_ERR_NOT_FOUND,
                           "%s holds no whole checkpoint to go on from. Start a new run without "
                           "--resume_from_checkpoint.",
                           dir);
    return status;
}

static bool has_checkpoints(const char *dir)
{
    reel_checkpoints all = {0};
    bool yes = reel_is_dir(dir) && reel_checkpoints_list(dir, &all, NULL) == REEL_OK && all.n > 0;
    reel_checkpoints_free(&all);
    return yes;
}

reel_status reel_resume_find(reel_context *ctx, const char *option, const char *output_dir, char **path, char **dir,
                             reel_error *err)
{
    reel_status status = REEL_OK;
    bool newest = is_true(option);
    char *named = reel_path_trim(newest ? output_dir : option);
    *path = *dir = NULL;
    if (named == NULL)
        return reel_fail_nomem(err, option);
    if (newest && *output_dir == '\0') {
        status = reel_fail(err, REEL_ERR_ARG, "--resume_from_checkpoint true needs --output_dir: the folder of the run");
        goto done;
    }
    if (newest || has_checkpoints(named)) {
        REEL_TRY(find_newest(ctx, named, path, err));
        *dir = named;
        named = NULL;
    } else {
        int64_t step, called;
        REEL_TRY(reel_manifest_check(named, true, &step, err));
        /* The folder above is the run's, and is written to: so it must be one. */
        if (!reel_checkpoint_step(reel_path_base(named), &called) || called != step) {
            status = reel_fail(err, REEL_ERR_MISMATCH,
                               "%s holds the checkpoint of step %lld and must be called checkpoint-%lld, in the folder of "
                               "its run, to go on from it. To begin a new run with its weights: --model %s.",
                               named, (long long)step, (long long)step, named);
            goto done;
        }
        *dir = reel_path_parent(named);
        *path = named;
        named = NULL;
    }
    if (*dir == NULL)
        status = reel_fail_nomem(err, option);
    else if (*output_dir != '\0' && !reel_same_file(*dir, output_dir))
        status = reel_fail(err, REEL_ERR_ARG,
                           "--output_dir %s is not the folder of the run that %s belongs to (%s). Leave --output_dir "
                           "out.",
                           output_dir, *path, *dir);
done:
    if (status != REEL_OK) {
        reel_free(*path);
        reel_free(*dir);
        *path = *dir = NULL;
    }
    reel_free(named);
    return status;
}

/* --- what the run was about --- */

static long long size_of(const char *path)
{
    struct stat st;
    return path != NULL && stat(path, &st) == 0 ? (long long)st.st_size : -1;
}

/* One line an item: what it is called, its class, its size. Paths may move, contents may not. */
static bool listing_hash(const reel_dataset *ds, int train, int val, char hex[65])
{
    reel_sha256 h;
    char number[64];
    if (reel_sha256_begin(&h, NULL) != REEL_OK)
        return false;
    for (size_t i = 0; i < ds->n_classes; i++)
        reel_sha256_add(&h, ds->classes[i], strlen(ds->classes[i]) + 1);
    for (size_t i = 0; i < ds->n_items; i++) {
        const reel_item *item = &ds->item[i];
        if (item->split != train && item->split != val)
            continue;
        reel_sha256_add(&h, item->shown, strlen(item->shown) + 1);
        int n = snprintf(number, sizeof number, "%d %d %lld\n", item->split == train, item->label, size_of(item->path));
        reel_sha256_add(&h, number, (size_t)n);
    }
    const reel_tensor *labels = ds->is_packed ? reel_tensors_find(&ds->packed, "labels") : NULL;
    if (labels != NULL) {
        reel_sha256_add(&h, labels->data, (size_t)labels->bytes);
        int n = snprintf(number, sizeof number, "%lld\n", size_of(ds->path));
        reel_sha256_add(&h, number, (size_t)n);
    }
    reel_sha256_end(&h, hex);
    return true;
}

static int64_t split_size(const reel_dataset *ds, int split)
{
    size_t first;
    const reel_tensor *labels = ds->is_packed ? reel_tensors_find(&ds->packed, "labels") : NULL;
    if (labels != NULL)
        return split >= 0 && labels->shape.rank == 1 ? labels->shape.dim[0] : 0;
    return split < 0 ? 0 : (int64_t)reel_dataset_items(ds, split, &first);
}

reel_json *reel_about_make(reel_context *ctx, reel_json *options_taken, reel_precision precision, const reel_dataset *ds, int train,
                           int val)
{
    char hex[65];
    reel_json *about = reel_json_object(), *data = reel_json_object();
    bool ok = about != NULL && data != NULL && options_taken != NULL && listing_hash(ds, train, val, hex) &&
              reel_json_set_string(data, "sha256", hex) && reel_json_set_int(data, "train", split_size(ds, train)) &&
              reel_json_set_int(data, "val", split_size(ds, val)) &&
              reel_json_set_int(data, "classes", (int64_t)ds->n_classes) &&
              reel_json_set_string(about, "isa", reel_context_isa(ctx)) &&
              reel_json_set_string(about, "precision", reel_precision_name(precision)) &&
              reel_json_set_int(about, "threads", reel_context_threads(ctx)) &&
              reel_json_set_string(about, "reel", reel_version());
    if (ok) {
        ok = reel_json_set(about, "data", data);
        data = NULL;
    }
    if (ok) {
        ok = reel_json_set(about, "options", options_taken);
        options_taken = NULL;
    }
    reel_json_free(data);
    reel_json_free(options_taken);
    if (ok)
        return about;
    reel_json_free(about);
    return NULL;
}

static void data_text(const reel_json *data, char out[128])
{
    int64_t train = 0, val = 0, classes = 0;
    reel_json_integer(reel_json_get(data, "train"), &train);
    reel_json_integer(reel_json_get(data, "val"), &val);
    reel_json_integer(reel_json_get(data, "classes"), &classes);
    snprintf(out, 128, "%lld train and %lld val videos in %lld classes", (long long)train, (long long)val,
             (long long)classes);
}

/* "8" or "avx2": a number or text of both; true where they differ. */
static bool differs(const reel_json *a, const reel_json *b, char x[64], char y[64])
{
    const reel_json *both[2] = {a, b};
    char *out[2] = {x, y};
    for (int i = 0; i < 2; i++) {
        int64_t n;
        if (reel_json_integer(both[i], &n))
            snprintf(out[i], 64, "%lld", (long long)n);
        else
            snprintf(out[i], 64, "%s", reel_json_string(both[i]) != NULL ? reel_json_string(both[i]) : "unknown");
    }
    return strcmp(x, y) != 0;
}

reel_status reel_about_compare(reel_context *ctx, const reel_json *now, const reel_json *then, const char *where,
                               reel_error *err)
{
    static const char *const machine[][2] = {{"threads", "threads"},
                                             {"isa", "instruction set"},
                                             {"precision", "precision"},
                                             {"reel", "version of reel"}};
    char x[128], y[128];
    const reel_json *data_now = reel_json_get(now, "data"), *data_then = reel_json_get(then, "data");
    if (differs(reel_json_get(data_now, "sha256"), reel_json_get(data_then, "sha256"), x, y)) {
        data_text(data_now, x);
        data_text(data_then, y);
        return reel_fail(err, REEL_ERR_MISMATCH,
                         "the data differ from those of %s: %s here, %s there%s. A run goes on with the data that it "
                         "began with.",
                         where, x, y, strcmp(x, y) == 0 ? ", but with other names, labels or file sizes" : "");
    }
    for (size_t i = 0; i < sizeof machine / sizeof *machine; i++)
        if (reel_json_get(then, machine[i][0]) != NULL &&  /* what older versions did not write is not compared */
            differs(reel_json_get(now, machine[i][0]), reel_json_get(then, machine[i][0]), x, y))
            reel_log(ctx, REEL_LOG_WARNING, "warning",
                     "%s: %s here, %s in %s; the run goes on, its last digits may differ", machine[i][1], x, y,
                     where);
    return REEL_OK;
}
