/* The jobs `reel forward` and `reel model new`. */
#include <stdlib.h>
#include <string.h>

#include "args/args.h"
#include "args/jobs.h"
#include "base/mem.h"
#include "base/text.h"
#include "format/safetensors.h"
#include "models/folder.h"
#include "models/load.h"
#include "models/run.h"
#include "models/wanted.h"

/* --- forward --- */

typedef struct clips { reel_tensors st; const reel_tensor *pixels; size_t n; float *aligned; } clips;

static reel_status check_clips(const reel_model *m, const reel_tensor *t, const char *path, reel_error *err)
{
    char have[128];
    const reel_config *c = &m->config;
    reel_shape_text(&t->shape, have, sizeof have);
    if (t->dtype != REEL_F32)
        return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: pixel_values has dtype %s; F32 is wanted", path,
                         reel_dtype_name(t->dtype));
    if (t->shape.rank != 5 || t->shape.dim[0] < 1 || t->shape.dim[1] != c->frames || t->shape.dim[2] != c->channels ||
        t->shape.dim[3] != c->height || t->shape.dim[4] != c->width)
        return reel_fail(err, REEL_ERR_MISMATCH, "%s: pixel_values is %s; this model takes (clips, %d, %d, %d, %d) (num_frames, "
                         "channels, image_size)", path, have, c->frames, c->channels, c->height, c->width);
    return REEL_OK;
}

static reel_status clips_open(const reel_model *m, const char *path, clips *out, reel_error *err)
{
    reel_status status;
    *out = (clips){0};
    REEL_TRY(reel_st_open(path, &out->st, err));
    out->pixels = reel_tensors_find(&out->st, "pixel_values");
    if (out->pixels == NULL) {
        status = reel_fail(err, REEL_ERR_NOT_FOUND, "%s: holds no tensor pixel_values (B,T,C,H,W)", path);
        goto done;
    }
    REEL_TRY(check_clips(m, out->pixels, path, err));
    out->n = (size_t)out->pixels->shape.dim[0];
done:
    return status;
}

/* Results of all clips, batch by batch. The mapped data may be unaligned, so each batch is copied. */
static reel_status forward_all(reel_run *run, const reel_model *m, const clips *in, size_t batch, float *logits, float *hidden,
                               reel_error *err)
{
    const reel_config *c = &m->config;
    size_t one = (size_t)c->frames * (size_t)c->channels * (size_t)c->height * (size_t)c->width;
    size_t states = (size_t)c->tokens * (size_t)c->hidden;
    reel_status status = REEL_OK;
    float *pixels = reel_alloc_aligned(batch * one, sizeof *pixels);
    if (pixels == NULL)
        return reel_fail_nomem(err, "pixel_values");
    for (size_t at = 0; at < in->n; at += batch) {
        size_t n = in->n - at < batch ? in->n - at : batch;
        memcpy(pixels, in->pixels->data + at * one * sizeof *pixels, n * one * sizeof *pixels);
        REEL_TRY(reel_run_forward(run, pixels, n, logits + at * (size_t)c->labels,
                                  hidden != NULL ? hidden + at * states : NULL, err));
    }
done:
    reel_free(pixels);
    return status;
}

static reel_status write_results(const char *path, const reel_model *m, size_t n, const float *logits, const float *hidden,
                                 reel_error *err)
{
    const reel_config *c = &m->config;
    reel_st_entry entry[2] = {
        {"logits", REEL_F32, {2, {(int64_t)n, c->labels}}, logits},
        {"last_hidden_state", REEL_F32, {3, {(int64_t)n, c->tokens, c->hidden}}, hidden},
    };
    return reel_st_write(path, entry, hidden != NULL ? 2 : 1, NULL, 0, err);
}

reel_status reel_forward(reel_context *ctx, const reel_args *args, reel_error *err)
{
    const reel_forward_args *a = reel_args_values(args, REEL_JOB_FORWARD);
    reel_status status;
    reel_model *m = NULL;
    reel_run *run = NULL;
    reel_precision precision;
    clips in = {0};
    float *logits = NULL, *hidden = NULL;
    if (a == NULL)
        return reel_fail(err, REEL_ERR_ARG, "these are not the options of 'forward'");
    REEL_TRY(reel_precision_wanted(ctx, a->dtype, &precision, err));
    REEL_TRY(reel_output_check(a->output, a->input, a->model, err));
    REEL_TRY(reel_model_open(ctx, a->model, &m, err));
    REEL_TRY(clips_open(m, a->input, &in, err));
    size_t batch = in.n < (size_t)a->batch_size ? in.n : (size_t)a->batch_size, labels = (size_t)m->config.labels, states;
    if (!reel_mul(&states, (size_t)m->config.tokens, (size_t)m->config.hidden) || !reel_mul(&states, states, in.n)) {
        status = reel_fail_nomem(err, a->output);
        goto done;
    }
    REEL_TRY(reel_run_open_as(m, batch, precision, &run, err));
    logits = reel_alloc_aligned(in.n * labels, sizeof *logits);
    if (a->hidden) {
        REEL_TRY(reel_memory_check(ctx, (uint64_t)states * sizeof(float), "last_hidden_state of all clips",
                                   "Give fewer clips at a time.", err));
        hidden = reel_alloc_aligned(states, sizeof *hidden);
    }
    if (logits == NULL || (a->hidden && hidden == NULL)) {
        status = reel_fail_nomem(err, a->output);
        goto done;
    }
    REEL_TRY(forward_all(run, m, &in, batch, logits, hidden, err));
    status = write_results(a->output, m, in.n, logits, hidden, err);
done:
    reel_free(logits);
    reel_free(hidden);
    reel_tensors_close(&in.st);
    reel_run_close(&run);
    reel_model_close(&m);
    return status;
}

/* --- model new --- */

/* "walk,run" or "12" to names; NULL and 0 for an empty text. */
static reel_status parse_labels(const char *text, char ***out, size_t *n, reel_error *err)
{
    int64_t number;
    bool good = true;
    *out = NULL;
    *n = 0;
    if (reel_parse_int(text, &number)) {
        if (number < 1 || number > 100000)
            return reel_fail(err, REEL_ERR_ARG, "--labels: '%s' is not a number from 1 to 100000", text);
        for (int64_t i = 0; i < number && good; i++) {
            char *name = reel_format("LABEL_%lld", (long long)i);
            good = name != NULL && reel_report_add(out, n, name);
            reel_free(name);
        }
    } else
        for (const char *p = text; *p != '\0' && good;) {
            size_t length = strcspn(p, ",");
            char *name = reel_strndup(p, length);
            if (length == 0) {
                reel_free(name);
                return reel_fail(err, REEL_ERR_ARG, "--labels: '%s' has an empty name", text);
            }
            good = name != NULL && reel_report_add(out, n, name);
            reel_free(name);
            p += length;
            p += *p == ',';
        }
    return good ? REEL_OK : reel_fail_nomem(err, "--labels");
}

reel_status reel_folder_check_free(const char *path, reel_error *err)
{
    reel_names names = {0};
    reel_status status = REEL_OK;
    if (reel_is_dir(path))
        status = reel_dir_list(path, &names, err);
    else if (reel_exists(path))
        status = reel_fail(err, REEL_ERR_EXISTS, "%s: is there and is not a folder; choose another for the new model", path);
    if (status == REEL_OK && names.n > 0)
        status = reel_fail(err, REEL_ERR_EXISTS, "%s: the folder is not empty; choose another for the new model", path);
    reel_names_free(&names);
    return status;
}

reel_status reel_model_new(reel_context *ctx, const reel_args *args, reel_error *err)
{
    const reel_model_new_args *a = reel_args_values(args, REEL_JOB_MODEL_NEW);
    reel_status status;
    reel_model *m = NULL;
    char **labels = NULL;
    size_t n = 0;
    if (a == NULL)
        return reel_fail(err, REEL_ERR_ARG, "these are not the options of 'model new'");
    REEL_TRY(parse_labels(a->labels, &labels, &n, err));
    reel_load_options options = {.labels = labels, .n_labels = n, .seed = (uint64_t)a->seed};
    REEL_TRY(reel_folder_check_free(a->output, err));
    REEL_TRY(reel_model_create(ctx, a->from_config, &options, &m, err));
    REEL_TRY(reel_dir_make(a->output, err));
    status = reel_model_save(m, a->output, NULL, NULL, err);
done:
    for (size_t i = 0; i < n; i++)
        reel_free(labels[i]);
    reel_free(labels);
    reel_model_close(&m);
    return status;
}
