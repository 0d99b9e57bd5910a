#include "base/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "base/text.h"

static const char *isa_name(unsigned flags)
{
    return flags & REEL_CPU_AVX512 ? "avx512" : flags & REEL_CPU_AVX2 ? "avx2" : "c";
}

static void describe_machine(reel_context *ctx)
{
    char name[96], units[96] = "";
    static const struct { unsigned flag; const char *text; } extras[] = {
        {REEL_CPU_AVX512_BF16, "bf16"}, {REEL_CPU_AVX512_VNNI, "VNNI"}, {REEL_CPU_AMX_BF16, "AMX"},
    };
    reel_cpu_name(name, sizeof name);
    for (size_t i = 0; i < sizeof extras / sizeof *extras; i++)
        if (ctx->cpu_flags & extras[i].flag)
            snprintf(units + strlen(units), sizeof units - strlen(units), "%s%s", units[0] != '\0' ? ", " : " with ",
                     extras[i].text);
    const char *isa = ctx->cpu_flags & REEL_CPU_AVX512 ? "AVX-512" : ctx->cpu_flags & REEL_CPU_AVX2 ? "AVX2" : "plain C kernels";
    snprintf(ctx->machine, sizeof ctx->machine, "%s, %s%s, %d thread%s", name, isa, units, ctx->threads,
             ctx->threads == 1 ? "" : "s");
}

reel_status reel_context_open(reel_context **out, reel_error *err)
{
    *out = NULL;
    reel_context *ctx = reel_calloc(1, sizeof *ctx);
    if (ctx == NULL)
        return reel_fail_nomem(err, "context");
    if (pthread_mutex_init(&ctx->log_lock, NULL) != 0) {
        reel_free(ctx);
        return reel_fail_nomem(err, "context");
    }
    ctx->threads = reel_cpu_count();
    ctx->cpu_flags = reel_cpu_flags();
    ctx->backend = reel_strdup("cpu");
    if (ctx->backend == NULL) {
        reel_context_close(&ctx);
        return reel_fail_nomem(err, "context");
    }
    describe_machine(ctx);
    *out = ctx;
    return REEL_OK;
}

void reel_context_close(reel_context **ctx)
{
    if (ctx == NULL || *ctx == NULL)
        return;
    pthread_mutex_destroy(&(*ctx)->log_lock);
    if ((*ctx)->hub_free != NULL)
        (*ctx)->hub_free((*ctx)->hub);
    reel_free((*ctx)->backend);
    reel_free((*ctx)->cache_dir);
    reel_free(*ctx);
    *ctx = NULL;
}

void reel_context_set_log(reel_context *ctx, reel_log_fn fn, void *user)
{
    ctx->log = fn;
    ctx->log_user = user;
}

void reel_context_set_cancel(reel_context *ctx, reel_cancel_fn fn, void *user)
{
    ctx->cancel = fn;
    ctx->cancel_user = user;
}

static reel_status set_threads(reel_context *ctx, const char *value, reel_error *err)
{
    int64_t n;
    if (!reel_parse_int(value, &n) || n < 1 || n > 1024)
        return reel_fail(err, REEL_ERR_ARG, "--threads: '%s' is not a whole number from 1 to 1024", value);
    ctx->threads = (int)n;
    return REEL_OK;
}

static reel_status set_isa(reel_context *ctx, const char *value, reel_error *err)
{
    unsigned all = reel_cpu_flags(), allowed;
    if (strcmp(value, "auto") == 0)
        allowed = all;
    else if (strcmp(value, "avx512") == 0 || strcmp(value, "avx2") == 0 || strcmp(value, "c") == 0) {
        unsigned need = strcmp(value, "avx512") == 0 ? REEL_CPU_AVX512 : strcmp(value, "avx2") == 0 ? REEL_CPU_AVX2 : 0;
        if ((all & need) != need)
            return reel_fail(err, REEL_ERR_ARG, "--isa: this processor has no %s; its best is %s", value, isa_name(all));
        allowed = need == REEL_CPU_AVX512 ? all : all & need;
    } else
        return reel_fail(err, REEL_ERR_ARG, "--isa: '%s' is not one of auto, avx512, avx2, c", value);
    ctx->cpu_flags = allowed;
    return REEL_OK;
}

static reel_status set_memory(reel_context *ctx, const char *value, reel_error *err)
{
    uint64_t bytes;
    if (!reel_parse_bytes(value, &bytes))
        return reel_fail(err, REEL_ERR_ARG, "--max_memory: '%s' is not a size such as 4G or 800M", value);
    ctx->max_memory = bytes;
    return REEL_OK;
}

static reel_status set_text(char **place, const char *value, reel_error *err)
{
    char *copy = reel_strdup(value);
    if (copy == NULL)
        return reel_fail_nomem(err, "context");
    reel_free(*place);
    *place = copy;
    return REEL_OK;
}

reel_status reel_context_set(reel_context *ctx, const char *name, const char *value, reel_error *err)
{
    reel_status status;
    if (strcmp(name, "threads") == 0)
        status = set_threads(ctx, value, err);
    else if (strcmp(name, "isa") == 0)
        status = set_isa(ctx, value, err);
    else if (strcmp(name, "max_memory") == 0)
        status = set_memory(ctx, value, err);
    else if (strcmp(name, "cache_dir") == 0)
        status = set_text(&ctx->cache_dir, value, err);
    else if (strcmp(name, "backend") == 0) {
        if (strcmp(value, "cpu") != 0)
            return reel_fail(err, REEL_ERR_ARG, "--backend: '%s' is not one of cpu", value);
        status = set_text(&ctx->backend, value, err);
    } else
        return reel_fail(err, REEL_ERR_ARG, "'%s' is not a setting of a context", name);
    if (status == REEL_OK)
        describe_machine(ctx);
    return status;
}

int reel_context_threads(const reel_context *ctx)
{
    return ctx->threads;
}

const char *reel_context_machine(const reel_context *ctx)
{
    return ctx->machine;
}

const char *reel_context_isa(const reel_context *ctx)
{
    return isa_name(ctx->cpu_flags);
}

bool reel_cancelled(reel_context *ctx)
{
    return ctx != NULL && ctx->cancel != NULL && ctx->cancel(ctx->cancel_user);
}

reel_status reel_fail_cancelled(reel_error *err)
{
    return reel_fail(err, REEL_ERR_CANCELLED, "stopped as asked");
}

reel_status reel_memory_check(reel_context *ctx, uint64_t bytes, const char *what, const char *advice, reel_error *err)
{
    uint64_t available = reel_memory_available();
    bool own_limit = ctx->max_memory != 0 && ctx->max_memory < available;
    uint64_t limit = own_limit ? ctx->max_memory : available;
    if (bytes <= limit)
        return REEL_OK;
    return reel_fail(err, REEL_ERR_NOMEM, "%s needs %.1f GB of memory and %.1f GB are %s.%s%s", what, (double)bytes / 1e9,
                     (double)limit / 1e9, own_limit ? "allowed (--max_memory)" : "free", advice != NULL ? " " : "",
                     advice != NULL ? advice : "");
}
