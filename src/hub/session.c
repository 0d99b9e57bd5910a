#include "hub/session.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "hub/token.h"
#include "hub/url.h"

enum { HOPS = 20 };

reel_status reel_session_open(reel_context *ctx, reel_session *s, reel_error *err)
{
    *s = (reel_session){.ctx = ctx, .hub = reel_hub_of(ctx)};
    return s->hub == NULL ? reel_fail_nomem(err, "settings of the Hub") : reel_http_open(ctx, s->hub, NULL, &s->http, err);
}

reel_status reel_session_fork(const reel_session *from, reel_session *s, reel_error *err)
{
    *s = (reel_session){.ctx = from->ctx, .hub = from->hub, .typed = from->typed};
    return reel_http_open(from->ctx, from->hub, NULL, &s->http, err);
}

/* What its user should know of a token before it is sent: once a context. */
static void warn_of_token(const reel_session *s)
{
    reel_hub *hub = s->ctx->hub;
    if (hub == NULL || atomic_exchange(&hub->token_told, true))
        return;
    if (s->token_expired)
        reel_log(s->ctx, REEL_LOG_WARNING, "hub", "the token in %s has expired; log in again: reel hub login", s->token_from);
    if (!reel_url_is_https(hub->endpoint) && !reel_url_is_loopback(hub->endpoint))
        reel_log(s->ctx, REEL_LOG_WARNING, "hub", "the token goes to %s unencrypted: everybody on the way can read it", hub->endpoint);
}

reel_status reel_session_token(reel_session *s, reel_error *err)
{
    char *token = NULL;
    const char *from = NULL;
    if (s->token_read || s->hub->offline)
        return REEL_OK;
    reel_status status = reel_hub_token(s->hub, &token, &from, err);
    if (status == REEL_OK)
        status = reel_http_set_token(s->http, token, err);
    s->token_read = status == REEL_OK;
    if (status == REEL_OK && token != NULL) {
        s->token_from = from;
        s->token_expired = from == s->hub->token_path && reel_token_expired(s->hub, token);
        warn_of_token(s);
    }
    reel_hub_forget(&token);
    return status;
}

void reel_session_close(reel_session *s)
{
    reel_http_close(&s->http);
}

reel_status reel_session_online(const reel_session *s, const char *what, reel_error *err)
{
    if (!s->hub->offline)
        return REEL_OK;
    return reel_fail(err, REEL_ERR_NETWORK, "%s is not possible in offline mode (--offline, or HF_HUB_OFFLINE is set)", what);
}

char *reel_session_url(const reel_session *s, const char *base, const char *reference)
{
    static const char hub[] = "https://huggingface.co/";
    char *url = reel_url_join(base, reference);
    if (url == NULL || strncmp(url, hub, sizeof hub - 1) != 0)
        return url;
    char *own = reel_format("%s%s", s->hub->endpoint, url + sizeof hub - 2);
    reel_free(url);
    return own;
}

reel_status reel_session_next(const reel_session *s, const reel_http_answer *a, const char *base, char **next, reel_error *err)
{
    char *location;
    *next = NULL;
    reel_status status = reel_http_header_copy(a, "Location", &location, err);
    if (location != NULL && location[0] != '\0' && (*next = reel_session_url(s, base, location)) == NULL)
        status = reel_fail_nomem(err, "address");
    reel_free(location);
    return status;
}

bool reel_session_may_follow(const char *from, const char *to)
{
    return reel_url_valid(to) && (reel_url_is_https(to) || !reel_url_is_https(from));
}

reel_asked reel_session_asked(const reel_session *s, const reel_repo *repo, const char *file, const char *url)
{
    return (reel_asked){.repo = repo, .file = file, .url = url, .endpoint = s->hub->endpoint, .token_from = s->token_from,
                        .token_expired = s->token_expired, .typed = s->typed};
}

void reel_session_warning(reel_session *s, const reel_http_answer *a)
{
    char text[512], topic[64];
    if (!reel_http_header(a, "X-HF-Warning", text, sizeof text))
        return;
    const size_t n = strcspn(text, ";");
    snprintf(topic, sizeof topic, "%.*s", (int)n, text);
    if (strcmp(topic, s->warned) == 0)
        return;
    memcpy(s->warned, topic, sizeof topic);
    reel_log(s->ctx, REEL_LOG_WARNING, "hub", "the Hub says: %s", text + n + (text[n] == ';') + strspn(text + n + (text[n] == ';'), " "));
}

reel_status reel_session_try(reel_session *s, const reel_http_request *r, reel_http_answer *a, reel_error *err)
{
    reel_http_request quick = *r;
    quick.total = quick.connect = s->hub->etag_timeout;
    reel_http_once(s->http, &quick, a);
    if (a->end != REEL_HTTP_CANCELLED)
        reel_hub_note_answer(s->ctx, a->end != REEL_HTTP_TIMEOUT && a->end != REEL_HTTP_REFUSED && a->end != REEL_HTTP_DROPPED);
    double seconds;
    const bool again = reel_http_again(a, 1, &seconds);
    s->rest = reel_http_asked_wait(a) < 0 ? 0 : again ? seconds : REEL_HTTP_LONGEST_WAIT + 1;
    return a->end == REEL_HTTP_DONE ? REEL_OK : reel_http_fail(a, r->url, 1, err);
}

bool reel_session_rest(reel_session *s, reel_status *status, reel_error *err)
{
    const double seconds = s->rest;
    s->rest = 0;
    if (seconds > REEL_HTTP_LONGEST_WAIT)
        return false;
    if (seconds > 0)
        reel_log(s->ctx, REEL_LOG_DETAIL, "hub", "%s asks to wait; again in %.0f s", s->hub->endpoint, seconds);
    if (!reel_http_wait(s->ctx, seconds)) {
        *status = reel_fail_cancelled(err);
        return false;
    }
    return true;
}

/* Where a redirect on the own host leads: an answer from elsewhere is not the Hub's. *next NULL: it is none. */
static reel_status moved(reel_session *s, const reel_http_answer *a, const char *at, int hop, char **next, reel_error *err)
{
    char shown[300];
    *next = NULL;
    reel_status status = a->status / 100 == 3 ? reel_session_next(s, a, at, next, err) : REEL_OK;
    reel_url_show(shown, sizeof shown, at);
    if (*next != NULL && (hop == HOPS || !reel_http_trusted(s->http, *next)))
        status = reel_fail(err, REEL_ERR_NETWORK, "%s: the server sends the question to another host, or in a circle", shown);
    return status;
}

static reel_status get(reel_session *s, const char *url, bool patient, size_t limit, reel_http_answer *a, reel_error *err)
{
    char *at = reel_strdup(url);
    reel_status status = at == NULL ? reel_fail_nomem(err, url) : REEL_OK;
    for (int hop = 0; status == REEL_OK; hop++) {
        char *next = NULL;
        const reel_http_request r = {.method = "GET", .url = at, .limit = limit, .total = 60 + s->hub->download_timeout};
        status = patient ? reel_http_send(s->http, &r, a, err) : reel_session_try(s, &r, a, err);
        if (status == REEL_OK)
            status = moved(s, a, at, hop, &next, err);
        if (next == NULL)
            break;
        reel_free(at);
        at = next;
        if (status == REEL_OK)
            reel_http_answer_free(a);
    }
    reel_free(at);
    return status;
}

static reel_status get_json(reel_session *s, const char *url, const reel_asked *asked, bool patient, size_t limit, reel_json **out,
                            reel_http_answer *a, reel_error *err)
{
    char shown[300];
    *out = NULL;
    *a = (reel_http_answer){0};
    reel_status status = get(s, url, patient, limit, a, err);
    if (status != REEL_OK)
        return status;
    reel_session_warning(s, a);
    if (a->status / 100 != 2)
        return reel_answer_fail(a, asked, err);
    reel_url_show(shown, sizeof shown, url);
    return reel_json_parse(a->body.s != NULL ? a->body.s : "", a->body.len, shown, true, out, err);
}

reel_status reel_session_json(reel_session *s, const char *url, const reel_asked *asked, size_t limit, reel_json **out, reel_http_answer *a,
                              reel_error *err)
{
    return get_json(s, url, asked, true, limit, out, a, err);
}

static reel_status ask_commit(reel_session *s, const reel_repo *repo, bool patient, char commit[41], reel_answer_kind *kind,
                              reel_error *err)
{
    reel_http_answer a = {0};
    reel_json *j = NULL;
    *kind = REEL_ANSWER_BAD_TOKEN;
    reel_status status = reel_session_token(s, err);
    if (status != REEL_OK)
        return status;
    char *url = reel_repo_api_url(s->hub, repo, "revision", "");
    const reel_asked asked = reel_session_asked(s, repo, NULL, url);
    status = url == NULL ? reel_fail_nomem(err, repo->id) : get_json(s, url, &asked, patient, 64u << 20, &j, &a, err);
    *kind = a.end == REEL_HTTP_TLS ? REEL_ANSWER_OTHER : a.end == REEL_HTTP_DONE && a.status != 0 ? reel_answer_kind_of(&a, &asked)
                                                                                                    : REEL_ANSWER_SERVER;
    const char *sha = reel_json_string(reel_json_get(j, "sha"));
    if ((status == REEL_ERR_NETWORK || status == REEL_ERR_FORMAT) && *kind == REEL_ANSWER_OK) {
        *kind = REEL_ANSWER_NO_HUB;  /* 200 or a redirect, and nothing of a Hub's */
        status = reel_answer_no_hub(&asked, a.status / 100 == 3 ? "a redirect that leads away" : "what is no JSON", err);
    }
    if (status == REEL_OK && (sha == NULL || !reel_commit_valid(sha))) {
        *kind = REEL_ANSWER_NO_HUB;
        status = reel_answer_no_hub(&asked, "no commit", err);
    }
    if (status == REEL_OK)
        memcpy(commit, sha, 41);
    reel_json_free(j);
    reel_http_answer_free(&a);
    reel_free(url);
    return status;
}

reel_status reel_session_commit(reel_session *s, const reel_repo *repo, char commit[41], reel_answer_kind *kind, reel_error *err)
{
    return ask_commit(s, repo, true, commit, kind, err);
}

reel_status reel_session_commit_quickly(reel_session *s, const reel_repo *repo, char commit[41], reel_answer_kind *kind, reel_error *err)
{
    return ask_commit(s, repo, false, commit, kind, err);
}
