/* The repository of an upload: made where there is none, its branch, the commit it is at, and the opinion of its README.md. */
#include "hub/upload.h"

#include <string.h>

#include "base/mem.h"
#include "hub/card.h"

enum { CONFLICT_TRIES = 20 };  /* a minute of waiting */

/* ---- create ---- */

static char *create_body(const reel_push *p)
{
    const char *slash = strchr(p->id, '/');
    char *org = slash != NULL ? reel_strndup(p->id, (size_t)(slash - p->id)) : NULL, *text = NULL;
    reel_json *j = reel_json_object();
    bool ok = j != NULL && (slash == NULL || org != NULL) && reel_json_set_string(j, "name", slash != NULL ? slash + 1 : p->id) &&
              reel_json_set_string(j, "organization", org);
    if (p->type != REEL_REPO_MODEL)
        ok = ok && reel_json_set_string(j, "type", reel_repo_type_name(p->type));
    if (p->visibility != REEL_VISIBILITY_DEFAULT)
        ok = ok && reel_json_set_string(j, "visibility", p->visibility == REEL_VISIBILITY_PRIVATE ? "private" : "public");
    if (ok)
        text = reel_json_dump(j, 0, REEL_JSON_KEEP);
    reel_json_free(j);
    reel_free(org);
    return text;
}

/* "https://hub/datasets/ORG/NAME" -> ORG/NAME: the whole name, which `url` of an answer has. */
static void take_id(reel_upload *u, const reel_json *answer)
{
    const char *url = reel_json_string(reel_json_get(answer, "url")), *prefix = reel_repo_prefix(u->push->type);
    char *own = url != NULL ? reel_session_url(&u->s, u->s.hub->endpoint, url) : NULL;
    const size_t n = strlen(u->s.hub->endpoint);
    if (own != NULL && strncmp(own, u->s.hub->endpoint, n) == 0 && own[n] == '/' && strncmp(own + n + 1, prefix, strlen(prefix)) == 0) {
        const char *id = own + n + 1 + strlen(prefix);
        char *copy = reel_repo_id_valid(id) ? reel_strdup(id) : NULL;
        if (copy != NULL) {
            reel_free(u->id);
            u->id = copy;
            u->repo.id = copy;
        }
    }
    reel_free(own);
}

static bool is_conflict(const reel_http_answer *a)
{
    char words[512];
    reel_answer_words(a, words);
    return a->status == 409 && strstr(words, "conflicting operation") != NULL;
}

/* *refused: this asker may not make one there; perhaps it is there, and may be written to. */
static reel_status create(reel_upload *u, reel_http_answer *a, bool *made, bool *refused, reel_error *err)
{
    char *url = reel_format("%s/api/repos/create", u->s.hub->endpoint), *body = create_body(u->push);
    reel_json *j = NULL;
    reel_status status = url == NULL || body == NULL ? reel_fail_nomem(err, u->push->id) : REEL_OK;
    for (int try = 0; status == REEL_OK; try++) {
        status = reel_upload_post(u, url, "Content-Type: application/json", body, strlen(body), a, err);
        if (status != REEL_OK || !is_conflict(a) || try == CONFLICT_TRIES)
            break;
        reel_http_answer_free(a);
        status = reel_http_wait(u->s.ctx, 3) ? REEL_OK : reel_fail_cancelled(err);
    }
    if (status == REEL_OK) {
        *made = a->status / 100 == 2;
        *refused = a->status == 401 || a->status == 402 || a->status == 403;
        if ((*made || a->status == 409) && reel_json_parse(a->body.s != NULL ? a->body.s : "", a->body.len, "answer", true, &j,
                                                           NULL) == REEL_OK)
            take_id(u, j);
        if (!*made && !*refused && a->status != 409)
            status = reel_upload_answer(u, a, url, NULL, err);
    }
    reel_json_free(j);
    reel_free(url);
    reel_free(body);
    return status;
}

/* ---- what is there ---- */

/* A repository that was renamed is called by its new name from here on: a POST to the old one would be redirected. */
static reel_status look(reel_upload *u, reel_json **info, reel_answer_kind *kind, reel_error *err)
{
    char *url = reel_repo_api_url(u->s.hub, &u->repo, NULL, "");
    reel_http_answer a = {0};
    *info = NULL;
    const reel_asked asked = reel_session_asked(&u->s, &u->repo, NULL, url);
    reel_status status = url == NULL ? reel_fail_nomem(err, u->id) : reel_session_json(&u->s, url, &asked, REEL_UPLOAD_ANSWER_LIMIT, info,
                                                                                       &a, err);
    *kind = a.status != 0 ? reel_answer_kind_of(&a, &asked) : REEL_ANSWER_SERVER;
    const char *id = reel_json_string(reel_json_get(*info, "id"));
    if (status == REEL_OK && id != NULL && reel_repo_id_valid(id) && strcmp(id, u->id) != 0) {
        char *copy = reel_strdup(id);
        if (copy != NULL) {
            reel_log(u->s.ctx, REEL_LOG_NOTE, "hub", "%s is called %s now", u->id, id);
            reel_free(u->id);
            u->id = copy;
            u->repo.id = copy;
        }
    }
    reel_http_answer_free(&a);
    reel_free(url);
    return status;
}

static reel_status visibility_check(const reel_upload *u, const reel_json *info, bool made, reel_error *err)
{
    const reel_json *is_private = reel_json_get(info, "private");
    if (!reel_json_is_bool(is_private)) {
        if (u->push->visibility == REEL_VISIBILITY_PRIVATE)
            reel_log(u->s.ctx, REEL_LOG_WARNING, "hub", "%s: the server does not say whether it is private", u->id);
        return REEL_OK;
    }
    if (u->push->visibility == REEL_VISIBILITY_PRIVATE && !reel_json_true(is_private))
        return reel_fail(err, REEL_ERR_MISMATCH, "%s %s and is public, but private was asked for; its visibility is changed "
                         "on its page of the Hub only. Nothing was sent", u->id, made ? "was made by the server" : "is there already");
    if (!made && u->push->visibility == REEL_VISIBILITY_PUBLIC && reel_json_true(is_private))
        reel_log(u->s.ctx, REEL_LOG_WARNING, "hub", "%s is there already and stays private", u->id);
    return REEL_OK;
}

static reel_status repository(reel_upload *u, reel_error *err)
{
    reel_http_answer a = {0};
    reel_json *info = NULL;
    reel_answer_kind kind;
    bool made = false, refused = false;
    reel_status status = create(u, &a, &made, &refused, err);
    if (status == REEL_OK)
        status = look(u, &info, &kind, err);
    if (status != REEL_OK && refused && a.status != 401 && (kind == REEL_ANSWER_NO_REPO || kind == REEL_ANSWER_BAD_TOKEN))
        status = reel_upload_answer(u, &a, u->s.hub->endpoint, NULL, err);  /* not there either: what making it was answered says more */
    if (status == REEL_OK)
        status = visibility_check(u, info, made, err);
    reel_http_answer_free(&a);
    reel_json_free(info);
    return status;
}

/* ---- the branch ---- */

static reel_status branch_make(reel_upload *u, reel_error *err)
{
    char *url = reel_repo_api_url(u->s.hub, &u->repo, "branch", "");
    reel_http_answer a = {0};
    reel_status status = url == NULL ? reel_fail_nomem(err, u->id)
                                     : reel_upload_post(u, url, "Content-Type: application/json", "{}", 2, &a, err);
    if (status == REEL_OK && a.status != 409)
        status = reel_upload_answer(u, &a, url, NULL, err);
    reel_http_answer_free(&a);
    reel_free(url);
    return status;
}

reel_status reel_upload_head(reel_upload *u, reel_error *err)
{
    reel_answer_kind kind = REEL_ANSWER_OK;
    reel_status status = reel_session_commit(&u->s, &u->repo, u->head, &kind, err);
    if (status == REEL_OK || kind != REEL_ANSWER_NO_REVISION)
        return status;
    u->head[0] = '\0';
    if (strcmp(u->repo.revision, "main") == 0)  /* without a commit yet */
        return REEL_OK;
    status = u->push->create_pr ? status : branch_make(u, err);
    return status != REEL_OK ? status : reel_session_commit(&u->s, &u->repo, u->head, &kind, err);
}

reel_status reel_upload_prepare(reel_upload *u, reel_error *err)
{
    reel_status status = repository(u, err);
    return status != REEL_OK ? status : reel_upload_head(u, err);
}

/* ---- the card ---- */

static reel_status card_judged(reel_upload *u, const reel_http_answer *a, const char *url, reel_error *err)
{
    reel_json *j = NULL;
    char words[512];
    if (a->status == 404)  /* a mirror that has no such service */
        return REEL_OK;
    if (a->status == 400) {
        reel_answer_words(a, words);
        return reel_fail(err, REEL_ERR_FORMAT, "README.md: the Hub does not accept its metadata: %s. Nothing was sent", words);
    }
    reel_status status = reel_upload_answer(u, a, url, &j, err);
    const reel_json *warnings = reel_json_get(j, "warnings");
    for (size_t i = 0; status == REEL_OK && reel_json_is_array(warnings) && i < reel_json_size(warnings) && i < 8; i++) {
        const char *text = reel_json_string(reel_json_get(reel_json_at(warnings, i), "message"));
        if (text != NULL)
            reel_log(u->s.ctx, REEL_LOG_WARNING, "hub", "README.md: %.300s", text);
    }
    reel_json_free(j);
    return status;
}

static reel_status card_ask(reel_upload *u, const reel_up_file *f, reel_error *err)
{
    char *url = reel_format("%s/api/validate-yaml", u->s.hub->endpoint), *text = NULL, *body = NULL;
    size_t n;
    reel_http_answer a = {0};
    reel_json *j = reel_json_object();
    reel_status status = REEL_OK;
    REEL_TRY(reel_up_file_read(f, REEL_CARD_LIMIT, &text, &n, err));
    if (!reel_utf8_valid(text, n) || memchr(text, '\0', n) != NULL) {
        status = reel_fail(err, REEL_ERR_FORMAT, "%s is not UTF-8 text", f->path);
        goto done;
    }
    if (j != NULL && reel_json_set_string(j, "content", text) && reel_json_set_string(j, "repoType", reel_repo_type_name(u->push->type)))
        body = reel_json_dump(j, 0, REEL_JSON_KEEP);
    if (body == NULL || url == NULL) {
        status = reel_fail_nomem(err, f->path);
        goto done;
    }
    REEL_TRY(reel_upload_post(u, url, "Content-Type: application/json", body, strlen(body), &a, err));
    status = card_judged(u, &a, url, err);
done:
    reel_http_answer_free(&a);
    reel_json_free(j);
    reel_free(url);
    reel_free(text);
    reel_free(body);
    return status;
}

reel_status reel_upload_card_check(reel_upload *u, reel_error *err)
{
    for (size_t i = 0; i < u->files.n; i++)
        if (strcmp(u->files.item[i].name, "README.md") == 0)
            return card_ask(u, &u->files.item[i], err);
    return REEL_OK;
}
