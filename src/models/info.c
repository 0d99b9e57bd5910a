/* What a model and a checkpoint folder hold, for people and programs. */
#include <stdio.h>
#include <string.h>

#include "args/args.h"
#include "args/jobs.h"
#include "base/mem.h"
#include "hub/locate.h"
#include "models/load.h"

static void fill_info(const reel_model *m, reel_model_info *info)
{
    const reel_config *c = &m->config;
    *info = (reel_model_info){
        .size = sizeof *info, .model_type = m->arch->model_type, .architecture = m->arch->architecture,
        .parameters = m->params.named, .frames = c->frames, .channels = c->channels, .height = c->height, .width = c->width,
        .labels = c->labels, .hidden_size = c->hidden, .layers = c->layers, .heads = c->heads, .tokens = c->tokens,
        .gflop_forward = m->arch->flops(c) / 1e9,
    };
}

reel_status reel_model_get_info(const reel_model *model, reel_model_info *info, reel_error *err)
{
    if (info->size != sizeof *info)
        return reel_fail(err, REEL_ERR_ARG, "reel_model_info: size is %zu, this library knows %zu", info->size, sizeof *info);
    fill_info(model, info);
    return REEL_OK;
}

const char *reel_model_label(const reel_model *model, int k)
{
    return k >= 0 && k < model->config.labels ? model->config.label[k] : NULL;
}

void reel_model_describe(const reel_model *m, char *out, size_t size)
{
    const reel_config *c = &m->config;
    double n = (double)m->params.named;
    snprintf(out, size, "%s, %.*f %s parameters, %d frames of %dx%d", m->arch->shown, n < 1e7 ? 2 : 1, n / (n < 1e9 ? 1e6 : 1e9),
             n < 1e9 ? "M" : "G", c->frames, c->width, c->height);
}

/* --- a checkpoint folder --- */

/* The public struct first, then what it points to. */
typedef struct holder {
    reel_checkpoint_info info;
    reel_model *model;
    reel_tensors st;
    reel_tensor_info *tensor;
    const char **missing, **label;
    char *processor;
} holder;

static void describe_tensor(const reel_tensor *t, bool used, reel_tensor_info *out)
{
    *out = (reel_tensor_info){.name = t->name, .dtype = reel_dtype_name(t->dtype), .rank = t->shape.rank,
                              .bytes = (int64_t)t->bytes, .use = used ? "" : "unused"};
    for (int i = 0; i < t->shape.rank; i++)
        out->shape[i] = t->shape.dim[i];
}

/* Every tensor of the model as loading would check it; a head may be missing. */
static reel_status check_tensors(holder *h, const reel_matching *match, const char *what, reel_error *err)
{
    const reel_params *params = &h->model->params;
    size_t n = 0, lost = 0;
    reel_status status = REEL_OK;
    bool *missing = reel_calloc(params->n, sizeof *missing);
    if (missing == NULL)
        return reel_fail_nomem(err, what);
    for (size_t i = 0; i < params->n; i++) {
        const reel_param *p = &params->param[i];
        if (p->name == NULL)
            continue;
        if (match->source[i] != NULL) {
            REEL_TRY(reel_tensor_check(match->source[i], p, what, err));
            REEL_TRY(reel_tensor_check_finite(match->source[i], what, err));
            continue;
        }
        h->missing[n++] = p->name;
        missing[i] = !p->head;
        lost += missing[i];
    }
    h->info.missing = n;
    if (lost > 0)
        status = reel_fail_missing(params, missing, what, err);
done:
    reel_free(missing);
    return status;
}

static reel_status read_tensors(holder *h, const char *dir, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_matching match = {0};
    REEL_TRY(reel_weights_open(dir, &h->st, err));
    REEL_TRY(reel_match(&h->st, h->model->arch, &h->model->params, h->st.path, &match, err));
    h->tensor = reel_calloc(h->st.n, sizeof *h->tensor);
    h->missing = reel_calloc(h->model->params.n, sizeof *h->missing);
    if (h->tensor == NULL || h->missing == NULL) {
        status = reel_fail_nomem(err, dir);
        goto done;
    }
    for (size_t t = 0; t < h->st.n; t++)
        describe_tensor(&h->st.tensor[t], match.used[t], &h->tensor[t]);
    status = check_tensors(h, &match, h->st.path, err);
done:
    reel_matching_free(&match);
    return status;
}

static reel_status read_rest(holder *h, const char *dir, reel_error *err)
{
    reel_model *m = h->model;
    reel_status status = reel_processor_read(dir, m->arch->model_type, m->config.height, m->config.width, &m->processor, err);
    if (status != REEL_OK)
        return status;
    h->label = reel_calloc((size_t)m->config.labels, sizeof *h->label);
    h->processor = m->processor.place != REEL_PROCESSOR_NOWHERE ? reel_processor_text(&m->processor) : NULL;
    if (h->label == NULL || (m->processor.place != REEL_PROCESSOR_NOWHERE && h->processor == NULL))
        return reel_fail_nomem(err, dir);
    for (int i = 0; i < m->config.labels; i++)
        h->label[i] = m->config.label[i];
    memcpy(h->info.image_mean, m->processor.mean, sizeof h->info.image_mean);
    memcpy(h->info.image_std, m->processor.std, sizeof h->info.image_std);
    return REEL_OK;
}

static void fill_checkpoint(holder *h)
{
    fill_info(h->model, &h->info.model);
    h->info.tensors = h->st.n;
    h->info.tensor = h->tensor;
    h->info.missing_name = h->missing;
    h->info.label = h->label;
    h->info.processor = h->processor;
    h->info.file_bytes = (int64_t)h->st.file_bytes;
    h->info.weights = reel_path_base(h->st.path);
}

static reel_status open_checkpoint(reel_context *ctx, const char *dir, reel_checkpoint_info **out, reel_error *err)
{
    static const reel_load_options own = {0};
    reel_status status = REEL_OK;
    reel_load_report report = {0};
    reel_checkpoint_info *info = NULL;
    char *config = reel_path_join(dir, "config.json");
    holder *h = reel_calloc(1, sizeof *h);
    if (config == NULL || h == NULL) {
        status = reel_fail_nomem(err, dir);
        reel_free(h);
        goto done;
    }
    info = &h->info;
    if (!reel_is_dir(dir)) {
        status = reel_fail(err, REEL_ERR_NOT_FOUND, "%s: no such model folder (a folder with config.json and weights)",
                           dir);
        goto done;
    }
    REEL_TRY(reel_model_begin(ctx, config, &own, &h->model, &report, err));
    REEL_TRY(read_tensors(h, dir, err));
    REEL_TRY(read_rest(h, dir, err));
    fill_checkpoint(h);
    *out = info;
    info = NULL;
done:
    reel_checkpoint_info_close(&info);
    reel_load_report_free(&report);
    reel_free(config);
    return status;
}

reel_status reel_checkpoint_info_open(reel_context *ctx, const reel_args *args, reel_checkpoint_info **out, reel_error *err)
{
    const reel_model_info_args *a = reel_args_values(args, REEL_JOB_MODEL_INFO);
    *out = NULL;
    if (a == NULL)
        return reel_fail(err, REEL_ERR_ARG, "these are not the options of 'model info'");
    char *dir = NULL;
    reel_status status = reel_hub_locate_model(ctx, a->model, &dir, err);
    if (status == REEL_OK)
        status = open_checkpoint(ctx, dir, out, err);
    reel_free(dir);
    return status;
}

void reel_checkpoint_info_close(reel_checkpoint_info **info)
{
    if (info == NULL || *info == NULL)
        return;
    holder *h = (holder *)(void *)*info;
    reel_model_close(&h->model);
    reel_tensors_close(&h->st);
    reel_free(h->tensor);
    reel_free(h->missing);
    reel_free(h->label);
    reel_free(h->processor);
    reel_free(h);
    *info = NULL;
}
