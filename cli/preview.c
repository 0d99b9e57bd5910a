/* reel preview: one clip as the model sees it. */
#include "cli.h"

#include <inttypes.h>

static void info_json(const reel_preview_info *p)
{
    cli_json j = { .out = stdout };
    cli_json_open(&j, NULL, '{');
    cli_json_string(&j, "output", p->output);
    cli_json_string(&j, "video", p->video);
    cli_json_string(&j, "label", p->label);
    cli_json_int(&j, "num_frames", p->frames);
    cli_json_int(&j, "height", p->height);
    cli_json_int(&j, "width", p->width);
    cli_json_open(&j, "frame", '[');
    for (size_t i = 0; i < p->sampled; i++)
        cli_json_int(&j, NULL, p->index[i]);
    cli_json_close(&j, ']');
    cli_json_open(&j, "time", '[');
    for (size_t i = 0; i < p->sampled; i++)
        cli_json_double(&j, NULL, p->time[i]);
    cli_json_close(&j, ']');
    cli_json_close(&j, '}');
    cli_json_end(&j);
}

static void info_lines(const reel_preview_info *p)
{
    char shown[CLI_TEXT];
    printf("video    %s", cli_show(shown, p->video));
    if (p->label != NULL)
        printf("  (%s)", cli_show(shown, p->label));
    printf("\nframes  ");
    for (size_t i = 0; i < p->sampled; i++)
        printf(" %" PRId64, p->index[i]);
    if (p->sampled > 0)
        printf("   (%.2f to %.2f s)", p->time[0], p->time[p->sampled - 1]);
    printf("\nwrote    %s  %d frames of %dx%d\n", cli_show(shown, p->output), p->frames, p->width, p->height);
}

static reel_status run(cli *c, reel_error *err)
{
    reel_preview_info *info = NULL;
    const reel_status status = reel_preview(c->ctx, c->args, &info, err);
    if (status == REEL_OK && c->json)
        info_json(info);
    else if (status == REEL_OK)
        info_lines(info);
    reel_preview_info_close(&info);
    return status;
}

const cli_verb cli_verb_preview = {
    .name = "preview", .group = "learn", .line = "one clip as the model sees it, as .gif, .png or .safetensors",
    .usage = "(VIDEO | --data DATA) -o FILE [options]",
    .example = { "preview --data UCF101_subset -o clip.gif",
                 "preview dunk.avi --transform processor --sampling pipeline -o dunk.png" },
    .job = REEL_JOB_PREVIEW, .positional = "video", .run = run,
};
