#include "hub/lfs.h"

#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "hub/url.h"

enum { OBJECTS_A_CALL = 32, RENEWALS = 2 };
#define LFS_TYPE "application/vnd.git-lfs+json"
#define PATIENCE 60.0 /* seconds in which a store puts parts together */

/* One object on its way. */
typedef struct sending {
    reel_upload *u;
    const reel_up_file *file;
    int fd;
    bool expired;   /* the address is no longer good: ask for another */
} sending;

/* ---- requests ---- */

static void on_sent(uint64_t bytes, void *user)
{
    const sending *s = user;
    reel_upload_tell(s->u, s->file->name, bytes);
}

static reel_status store_fail(const sending *s, const reel_http_answer *a, const char *url, reel_error *err)
{
    char shown[300], words[512];
    reel_url_show(shown, sizeof shown, url);  /* what is behind the '?' is as good as a password */
    reel_answer_words(a, words);
    return reel_fail(err, REEL_ERR_NETWORK, "%s could not be stored: %s answers %ld%s%s. Nothing of this upload is visible on the Hub; "
                     "start it again",
                     s->file->name, shown, a->status, words[0] != '\0' ? ": " : "", words);
}

static reel_status put(sending *s, const char *url, uint64_t offset, uint64_t size, reel_http_answer *a, reel_error *err)
{
    const reel_http_request r = {.method = "PUT", .url = url, .anonymous = true, .fd = s->fd, .offset = offset, .size = size,
                                 .sent = on_sent, .user = s, .silence = PATIENCE};
    reel_status status = reel_http_send(s->u->s.http, &r, a, err);
    if (status != REEL_OK)
        return status;
    s->expired = reel_http_expired(a->status);
    if (a->status / 100 != 2)
        return store_fail(s, a, url, err);
    s->u->before += size;
    return REEL_OK;
}

static reel_status one_piece(sending *s, const char *url, reel_error *err)
{
    reel_http_answer a = {0};
    reel_status status = put(s, url, 0, s->file->size, &a, err);
    reel_http_answer_free(&a);
    return status;
}

static reel_status send_part(sending *s, const reel_lfs_plan *plan, size_t i, reel_json *parts, reel_error *err)
{
    const uint64_t offset = plan->chunk * i, left = s->file->size - offset;
    char etag[256];
    reel_http_answer a = {0};
    reel_json *part = NULL;
    char *url = reel_session_url(&s->u->s, s->u->s.hub->endpoint, plan->part[i].url);
    reel_status status = url == NULL ? reel_fail_nomem(err, s->file->name)
                                     : put(s, url, offset, left < plan->chunk ? left : plan->chunk, &a, err);
    if (status == REEL_OK && !reel_http_header(&a, "ETag", etag, sizeof etag))
        status = reel_fail(err, REEL_ERR_NETWORK, "%s: the store does not name part %zu", s->file->name, i + 1);
    if (status == REEL_OK) {
        part = reel_json_object();
        if (part == NULL || !reel_json_set_int(part, "partNumber", (int64_t)i + 1) || !reel_json_set_string(part, "etag", etag))
            status = reel_fail_nomem(err, s->file->name);
    }
    if (status == REEL_OK) {
        status = reel_json_push(parts, part) ? REEL_OK : reel_fail_nomem(err, s->file->name);
        part = NULL;
    }
    reel_json_free(part);
    reel_http_answer_free(&a);
    reel_free(url);
    return status;
}

/* {"oid", "parts"} to where the parts become one. */
static reel_status complete(sending *s, const char *href, reel_json **parts, reel_error *err)
{
    reel_json *j = reel_json_object();
    char *body = NULL;
    reel_http_answer a = {0};
    bool ok = j != NULL && reel_json_set_string(j, "oid", s->file->sha256);
    if (ok) {
        ok = reel_json_set(j, "parts", *parts);
        *parts = NULL;
    }
    body = ok ? reel_json_dump(j, 0, REEL_JSON_KEEP) : NULL;
    reel_status status = body != NULL ? REEL_OK : reel_fail_nomem(err, s->file->name);
    if (status == REEL_OK) {
        const reel_http_request r = {.method = "POST", .url = href, .headers = {"Content-Type: " LFS_TYPE, "Accept: " LFS_TYPE},
                                     .anonymous = true, .body = body, .body_size = strlen(body), .silence = PATIENCE};
        status = reel_http_send(s->u->s.http, &r, &a, err);
    }
    if (status == REEL_OK && a.status / 100 != 2) {
        s->expired = reel_http_expired(a.status);
        status = store_fail(s, &a, href, err);
    }
    reel_http_answer_free(&a);
    reel_free(body);
    reel_json_free(j);
    return status;
}

static reel_status in_parts(sending *s, const char *href, const reel_lfs_plan *plan, reel_error *err)
{
    reel_json *parts = reel_json_array();
    reel_status status = parts == NULL ? reel_fail_nomem(err, s->file->name) : REEL_OK;
    for (size_t i = 0; i < plan->n && status == REEL_OK; i++)
        status = send_part(s, plan, i, parts, err);
    if (status == REEL_OK)
        status = complete(s, href, &parts, err);
    reel_json_free(parts);
    return status;
}

static reel_status verify(const sending *s, const reel_json *action, reel_error *err)
{
    const char *href = reel_json_string(reel_json_get(action, "href"));
    if (href == NULL)
        return REEL_OK;
    char *url = reel_session_url(&s->u->s, s->u->s.hub->endpoint, href);
    char *body = reel_format("{\"oid\": \"%s\", \"size\": %llu}", s->file->sha256, (unsigned long long)s->file->size);
    reel_http_answer a = {0};
    reel_status status = url == NULL || body == NULL ? reel_fail_nomem(err, s->file->name)
                                                     : reel_upload_post(s->u, url, "Content-Type: " LFS_TYPE, body, strlen(body), &a, err);
    if (status == REEL_OK && a.status == 404)
        status = reel_fail(err, REEL_ERR_NETWORK, "%s did not arrive at the store whole. Start the upload again", s->file->name);
    else if (status == REEL_OK)
        status = reel_upload_answer(s->u, &a, url, NULL, err);
    reel_http_answer_free(&a);
    reel_free(url);
    reel_free(body);
    return status;
}

/* ---- one object ---- */

static reel_status send_as_told(sending *s, const reel_json *actions, reel_error *err)
{
    const reel_json *upload = reel_json_get(actions, "upload");
    const char *href = reel_json_string(reel_json_get(upload, "href"));
    const uint64_t before = s->u->before;
    reel_lfs_plan plan = {0};
    char *url = href != NULL ? reel_session_url(&s->u->s, s->u->s.hub->endpoint, href) : NULL;
    reel_status status = REEL_OK;
    s->expired = false;
    if (url == NULL) {
        status = reel_fail(err, REEL_ERR_FORMAT, "%s: the server does not say where %s is to be put", s->u->id, s->file->name);
        goto done;
    }
    REEL_TRY(reel_lfs_plan_read(reel_json_get(upload, "header"), s->file->size, &plan, err));
    REEL_TRY(reel_up_file_open(s->file, &s->fd, err));
    status = plan.n > 0 ? in_parts(s, url, &plan, err) : one_piece(s, url, err);
    close(s->fd);
    if (status != REEL_OK) {  /* counted again when it is sent again; a file that changed is the reason, whatever the store says */
        reel_error why;
        int fd = -1;
        s->u->before = before;
        if (reel_up_file_open(s->file, &fd, &why) == REEL_ERR_MISMATCH) {
            s->expired = false;
            status = reel_fail(err, why.status, "%s", why.message);
        }
        if (fd >= 0)
            close(fd);
        goto done;
    }
    REEL_TRY(verify(s, reel_json_get(actions, "verify"), err));
done:
    reel_free(plan.part);
    reel_free(url);
    return status;
}

/* ---- batches ---- */

static bool is_due(const reel_up_file *f) { return f->lfs && !f->settled && !f->stored; }

/* All files of these bytes. */
static void note_stored(reel_upload *u, const char *oid)
{
    for (size_t i = 0; i < u->files.n; i++)
        if (u->files.item[i].lfs && strcmp(u->files.item[i].sha256, oid) == 0) {
            u->event.files_done += !u->files.item[i].stored;
            u->files.item[i].stored = true;
        }
}

static char *batch_body(const reel_upload *u, const reel_up_file *const *file, size_t n)
{
    reel_text t = {0};
    reel_json *name = reel_json_object();
    char *ref = name != NULL && reel_json_set_string(name, "name", u->repo.revision) ? reel_json_dump(name, 0, REEL_JSON_KEEP) : NULL;
    reel_text_puts(&t, "{\"operation\": \"upload\", \"transfers\": [\"basic\", \"multipart\"], \"hash_algo\": \"sha256\", \"objects\": [");
    for (size_t i = 0; i < n; i++)
        reel_text_printf(&t, "%s{\"oid\": \"%s\", \"size\": %llu}", i > 0 ? ", " : "", file[i]->sha256, (unsigned long long)file[i]->size);
    reel_text_printf(&t, "], \"ref\": %s}", ref != NULL ? ref : "{}");
    reel_json_free(name);
    reel_free(ref);
    return reel_text_take(&t);
}

static reel_status batch_ask(reel_upload *u, const reel_up_file *const *file, size_t n, reel_json **out, reel_error *err)
{
    char *url = reel_format("%s/%s%s.git/info/lfs/objects/batch", u->s.hub->endpoint, reel_repo_prefix(u->repo.type), u->id);
    char *body = batch_body(u, file, n);
    reel_http_answer a = {0};
    *out = NULL;
    reel_status status = url == NULL || body == NULL ? reel_fail_nomem(err, u->id) : REEL_OK;
    if (status == REEL_OK) {
        const reel_http_request r = {.method = "POST", .url = url, .headers = {"Content-Type: " LFS_TYPE, "Accept: " LFS_TYPE},
                                     .body = body, .body_size = strlen(body), .limit = REEL_UPLOAD_ANSWER_LIMIT};
        status = reel_http_send(u->s.http, &r, &a, err);
    }
    if (status == REEL_OK)
        status = reel_upload_answer(u, &a, url, out, err);
    reel_http_answer_free(&a);
    reel_free(url);
    reel_free(body);
    return status;
}

/* What a batch answer says of an object; NULL where it says nothing. */
static const reel_json *object_named(const reel_json *answer, const char *oid)
{
    const reel_json *objects = reel_json_get(answer, "objects");
    for (size_t i = 0; reel_json_is_array(objects) && i < reel_json_size(objects); i++) {
        const char *name = reel_json_string(reel_json_get(reel_json_at(objects, i), "oid"));
        if (name != NULL && strcmp(name, oid) == 0)
            return reel_json_at(objects, i);
    }
    return NULL;
}

static reel_status object_check(const reel_upload *u, const reel_up_file *f, const reel_json *object, reel_error *err)
{
    const reel_json *error = reel_json_get(object, "error");
    const char *words = reel_json_string(reel_json_get(error, "message"));
    if (object == NULL)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: the server says nothing about %s", u->id, f->name);
    if (error != NULL)
        return reel_fail(err, REEL_ERR_NETWORK, "%s: the store refuses %s: %.500s", u->id, f->name, words != NULL ? words
                         : "no reason given");
    return REEL_OK;
}

/* Sends one object; an address that has expired meanwhile is asked for again. */
static reel_status object_send(reel_upload *u, const reel_up_file *f, const reel_json *answer, reel_error *err)
{
    reel_json *renewed = NULL;
    reel_status status = REEL_OK;
    sending s = {.u = u, .file = f, .fd = -1};
    for (int renewal = 0;; renewal++) {
        const reel_json *object = object_named(renewed != NULL ? renewed : answer, f->sha256);
        REEL_TRY(object_check(u, f, object, err));
        const reel_json *actions = reel_json_get(object, "actions");
        if (!reel_json_is_object(actions) || reel_json_get(actions, "upload") == NULL)
            break;  /* the store has it */
        status = send_as_told(&s, actions, err);
        if (status == REEL_OK || !s.expired || renewal == RENEWALS)
            break;
        reel_log(u->s.ctx, REEL_LOG_DETAIL, "hub", "%s: the store no longer takes it at this address; asking for another", f->name);
        reel_json_free(renewed);
        renewed = NULL;
        REEL_TRY(batch_ask(u, &f, 1, &renewed, err));
    }
    if (status == REEL_OK)
        note_stored(u, f->sha256);
done:
    reel_json_free(renewed);
    return status;
}

/* The next files that are due, no bytes twice. */
static size_t due_files(const reel_upload *u, const reel_up_file *file[OBJECTS_A_CALL])
{
    size_t n = 0;
    for (size_t i = 0; i < u->files.n && n < OBJECTS_A_CALL; i++) {
        const reel_up_file *f = &u->files.item[i];
        bool is_new = is_due(f);
        for (size_t k = 0; k < n && is_new; k++)
            is_new = strcmp(file[k]->sha256, f->sha256) != 0;
        if (is_new)
            file[n++] = f;
    }
    return n;
}

reel_status reel_lfs_send(reel_upload *u, reel_error *err)
{
    const reel_up_file *file[OBJECTS_A_CALL];
    reel_status status = REEL_OK;
    for (size_t n; status == REEL_OK && (n = due_files(u, file)) > 0;) {
        reel_json *answer = NULL;
        status = batch_ask(u, file, n, &answer, err);
        for (size_t i = 0; i < n && status == REEL_OK; i++)
            status = object_send(u, file[i], answer, err);
        reel_json_free(answer);
    }
    return status;
}
