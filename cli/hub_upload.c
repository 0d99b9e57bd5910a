/* reel hub upload: a folder, or a file, as one commit. */
#include "cli.h"

#include <string.h>

static void on_event(const reel_hub_event *e, void *user)
{
    cli *c = user;
    char name[40], left[CLI_TEXT], right[128], rate[32], done[32], total[32];
    const char *slash = strrchr(e->what, '/');
    snprintf(name, sizeof name, "%.39s", slash != NULL ? slash + 1 : e->what);
    cli_show(left, name);
    cli_size(done, (double)e->done);
    cli_size(total, (double)e->total);
    cli_size(rate, e->bytes_per_second);
    if (e->total == 0)
        snprintf(right, sizeof right, "looked at");
    else
        snprintf(right, sizeof right, "%s of %s  %s/s", done, total, rate);
    cli_bar_draw(c, left, e->total > 0 ? (double)e->done / (double)e->total : 0, right);
}

static void tell_json(const reel_hub_uploaded *u)
{
    cli_json j = { .out = stdout };
    cli_json_open(&j, NULL, '{');
    cli_json_string(&j, "url", u->url);
    cli_json_string(&j, "commit", u->commit);
    cli_json_string(&j, "commit_url", u->commit_url);
    cli_json_bool(&j, "changed", u->changed);
    cli_json_int(&j, "files", (int64_t)u->files);
    cli_json_int(&j, "sent", (int64_t)u->sent);
    cli_json_int(&j, "bytes", (int64_t)u->bytes);
    cli_json_close(&j, '}');
    cli_json_end(&j);
}

static void tell_lines(const reel_hub_uploaded *u)
{
    char shown[CLI_TEXT], size[32];
    cli_size(size, (double)u->bytes);
    if (!u->changed)
        printf("same     %s has all of it already (%zu file%s)\n", cli_show(shown, u->url), u->files, u->files == 1 ? "" : "s");
    else {
        printf("sent     %zu of %zu file%s, %s\n", u->sent, u->files, u->files == 1 ? "" : "s", size);
        printf("commit   %s\n", cli_show(shown, u->commit_url));
        printf("at       %s\n", cli_show(shown, u->url));
    }
}

static reel_status run(cli *c, reel_error *err)
{
    reel_hub_uploaded *u = NULL;
    const reel_status status = reel_hub_upload(c->ctx, c->args, c->input, c->inputs, on_event, c, &u, err);
    cli_bar_clear(c);
    if (status == REEL_OK && c->json)
        tell_json(u);
    else if (status == REEL_OK)
        tell_lines(u);
    reel_hub_uploaded_close(&u);
    return status;
}

const cli_verb cli_verb_hub_upload = {
    .name = "hub upload", .group = "the Hub", .line = "puts a folder on the Hub, as one commit",
    .usage = "ORG/NAME [DIR [PATH_IN_REPO]] [options]",
    .example = { "hub upload me/videomae-ucf run1 --exclude 'checkpoint-*'",
                 "hub upload me/clips clips.tar.gz --repo_type dataset --private" },
    .job = REEL_JOB_HUB_UPLOAD, .inputs = true, .wants = "repository", .run = run,
};
