/* Who asks: log in, log out, whoami. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "hub/session.h"
#include "hub/token.h"

/* A user with the answer that its text lies in. */
typedef struct user { reel_hub_user shown; reel_json *answer; char *token_from; const char **org; } user;

void reel_hub_user_close(reel_hub_user **shown)
{
    user *u = (user *)*shown;
    if (u == NULL)
        return;
    reel_json_free(u->answer);
    reel_free(u->token_from);
    reel_free(u->org);
    reel_free(u);
    *shown = NULL;
}

static const char *text_of(const reel_json *j) { return reel_json_string(j) != NULL ? reel_json_string(j) : ""; }

static bool take_orgs(user *u)
{
    const reel_json *list = reel_json_get(u->answer, "orgs");
    const size_t n = reel_json_is_array(list) ? reel_json_size(list) : 0;
    u->org = reel_calloc(n, sizeof *u->org);
    for (size_t i = 0; u->org != NULL && i < n; i++) {
        const char *name = reel_json_string(reel_json_get(reel_json_at(list, i), "name"));
        if (name != NULL)
            u->org[u->shown.orgs++] = name;
    }
    u->shown.org = u->org;
    return u->org != NULL;
}

/* Takes the answer. */
static reel_status user_of(reel_json *answer, const reel_hub *hub, const char *token_from, reel_hub_user **out, reel_error *err)
{
    user *u = reel_calloc(1, sizeof *u);
    const reel_json *token = reel_json_get(reel_json_get(answer, "auth"), "accessToken");
    *out = NULL;
    if (u == NULL) {
        reel_json_free(answer);
        return reel_fail_nomem(err, "user");
    }
    u->answer = answer;
    u->token_from = reel_strdup(token_from);
    u->shown = (reel_hub_user){.name = text_of(reel_json_get(answer, "name")), .fullname = text_of(reel_json_get(answer, "fullname")),
                               .role = text_of(reel_json_get(token, "role")), .token_name = text_of(reel_json_get(token, "displayName")),
                               .token_from = u->token_from, .endpoint = hub->endpoint};
    *out = &u->shown;
    if (u->token_from != NULL && take_orgs(u) && u->shown.name[0] != '\0')
        return REEL_OK;
    const bool nameless = u->token_from != NULL && u->org != NULL;
    reel_hub_user_close(out);
    return nameless ? reel_fail(err, REEL_ERR_FORMAT, "%s: the server does not say whose token this is", hub->endpoint)
        : reel_fail_nomem(err, "user");
}

static reel_status ask(reel_session *s, reel_hub_user **out, reel_error *err)
{
    reel_json *j = NULL;
    reel_http_answer a = {0};
    char *url = reel_format("%s/api/whoami-v2", s->hub->endpoint);
    if (url == NULL)
        return reel_fail_nomem(err, "address");
    const reel_asked asked = reel_session_asked(s, NULL, NULL, url);
    reel_status status = reel_session_json(s, url, &asked, 1 << 20, &j, &a, err);
    if (status == REEL_OK)
        status = user_of(j, s->hub, s->token_from, out, err);
    reel_http_answer_free(&a);
    reel_free(url);
    return status;
}

reel_status reel_hub_whoami(reel_context *ctx, reel_hub_user **out, reel_error *err)
{
    reel_session s = {0};
    *out = NULL;
    reel_status status = reel_session_open(ctx, &s, err);
    if (status == REEL_OK)
        status = reel_session_online(&s, "asking who this is", err);
    if (status == REEL_OK)
        status = reel_session_token(&s, err);
    if (status == REEL_OK && s.token_from == NULL)
        status = reel_fail(err, REEL_ERR_NOT_FOUND, "nobody is logged in: there is no token in HF_TOKEN nor in %s; run reel hub login",
                           s.hub->token_path[0] != '\0' ? s.hub->token_path : "a file");
    if (status == REEL_OK)
        status = ask(&s, out, err);
    reel_session_close(&s);
    return status;
}

static reel_status check_token(const char *token, reel_error *err)
{
    if (token[0] == '\0')
        return reel_fail(err, REEL_ERR_ARG, "no token was given; make one on the Hub, under Settings, Access Tokens");
    if (!reel_hub_token_valid(token))
        return reel_fail(err, REEL_ERR_ARG, "this is no token: it has blanks or characters that no token has");
    if (strncmp(token, "api_org", 7) == 0)
        return reel_fail(err, REEL_ERR_ARG, "this is a token of an organisation; log in with one of a user");
    return REEL_OK;
}

/* The section's name: what the Hub calls the token, else as the official client names it. */
static reel_status store(const reel_hub *hub, const char *token, const reel_hub_user *u, reel_error *err)
{
    char *name = u->token_name[0] != '\0' ? reel_strdup(u->token_name) : reel_format("oauth-%s", u->name);
    reel_status status = name == NULL ? reel_fail_nomem(err, "token") : reel_token_store(hub, token, name, err);
    reel_free(name);
    return status;
}

reel_status reel_hub_login_check(reel_context *ctx, reel_error *err)
{
    const reel_session s = {.ctx = ctx, .hub = reel_hub_of(ctx)};
    if (s.hub == NULL)
        return reel_fail_nomem(err, "settings of the Hub");
    if (s.hub->token_path[0] == '\0')
        return reel_fail(err, REEL_ERR_NOT_FOUND, "there is no place for the token: set HF_HOME or HOME");
    return reel_session_online(&s, "logging in", err);
}

reel_status reel_hub_login(reel_context *ctx, const char *given, reel_hub_user **out, reel_error *err)
{
    const reel_hub *hub = reel_hub_of(ctx);
    char *token = reel_strdup(given);
    reel_session s = {.ctx = ctx, .hub = hub, .token_from = "standard input", .token_read = true};
    reel_status status = REEL_OK;
    *out = NULL;
    if (token == NULL || hub == NULL)
        REEL_TRY(reel_fail_nomem(err, "token"));
    reel_hub_trim_token(token);
    REEL_TRY(check_token(token, err));
    REEL_TRY(reel_hub_login_check(ctx, err));
    REEL_TRY(reel_http_open(ctx, hub, token, &s.http, err));
    status = ask(&s, out, err);
    if (status == REEL_ERR_DENIED)
        REEL_TRY(reel_fail(err, REEL_ERR_DENIED, "%s does not know this token; nothing was stored", hub->endpoint));
    REEL_TRY(status);
    status = store(hub, token, *out, err);
    if (status != REEL_OK)
        reel_hub_user_close(out);
done:
    reel_hub_forget(&token);
    reel_session_close(&s);
    return status;
}

reel_status reel_hub_logout(reel_context *ctx, bool *had, const char **remains, reel_error *err)
{
    const reel_hub *hub = reel_hub_of(ctx);
    *had = false;
    if (hub == NULL)
        return reel_fail_nomem(err, "settings of the Hub");
    if (remains != NULL)
        *remains = hub->token != NULL && hub->implicit_token ? hub->token_from : NULL;
    return reel_token_remove(hub, had, err);
}
