/* What a model costs on this processor: products, forward, training step. */
#include <fcntl.h>
#include <math.h>
#include <unistd.h>

#include "backend/backend.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "base/rng.h"
#include "train/bench.h"

/* --- the four products of a layer, without anything between them --- */

enum { PRODUCTS = 4 };

typedef struct products {
    reel_backend *be;
    reel_weight w[PRODUCTS];
    reel_view x[PRODUCTS], y[PRODUCTS];
} products;

static reel_status numbers_make(reel_backend *be, const reel_view *v, float *host, reel_error *err)
{
    const reel_view plain = {host, REEL_F32, v->rows, v->cols, v->cols};
    void *dev = NULL;
    reel_status status = be->ops->mem_alloc(be, v->rows * v->cols * sizeof(float), &dev, err);
    if (status != REEL_OK)
        return status;
    be->ops->upload(be, dev, host, v->rows * v->cols * sizeof(float));
    reel_view from = plain;
    from.dev = dev;
    if (v->dtype == REEL_F32)
        be->ops->copy(be, v->dev, dev, v->rows * v->cols * sizeof(float));
    else
        be->ops->cast(be, *v, from);
    status = be->ops->sync(be, err);
    be->ops->mem_free(be, dev);
    return status;
}

static reel_status product_make(products *p, int i, reel_view shape, size_t in, reel_dtype type, reel_pack kind, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_backend *be = p->be;
    reel_mt mt;
    const size_t most = shape.rows > shape.cols ? shape.rows : shape.cols;
    float *host = reel_alloc_aligned(most * in, sizeof *host);
    if (host == NULL)
        return reel_fail_nomem(err, "products");
    reel_mt_seed(&mt, 1);
    reel_mt_normal(&mt, host, most * in, 0.05f);
    p->x[i] = (reel_view){NULL, type, shape.rows, in, in};
    p->y[i] = (reel_view){NULL, type, shape.rows, shape.cols, shape.cols};
    p->w[i] = (reel_weight){.plain = {NULL, REEL_F32, shape.cols, in, in}, .kind = kind};
    REEL_TRY(be->ops->mem_alloc(be, shape.rows * in * reel_dtype_size(type), &p->x[i].dev, err));
    REEL_TRY(be->ops->mem_alloc(be, shape.rows * shape.cols * reel_dtype_size(type), &p->y[i].dev, err));
    REEL_TRY(numbers_make(be, &p->x[i], host, err));
    be->ops->weight_load(be, &p->w[i], host, REEL_F32);
    status = be->ops->sync(be, err);
done:
    reel_free(host);
    return status;
}

static void products_issue(products *p)
{
    const reel_view none = {0};
    for (int i = 0; i < PRODUCTS; i++)
        p->be->ops->linear_fwd(p->be, p->y[i], none, p->x[i], &p->w[i], NULL, REEL_ACT_NONE, none);
}

static reel_status products_once(void *user, reel_error *err)
{
    products *p = user;
    products_issue(p);
    return p->be->ops->sync(p->be, err);
}

static void products_close(products *p)
{
    if (p->be == NULL)
        return;
    for (int i = 0; i < PRODUCTS; i++) {
        if (p->w[i].packed != NULL)
            p->be->ops->weight_unpack(p->be, &p->w[i]);
        if (p->x[i].dev != NULL)
            p->be->ops->mem_free(p->be, p->x[i].dev);
        if (p->y[i].dev != NULL)
            p->be->ops->mem_free(p->be, p->y[i].dev);
    }
    reel_backend_close(&p->be);
}

reel_status reel_bench_products(const reel_bencher *b, reel_bench_precision *out, reel_error *err)
{
    const reel_config *c = &b->model->config;
    const size_t d = (size_t)c->hidden, wide = (size_t)c->intermediate;
    const size_t rows = (size_t)c->tokens > 1024 ? (size_t)c->tokens : 1024;
    const struct { size_t in, out; } shape[PRODUCTS] = {{d, 3 * d}, {d, d}, {d, wide}, {wide, d}};
    products p = {0};
    double operations = 0, median;
    reel_status status = REEL_OK;
    REEL_TRY(reel_backend_open(b->ctx, &p.be, err));
    for (int i = 0; i < PRODUCTS; i++) {
        const reel_view size = {NULL, REEL_F32, rows, shape[i].out, 0};
        REEL_TRY(product_make(&p, i, size, shape[i].in, reel_run_dtype(out->used), reel_run_pack(out->used), err));
        operations += 2.0 * (double)rows * (double)shape[i].in * (double)shape[i].out;
    }
    p.be->planning = true;
    products_issue(&p);
    p.be->planning = false;
    REEL_TRY(p.be->ops->sync(p.be, err));
    REEL_TRY(reel_bench_time(b, b->seconds / 4, products_once, &p, &median, err));
    out->product_rate = operations / median / 1e9;
done:
    products_close(&p);
    return status;
}

/* --- forward --- */

typedef struct passes { const reel_bencher *b; reel_run *run; float *logits; int64_t *label; int64_t step; } passes;

static reel_status forward_once(void *user, reel_error *err)
{
    passes *p = user;
    return reel_run_forward(p->run, p->b->pixels, 1, p->logits, NULL, err);
}

reel_status reel_bench_forward(const reel_bencher *b, double gflop, reel_bench_precision *out, reel_error *err)
{
    const reel_config *c = &b->model->config;
    passes p = {.b = b, .logits = reel_calloc((size_t)c->labels, sizeof *p.logits)};
    reel_status status = REEL_OK;
    if (p.logits == NULL)
        return reel_fail_nomem(err, "the scores of a clip");
    REEL_TRY(reel_run_open_as(b->model, 1, out->used, &p.run, err));
    REEL_TRY(reel_bench_time(b, b->seconds, forward_once, &p, &out->forward_seconds, err));
    out->forward_rate = gflop / out->forward_seconds;
    const double d = c->hidden, wide = c->intermediate;
    const double gop = 2e-9 * c->layers * c->tokens * (4 * d * d + 2 * d * wide);
    out->product_share = gop / out->product_rate / out->forward_seconds;
done:
    reel_run_close(&p.run);
    reel_free(p.logits);
    return status;
}

/* --- a training step: forward, loss, backward, norm, AdamW --- */

static reel_status step_once(void *user, reel_error *err)
{
    passes *p = user;
    double value, norm;
    const reel_loss loss = {.kind = REEL_LOSS_SINGLE, .label = p->label, .items = (double)p->b->batch};
    const uint64_t draw = (uint64_t)p->step++;
    reel_status status = REEL_OK;
    REEL_TRY(reel_run_train(p->run, p->b->pixels, p->b->batch, &loss, false, 0, draw, &value, NULL, err));
    REEL_TRY(reel_run_grad_norm(p->run, &norm, err));
    const reel_adamw_options o = {.lr = 1e-5, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8,
                                  .grad_scale = norm > 1 ? 1 / norm : 1, .step = p->step};
    status = reel_run_adamw(p->run, &o, err);
done:
    return status;
}

/* Lets the system count this process's peak anew (proc(5), clear_refs); where it does not, the peak is the whole process's. */
static void peak_forget(void)
{
    const int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (write(fd, "5", 1) != 1)
        (void)lseek(fd, 0, SEEK_SET);
    close(fd);
}

reel_status reel_bench_step(const reel_bencher *b, reel_bench_precision *out, reel_error *err)
{
    passes p = {.b = b, .label = reel_calloc(b->batch, sizeof *p.label)};
    reel_model *model = NULL;
    reel_status status = REEL_OK;
    if (p.label == NULL)
        return reel_fail_nomem(err, "the labels of a step");
    REEL_TRY(reel_bench_model(b, &model, err));
    const reel_run_settings settings = {.max_batch = b->batch, .mode = REEL_RUN_TRAIN, .precision = out->used};
    REEL_TRY(reel_run_open_with(model, &settings, NULL, &p.run, err));
    reel_model_drop_weights(model);
    peak_forget();
    REEL_TRY(reel_bench_time(b, b->seconds, step_once, &p, &out->step_seconds, err));
    const int64_t peak = reel_memory_peak();
    out->step_memory = peak > 0 ? (uint64_t)peak : 0;
done:
    reel_run_close(&p.run);
    reel_model_close(&model);
    reel_free(p.label);
    return status;
}
