/* Weights on their way to the device: from host memory or straight from the mapped file, packed or plain. */
#include <string.h>

#include "base/mem.h"
#include "models/run_state.h"

typedef struct numbers { const void *at; reel_dtype type; } numbers;

static numbers numbers_of(const reel_run *run, const float *weights, size_t i)
{
    numbers n = {NULL, REEL_F32};
    if (weights != NULL)
        n.at = weights + run->model->params.param[i].offset;
    else
        n.at = reel_model_numbers(run->model, i, &n.type);
    return n;
}

/* Small parameters that stay as they are. */
static reel_status load_plain(reel_run *run, const float *weights, size_t i, reel_error *err)
{
    const reel_param *p = &run->model->params.param[i];
    float *to = run->block[REEL_BLOCK_WEIGHTS] + p->offset;
    const numbers n = numbers_of(run, weights, i);
    if (n.at == NULL) {
        run->be->ops->zero(run->be, to, p->count * sizeof(float));
        return REEL_OK;
    }
    if (n.type == REEL_F32) {
        run->be->ops->upload(run->be, to, n.at, p->count * sizeof(float));
        return REEL_OK;
    }
    float *host = reel_alloc_aligned(p->count, sizeof *host);
    if (host == NULL)
        return reel_fail_nomem(err, "run");
    reel_dtype_to_float(host, n.at, n.type, p->count);
    run->be->ops->upload(run->be, to, host, p->count * sizeof *host);
    reel_free(host);
    return REEL_OK;
}

/* The numbers of `count` parameters from i on, one behind the other: where they lie so, or copied into *copy. */
static reel_status gather(const reel_run *run, const float *weights, size_t i, size_t count, numbers *out, void **copy,
                          reel_error *err)
{
    const reel_param *param = run->model->params.param;
    size_t all = 0;
    *out = numbers_of(run, weights, i);
    *copy = NULL;
    if (count == 1 || weights != NULL || run->model->weights != NULL)
        return REEL_OK;  /* in a block they are neighbours */
    bool same = true;
    for (size_t j = i; j < i + count; j++) {
        all += param[j].count;
        same = same && numbers_of(run, weights, j).type == out->type;
    }
    const reel_dtype type = same ? out->type : REEL_F32;
    unsigned char *to = *copy = reel_alloc_aligned(all, reel_dtype_size(type));
    if (to == NULL)
        return reel_fail_nomem(err, "run");
    for (size_t j = i; j < i + count; j++) {
        const numbers n = numbers_of(run, weights, j);
        if (same)
            memcpy(to, n.at, param[j].count * reel_dtype_size(type));
        else
            reel_dtype_to_float((float *)(void *)to, n.at, n.type, param[j].count);
        to += param[j].count * reel_dtype_size(type);
    }
    *out = (numbers){*copy, type};
    return REEL_OK;
}

static reel_status load_packed(reel_run *run, const float *weights, size_t i, size_t count, reel_error *err)
{
    numbers n;
    void *copy;
    reel_status status = gather(run, weights, i, count, &n, &copy, err);
    if (status == REEL_OK)
        run->be->ops->weight_load(run->be, &run->packed[i], n.at, n.type);
    reel_free(copy);
    return status;
}

reel_status reel_run_load(reel_run *run, const float *weights, reel_error *err)
{
    reel_status status = REEL_OK;
    const size_t n = run->model->params.n;
    const float *block = weights != NULL ? weights : run->model->weights;
    if (run->packed == NULL && block != NULL) {
        run->be->ops->upload(run->be, run->block[REEL_BLOCK_WEIGHTS], block, run->model->params.floats * sizeof *block);
        return run->be->ops->sync(run->be, err);
    }
    for (size_t i = 0; i < n && status == REEL_OK;) {
        const size_t packed = reel_run_packed_params(run, i);
        status = packed > 0 ? load_packed(run, weights, i, packed, err) : load_plain(run, weights, i, err);
        i += packed > 0 ? packed : 1;
    }
    return status == REEL_OK ? run->be->ops->sync(run->be, err) : status;
}
