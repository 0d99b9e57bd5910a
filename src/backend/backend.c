#include "backend/backend.h"

#include <stdio.h>
#include <string.h>

#include "backend/cpu/cpu.h"

static const struct {
    const char *name;
    reel_status (*open)(reel_context *ctx, reel_backend **out, reel_error *err);
} backends[] = {
    {"cpu", reel_cpu_open},
};

reel_status reel_backend_open(reel_context *ctx, reel_backend **out, reel_error *err)
{
    const char *name = ctx->backend != NULL ? ctx->backend : backends[0].name;
    *out = NULL;
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
        if (strcmp(backends[i].name, name) == 0)
            return backends[i].open(ctx, out, err);
    return reel_fail(err, REEL_ERR_ARG, "backend: '%s' is not there; use 'cpu'", name);
}

void reel_backend_close(reel_backend **be)
{
    if (*be == NULL)
        return;
    (*be)->ops->close(*be);
    *be = NULL;
}

void reel_backend_fail(reel_backend *be, reel_status status, const char *format, ...)
{
    if (be->failed.status != REEL_OK)
        return;
    char message[REEL_ERROR_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    reel_fail(&be->failed, status, "%s", message);
}

static reel_view view_moved(reel_view v, size_t elements)
{
    if (v.dev != NULL)
        v.dev = (unsigned char *)v.dev + elements * reel_dtype_size(v.dtype);
    return v;
}

reel_view reel_view_rows(reel_view v, size_t r, size_t rows)
{
    v = view_moved(v, r * v.ld);
    v.rows = rows;
    return v;
}

reel_view reel_view_cols(reel_view v, size_t c, size_t cols)
{
    v = view_moved(v, c);
    v.cols = cols;
    return v;
}
