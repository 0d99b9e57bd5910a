#include "nn/measure.h"

static void close_(reel_backend *be) { (void)be; }
static reel_status sync_(reel_backend *be, reel_error *err) { (void)be; (void)err; return REEL_OK; }

static reel_status mem_alloc(reel_backend *be, size_t bytes, void **dev, reel_error *err)
{
    (void)be; (void)bytes;
    *dev = NULL;
    return reel_fail(err, REEL_ERR_BACKEND, "the measuring table has no memory");
}

static void mem_free(reel_backend *be, void *dev) { (void)be; (void)dev; }
static void upload(reel_backend *be, void *dev, const void *host, size_t n) { (void)be; (void)dev; (void)host; (void)n; }
static void download(reel_backend *be, void *host, const void *dev, size_t n) { (void)be; (void)dev; (void)host; (void)n; }
static const void *host_view(reel_backend *be, const void *dev) { (void)be; (void)dev; return NULL; }
static void copy(reel_backend *be, void *to, const void *from, size_t n) { (void)be; (void)to; (void)from; (void)n; }
static void zero(reel_backend *be, void *dev, size_t n) { (void)be; (void)dev; (void)n; }

static void linear_fwd(reel_backend *be, reel_view y, reel_view pre, reel_view x, const reel_weight *w, const float *bias,
                       reel_act act, reel_view residual)
{
    (void)be; (void)y; (void)pre; (void)x; (void)w; (void)bias; (void)act; (void)residual;
}

static void linear_bwd_input(reel_backend *be, reel_view dx, reel_view dy, const reel_weight *w, bool accumulate)
{
    (void)be; (void)dx; (void)dy; (void)w; (void)accumulate;
}

static void linear_bwd_weight(reel_backend *be, reel_view dw, float *db, reel_view dy, reel_view x, bool accumulate)
{
    (void)be; (void)dw; (void)db; (void)dy; (void)x; (void)accumulate;
}

static void attention_fwd(reel_backend *be, reel_view o, float *lse, reel_view q, reel_view k, reel_view v, size_t batch,
                          size_t heads, float scale)
{
    (void)be; (void)o; (void)lse; (void)q; (void)k; (void)v; (void)batch; (void)heads; (void)scale;
}

static void attention_int8(reel_backend *be, reel_view o, reel_view q, reel_view k, reel_view v, size_t batch, size_t heads, float scale)
{
    (void)be; (void)o; (void)q; (void)k; (void)v; (void)batch; (void)heads; (void)scale;
}

static void attention_bwd(reel_backend *be, reel_view dq, reel_view dk, reel_view dv, reel_view do_, reel_view o,
                          const float *lse, reel_view q, reel_view k, reel_view v, size_t batch, size_t heads, float scale)
{
    (void)be; (void)dq; (void)dk; (void)dv; (void)do_; (void)o; (void)lse; (void)q; (void)k; (void)v; (void)batch; (void)heads;
    (void)scale;
}

static void layernorm_fwd(reel_backend *be, reel_view y, float *mean, float *rstd, reel_view x, const float *gamma,
                          const float *beta, float eps)
{
    (void)be; (void)y; (void)mean; (void)rstd; (void)x; (void)gamma; (void)beta; (void)eps;
}

static void layernorm_bwd(reel_backend *be, reel_view dx, bool accumulate_dx, float *dgamma, float *dbeta,
                          bool accumulate_params, reel_view dy, reel_view x, const float *mean, const float *rstd,
                          const float *gamma)
{
    (void)be; (void)dx; (void)accumulate_dx; (void)dgamma; (void)dbeta; (void)accumulate_params; (void)dy; (void)x; (void)mean;
    (void)rstd; (void)gamma;
}

static void act_fwd(reel_backend *be, reel_view y, reel_view x, reel_act act) { (void)be; (void)y; (void)x; (void)act; }

static void act_bwd(reel_backend *be, reel_view dx, reel_view again, reel_view dy, reel_view x, reel_act act)
{
    (void)be; (void)dx; (void)again; (void)dy; (void)x; (void)act;
}

static void add(reel_backend *be, reel_view y, reel_view a, reel_view b) { (void)be; (void)y; (void)a; (void)b; }

static void add_table(reel_backend *be, reel_view y, reel_view x, const float *table, size_t period)
{
    (void)be; (void)y; (void)x; (void)table; (void)period;
}

static void patch_gather(reel_backend *be, reel_view rows, const float *pixels, const reel_patching *p)
{
    (void)be; (void)rows; (void)pixels; (void)p;
}

static void two_views(reel_backend *be, reel_view y, reel_view x) { (void)be; (void)y; (void)x; }

static void dropout(reel_backend *be, reel_view y, reel_view x, float p, const uint32_t key[2], const uint32_t counter[2])
{
    (void)be; (void)y; (void)x; (void)p; (void)key; (void)counter;
}

static void sum_squares(reel_backend *be, double *out, const float *x, size_t n) { (void)be; (void)out; (void)x; (void)n; }

static void adamw(reel_backend *be, float *p, float *m, float *v, const float *g, size_t n, const reel_adamw *h)
{
    (void)be; (void)p; (void)m; (void)v; (void)g; (void)n; (void)h;
}

static const reel_backend_ops ops = {
    .name = "measure", .close = close_, .sync = sync_, .mem_alloc = mem_alloc, .mem_free = mem_free, .upload = upload,
    .download = download, .host_view = host_view, .copy = copy, .zero = zero, .linear_fwd = linear_fwd, .linear_bwd_input = linear_bwd_input,
    .linear_bwd_weight = linear_bwd_weight, .attention_fwd = attention_fwd, .attention_int8 = attention_int8, .attention_bwd = attention_bwd,
    .layernorm_fwd = layernorm_fwd, .layernorm_bwd = layernorm_bwd, .act_fwd = act_fwd, .act_bwd = act_bwd, .add = add,
    .add_table = add_table, .patch_gather = patch_gather, .rows_mean = two_views, .rows_mean_bwd = two_views,
    .dropout = dropout, .sum_squares = sum_squares, .adamw = adamw, .cast = two_views,
};

reel_backend reel_measure_backend(void)
{
    return (reel_backend){.ops = &ops, .planning = true};
}
