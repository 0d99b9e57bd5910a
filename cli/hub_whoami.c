/* reel hub whoami: whose token is used. */
#include "cli.h"

static void user_json(const reel_hub_user *u)
{
    cli_json j = { .out = stdout };
    cli_json_open(&j, NULL, '{');
    cli_json_string(&j, "name", u->name);
    cli_json_string(&j, "fullname", u->fullname);
    cli_json_open(&j, "orgs", '[');
    for (size_t i = 0; i < u->orgs; i++)
        cli_json_string(&j, NULL, u->org[i]);
    cli_json_close(&j, ']');
    cli_json_string(&j, "role", u->role);
    cli_json_string(&j, "token_name", u->token_name);
    cli_json_string(&j, "token_from", u->token_from);
    cli_json_string(&j, "endpoint", u->endpoint);
    cli_json_close(&j, '}');
    cli_json_end(&j);
}

void cli_user(cli *c, const reel_hub_user *u, bool stored)
{
    char shown[CLI_TEXT];
    if (c->json) {
        user_json(u);
        return;
    }
    printf("user     %s%s\n", cli_show(shown, u->name), stored ? ", logged in" : "");
    for (size_t i = 0; i < u->orgs; i++)
        printf("%s%s%s", i == 0 ? "orgs     " : ", ", cli_show(shown, u->org[i]), i + 1 == u->orgs ? "\n" : "");
    printf("token    %s", u->token_name[0] != '\0' ? cli_show(shown, u->token_name) : "without a name");
    if (u->role[0] != '\0')
        printf(", may %s", cli_show(shown, u->role));
    if (!stored)
        printf(", from %s", cli_show(shown, u->token_from));
    printf("\nhub      %s\n", cli_show(shown, u->endpoint));
}

static reel_status run(cli *c, reel_error *err)
{
    reel_hub_user *user = NULL;
    const reel_status status = reel_hub_whoami(c->ctx, &user, err);
    if (status == REEL_OK)
        cli_user(c, user, false);
    reel_hub_user_close(&user);
    return status;
}

const cli_verb cli_verb_hub_whoami = {
    .name = "hub whoami", .group = "the Hub", .line = "whose token is used, and what it may do",
    .usage = "[options]",
    .example = { "hub whoami", "hub whoami --json" },
    .job = REEL_JOB_HUB_WHOAMI, .run = run,
};
