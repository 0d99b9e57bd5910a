#include "hub/answer.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "hub/url.h"

static bool code_is(const reel_http_answer *a, const char *code)
{
    char value[64];
    return reel_http_header(a, "X-Error-Code", value, sizeof value) && strcmp(value, code) == 0;
}

/* Does it have a header that only a Hub sends? */
static bool is_hubs(const reel_http_answer *a)
{
    static const char *const names[] = {"X-Error-Code", "X-Error-Message", "X-Repo-Commit"};
    char value[8];
    bool is = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        is = reel_http_header(a, names[i], value, sizeof value) || is;
    return is;
}

reel_answer_kind reel_answer_kind_of(const reel_http_answer *a, const reel_asked *q)
{
    char message[256];
    reel_http_header(a, "X-Error-Message", message, sizeof message);
    if (a->status >= 200 && a->status < 400)
        return REEL_ANSWER_OK;
    if (a->status == 401 && strstr(message, "Invalid credentials") != NULL)
        return REEL_ANSWER_BAD_TOKEN;
    if (code_is(a, "GatedRepo"))
        return REEL_ANSWER_GATED;
    if (code_is(a, "RevisionNotFound"))
        return REEL_ANSWER_NO_REVISION;
    if (code_is(a, "EntryNotFound"))
        return REEL_ANSWER_NO_FILE;
    if (strcmp(message, "Access to this resource is disabled.") == 0)
        return REEL_ANSWER_DISABLED;
    if (code_is(a, "RepoNotFound") || (a->status == 401 && q->repo != NULL))
        return REEL_ANSWER_NO_REPO;
    if (a->status == 401)
        return REEL_ANSWER_BAD_TOKEN;
    if (a->status == 403)
        return REEL_ANSWER_FORBIDDEN;
    if (a->status == 429)
        return REEL_ANSWER_BUSY;
    if (a->status < 500 && q->repo != NULL && !q->writing && !is_hubs(a))
        return REEL_ANSWER_NO_HUB;
    if (a->status == 404 && q->repo != NULL)
        return q->file != NULL ? REEL_ANSWER_NO_FILE : REEL_ANSWER_NO_REPO;
    return a->status >= 500 ? REEL_ANSWER_SERVER : REEL_ANSWER_OTHER;
}

/* "error", "error_description", "errors": text, or lists of text or of {"message"}. */
static void words_of(const reel_json *j, reel_text *out)
{
    if (reel_json_string(j) != NULL) {
        reel_text_printf(out, "%s%s", out->len > 0 ? "; " : "", reel_json_string(j));
    } else if (reel_json_is_array(j)) {
        for (size_t i = 0; i < reel_json_size(j) && i < 8; i++)
            words_of(reel_json_at(j, i), out);
    } else if (reel_json_is_object(j)) {
        static const char *const names[] = {"error", "error_description", "errors", "message"};
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            words_of(reel_json_get(j, names[i]), out);
    }
}

void reel_answer_words(const reel_http_answer *a, char out[512])
{
    char type[64];
    reel_json *j = NULL;
    reel_text text = {0};
    out[0] = '\0';
    if (!reel_http_header(a, "X-Error-Message", out, 501) && a->body.len > 0) {
        if (reel_json_parse(a->body.s, a->body.len, "answer", true, &j, NULL) == REEL_OK)
            words_of(j, &text);
        else if (!reel_http_header(a, "Content-Type", type, sizeof type) || strstr(type, "html") == NULL)
            reel_text_add(&text, a->body.s, a->body.len < 500 ? a->body.len : 500);
        snprintf(out, 501, "%s", text.s != NULL ? text.s : "");
    }
    reel_text_free(&text);
    reel_json_free(j);
}

static reel_status told(reel_status status, const reel_http_answer *a, const char *text, reel_error *err)
{
    char words[512], request[128];
    reel_answer_words(a, words);
    const bool has_request = reel_http_header(a, "X-Request-Id", request, sizeof request);
    return reel_fail(err, status, "%s%s%s%s%s%s%s", text, words[0] != '\0' ? " The server says: " : "", words, words[0] != '\0' ? "." : "",
                     has_request ? " (request " : "", has_request ? request : "", has_request ? ")" : "");
}

static void who(const reel_asked *q, char out[256])
{
    if (q->token_from == NULL)
        snprintf(out, 256, "no token was sent: run reel hub login");
    else if (q->token_expired)
        snprintf(out, 256, "the token from %.150s has expired; log in again: reel hub login", q->token_from);
    else
        snprintf(out, 256, "the token from %.150s has no access to it", q->token_from);
}

/* `before` and for how long the server asks to wait; "" where it does not say. */
static void asked_wait(const reel_http_answer *a, const char *before, char out[64])
{
    const double seconds = reel_http_asked_wait(a);
    if (seconds < 0)
        out[0] = '\0';
    else if (seconds < 120)
        snprintf(out, 64, "%s%.0f s", before, seconds);
    else
        snprintf(out, 64, "%s%.0f minutes", before, seconds / 60 + 0.49);  /* a part of one is a whole one */
}

/* Where people look at the repository, and ask for access. */
static void page_of(const reel_asked *q, char *out, size_t size)
{
    if (q->endpoint != NULL && q->repo != NULL)
        snprintf(out, size, "%s/%s%s", q->endpoint, reel_repo_prefix(q->repo->type), q->repo->id);
    else
        snprintf(out, size, "on the Hub");
}

reel_status reel_answer_no_hub(const reel_asked *q, const char *said, reel_error *err)
{
    return reel_fail(err, REEL_ERR_NETWORK, "%s does not answer as a Hub does when asked for %s%s%s (%s). Is there a proxy or a log-in page on the "
                     "way; is HF_ENDPOINT right?", q->endpoint != NULL ? q->endpoint : q->url, q->file != NULL ? q->file : "",
                     q->file != NULL ? " of " : "", q->repo->id, said);
}

reel_status reel_answer_fail(const reel_http_answer *a, const reel_asked *q, reel_error *err)
{
    char name[300], text[900], access[256], wait[64];
    const char *revision = q->repo != NULL ? q->repo->revision : NULL;
    if (q->repo != NULL)
        snprintf(name, sizeof name, "%s%s", reel_repo_prefix(q->repo->type), q->repo->id);
    else
        reel_url_show(name, sizeof name, q->url);
    who(q, access);
    switch (reel_answer_kind_of(a, q)) {
    case REEL_ANSWER_NO_REPO:
        return reel_fail(err, REEL_ERR_NOT_FOUND, "%s: there is no such repository%s, or it is private and %s%s", name,
                         q->repo != NULL && q->repo->type == REEL_REPO_MODEL && !q->typed ? " of a model" : "", access,
                         q->repo != NULL && q->repo->type == REEL_REPO_MODEL && q->typed ? ". Is it a data set? Then --repo_type dataset" : "");
    case REEL_ANSWER_BAD_TOKEN:
        if (q->token_from == NULL)
            return reel_fail(err, REEL_ERR_DENIED, "%s: not without a token: run reel hub login", name);
        if (q->token_expired)
            return reel_fail(err, REEL_ERR_DENIED, "%s: %s", name, access);
        return reel_fail(err, REEL_ERR_DENIED, "%s: the Hub does not know the token from %s. Put a new one there%s", name, q->token_from,
                         strchr(q->token_from, '/') != NULL ? ": reel hub login" : ", or unset it");
    case REEL_ANSWER_GATED:
        page_of(q, text, sizeof text);
        return reel_fail(err, REEL_ERR_DENIED, "%s: its owners ask you to accept conditions first, on its page (%s)%s", name, text,
                         q->token_from == NULL ? "; then run reel hub login"
                         : q->token_expired ? "; the token has expired: log in again with reel hub login" : ", as the user whose token this is");
    case REEL_ANSWER_NO_REVISION:
        return reel_fail(err, REEL_ERR_NOT_FOUND, "%s: it has no revision '%s'%s", name, revision != NULL ? revision : "",
                         revision != NULL && strcmp(revision, "main") == 0 ? " (is the repository empty?)" : "");
    case REEL_ANSWER_NO_FILE:
        return reel_fail(err, REEL_ERR_NOT_FOUND, "%s: it has no file '%s' at revision '%s'", name, q->file != NULL ? q->file : "",
                         revision != NULL ? revision : "main");
    case REEL_ANSWER_DISABLED:
        return reel_fail(err, REEL_ERR_DENIED, "%s: access to it is disabled", name);
    case REEL_ANSWER_FORBIDDEN:
        snprintf(text, sizeof text, "%s: the token%s%s may not do this%s.", name, q->token_from != NULL ? " from " : "",
                 q->token_from != NULL ? q->token_from : "", q->writing ? ": it needs the role write" : "");
        return told(REEL_ERR_DENIED, a, text, err);
    case REEL_ANSWER_BUSY:
        asked_wait(a, " ", wait);
        snprintf(text, sizeof text, "%s: the Hub takes no more requests now; wait%s%s.", name, wait, q->token_from == NULL
                 ? ", or log in: that raises the limit" : "");
        return told(REEL_ERR_NETWORK, a, text, err);
    case REEL_ANSWER_SERVER:
        asked_wait(a, " and asks to wait ", wait);
        snprintf(text, sizeof text, "%s: the server fails (answer %ld)%s.", name, a->status, wait);
        return told(REEL_ERR_NETWORK, a, text, err);
    case REEL_ANSWER_NO_HUB:
        snprintf(text, sizeof text, "status %ld", a->status);
        return reel_answer_no_hub(q, text, err);
    default:
        snprintf(text, sizeof text, "%s: the server refuses (answer %ld).", name, a->status);
        return told(REEL_ERR_NETWORK, a, text, err);
    }
}
