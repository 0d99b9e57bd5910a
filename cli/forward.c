/* reel forward: pixel values in, logits out. */
#include "cli.h"

static reel_status run(cli *c, reel_error *err)
{
    const reel_status status = reel_forward(c->ctx, c->args, err);
    if (status == REEL_OK)
        cli_wrote(c, reel_args_get(c->args, "output"), "logits");
    return status;
}

const cli_verb cli_verb_forward = {
    .name = "forward", .group = "use", .line = "logits of ready pixel values, both safetensors files",
    .usage = "--model DIR --input FILE --output FILE [options]",
    .example = { "forward --model run1 --input clips.safetensors -o logits.safetensors",
                 "forward --model run1 --input in.safetensors -o out.safetensors --hidden" },
    .job = REEL_JOB_FORWARD, .run = run,
};
