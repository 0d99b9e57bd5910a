/* reel data pack: decoded clips of a split in one file. */
#include "cli.h"

static reel_status run(cli *c, reel_error *err)
{
    const reel_status status = reel_data_pack(c->ctx, c->args, err);
    if (status == REEL_OK)
        cli_wrote(c, reel_args_get(c->args, "output"), "pixel_values and labels");
    return status;
}

const cli_verb cli_verb_data_pack = {
    .name = "data pack", .group = "learn", .line = "decoded clips of a split in one file, which train takes as data",
    .usage = "DATA -o FILE [options]",
    .example = { "data pack UCF101_subset --split test -o test.safetensors",
                 "data pack UCF101_subset --model run1 -o train.safetensors" },
    .job = REEL_JOB_DATA_PACK, .positional = "data", .run = run,
};
