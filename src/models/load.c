/* A checkpoint folder becomes a model. */
#include "models/load.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "hub/locate.h"
#include "models/init.h"

static const reel_load_options own = {.need_all = true};
static const reel_load_options mapped = {.need_all = true, .mapped = true};

reel_status reel_fail_missing(const reel_params *params, const bool *missing, const char *what, reel_error *err)
{
    reel_text names = {0};
    size_t n = 0;
    bool head_only = true;
    for (size_t i = 0; i < params->n; i++)
        if (missing[i]) {
            if (n++ < 3)
                reel_text_printf(&names, "%s%s", n > 1 ? ", " : "", params->param[i].name);
            head_only = head_only && params->param[i].head;
        }
    reel_status status = reel_fail(err, REEL_ERR_NOT_FOUND, "%s: %zu tensor%s of the model %s missing from the weights: %s%s. %s",
                                   what, n, n == 1 ? "" : "s", n == 1 ? "is" : "are", names.s != NULL ? names.s : "",
                                   n > 3 ? ", …" : "", head_only ? "This checkpoint has no classification head: fine-tune it "
                                   "first (reel train)" : "Does config.json belong to these weights?");
    reel_text_free(&names);
    return status;
}

/* A head of another number of labels is drawn anew where the caller brought the labels. */
static bool replaced_head(const reel_tensor *t, const reel_param *p, const reel_load_options *o)
{
    return o->labels != NULL && p->head && t->shape.rank == p->shape.rank && p->shape.rank > 0 &&
           t->shape.dim[0] != p->shape.dim[0] &&
           (p->shape.rank < 2 || t->shape.dim[1] == p->shape.dim[1]);
}

/* Decides for each parameter where it comes from, before anything large is allocated. */
static reel_status check_sources(const reel_params *params, reel_matching *match, const reel_load_options *o, const char *what,
                                 bool *fresh, reel_error *err)
{
    reel_status status = REEL_OK;
    size_t lost = 0;
    bool *missing = reel_calloc(params->n, sizeof *missing);
    if (missing == NULL)
        return reel_fail_nomem(err, what);
    for (size_t i = 0; i < params->n; i++) {
        const reel_param *p = &params->param[i];
        const reel_tensor *t = match->source[i];
        if (p->name == NULL)
            continue;
        fresh[i] = t == NULL || replaced_head(t, p, o) || (o->ignore_mismatched && !reel_shape_equal(&t->shape, &p->shape));
        missing[i] = t == NULL && (o->need_all || !p->head);
        lost += missing[i];
        if (!fresh[i])
            REEL_TRY(reel_tensor_check(t, p, what, err));
    }
    if (lost > 0)
        status = reel_fail_missing(params, missing, what, err);
done:
    reel_free(missing);
    return status;
}

static reel_status fill_weights(reel_model *m, const reel_matching *match, const bool *fresh, const char *what, reel_error *err)
{
    for (size_t i = 0; i < m->params.n; i++) {
        const reel_param *p = &m->params.param[i];
        if (p->name == NULL || fresh[i])
            continue;
        reel_status status = reel_tensor_read(m->weights + p->offset, match->source[i], what, err);
        if (status != REEL_OK)
            return status;
    }
    return REEL_OK;
}

/* Holes and the gaps of the alignment are zero: they are multiplied by nothing, but written to files of moments. */
static void zero_gaps(reel_model *m)
{
    size_t at = 0;
    for (size_t i = 0; i < m->params.n; i++) {
        const reel_param *p = &m->params.param[i];
        memset(m->weights + at, 0, (p->offset - at) * sizeof *m->weights);
        if (p->name == NULL)
            memset(m->weights + p->offset, 0, p->count * sizeof *m->weights);
        at = p->offset + p->count;
    }
}

static reel_status fill_report(const reel_tensors *st, const reel_matching *match, const reel_params *params, const bool *fresh,
                               reel_load_report *report, reel_error *err)
{
    bool good = true;
    for (size_t t = 0; t < st->n && good; t++)
        if (!match->used[t])
            good = reel_report_add(&report->unused, &report->n_unused, st->tensor[t].name);
    for (size_t i = 0; i < params->n && good; i++) {
        if (fresh[i])
            good = reel_report_add(&report->fresh, &report->n_fresh, params->param[i].name);
        if (fresh[i] && params->param[i].head && match->source[i] == NULL)  /* no labels were learnt that could be others */
            report->labels_replaced = report->names_differ = false;
    }
    return good ? REEL_OK : reel_fail_nomem(err, "report of loading");
}

static bool any(const bool *flag, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (flag[i])
            return true;
    return false;
}

/* The file stays open, and takes the place of a copy of its numbers; they are looked at once all the same. */
static reel_status keep_mapped(reel_model *m, reel_tensors *st, reel_matching *match, const char *what, reel_error *err)
{
    for (size_t i = 0; i < m->params.n; i++)
        if (match->source[i] != NULL) {
            reel_status status = reel_tensor_check_finite(match->source[i], what, err);
            if (status != REEL_OK)
                return status;
        }
    m->file = reel_calloc(1, sizeof *m->file);
    if (m->file == NULL)
        return reel_fail_nomem(err, what);
    *m->file = *st;
    m->source = match->source;
    match->source = NULL;
    return REEL_OK;
}

static reel_status load_weights(reel_model *m, const char *dir, const reel_load_options *o, reel_load_report *report,
                                reel_error *err)
{
    reel_status status = REEL_OK;
    reel_tensors st = {0};
    reel_matching match = {0};
    bool *fresh = reel_calloc(m->params.n, sizeof *fresh);
    if (fresh == NULL) {
        status = reel_fail_nomem(err, dir);
        goto done;
    }
    REEL_TRY(reel_weights_open(dir, &st, err));
    const char *what = st.path;
    REEL_TRY(reel_match(&st, m->arch, &m->params, what, &match, err));
    REEL_TRY(check_sources(&m->params, &match, o, what, fresh, err));
    if (o->mapped && !any(fresh, m->params.n)) {
        REEL_TRY(keep_mapped(m, &st, &match, what, err));
    } else {
        REEL_TRY(reel_model_allocate(m, dir, err));
        zero_gaps(m);
        REEL_TRY(fill_weights(m, &match, fresh, what, err));
        reel_init_fresh(m, o->seed, fresh);
    }
    REEL_TRY(fill_report(m->file != NULL ? m->file : &st, &match, &m->params, fresh, report, err));
done:
    if (m->file == NULL)
        reel_tensors_close(&st);
    reel_matching_free(&match);
    reel_free(fresh);
    return status;
}

/* name: what the user called the folder. */
static reel_status load_folder(reel_context *ctx, const char *dir, const char *name, const reel_load_options *options, reel_model **out,
                               reel_load_report *report, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_model *m = NULL;
    reel_load_report told = {0};
    char *config = reel_path_join(dir, "config.json");
    const reel_load_options *o = options != NULL ? options : &own;
    *out = NULL;
    if (config == NULL)
        return reel_fail_nomem(err, dir);
    if (!reel_is_dir(dir)) {
        status = reel_fail(err, REEL_ERR_NOT_FOUND, "%s: no such model folder (a folder with config.json and weights)",
                           dir);
        goto done;
    }
    REEL_TRY(reel_model_begin(ctx, config, o, &m, &told, err));
    REEL_TRY(load_weights(m, dir, o, &told, err));
    REEL_TRY(reel_processor_read(dir, m->arch->model_type, m->config.height, m->config.width, &m->processor, err));
    m->path = reel_strdup(name);
    if (m->path == NULL) {
        status = reel_fail_nomem(err, dir);
        goto done;
    }
    *out = m;
    m = NULL;
    if (report != NULL) {
        *report = told;
        told = (reel_load_report){0};
    }
done:
    reel_load_report_free(&told);
    reel_model_close(&m);
    reel_free(config);
    return status;
}

reel_status reel_model_load(reel_context *ctx, const char *name, const reel_load_options *options, reel_model **out,
                            reel_load_report *report, reel_error *err)
{
    char *dir = NULL;
    *out = NULL;
    reel_status status = reel_hub_locate_model(ctx, name, &dir, err);
    if (status == REEL_OK)
        status = load_folder(ctx, dir, name, options, out, report, err);
    reel_free(dir);
    return status;
}

reel_status reel_model_open(reel_context *ctx, const char *dir, reel_model **out, reel_error *err)
{
    reel_load_report report = {0};
    reel_status status = reel_model_load(ctx, dir, &mapped, out, &report, err);
    if (status == REEL_OK && report.n_unused > 0)
        reel_log(ctx, REEL_LOG_NOTE, "model", "%s: %zu tensor%s that this model does not use, such as %s", dir, report.n_unused,
                 report.n_unused == 1 ? "" : "s", report.unused[0]);
    reel_load_report_free(&report);
    return status;
}

reel_status reel_model_create(reel_context *ctx, const char *config_path, const reel_load_options *options, reel_model **out,
                              reel_error *err)
{
    reel_status status = REEL_OK;
    reel_model *m = NULL;
    reel_load_report told = {0};
    const reel_load_options *o = options != NULL ? options : &own;
    char *path = NULL, *dir = NULL, *where = NULL;
    *out = NULL;
    REEL_TRY(reel_hub_locate_processor(ctx, config_path, &where, err));
    path = reel_is_dir(where) ? reel_path_join(where, "config.json") : reel_strdup(where);
    if (path == NULL)
        REEL_TRY(reel_fail_nomem(err, config_path));
    REEL_TRY(reel_model_begin(ctx, path, o, &m, &told, err));
    REEL_TRY(reel_model_allocate(m, path, err));
    zero_gaps(m);
    reel_init_all(m, o->seed);
    const char *slash = strrchr(path, '/');
    dir = slash == NULL ? reel_strdup(".") : reel_strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (dir == NULL) {
        status = reel_fail_nomem(err, path);
        goto done;
    }
    /* a processor beside the config belongs to it; otherwise the class's defaults */
    REEL_TRY(reel_processor_read(dir, m->arch->model_type, m->config.height, m->config.width, &m->processor, err));
    *out = m;
    m = NULL;
done:
    reel_load_report_free(&told);
    reel_model_close(&m);
    reel_free(path);
    reel_free(where);
    reel_free(dir);
    return status;
}

/* Exactly the same model (resume, best): nothing may be missing; all is checked before a number is written. */
reel_status reel_model_reload(reel_model *model, const char *dir, float *weights, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_tensors st = {0};
    reel_matching match = {0};
    bool *fresh = reel_calloc(model->params.n, sizeof *fresh);
    float *to = weights != NULL ? weights : model->weights;
    if (fresh == NULL) {
        status = reel_fail_nomem(err, dir);
        goto done;
    }
    REEL_TRY(reel_weights_open(dir, &st, err));
    const char *what = st.path;
    REEL_TRY(reel_match(&st, model->arch, &model->params, what, &match, err));
    REEL_TRY(check_sources(&model->params, &match, &own, what, fresh, err));
    for (size_t i = 0; i < model->params.n; i++)
        if (match.source[i] != NULL)
            REEL_TRY(reel_tensor_check_finite(match.source[i], what, err));
    for (size_t i = 0; i < model->params.n; i++)
        if (match.source[i] != NULL)
            REEL_TRY(reel_tensor_read(to + model->params.param[i].offset, match.source[i], what, err));
done:
    reel_tensors_close(&st);
    reel_matching_free(&match);
    reel_free(fresh);
    return status;
}
