/* How much a run will hold, found by walking through the layers over a table that does nothing; and the walks themselves. */
#include "base/mem.h"
#include "models/run_state.h"
#include "nn/measure.h"

/* Clips go through the layers together only until they make this many rows: beyond it products get no faster, while the
 * activations of a training step grow with every clip and leave the cache (VideoMAE-base: one clip of 1568 tokens). */
enum { CHUNK_ROWS = 2048 };

size_t reel_run_pixels(const reel_model *m)
{
    const reel_config *c = &m->config;
    return (size_t)c->frames * (size_t)c->channels * (size_t)c->height * (size_t)c->width;
}

size_t reel_run_tokens(const reel_model *m)
{
    return (size_t)m->config.tokens * (size_t)m->config.hidden;
}

static size_t chunk_of(const reel_model *m, size_t max_batch)
{
    size_t fit = CHUNK_ROWS / (size_t)m->config.tokens;
    fit = fit < 1 ? 1 : fit;
    return fit < max_batch ? fit : max_batch;
}

/* --- walks --- */

void reel_run_walk(reel_run *run, size_t clips, bool train, bool hidden)
{
    const reel_config *c = &run->model->config;
    size_t labels = (size_t)c->labels, tokens = (size_t)c->tokens, width = (size_t)c->hidden;
    reel_pass *p = &run->pass;
    reel_arena_rewind(&p->arena, 0);
    p->batch = clips;
    p->train = train;
    p->dropout = train ? (float)c->hidden_dropout : 0;
    p->cancelled = false;
    reel_view logits = {run->logits, REEL_F32, clips, labels, labels};
    reel_view states = {hidden ? run->hidden : NULL, REEL_F32, clips * tokens, width, width};
    run->model->arch->forward(p, c, &run->model->params, run->pixels, logits, states);
}

void reel_run_walk_back(reel_run *run)
{
    size_t labels = (size_t)run->model->config.labels;
    reel_view dlogits = {run->dlogits, REEL_F32, run->pass.batch, labels, labels};
    run->model->arch->backward(&run->pass, &run->model->config, &run->model->params, dlogits);
}

static void walk_all(reel_run *run, size_t clips)
{
    reel_run_walk(run, clips, false, run->mode == REEL_RUN_INFER);
    if (run->mode != REEL_RUN_TRAIN)
        return;
    for (int accumulate = 0; accumulate < 2; accumulate++) {
        run->pass.accumulate = accumulate != 0;
        reel_run_walk(run, clips, true, false);
        reel_run_walk_back(run);
    }
}

reel_status reel_run_settle(reel_run *run, reel_error *err)
{
    reel_status status = run->be->ops->sync(run->be, err);
    if (status == REEL_OK && run->pass.arena.failed)
        status = reel_fail(err, REEL_ERR_BACKEND, "the arena of %zu bytes is too small for this walk (a defect of reel)",
                           run->pass.arena.size);
    if (status == REEL_OK && run->pass.cancelled)
        status = reel_fail_cancelled(err);
    return status;
}

reel_status reel_run_prepare(reel_run *run, size_t clips, reel_error *err)
{
    if (run->planned[clips])
        return REEL_OK;
    run->be->planning = true;
    walk_all(run, clips);
    run->be->planning = false;
    reel_status status = reel_run_settle(run, err);
    run->planned[clips] = status == REEL_OK;
    return status;
}

/* --- planning --- */

/* Adds the bytes of count elements to a part. */
static bool add_part(uint64_t *part, size_t count, size_t size)
{
    size_t bytes, sum;
    if (!reel_mul(&bytes, count, size) || !reel_add(&sum, (size_t)*part, bytes) || !reel_add(&sum, sum, 64))
        return false;
    *part = sum;
    return true;
}

size_t reel_run_constants(const reel_model *m)
{
    return m->arch->constants != NULL ? m->arch->constants(&m->config) : 0;
}

/* Bytes of weights that the back end will keep packed: known once a walk has shown which. */
static bool add_packed(const reel_run *run, uint64_t *part)
{
    static const size_t size[] = {[REEL_PACK_F32] = 4, [REEL_PACK_BF16] = 2, [REEL_PACK_INT8] = 1};
    bool good = true;
    for (size_t i = 0; run->packed != NULL && i < run->model->params.n && good; i++)
        if (run->packed[i].plain.dev != NULL)
            good = add_part(part, run->packed[i].plain.rows * run->packed[i].plain.cols, size[run->packed[i].kind]);
    return good;
}

size_t reel_run_packed_params(const reel_run *run, size_t i)
{
    if (run->packed == NULL || run->packed[i].plain.dev == NULL)
        return 0;
    size_t numbers = run->packed[i].plain.rows * run->packed[i].plain.cols, n = 0;
    while (numbers > 0 && i + n < run->model->params.n) {
        const size_t count = run->model->params.param[i + n++].count;
        numbers -= count < numbers ? count : numbers;
    }
    return n;
}

/* Numbers of the parameters that are not packed. */
static size_t plain_numbers(const reel_run *run)
{
    size_t all = 0;
    for (size_t i = 0; i < run->model->params.n;) {
        const size_t packed = reel_run_packed_params(run, i);
        if (packed == 0)
            all += run->model->params.param[i].count;
        i += packed > 0 ? packed : 1;
    }
    return all;
}

static bool sum_parts(reel_run_parts *p)
{
    const uint64_t part[] = {p->weights, p->packed, p->gradients, p->moments, p->activations, p->clips};
    size_t total = 0;
    for (size_t i = 0; i < sizeof part / sizeof *part; i++)
        if (!reel_add(&total, total, (size_t)part[i]))
            return false;
    p->total = total;
    return true;
}

reel_status reel_run_make_plan(reel_run *run, reel_run_parts *out, reel_error *err)
{
    const reel_model *m = run->model;
    reel_backend measuring = reel_measure_backend();
    reel_run measured = *run;
    const size_t labels = (size_t)m->config.labels;
    const bool train = run->mode == REEL_RUN_TRAIN;
    float *nowhere = (float *)(uintptr_t)4096;  /* never read, but a view must have an address to be one */
    *out = (reel_run_parts){.chunk = run->chunk};
    measured.be = &measuring;
    measured.pass.be = &measuring;
    measured.pass.weights = measured.pass.constants = nowhere;
    measured.pass.grads = measured.logits = measured.dlogits = measured.hidden = measured.pixels = nowhere;
    measured.pass.arena = (reel_arena){0};
    walk_all(&measured, run->chunk);
    bool good = !measured.pass.arena.failed && add_part(&out->activations, measured.pass.arena.peak, 1) &&
                add_packed(run, &out->packed) &&
                add_part(&out->weights, train ? m->params.floats : plain_numbers(run), sizeof(float)) &&
                add_part(&out->weights, reel_run_constants(m), sizeof(float)) &&
                add_part(&out->clips, run->chunk * reel_run_pixels(m), sizeof(float)) &&
                add_part(&out->clips, (run->chunk + run->max_batch) * labels * 2, sizeof(float)) &&
                add_part(&out->clips, m->params.n * 2, sizeof(double));
    if (train)
        good = good && add_part(&out->gradients, m->params.floats, sizeof(float)) &&
               add_part(&out->moments, m->params.floats, 2 * sizeof(float));
    else
        good = good && add_part(&out->clips, run->chunk * reel_run_tokens(m), sizeof(float));
    return good && sum_parts(out) ? REEL_OK
                                  : reel_fail(err, REEL_ERR_NOMEM, "the activations of this model are too large for any machine");
}

reel_pack reel_run_pack(reel_precision precision)
{
    return precision == REEL_PRECISION_INT8 ? REEL_PACK_INT8 : precision == REEL_PRECISION_BFLOAT16 ? REEL_PACK_BF16 : REEL_PACK_F32;
}

reel_dtype reel_run_dtype(reel_precision precision) { return precision == REEL_PRECISION_FLOAT32 ? REEL_F32 : REEL_BF16; }

reel_status reel_run_begin(const reel_model *model, const reel_run_settings *settings, reel_run **out, reel_error *err)
{
    const size_t max_batch = settings->max_batch;
    const reel_run_mode mode = settings->mode;
    if (mode == REEL_RUN_TRAIN && settings->precision == REEL_PRECISION_INT8)
        return reel_fail(err, REEL_ERR_UNSUPPORTED, "int8 is for inference; a model is trained in float32 or bfloat16");
    if (mode == REEL_RUN_TRAIN && model->weights == NULL)
        return reel_fail(err, REEL_ERR_ARG, "this model was opened for inference: its weights are in the file");
    *out = NULL;
    if (max_batch < 1)
        return reel_fail(err, REEL_ERR_ARG, "a run needs a batch of at least 1 clip");
    if (mode == REEL_RUN_TRAIN && model->config.attention_dropout > 0)
        return reel_fail(err, REEL_ERR_UNSUPPORTED, "config.json: attention_probs_dropout_prob is %g; training with dropout of "
                         "attention is not done here (the attention matrix is never stored); set it to 0",
                         model->config.attention_dropout);
    reel_run *run = reel_calloc(1, sizeof *run);
    if (run == NULL)
        return reel_fail_nomem(err, "run");
    *run = (reel_run){.model = model, .mode = mode, .checkpointing = settings->checkpointing,
        .precision = reel_precision_usable(model->ctx, settings->precision, NULL),
        .max_batch = max_batch, .chunk = chunk_of(model, max_batch)};
    run->planned = reel_calloc(run->chunk + 1, sizeof *run->planned);
    run->pass = (reel_pass){.ctx = model->ctx, .dtype = REEL_F32, .cache = reel_calloc(1, model->arch->cache_bytes(&model->config))};
    if (mode == REEL_RUN_INFER)
        run->packed = reel_calloc(model->params.n, sizeof *run->packed);
    if (run->planned == NULL || run->pass.cache == NULL || (mode == REEL_RUN_INFER && run->packed == NULL)) {
        reel_run_close(&run);
        return reel_fail_nomem(err, "run");
    }
    run->pass.packed = run->packed;
    run->pass.checkpointing = settings->checkpointing && mode == REEL_RUN_TRAIN;
    run->pass.pack = reel_run_pack(run->precision);
    run->pass.dtype = reel_run_dtype(run->precision);
    *out = run;
    return REEL_OK;
}

reel_status reel_run_plan(const reel_model *model, const reel_run_settings *settings, reel_run_parts *out, reel_error *err)
{
    reel_run *run = NULL;
    *out = (reel_run_parts){0};
    reel_status status = reel_run_begin(model, settings, &run, err);
    if (status == REEL_OK)
        status = reel_run_make_plan(run, out, err);
    reel_run_close(&run);
    return status;
}
