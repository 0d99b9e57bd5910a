/* reel model new: a model of random weights. */
#include "cli.h"

static reel_status run(cli *c, reel_error *err)
{
    const reel_status status = reel_model_new(c->ctx, c->args, err);
    if (status == REEL_OK)
        cli_wrote(c, reel_args_get(c->args, "output"), "config.json, model.safetensors, the processor's files");
    return status;
}

const cli_verb cli_verb_model_new = {
    .name = "model new", .group = "learn", .line = "a model with random weights, as transformers draws them",
    .usage = "--from_config FILE -o NEW [options]",
    .example = { "model new --from_config config.json -o fresh",
                 "model new --from_config config.json --labels jump,run --seed 7 -o m7" },
    .job = REEL_JOB_MODEL_NEW, .run = run,
};
