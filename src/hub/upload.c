/* reel_hub_upload: ask, send what is missing, commit. Nothing of it is visible on the Hub before the commit. */
#include "hub/upload.h"

#include <stdio.h>
#include <string.h>

#include "args/args.h"
#include "args/jobs.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "hub/lfs.h"
#include "hub/listing.h"

/* ---- what the parts share ---- */

reel_status reel_upload_post(reel_upload *u, const char *url, const char *type, const char *body, size_t n, reel_http_answer *a,
                             reel_error *err)
{
    const reel_http_request r = {.method = "POST", .url = url, .headers = {type}, .body = body, .body_size = n,
                                 .limit = REEL_UPLOAD_ANSWER_LIMIT, .silence = 60};
    return reel_http_send(u->s.http, &r, a, err);
}

reel_status reel_upload_answer(const reel_upload *u, const reel_http_answer *a, const char *url, reel_json **out, reel_error *err)
{
    reel_asked asked = reel_session_asked(&u->s, &u->repo, NULL, url);
    asked.writing = true;
    if (out != NULL)
        *out = NULL;
    if (a->status / 100 != 2)
        return reel_answer_fail(a, &asked, err);
    return out == NULL ? REEL_OK : reel_json_parse(a->body.s != NULL ? a->body.s : "", a->body.len, "the server's answer", true, out, err);
}

void reel_upload_tell(reel_upload *u, const char *what, uint64_t sent_now)
{
    const double seconds = reel_now() - u->began;
    u->event.what = what;
    u->event.done = u->before + sent_now;
    u->event.bytes_per_second = u->event.total > 0 && seconds > 0 ? (double)u->event.done / seconds : 0;
    if (u->fn != NULL)
        u->fn(&u->event, u->user);
}

/* ---- the result ---- */

typedef struct owned { reel_hub_uploaded shown; char *url, *commit, *commit_url; } owned;

static reel_status result_make(reel_upload *u, const char *commit, char **commit_url, bool changed, size_t sent, reel_hub_uploaded **out,
                               reel_error *err)
{
    owned *r = reel_calloc(1, sizeof *r);
    if (r == NULL)
        return reel_fail_nomem(err, "result");
    r->url = reel_format("%s/%s%s", u->s.hub->endpoint, reel_repo_prefix(u->repo.type), u->id);
    r->commit = reel_strdup(commit);
    r->commit_url = *commit_url != NULL ? *commit_url : r->url != NULL ? reel_format("%s/commit/%s", r->url, commit) : NULL;
    *commit_url = NULL;
    r->shown = (reel_hub_uploaded){.url = r->url, .commit = r->commit, .commit_url = r->commit_url, .changed = changed, .files = u->files.n,
                                   .sent = sent, .bytes = u->before};
    *out = &r->shown;
    if (r->url == NULL || r->commit == NULL || r->commit_url == NULL) {
        reel_hub_uploaded_close(out);
        return reel_fail_nomem(err, "result");
    }
    return REEL_OK;
}

void reel_hub_uploaded_close(reel_hub_uploaded **uploaded)
{
    if (uploaded == NULL || *uploaded == NULL)
        return;
    owned *r = (owned *)(void *)*uploaded;
    reel_free(r->url);
    reel_free(r->commit);
    reel_free(r->commit_url);
    reel_free(r);
    *uploaded = NULL;
}

/* ---- the way ---- */

static reel_status open_upload(reel_context *ctx, const reel_push *push, reel_upload *u, reel_error *err)
{
    char what[256];
    reel_status status = REEL_OK;
    *u = (reel_upload){.push = push, .began = reel_now()};
    REEL_TRY(reel_repo_id_check(push->id, err));
    if (!reel_revision_valid(push->revision)) {
        status = reel_fail(err, REEL_ERR_ARG, "'%s' cannot be a branch's name", push->revision);
        goto done;
    }
    REEL_TRY(reel_session_open(ctx, &u->s, err));
    u->s.typed = push->typed;
    snprintf(what, sizeof what, "sending to %s", push->id);
    REEL_TRY(reel_session_online(&u->s, what, err));
    REEL_TRY(reel_session_token(&u->s, err));
    if (u->s.token_from == NULL) {
        status = reel_fail(err, REEL_ERR_DENIED, "%s: sending to the Hub takes a token with the role write; run reel hub login", push->id);
        goto done;
    }
    u->id = reel_strdup(push->id);
    u->repo = (reel_repo){push->type, u->id, push->revision};
    status = u->id == NULL ? reel_fail_nomem(err, push->id) : REEL_OK;
done:
    return status;
}

static void close_upload(reel_upload *u)
{
    reel_session_close(&u->s);
    reel_up_files_free(&u->files);
    reel_free(u->id);
}

/* What is left to be sent: its size for the bar, and its number. Same bytes are sent once. */
static size_t count_left(reel_upload *u)
{
    size_t n = 0;
    u->event.total = 0;
    for (size_t i = 0; i < u->files.n; i++) {
        const reel_up_file *f = &u->files.item[i];
        bool is_first = true;
        for (size_t k = 0; f->lfs && k < i && is_first; k++)
            is_first = strcmp(u->files.item[k].sha256, f->sha256) != 0;
        n += !f->settled;
        u->event.total += !f->settled && is_first ? f->size : 0;
    }
    u->event.files = n;
    return n;
}

/* The contents in the commit count as sent when it is made. */
static void count_contents(reel_upload *u)
{
    for (size_t i = 0; i < u->files.n; i++)
        u->before += !u->files.item[i].settled && !u->files.item[i].lfs ? u->files.item[i].size : 0;
}

reel_status reel_push_run(reel_context *ctx, const reel_push *push, reel_hub_event_fn fn, void *user, reel_hub_uploaded **out,
                          reel_error *err)
{
    reel_upload u;
    char commit[41] = "", *commit_url = NULL;
    reel_status status = REEL_OK;
    *out = NULL;
    REEL_TRY(open_upload(ctx, push, &u, err));
    u.fn = fn;
    u.user = user;
    REEL_TRY(reel_upload_collect(&u, err));
    REEL_TRY(reel_upload_prepare(&u, err));
    REEL_TRY(reel_upload_card_check(&u, err));
    REEL_TRY(reel_upload_ask(&u, err));
    const size_t left = count_left(&u);
    u.began = reel_now();
    if (left > 0) {
        REEL_TRY(reel_lfs_send(&u, err));
        count_contents(&u);
        REEL_TRY(reel_upload_commit(&u, commit, &commit_url, err));
    }
    status = result_make(&u, left > 0 ? commit : u.head, &commit_url, left > 0, left, out, err);
done:
    reel_free(commit_url);
    close_upload(&u);
    return status;
}

reel_status reel_push_prepare(reel_context *ctx, const reel_push *push, char **id, reel_error *err)
{
    reel_upload u;
    reel_http_answer a = {0};
    char *url = NULL;
    reel_status status = REEL_OK;
    *id = NULL;
    REEL_TRY(open_upload(ctx, push, &u, err));
    REEL_TRY(reel_upload_prepare(&u, err));
    url = reel_repo_api_url(u.s.hub, &u.repo, NULL, "/auth-check/write");
    if (url == NULL) {
        status = reel_fail_nomem(err, u.id);
        goto done;
    }
    const reel_http_request r = {.method = "GET", .url = url};
    REEL_TRY(reel_http_send(u.s.http, &r, &a, err));
    if (a.status != 404)  /* a mirror that has no such service */
        REEL_TRY(reel_upload_answer(&u, &a, url, NULL, err));
    *id = u.id;
    u.id = NULL;
done:
    reel_http_answer_free(&a);
    reel_free(url);
    close_upload(&u);
    return status;
}

/* "license:mit" among the tags. */
static char *license_of(const reel_json *info)
{
    const reel_json *tags = reel_json_get(info, "tags");
    for (size_t i = 0; reel_json_is_array(tags) && i < reel_json_size(tags); i++) {
        const char *tag = reel_json_string(reel_json_at(tags, i));
        if (tag != NULL && strncmp(tag, "license:", 8) == 0 && tag[8] != '\0')
            return reel_strdup(tag + 8);
    }
    return NULL;
}

void reel_hub_license(reel_context *ctx, const char *id, char **license)
{
    reel_session s = {0};
    reel_json *info = NULL;
    reel_http_answer a = {0};
    *license = NULL;
    if (!reel_repo_id_valid(id) || reel_session_open(ctx, &s, NULL) != REEL_OK)
        return;
    reel_session_token(&s, NULL);
    const reel_repo repo = {REEL_REPO_MODEL, id, "main"};
    char *url = s.hub->offline ? NULL : reel_repo_api_url(s.hub, &repo, NULL, "");
    const reel_asked asked = reel_session_asked(&s, &repo, NULL, url);
    if (url != NULL && reel_session_json(&s, url, &asked, REEL_UPLOAD_ANSWER_LIMIT, &info, &a, NULL) == REEL_OK)
        *license = license_of(info);
    reel_json_free(info);
    reel_http_answer_free(&a);
    reel_free(url);
    reel_session_close(&s);
}

/* A folder or a file's name in a repository; a folder may end in '/'. */
static reel_status place_check(const char *inside, reel_error *err)
{
    char *name = reel_path_trim(inside);
    if (name == NULL)
        return reel_fail_nomem(err, "name");
    const bool good = reel_repo_file_valid(name) && !reel_upload_is_private(name);
    reel_free(name);
    return good ? REEL_OK : reel_fail(err, REEL_ERR_ARG, "PATH_IN_REPO: '%s' cannot be a place in a repository (it begins at its top, without '/', "
                                      "has no part '..', '.git' or '.cache', no '\\', no control characters, and is UTF-8)", inside);
}

static reel_status text_check(const char *option, const char *text, reel_error *err)
{
    return reel_utf8_valid(text, strlen(text)) ? REEL_OK : reel_fail(err, REEL_ERR_ARG, "--%s: the text is not UTF-8", option);
}

reel_status reel_hub_upload(reel_context *ctx, const reel_args *args, const char *const *names, size_t n, reel_hub_event_fn fn, void *user,
                            reel_hub_uploaded **out, reel_error *err)
{
    const reel_hub_upload_args *o = reel_args_values(args, REEL_JOB_HUB_UPLOAD);
    *out = NULL;
    if (o == NULL || n < 1 || n > 3)
        return reel_fail(err, REEL_ERR_ARG, "an upload takes ORG/NAME, then a folder or file (none: the one this is), then its place in "
                         "the repository (none: the top)");
    reel_push push = {.id = names[0], .revision = o->revision, .path = n > 1 ? names[1] : ".", .inside = n > 2 ? names[2] : NULL,
                      .message = o->commit_message, .description = o->commit_description, .include = reel_patterns_of(&o->include),
                      .exclude = reel_patterns_of(&o->exclude),
                      .create_pr = o->create_pr, .typed = true, .force = o->force};
    if (!reel_repo_type_parse(o->repo_type, &push.type))
        return reel_fail(err, REEL_ERR_ARG, "--repo_type %s: model, dataset or space", o->repo_type);
    if (o->commit_message[0] == '\0')
        return reel_fail(err, REEL_ERR_ARG, "--commit_message: a commit needs one");
    if (push.inside != NULL && (strcmp(push.inside, ".") == 0 || strcmp(push.inside, "./") == 0 || strcmp(push.inside, "/") == 0))
        push.inside = NULL;
    reel_status status = push.inside != NULL ? place_check(push.inside, err) : REEL_OK;
    if (status == REEL_OK)
        status = text_check("commit_message", o->commit_message, err);
    if (status == REEL_OK)
        status = text_check("commit_description", o->commit_description, err);
    if (status != REEL_OK)
        return status;
    if (reel_args_is_set(args, "private"))
        push.visibility = o->private_repo ? REEL_VISIBILITY_PRIVATE : REEL_VISIBILITY_PUBLIC;
    return reel_push_run(ctx, &push, fn, user, out, err);
}
