/* What is done over blocks: gradient norm, AdamW, blocks to and from the host. */
#include <math.h>

#include "base/mem.h"
#include "models/run_state.h"

static bool takes_part(const reel_param *p)
{
    return p->name != NULL && p->trainable && p->count > 0;
}

static reel_status check_mode(const reel_run *run, reel_error *err)
{
    return run->mode == REEL_RUN_TRAIN ? REEL_OK
                                       : reel_fail(err, REEL_ERR_ARG, "this run was opened for inference: it has no gradients");
}

reel_status reel_run_grad_norm(reel_run *run, double *norm, reel_error *err)
{
    const reel_params *params = &run->model->params;
    double total = 0;
    reel_status status;
    REEL_TRY(check_mode(run, err));
    for (size_t i = 0; i < params->n; i++)
        if (takes_part(&params->param[i]))
            run->be->ops->sum_squares(run->be, run->sums + i, run->block[REEL_BLOCK_GRADS] + params->param[i].offset,
                                      params->param[i].count);
    run->be->ops->download(run->be, run->host_sums, run->sums, params->n * sizeof *run->host_sums);
    REEL_TRY(run->be->ops->sync(run->be, err));
    for (size_t i = 0; i < params->n; i++)
        if (takes_part(&params->param[i])) {
            double one = (float)sqrt(run->host_sums[i]);  /* torch keeps the norm of a tensor in float32 */
            total += one * one;
        }
    *norm = (float)sqrt(total);
done:
    return status;
}

/* Scalars in double, rounded once, as torch's fused AdamW has them. */
static reel_adamw scalars(const reel_adamw_options *o, bool decay)
{
    double t = (double)o->step;
    return (reel_adamw){
        .grad_scale = (float)o->grad_scale,
        .decay = decay && o->weight_decay != 0 ? (float)(1 - o->lr * o->weight_decay) : 1.0f,
        .one_minus_beta1 = (float)(1 - o->beta1), .beta2 = (float)o->beta2, .one_minus_beta2 = (float)(1 - o->beta2),
        .step_size = (float)(o->lr / (1 - pow(o->beta1, t))), .bias2_root = (float)sqrt(1 - pow(o->beta2, t)),
        .eps = (float)o->epsilon,
    };
}

reel_status reel_run_adamw(reel_run *run, const reel_adamw_options *o, reel_error *err)
{
    const reel_params *params = &run->model->params;
    reel_status status;
    REEL_TRY(check_mode(run, err));
    if (o->step < 1) {
        status = reel_fail(err, REEL_ERR_ARG, "AdamW counts its steps from 1, not %lld", (long long)o->step);
        goto done;
    }
    const reel_adamw with = scalars(o, true), without = scalars(o, false);
    for (size_t i = 0; i < params->n; i++) {
        const reel_param *p = &params->param[i];
        if (takes_part(p))
            run->be->ops->adamw(run->be, run->block[REEL_BLOCK_WEIGHTS] + p->offset, run->block[REEL_BLOCK_EXP_AVG] + p->offset,
                                run->block[REEL_BLOCK_EXP_AVG_SQ] + p->offset, run->block[REEL_BLOCK_GRADS] + p->offset, p->count,
                                p->decay ? &with : &without);
    }
    status = run->be->ops->sync(run->be, err);
done:
    return status;
}

static reel_status check_block(const reel_run *run, reel_run_block block, reel_error *err)
{
    return (unsigned)block <= REEL_BLOCK_EXP_AVG_SQ && run->block[block] != NULL
               ? REEL_OK
               : reel_fail(err, REEL_ERR_ARG, "this run has no such block");
}

reel_status reel_run_get(reel_run *run, reel_run_block block, float *host, reel_error *err)
{
    reel_status status = check_block(run, block, err);
    if (status != REEL_OK)
        return status;
    run->be->ops->download(run->be, host, run->block[block], run->model->params.floats * sizeof *host);
    return run->be->ops->sync(run->be, err);
}

reel_status reel_run_set(reel_run *run, reel_run_block block, const float *host, reel_error *err)
{
    reel_status status = check_block(run, block, err);
    if (status != REEL_OK)
        return status;
    if (block == REEL_BLOCK_WEIGHTS)
        return reel_run_load(run, host, err);
    run->be->ops->upload(run->be, run->block[block], host, run->model->params.floats * sizeof *host);
    return run->be->ops->sync(run->be, err);
}

reel_status reel_run_lend(reel_run *run, reel_run_block block, const float **out, float **copy, reel_error *err)
{
    reel_status status;
    *copy = NULL;
    *out = NULL;
    REEL_TRY(check_block(run, block, err));
    REEL_TRY(run->be->ops->sync(run->be, err));
    *out = run->be->ops->host_view(run->be, run->block[block]);
    if (*out != NULL)
        return REEL_OK;
    *copy = reel_alloc_aligned(run->model->params.floats, sizeof **copy);
    status = *copy != NULL ? reel_run_get(run, block, *copy, err) : reel_fail_nomem(err, "a copy of the weights");
    if (status == REEL_OK) {
        *out = *copy;
        return REEL_OK;
    }
    reel_free(*copy);
    *copy = NULL;
done:
    return status;
}

reel_status reel_run_set_param(reel_run *run, reel_run_block block, size_t i, const void *numbers, reel_error *err)
{
    const reel_param *p = &run->model->params.param[i];
    reel_status status = check_block(run, block, err);
    if (status != REEL_OK)
        return status;
    run->be->ops->upload(run->be, run->block[block] + p->offset, numbers, p->count * sizeof(float));
    return run->be->ops->sync(run->be, err);
}
