/* Which way each file goes is the Hub's decision: it is asked, and says also what it has. */
#include "hub/upload.h"

#include <string.h>
#include <unistd.h>

#include "base/mem.h"

enum { FILES_A_CALL = 256, SAMPLE = 512, IGNORE_LIMIT = 1 << 20 };

static bool add_sample(reel_json *entry, const reel_up_file *f, reel_error *err, reel_status *status)
{
    char sample[SAMPLE];
    int fd = -1;
    reel_text text = {0};
    *status = reel_up_file_open(f, &fd, err);
    if (*status != REEL_OK)
        return false;
    const ssize_t n = pread(fd, sample, sizeof sample, 0);
    close(fd);
    reel_text_puts(&text, "");
    reel_text_base64(&text, sample, n > 0 ? (size_t)n : 0);
    const bool ok = !text.failed && reel_json_set_string(entry, "sample", text.s);
    reel_text_free(&text);
    return ok;
}

static reel_json *entry_of(const reel_up_file *f, reel_error *err, reel_status *status)
{
    reel_json *entry = reel_json_object();
    if (entry != NULL && reel_json_set_string(entry, "path", f->name) && add_sample(entry, f, err, status) &&
        reel_json_set_int(entry, "size", (int64_t)f->size))
        return entry;
    if (*status == REEL_OK)
        *status = reel_fail_nomem(err, f->name);
    reel_json_free(entry);
    return NULL;
}

/* The rules of a .gitignore at the top of what is sent. */
static reel_status add_ignore(const reel_upload *u, reel_json *body, reel_error *err)
{
    reel_status status = REEL_OK;
    for (size_t i = 0; i < u->files.n; i++)
        if (strcmp(u->files.item[i].name, ".gitignore") == 0) {
            char *text = NULL;
            size_t n;
            status = reel_up_file_read(&u->files.item[i], IGNORE_LIMIT, &text, &n, err);
            if (status == REEL_OK && reel_utf8_valid(text, n) && !reel_json_set_string(body, "gitIgnore", text))
                status = reel_fail_nomem(err, ".gitignore");
            reel_free(text);
        }
    return status;
}

static reel_status body_of(const reel_upload *u, const reel_up_file *file, size_t n, char **out, reel_error *err)
{
    reel_json *body = reel_json_object(), *files = reel_json_array();
    reel_status status = body == NULL || files == NULL ? reel_fail_nomem(err, "preupload") : REEL_OK;
    for (size_t i = 0; i < n && status == REEL_OK; i++) {
        reel_json *entry = entry_of(&file[i], err, &status);
        if (status == REEL_OK && !reel_json_push(files, entry))
            status = reel_fail_nomem(err, "preupload");
    }
    if (status == REEL_OK)
        status = add_ignore(u, body, err);
    if (status == REEL_OK) {
        const bool ok = reel_json_set(body, "files", files);
        files = NULL;
        *out = ok ? reel_json_dump(body, 0, REEL_JSON_KEEP) : NULL;
        status = *out != NULL ? REEL_OK : reel_fail_nomem(err, "preupload");
    }
    reel_json_free(files);
    reel_json_free(body);
    return status;
}

/* Is what the Hub calls `oid` the same as this file? */
static reel_status compare(reel_upload *u, reel_up_file *f, const char *oid, reel_error *err)
{
    reel_status status = REEL_OK;
    if (oid != NULL && reel_etag_valid(oid) && strlen(oid) == 40) {
        status = reel_up_file_git(u, f, err);
        f->settled = status == REEL_OK && strcmp(f->git, oid) == 0;
    } else if (oid != NULL && reel_etag_valid(oid)) {
        status = reel_up_file_sha256(u, f, err);
        f->settled = status == REEL_OK && strcmp(f->sha256, oid) == 0;
    }
    if (status == REEL_OK && !f->settled && f->lfs)
        status = reel_up_file_sha256(u, f, err);
    return status;
}

static reel_status take(reel_upload *u, reel_up_file *f, const reel_json *entry, reel_error *err)
{
    const char *mode = reel_json_string(reel_json_get(entry, "uploadMode"));
    if (mode == NULL || (strcmp(mode, "lfs") != 0 && strcmp(mode, "regular") != 0))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: the server does not say which way %s goes", u->id, f->name);
    f->lfs = strcmp(mode, "lfs") == 0 && f->size > 0;  /* the store holds no empty file */
    f->settled = reel_json_true(reel_json_get(entry, "shouldIgnore"));
    if (f->settled) {
        reel_log(u->s.ctx, REEL_LOG_DETAIL, "hub", "%s is left out, as .gitignore says", f->name);
        return REEL_OK;
    }
    return compare(u, f, reel_json_string(reel_json_get(entry, "oid")), err);
}

static const reel_json *entry_named(const reel_json *files, const char *name)
{
    for (size_t i = 0; reel_json_is_array(files) && i < reel_json_size(files); i++) {
        const char *path = reel_json_string(reel_json_get(reel_json_at(files, i), "path"));
        if (path != NULL && strcmp(path, name) == 0)
            return reel_json_at(files, i);
    }
    return NULL;
}

static reel_status ask_some(reel_upload *u, const char *url, reel_up_file *file, size_t n, reel_error *err)
{
    char *body = NULL;
    reel_http_answer a = {0};
    reel_json *j = NULL;
    reel_status status = REEL_OK;
    REEL_TRY(body_of(u, file, n, &body, err));
    REEL_TRY(reel_upload_post(u, url, "Content-Type: application/json", body, strlen(body), &a, err));
    REEL_TRY(reel_upload_answer(u, &a, url, &j, err));
    for (size_t i = 0; i < n; i++) {
        const reel_json *entry = entry_named(reel_json_get(j, "files"), file[i].name);
        REEL_TRY(take(u, &file[i], entry, err));
    }
done:
    reel_json_free(j);
    reel_http_answer_free(&a);
    reel_free(body);
    return status;
}

reel_status reel_upload_ask(reel_upload *u, reel_error *err)
{
    char *url = reel_repo_api_url(u->s.hub, &u->repo, "preupload", "");
    reel_status status = url == NULL ? reel_fail_nomem(err, u->id) : REEL_OK;
    for (size_t at = 0; at < u->files.n && status == REEL_OK; at += FILES_A_CALL) {
        const size_t left = u->files.n - at;
        status = ask_some(u, url, u->files.item + at, left < FILES_A_CALL ? left : FILES_A_CALL, err);
    }
    reel_free(url);
    return status;
}

bool reel_upload_all_settled(const reel_upload *u)
{
    for (size_t i = 0; i < u->files.n; i++)
        if (!u->files.item[i].settled)
            return false;
    return true;
}
