/* reel hub download: files of a repository, into the cache that the Python tools use too, or into a folder. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* HF_HUB_DISABLE_PROGRESS_BARS, as the official client reads it. */
static bool wants_no_bar(void)
{
    const char *v = getenv("HF_HUB_DISABLE_PROGRESS_BARS");
    return v != NULL && (strcmp(v, "1") == 0 || strcasecmp(v, "on") == 0 || strcasecmp(v, "yes") == 0 || strcasecmp(v, "true") == 0);
}

static void on_event(const reel_hub_event *e, void *user)
{
    cli *c = user;
    char left[CLI_TEXT], right[160], done[32], total[32], speed[32], clock[32], shown[CLI_TEXT];
    cli_size(done, (double)e->done);
    cli_size(total, (double)e->total);
    cli_size(speed, e->bytes_per_second);
    if (e->files > 1)
        snprintf(left, sizeof left, "%zu/%zu files", e->files_done, e->files);
    else
        snprintf(left, sizeof left, "%.40s", cli_show(shown, e->what));
    int n = snprintf(right, sizeof right, "%s%s%s", done, e->total > 0 ? " of " : "", e->total > 0 ? total : "");
    if (e->bytes_per_second > 0)
        n += snprintf(right + n, sizeof right - (size_t)n, "  %s/s", speed);
    if (e->bytes_per_second > 0 && e->total > e->done) {
        cli_clock(clock, (double)(e->total - e->done) / e->bytes_per_second);
        snprintf(right + n, sizeof right - (size_t)n, "  %s left", clock);
    }
    cli_bar_draw(c, left, e->total > 0 ? (double)e->done / (double)e->total : 0, right);
}

static void result_json(const reel_hub_downloaded *d)
{
    cli_json j = { .out = stdout };
    cli_json_open(&j, NULL, '{');
    cli_json_string(&j, "path", d->path);
    cli_json_string(&j, "commit", d->commit);
    cli_json_int(&j, "files", (int64_t)d->files);
    cli_json_int(&j, "fetched", (int64_t)d->fetched);
    cli_json_int(&j, "bytes", (int64_t)d->bytes);
    cli_json_close(&j, '}');
    cli_json_end(&j);
}

static reel_status run(cli *c, reel_error *err)
{
    char size[32];
    reel_hub_downloaded *d = NULL;
    const reel_status status = reel_hub_download(c->ctx, c->args, c->input, c->inputs, wants_no_bar() ? NULL : on_event, c, &d, err);
    cli_bar_clear(c);
    if (status != REEL_OK)
        return status;
    cli_size(size, (double)d->bytes);
    if (c->term.live)
        cli_say(c, "hub", "%zu file%s, %zu fetched (%s), commit %.12s", d->files, d->files == 1 ? "" : "s", d->fetched, size, d->commit);
    if (c->json)
        result_json(d);
    else
        printf("%s\n", d->path);  /* as it is: for $(reel hub download ...) */
    reel_hub_downloaded_close(&d);
    return REEL_OK;
}

const cli_verb cli_verb_hub_download = {
    .name = "hub download", .group = "the Hub", .line = "files of a repository, into the cache or a folder",
    .usage = "ORG/NAME [FILE...] [options]",
    .example = { "hub download MCG-NJU/videomae-base", "hub download acme/clips clips.tar.gz --repo_type dataset" },
    .job = REEL_JOB_HUB_DOWNLOAD, .inputs = true, .wants = "repository", .run = run,
};
