#include "models/wanted.h"

reel_status reel_precision_wanted(reel_context *ctx, const char *name, reel_precision *out, reel_error *err)
{
    reel_precision wanted;
    const char *why = NULL;
    if (!reel_precision_parse(name, &wanted))
        return reel_fail(err, REEL_ERR_ARG, "'%s' is not one of float32, bf16, int8", name);
    *out = reel_precision_usable(ctx, wanted, &why);
    if (why != NULL)
        reel_log(ctx, REEL_LOG_WARNING, "warning", "%s", why);
    return REEL_OK;
}

const char *reel_precision_short(reel_precision p)
{
    return p == REEL_PRECISION_BFLOAT16 ? "bf16" : p == REEL_PRECISION_INT8 ? "int8" : "fp32";
}
