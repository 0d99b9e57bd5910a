/* A model's memory: config and labels first, weights when all is known to fit. */
#include <string.h>

#include "base/mem.h"
#include "models/config.h"
#include "models/load.h"

void reel_model_close(reel_model **model)
{
    if (model == NULL || *model == NULL)
        return;
    reel_model *m = *model;
    reel_config_free(&m->config);
    reel_params_free(&m->params);
    reel_processor_free(&m->processor);
    reel_free(m->weights);
    reel_free(m->source);
    if (m->file != NULL)
        reel_tensors_close(m->file);
    reel_free(m->file);
    reel_free(m->path);
    reel_free(m);
    *model = NULL;
}

void reel_model_drop_weights(reel_model *model)
{
    reel_free(model->weights);
    model->weights = NULL;
}

const void *reel_model_numbers(const reel_model *model, size_t i, reel_dtype *type)
{
    const reel_param *p = &model->params.param[i];
    *type = REEL_F32;
    if (model->weights != NULL)
        return model->weights + p->offset;
    if (p->name == NULL)
        return NULL;
    *type = model->source[i]->dtype;
    return model->source[i]->data;
}

static void free_names(char **name, size_t n)
{
    for (size_t i = 0; i < n; i++)
        reel_free(name[i]);
    reel_free(name);
}

void reel_load_report_free(reel_load_report *r)
{
    free_names(r->unused, r->n_unused);
    free_names(r->fresh, r->n_fresh);
    *r = (reel_load_report){0};
}

bool reel_report_add(char ***list, size_t *n, const char *name)
{
    char **grown = (*n & (*n - 1)) != 0 ? *list : reel_realloc(*list, *n > 0 ? 2 * *n : 1, sizeof **list);
    if (grown == NULL)
        return false;
    *list = grown;
    (*list)[*n] = reel_strdup(name);
    return (*list)[*n] != NULL && ++*n > 0;
}

/* --- config and labels --- */

static reel_status use_labels(reel_model *m, const reel_load_options *o, reel_load_report *report, reel_error *err)
{
    if (o->labels == NULL)
        return REEL_OK;
    bool same_number = o->n_labels == (size_t)m->config.labels;
    for (size_t i = 0; same_number && i < o->n_labels && !report->names_differ; i++)
        report->names_differ = strcmp(o->labels[i], m->config.label[i]) != 0;
    report->labels_replaced = !same_number;
    return reel_config_set_labels(&m->config, o->labels, o->n_labels, err);
}

static reel_status use_frames(reel_model *m, const char *path, int frames, reel_error *err)
{
    if (frames <= 0 || frames == m->config.frames)
        return REEL_OK;
    if (!reel_json_set_int(m->config.json, "num_frames", frames))
        return reel_fail_nomem(err, path);
    return m->arch->config_read(&m->config, path, err);
}

reel_status reel_model_begin(reel_context *ctx, const char *config_path, const reel_load_options *options, reel_model **out,
                             reel_load_report *report, reel_error *err)
{
    reel_status status = REEL_OK;
    *out = NULL;
    reel_model *m = reel_calloc(1, sizeof *m);
    if (m == NULL)
        return reel_fail_nomem(err, config_path);
    m->ctx = ctx;
    REEL_TRY(reel_config_read(config_path, &m->config, &m->arch, err));
    REEL_TRY(use_frames(m, config_path, options->num_frames, err));
    REEL_TRY(use_labels(m, options, report, err));
    REEL_TRY(m->arch->params_list(&m->config, &m->params, err));
    *out = m;
    m = NULL;
done:
    reel_model_close(&m);
    return status;
}

reel_status reel_model_allocate(reel_model *m, const char *what, reel_error *err)
{
    char text[96];
    reel_model_describe(m, text, sizeof text);
    reel_status status = reel_memory_check(m->ctx, (uint64_t)m->params.floats * sizeof(float), text,
                                           "A smaller model is needed, or another machine.", err);
    if (status != REEL_OK)
        return status;
    m->weights = reel_alloc_aligned(m->params.floats, sizeof *m->weights);
    if (m->weights == NULL)
        return reel_fail_nomem(err, what);
    return REEL_OK;
}
