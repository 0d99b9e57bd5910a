#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "hub/fetch.h"
#include "hub/url.h"

enum { HOPS = 20, PATIENT = 60 };

void reel_file_meta_free(reel_file_meta *m)
{
    reel_free(m->url);
    m->url = NULL;
}

/* An ETag's text without W/ and quotes. */
static void bare_etag(char *etag)
{
    char *from = etag;
    if (strncmp(from, "W/", 2) == 0)
        from += 2;
    if (*from == '"')
        from++;
    memmove(etag, from, strlen(from) + 1);
    const size_t n = strlen(etag);
    if (n > 0 && etag[n - 1] == '"')
        etag[n - 1] = '\0';
}

/* Takes what this answer says of the file: the last that says something counts. */
static reel_status read_headers(const reel_http_answer *a, const char *file, reel_file_meta *m, reel_error *err)
{
    char text[256];
    if (reel_http_header(a, "X-Repo-Commit", text, sizeof text)) {
        if (!reel_commit_valid(text))
            return reel_fail(err, REEL_ERR_FORMAT, "%s: the server gives '%.60s' as its commit, which is none", file, text);
        memcpy(m->commit, text, 41);
    }
    const bool redirect = a->status / 100 == 3;
    const bool linked_here = reel_http_header(a, "X-Linked-Etag", text, sizeof text);
    if (linked_here || (!redirect && !m->linked && reel_http_header(a, "ETag", text, sizeof text))) {
        bare_etag(text);
        snprintf(m->etag, sizeof m->etag, "%s", reel_etag_valid(text) ? text : "");
    }
    const int64_t linked = reel_http_header_number(a, "X-Linked-Size"), length = redirect ? -1
        : reel_http_header_number(a, "Content-Length");
    if (linked >= 0 || (length >= 0 && !m->linked))
        m->size = linked >= 0 ? linked : length;
    m->linked = m->linked || linked_here;
    m->lacks = a->status == 404 && reel_http_header(a, "X-Error-Code", text, sizeof text) && strcmp(text, "EntryNotFound") == 0 &&
               reel_http_header(a, "X-Repo-Commit", text, sizeof text);
    return REEL_OK;
}

static bool is_redirect(long status) { return status == 301 || status == 302 || status == 303 || status == 307 || status == 308; }

/* Whether an old copy may serve instead. */
static bool says_nothing(const reel_http_answer *a, reel_answer_kind kind)
{
    if (a->end != REEL_HTTP_DONE)
        return a->end == REEL_HTTP_REFUSED || a->end == REEL_HTTP_TIMEOUT || a->end == REEL_HTTP_DROPPED;
    return kind == REEL_ANSWER_NO_REPO || kind == REEL_ANSWER_BAD_TOKEN || kind == REEL_ANSWER_GATED || kind == REEL_ANSWER_FORBIDDEN ||
           kind == REEL_ANSWER_BUSY || kind == REEL_ANSWER_SERVER || kind == REEL_ANSWER_DISABLED || kind == REEL_ANSWER_NO_HUB;
}

static reel_status ask(reel_session *s, const char *url, bool patient, reel_http_answer *a, reel_error *err)
{
    const reel_http_request r = {.method = "HEAD", .url = url, .headers = {"X-HF-Download-Counter: 1"}, .total = PATIENT,
                                 .connect = PATIENT};
    if (!patient)
        return reel_session_try(s, &r, a, err);
    reel_status status = reel_http_send(s->http, &r, a, err);
    if (status == REEL_OK)
        reel_hub_note_answer(s->ctx, true);
    return status;
}

/* Where a redirect leads: *url is replaced, or, at another host, moved to m->url and set to NULL. */
static reel_status follow(reel_session *s, const reel_http_answer *a, char **url, reel_file_meta *m, reel_error *err)
{
    char *next, shown[300];
    reel_status status = reel_session_next(s, a, *url, &next, err);
    if (status != REEL_OK)
        return status;
    if (next == NULL || !reel_session_may_follow(*url, next)) {
        reel_url_show(shown, sizeof shown, next != NULL ? next : "");
        reel_free(next);
        return reel_fail(err, REEL_ERR_NETWORK,
                         "the server sends the question on to '%s', where it may not go (https to http, or no address)", shown);
    }
    reel_free(*url);
    *url = next;
    if (!reel_http_trusted(s->http, next)) {
        m->url = next;
        *url = NULL;
    }
    return REEL_OK;
}

/* 200, or a redirect that cannot be followed, and nothing of a Hub's. */
static reel_status fail_no_hub(const reel_session *s, const reel_repo *repo, const char *file, reel_status status, reel_file_meta *m,
                               reel_error *err)
{
    char said[REEL_ERROR_SIZE];
    const reel_asked asked = reel_session_asked(s, repo, file, NULL);
    snprintf(said, sizeof said, "%s", status != REEL_OK && err != NULL ? err->message : "no X-Repo-Commit");
    m->kind = REEL_ANSWER_NO_HUB;
    m->unreachable = true;
    return reel_answer_no_hub(&asked, said, err);
}

reel_status reel_fetch_meta(reel_session *s, const reel_repo *repo, const char *file, bool patient, reel_file_meta *m, reel_error *err)
{
    *m = (reel_file_meta){.size = -1, .kind = REEL_ANSWER_BAD_TOKEN};
    reel_status status = reel_session_token(s, err);
    m->unreachable = status != REEL_OK;
    if (status != REEL_OK)
        return status;
    char *url = reel_repo_resolve_url(s->hub, repo, file);
    status = url == NULL ? reel_fail_nomem(err, file) : REEL_OK;
    for (int hop = 0; status == REEL_OK && url != NULL; hop++) {
        reel_http_answer a = {0};
        const reel_asked asked = reel_session_asked(s, repo, file, url);
        m->kind = REEL_ANSWER_SERVER;
        status = ask(s, url, patient, &a, err);
        const bool answered = status == REEL_OK;
        if (answered) {
            reel_session_warning(s, &a);
            m->kind = reel_answer_kind_of(&a, &asked);
            status = read_headers(&a, file, m, err);
        }
        if (answered || status != REEL_ERR_CANCELLED)
            m->unreachable = says_nothing(&a, m->kind);
        if (status == REEL_OK && is_redirect(a.status)) {
            status = hop < HOPS ? follow(s, &a, &url, m, err) : reel_fail(err, REEL_ERR_NETWORK,
                                                                          "%s: the server's redirects go in a circle", file);
        } else if (status == REEL_OK && m->kind != REEL_ANSWER_OK) {
            status = reel_answer_fail(&a, &asked, err);
        } else if (status == REEL_OK) {
            m->url = url;
            url = NULL;
        }
        reel_http_answer_free(&a);
    }
    reel_free(url);
    if ((status == REEL_OK || status == REEL_ERR_NETWORK) && m->kind == REEL_ANSWER_OK && m->commit[0] == '\0')
        status = fail_no_hub(s, repo, file, status, m, err);
    if (status != REEL_OK)
        reel_file_meta_free(m);
    return status;
}
