/* For tests: the CPU's functions over memory that is closed (PROT_NONE) whenever no operation runs, so that a layer that reads
 * or writes device memory crashes. It is closed while planning too. A block ends at a page that is never open. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend/cpu/cpu.h"
#include "base/mem.h"

typedef struct fence_block { unsigned char *map; size_t bytes; void *dev; } fence_block;  /* bytes: without the last page */

typedef struct fence {
    reel_backend base;
    reel_backend *inner;
    fence_block *blocks;
    size_t count, capacity;
} fence;

static void protect_all(const fence *f, int how)
{
    for (size_t i = 0; i < f->count; i++)
        mprotect(f->blocks[i].map, f->blocks[i].bytes, how);
}

static reel_backend *fence_enter(reel_backend *be)
{
    fence *f = (fence *)be;
    f->inner->planning = be->planning;
    f->inner->failed = be->failed;
    if (!be->planning)
        protect_all(f, PROT_READ | PROT_WRITE);
    return f->inner;
}

static void fence_leave(reel_backend *be)
{
    fence *f = (fence *)be;
    be->failed = f->inner->failed;
    protect_all(f, PROT_NONE);
}

#define FENCED(op, ...) do { \
        reel_backend *inner_ = fence_enter(be); \
        inner_->ops->op(inner_, __VA_ARGS__); \
        fence_leave(be); \
    } while (0)

static void fence_close(reel_backend *be)
{
    fence *f = (fence *)be;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < f->count; i++)
        munmap(f->blocks[i].map, f->blocks[i].bytes + page);
    reel_free(f->blocks);
    reel_backend_close(&f->inner);
    reel_free(f);
}

static reel_status fence_sync(reel_backend *be, reel_error *err)
{
    reel_backend *inner = fence_enter(be);
    reel_status status = inner->ops->sync(inner, err);
    fence_leave(be);
    return status;
}

static reel_status fence_mem_alloc(reel_backend *be, size_t bytes, void **dev, reel_error *err)
{
    fence *f = (fence *)be;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t whole;
    *dev = NULL;
    if (!reel_add(&whole, bytes, 2 * page) || !reel_grow((void **)&f->blocks, &f->capacity, f->count, sizeof *f->blocks))
        return reel_fail(err, REEL_ERR_NOMEM, "out of memory: %zu bytes were asked for", bytes);
    whole = (whole - 1) & ~(page - 1);  /* pages for the bytes, one more behind */
    unsigned char *map = mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return reel_fail(err, REEL_ERR_NOMEM, "out of memory: %zu bytes were asked for", bytes);
    fence_block *b = &f->blocks[f->count++];
    b->map = map;
    b->bytes = whole - page;
    b->dev = map + ((b->bytes - bytes) & ~(size_t)63);
    *dev = b->dev;
    return REEL_OK;
}

static void fence_mem_free(reel_backend *be, void *dev)
{
    fence *f = (fence *)be;
    for (size_t i = 0; i < f->count; i++)
        if (f->blocks[i].dev == dev) {
            munmap(f->blocks[i].map, f->blocks[i].bytes + (size_t)sysconf(_SC_PAGESIZE));
            f->blocks[i] = f->blocks[--f->count];
            return;
        }
}

static void fence_upload(reel_backend *be, void *dev, const void *host, size_t bytes) { FENCED(upload, dev, host, bytes); }
static void fence_download(reel_backend *be, void *host, const void *dev, size_t bytes) { FENCED(download, host, dev, bytes); }
/* As a device with memory of its own. */
static const void *fence_host_view(reel_backend *be, const void *dev)
{
    (void)be;
    (void)dev;
    return NULL;
}

static void fence_copy(reel_backend *be, void *to, const void *from, size_t bytes) { FENCED(copy, to, from, bytes); }
static void fence_zero(reel_backend *be, void *dev, size_t bytes) { FENCED(zero, dev, bytes); }
static void fence_weight_load(reel_backend *be, reel_weight *w, const void *numbers, reel_dtype type)
{
    FENCED(weight_load, w, numbers, type);
}

static void fence_weight_unpack(reel_backend *be, reel_weight *w) { FENCED(weight_unpack, w); }

static void fence_linear_fwd(reel_backend *be, reel_view y, reel_view pre, reel_view x, const reel_weight *w,
                             const float *bias, reel_act act, reel_view residual)
{
    FENCED(linear_fwd, y, pre, x, w, bias, act, residual);
}

static void fence_linear_bwd_input(reel_backend *be, reel_view dx, reel_view dy, const reel_weight *w, bool accumulate)
{
    FENCED(linear_bwd_input, dx, dy, w, accumulate);
}

static void fence_linear_bwd_weight(reel_backend *be, reel_view dw, float *db, reel_view dy, reel_view x, bool accumulate)
{
    FENCED(linear_bwd_weight, dw, db, dy, x, accumulate);
}

static void fence_attention_fwd(reel_backend *be, reel_view o, float *lse, reel_view q, reel_view k, reel_view v,
                                size_t batch, size_t heads, float scale)
{
    FENCED(attention_fwd, o, lse, q, k, v, batch, heads, scale);
}

static void fence_attention_int8(reel_backend *be, reel_view o, reel_view q, reel_view k, reel_view v, size_t batch, size_t heads,
                                 float scale)
{
    FENCED(attention_int8, o, q, k, v, batch, heads, scale);
}

static void fence_attention_bwd(reel_backend *be, reel_view dq, reel_view dk, reel_view dv, reel_view do_, reel_view o,
                                const float *lse, reel_view q, reel_view k, reel_view v, size_t batch, size_t heads,
                                float scale)
{
    FENCED(attention_bwd, dq, dk, dv, do_, o, lse, q, k, v, batch, heads, scale);
}

static void fence_layernorm_fwd(reel_backend *be, reel_view y, float *mean, float *rstd, reel_view x, const float *gamma,
                                const float *beta, float eps)
{
    FENCED(layernorm_fwd, y, mean, rstd, x, gamma, beta, eps);
}

static void fence_layernorm_bwd(reel_backend *be, reel_view dx, bool accumulate_dx, float *dgamma, float *dbeta,
                                bool accumulate_params, reel_view dy, reel_view x, const float *mean, const float *rstd,
                                const float *gamma)
{
    FENCED(layernorm_bwd, dx, accumulate_dx, dgamma, dbeta, accumulate_params, dy, x, mean, rstd, gamma);
}

static void fence_act_fwd(reel_backend *be, reel_view y, reel_view x, reel_act act) { FENCED(act_fwd, y, x, act); }

static void fence_act_bwd(reel_backend *be, reel_view dx, reel_view again, reel_view dy, reel_view x, reel_act act)
{
    FENCED(act_bwd, dx, again, dy, x, act);
}

static void fence_add(reel_backend *be, reel_view y, reel_view a, reel_view b) { FENCED(add, y, a, b); }

static void fence_add_table(reel_backend *be, reel_view y, reel_view x, const float *table, size_t period)
{
    FENCED(add_table, y, x, table, period);
}

static void fence_patch_gather(reel_backend *be, reel_view rows, const float *pixels, const reel_patching *p)
{
    FENCED(patch_gather, rows, pixels, p);
}

static void fence_rows_mean(reel_backend *be, reel_view y, reel_view x) { FENCED(rows_mean, y, x); }
static void fence_rows_mean_bwd(reel_backend *be, reel_view dx, reel_view dy) { FENCED(rows_mean_bwd, dx, dy); }

static void fence_dropout(reel_backend *be, reel_view y, reel_view x, float p, const uint32_t key[2], const uint32_t counter[2])
{
    FENCED(dropout, y, x, p, key, counter);
}

static void fence_sum_squares(reel_backend *be, double *out, const float *x, size_t n) { FENCED(sum_squares, out, x, n); }

static void fence_adamw(reel_backend *be, float *p, float *m, float *v, const float *g, size_t n, const reel_adamw *h)
{
    FENCED(adamw, p, m, v, g, n, h);
}

static void fence_cast(reel_backend *be, reel_view y, reel_view x) { FENCED(cast, y, x); }

static const reel_backend_ops fence_ops = {
    .name = "fence",
    .close = fence_close,
    .sync = fence_sync,
    .mem_alloc = fence_mem_alloc,
    .mem_free = fence_mem_free,
    .upload = fence_upload,
    .download = fence_download,
    .host_view = fence_host_view,
    .copy = fence_copy,
    .zero = fence_zero,
    .weight_load = fence_weight_load,
    .weight_unpack = fence_weight_unpack,
    .linear_fwd = fence_linear_fwd,
    .linear_bwd_input = fence_linear_bwd_input,
    .linear_bwd_weight = fence_linear_bwd_weight,
    .attention_fwd = fence_attention_fwd,
    .attention_int8 = fence_attention_int8,
    .attention_bwd = fence_attention_bwd,
    .layernorm_fwd = fence_layernorm_fwd,
    .layernorm_bwd = fence_layernorm_bwd,
    .act_fwd = fence_act_fwd,
    .act_bwd = fence_act_bwd,
    .add = fence_add,
    .add_table = fence_add_table,
    .patch_gather = fence_patch_gather,
    .rows_mean = fence_rows_mean,
    .rows_mean_bwd = fence_rows_mean_bwd,
    .dropout = fence_dropout,
    .sum_squares = fence_sum_squares,
    .adamw = fence_adamw,
    .cast = fence_cast,
};

reel_status reel_backend_fence_open(reel_context *ctx, reel_backend **out, reel_error *err)
{
    *out = NULL;
    fence *f = reel_calloc(1, sizeof *f);
    if (f == NULL)
        return reel_fail_nomem(err, "fence back end");
    reel_status status = reel_cpu_open(ctx, &f->inner, err);
    if (status != REEL_OK) {
        reel_free(f);
        return status;
    }
    f->base.ops = &fence_ops;
    *out = &f->base;
    return REEL_OK;
}
