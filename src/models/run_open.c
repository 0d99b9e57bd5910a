/* A run opens: weights on the device, primitives made before the first step. */
#include <string.h>

#include "base/mem.h"
#include "models/run_state.h"

static reel_status take(reel_run *run, void *place, size_t count, size_t size, reel_error *err)
{
    void *dev = NULL;
    size_t bytes;
    if (!reel_mul(&bytes, count, size))
        return reel_fail_nomem(err, "run");
    reel_status status = run->be->ops->mem_alloc(run->be, bytes > 0 ? bytes : 64, &dev, err);
    memcpy(place, &dev, sizeof dev);
    return status;
}

static reel_status take_memory(reel_run *run, const reel_run_parts *p, reel_error *err)
{
    const reel_model *m = run->model;
    size_t labels = (size_t)m->config.labels, blocks = run->mode == REEL_RUN_TRAIN ? 4 : 1;
    reel_status status;
    for (size_t i = 0; i < blocks; i++)
        REEL_TRY(take(run, &run->block[i], m->params.floats, sizeof(float), err));
    REEL_TRY(take(run, &run->constants, reel_run_constants(m), sizeof(float), err));
    REEL_TRY(take(run, &run->arena, (size_t)p->activations, 1, err));
    REEL_TRY(take(run, &run->pixels, run->chunk * reel_run_pixels(m), sizeof(float), err));
    REEL_TRY(take(run, &run->logits, run->chunk * labels, sizeof(float), err));
    if (run->mode == REEL_RUN_TRAIN) {
        REEL_TRY(take(run, &run->dlogits, run->chunk * labels, sizeof(float), err));
        REEL_TRY(take(run, &run->sums, m->params.n, sizeof(double), err));
    } else
        REEL_TRY(take(run, &run->hidden, run->chunk * reel_run_tokens(m), sizeof(float), err));
    run->arena_bytes = (size_t)p->activations;
    run->host_logits = reel_calloc(run->max_batch * labels, sizeof(float));
    run->host_dlogits = reel_calloc(run->chunk * labels, sizeof(float));
    run->host_sums = reel_calloc(m->params.n, sizeof(double));
    if (run->host_logits == NULL || run->host_dlogits == NULL || run->host_sums == NULL)
        status = reel_fail_nomem(err, "run");
done:
    return status;
}

/* Zero gradients and moments; the constants. */
static reel_status upload_rest(reel_run *run, reel_error *err)
{
    const reel_model *m = run->model;
    size_t n = reel_run_constants(m);
    const reel_backend_ops *ops = run->be->ops;
    for (int i = REEL_BLOCK_GRADS; i <= REEL_BLOCK_EXP_AVG_SQ && run->mode == REEL_RUN_TRAIN; i++)
        ops->zero(run->be, run->block[i], m->params.floats * sizeof(float));
    if (n > 0) {
        float *host = reel_alloc_aligned(n, sizeof *host);
        if (host == NULL)
            return reel_fail_nomem(err, "run");
        m->arch->constants_fill(&m->config, host);
        ops->upload(run->be, run->constants, host, n * sizeof *host);
        reel_free(host);
    }
    return REEL_OK;
}

static reel_status open_device(reel_run *run, const reel_run_settings *settings, reel_backend *backend, const reel_run_parts *p,
                               reel_error *err)
{
    reel_status status = REEL_OK;
    run->be = backend;
    if (backend == NULL) {
        REEL_TRY(reel_backend_open(run->model->ctx, &run->be, err));
        run->own_backend = true;
    }
    REEL_TRY(take_memory(run, p, err));
    run->pass.be = run->be;
    run->pass.weights = run->block[REEL_BLOCK_WEIGHTS];
    run->pass.grads = run->block[REEL_BLOCK_GRADS];
    run->pass.constants = run->constants;
    run->pass.arena = (reel_arena){.base = run->arena, .size = run->arena_bytes};
    REEL_TRY(reel_run_load(run, NULL, err));
    if (settings->release != NULL && settings->mode == REEL_RUN_TRAIN)
        reel_model_drop_weights(settings->release);
    REEL_TRY(upload_rest(run, err));
    REEL_TRY(reel_run_prepare(run, run->chunk, err));
    size_t rest = run->max_batch % run->chunk;
    if (rest > 0)
        status = reel_run_prepare(run, rest, err);
done:
    return status;
}

reel_status reel_run_open_with(const reel_model *model, const reel_run_settings *settings, reel_backend *backend,
                               reel_run **out, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_run *run = NULL;
    reel_run_parts p;
    *out = NULL;
    REEL_TRY(reel_run_begin(model, settings, &run, err));
    REEL_TRY(reel_run_make_plan(run, &p, err));
    REEL_TRY(reel_memory_check(model->ctx, p.total, settings->mode == REEL_RUN_TRAIN ? "Training this model" : "Running this model",
                               "A smaller model, fewer frames or smaller pictures need less.", err));
    REEL_TRY(open_device(run, settings, backend, &p, err));
    *out = run;
    run = NULL;
done:
    reel_run_close(&run);
    return status;
}

reel_status reel_run_open(const reel_model *model, size_t max_batch, reel_run **out, reel_error *err)
{
    return reel_run_open_as(model, max_batch, REEL_PRECISION_FLOAT32, out, err);
}

reel_status reel_run_open_as(const reel_model *model, size_t max_batch, reel_precision precision, reel_run **out,
                             reel_error *err)
{
    const reel_run_settings settings = {.max_batch = max_batch, .mode = REEL_RUN_INFER, .precision = precision};
    return reel_run_open_with(model, &settings, NULL, out, err);
}

reel_precision reel_run_precision(const reel_run *run)
{
    return run->precision;
}

void reel_run_close(reel_run **run)
{
    if (run == NULL || *run == NULL)
        return;
    reel_run *r = *run;
    if (r->be != NULL) {
        const reel_backend_ops *ops = r->be->ops;
        void *dev[] = {r->block[0], r->block[1], r->block[2], r->block[3], r->arena, r->constants, r->pixels, r->logits,
                       r->dlogits, r->hidden, r->sums};
        for (size_t i = 0; r->packed != NULL && ops->weight_unpack != NULL && i < r->model->params.n; i++)
            if (r->packed[i].packed != NULL)
                ops->weight_unpack(r->be, &r->packed[i]);
        for (size_t i = 0; i < sizeof dev / sizeof *dev; i++)
            if (dev[i] != NULL)
                ops->mem_free(r->be, dev[i]);
        if (r->own_backend)
            reel_backend_close(&r->be);
    }
    reel_free(r->packed);
    reel_free(r->planned);
    reel_free(r->pass.cache);
    reel_free(r->host_logits);
    reel_free(r->host_dlogits);
    reel_free(r->host_sums);
    reel_free(r);
    *run = NULL;
}
