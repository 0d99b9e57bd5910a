/* reel data synth: a small data set of moving shapes. */
#include "cli.h"

static reel_status run(cli *c, reel_error *err)
{
    char what[160], dir[CLI_TEXT];
    const reel_status status = reel_data_synth(c->ctx, c->args, err);
    if (status != REEL_OK)
        return status;
    snprintf(what, sizeof what, "%s classes; train, val, test: %s, %s, %s clips a class", reel_args_get(c->args, "classes"),
             reel_args_get(c->args, "train"), reel_args_get(c->args, "val"), reel_args_get(c->args, "test"));
    cli_wrote(c, reel_args_get(c->args, "output"), what);
    if (!c->json)
        printf("try      reel data info %s\n", cli_quote(dir, reel_args_get(c->args, "output")));
    return REEL_OK;
}

const cli_verb cli_verb_data_synth = {
    .name = "data synth", .group = "learn", .line = "makes a small set of clips that differ in motion alone",
    .usage = "NEW [options]",
    .example = { "data synth moves", "data synth moves --classes 4 --train 20 --frames 60" },
    .job = REEL_JOB_DATA_SYNTH, .positional = "output", .run = run,
};
