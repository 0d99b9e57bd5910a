/* The CPU's table: memory, scratch, threads, failures. */
#include <string.h>

#include "backend/cpu/cpu.h"
#include "base/mem.h"

static void cpu_close(reel_backend *be)
{
    reel_cpu *c = (reel_cpu *)be;
    reel_free(c->scratch);
    reel_free(c);
}

/* Every operation is done when it returns. */
static reel_status cpu_sync(reel_backend *be, reel_error *err)
{
    reel_status status = be->failed.status;
    if (status != REEL_OK && err != NULL)
        *err = be->failed;
    be->failed = (reel_error){0};
    return status;
}

static reel_status cpu_mem_alloc(reel_backend *be, size_t bytes, void **dev, reel_error *err)
{
    (void)be;
    *dev = reel_alloc_aligned(bytes, 1);
    return *dev != NULL ? REEL_OK : reel_fail(err, REEL_ERR_NOMEM, "out of memory: %zu bytes were asked for", bytes);
}

static void cpu_mem_free(reel_backend *be, void *dev)
{
    (void)be;
    reel_free(dev);
}

static void cpu_upload(reel_backend *be, void *dev, const void *host, size_t bytes)
{
    if (reel_cpu_running(be) != NULL && bytes > 0)
        memcpy(dev, host, bytes);
}

static void cpu_download(reel_backend *be, void *host, const void *dev, size_t bytes)
{
    if (reel_cpu_running(be) != NULL && bytes > 0)
        memcpy(host, dev, bytes);
}

static const void *cpu_host_view(reel_backend *be, const void *dev)
{
    (void)be;
    return dev;
}

static void cpu_copy(reel_backend *be, void *to, const void *from, size_t bytes)
{
    if (reel_cpu_running(be) != NULL && bytes > 0)
        memmove(to, from, bytes);
}

static void cpu_zero(reel_backend *be, void *dev, size_t bytes)
{
    if (reel_cpu_running(be) != NULL && bytes > 0)
        memset(dev, 0, bytes);
}

static bool takes(reel_cpu *c, const char *op, reel_view a, reel_view b, bool half)
{
    const reel_view views[] = {a, b};
    for (int i = 0; i < 2; i++)
        if ((i == 0 || reel_cpu_given(c, b)) && views[i].dtype != REEL_F32 && !(half && views[i].dtype == REEL_BF16)) {
            reel_backend_fail(&c->base, REEL_ERR_UNSUPPORTED, "%s: the cpu back end takes F32%s here; this is %s", op,
                              half ? " and BF16" : "", reel_dtype_name(views[i].dtype));
            return false;
        }
    return true;
}

bool reel_cpu_takes(reel_cpu *c, const char *op, reel_view a, reel_view b) { return takes(c, op, a, b, true); }
bool reel_cpu_takes_float(reel_cpu *c, const char *op, reel_view a, reel_view b) { return takes(c, op, a, b, false); }

void *reel_cpu_scratch(reel_cpu *c, size_t bytes)
{
    if (bytes <= c->scratch_bytes)
        return c->scratch;
    reel_free(c->scratch);
    c->scratch = reel_alloc_aligned(bytes, 1);
    c->scratch_bytes = c->scratch != NULL ? bytes : 0;
    if (c->scratch == NULL)
        reel_backend_fail(&c->base, REEL_ERR_NOMEM, "out of memory: %zu bytes of scratch; a smaller batch needs less", bytes);
    return c->scratch;
}

static const reel_backend_ops cpu_ops = {
    .name = "cpu",
    .close = cpu_close,
    .sync = cpu_sync,
    .mem_alloc = cpu_mem_alloc,
    .mem_free = cpu_mem_free,
    .upload = cpu_upload,
    .download = cpu_download,
    .host_view = cpu_host_view,
    .copy = cpu_copy,
    .zero = cpu_zero,
    .weight_load = reel_cpu_weight_load,
    .weight_unpack = reel_cpu_weight_unpack,
    .linear_fwd = reel_cpu_linear_fwd,
    .linear_bwd_input = reel_cpu_linear_bwd_input,
    .linear_bwd_weight = reel_cpu_linear_bwd_weight,
    .attention_fwd = reel_cpu_attention_fwd,
    .attention_int8 = reel_cpu_attention_int8,
    .attention_bwd = reel_cpu_attention_bwd,
    .layernorm_fwd = reel_cpu_layernorm_fwd,
    .layernorm_bwd = reel_cpu_layernorm_bwd,
    .act_fwd = reel_cpu_act_fwd,
    .act_bwd = reel_cpu_act_bwd,
    .add = reel_cpu_add,
    .add_table = reel_cpu_add_table,
    .patch_gather = reel_cpu_patch_gather,
    .rows_mean = reel_cpu_rows_mean,
    .rows_mean_bwd = reel_cpu_rows_mean_bwd,
    .dropout = reel_cpu_dropout,
    .sum_squares = reel_cpu_sum_squares,
    .adamw = reel_cpu_adamw,
    .cast = reel_cpu_cast,
};

reel_status reel_cpu_open(reel_context *ctx, reel_backend **out, reel_error *err)
{
    *out = NULL;
    reel_cpu *c = reel_calloc(1, sizeof *c);
    if (c == NULL)
        return reel_fail_nomem(err, "cpu back end");
    c->base.ops = &cpu_ops;
    c->threads = ctx->threads;
    reel_math_kernels_select(&c->k, ctx->cpu_flags);
    reel_low_kernels_select(&c->low, ctx->cpu_flags);
    *out = &c->base;
    return REEL_OK;
}
