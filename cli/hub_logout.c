/* reel hub logout: the stored token goes. */
#include "cli.h"

static reel_status run(cli *c, reel_error *err)
{
    bool had = false;
    const char *remains = NULL;
    const reel_status status = reel_hub_logout(c->ctx, &had, &remains, err);
    if (status != REEL_OK)
        return status;
    if (c->json) {
        cli_json j = { .out = stdout };
        cli_json_open(&j, NULL, '{');
        cli_json_bool(&j, "was_logged_in", had);
        cli_json_string(&j, "remains", remains);
        cli_json_close(&j, '}');
        cli_json_end(&j);
    } else {
        printf("%s\n", had ? "logged out: the stored token was removed" : "nobody was logged in");
    }
    if (remains != NULL)
        cli_say(c, "warning", "%s is set in the environment, and its token is still used", remains);
    return REEL_OK;
}

const cli_verb cli_verb_hub_logout = {
    .name = "hub logout", .group = "the Hub", .line = "removes the stored token",
    .usage = "[options]",
    .example = { "hub logout", "hub logout --json" },
    .job = REEL_JOB_HUB_LOGOUT, .run = run,
};
