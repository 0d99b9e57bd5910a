/* Which precision a processor computes in: a rule, not a measurement, so that the same machine gives the same numbers. */
#include <string.h>

#include <reel/model.h>

#include "base/context.h"
#include "base/cpu.h"

static const struct { const char *name, *other; } precisions[] = {
    [REEL_PRECISION_FLOAT32] = {"float32", "fp32"},
    [REEL_PRECISION_BFLOAT16] = {"bfloat16", "bf16"},
    [REEL_PRECISION_INT8] = {"int8", "int8"},
};
enum { PRECISIONS = sizeof precisions / sizeof *precisions };

const char *reel_precision_name(reel_precision p)
{
    return (unsigned)p < PRECISIONS ? precisions[p].name : "?";
}

bool reel_precision_parse(const char *name, reel_precision *out)
{
    for (int i = 0; i < PRECISIONS; i++)
        if (strcmp(name, precisions[i].name) == 0 || strcmp(name, precisions[i].other) == 0) {
            *out = (reel_precision)i;
            return true;
        }
    return false;
}

/* AMX multiplies bfloat16 at many times the rate of float32, and AMD's cores do at twice. On Intel's cores without AMX the
 * vector instruction for it has half the rate of float32's (measured: bench/limit), and below AVX512_BF16 it would be emulated. */
static bool fast_bfloat16(unsigned flags)
{
    return (flags & REEL_CPU_AMX_BF16) || ((flags & REEL_CPU_AVX512_BF16) && (flags & REEL_CPU_AMD));
}

/* int8 is faster than float32 from AVX2 on, even where it must be widened to 16 bits (measured: bench/run). */
reel_precision reel_precision_usable(const reel_context *ctx, reel_precision wanted, const char **why)
{
    const bool bfloat16 = fast_bfloat16(ctx->cpu_flags), int8 = ctx->cpu_flags & (REEL_CPU_AVX2 | REEL_CPU_AVX512_VNNI | REEL_CPU_AMX_INT8);
    const char *reason = NULL;
    reel_precision p = wanted;
    if (p == REEL_PRECISION_INT8 && !int8) {
        reason = "int8 products need a processor with AVX2 or better, so float32 is used";
        p = REEL_PRECISION_FLOAT32;
    }
    if (p == REEL_PRECISION_BFLOAT16 && !bfloat16) {
        reason = "bfloat16 is no faster on this processor, so float32 is used, which is more exact";
        p = REEL_PRECISION_FLOAT32;
    }
    if (why != NULL)
        *why = reason;
    return p;
}
