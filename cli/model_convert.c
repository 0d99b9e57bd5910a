/* reel model convert: any stored form of a checkpoint as safetensors of a precision. */
#include "cli.h"

static reel_status run(cli *c, reel_error *err)
{
    char what[64];
    const reel_status status = reel_model_convert(c->ctx, c->args, err);
    snprintf(what, sizeof what, "model.safetensors in %s", reel_args_get(c->args, "dtype"));
    if (status == REEL_OK)
        cli_wrote(c, reel_args_get(c->args, "output"), what);
    return status;
}

const cli_verb cli_verb_model_convert = {
    .name = "model convert", .group = "learn", .line = "any stored form as safetensors in bf16, fp16 or float32",
    .usage = "DIR -o NEW [--dtype bf16] [options]",
    .example = { "model convert run1 -o run1-bf16", "model convert --model run1 --dtype fp16 -o run1-fp16" },
    .job = REEL_JOB_MODEL_CONVERT, .positional = "model", .run = run,
};
