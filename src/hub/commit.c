/* The one commit of an upload: a line of JSON a file, and what to do when its answer is lost or the branch has moved. */
#include "hub/upload.h"

#include <string.h>

#include "base/mem.h"
#include "hub/lfs.h"
#include "hub/url.h"

#define PATIENCE 120.0 /* seconds until a commit of many files is answered */
enum { CONTENTS_LIMIT = 100 << 20, UNKNOWNS = 2, MOVES = 8 };  /* how often it is tried again */

/* ---- its text ---- */

static reel_status add_line(reel_text *out, const char *key, const reel_json *value, const char *more, size_t n, reel_error *err)
{
    char *text = value != NULL ? reel_json_dump(value, 0, REEL_JSON_KEEP) : NULL;
    const size_t length = text != NULL ? strlen(text) : 0;
    if (length > 0) {
        reel_text_printf(out, "{\"key\": \"%s\", \"value\": ", key);
        reel_text_add(out, text, length - 1);  /* without its '}' */
        reel_text_add(out, more, n);
        reel_text_puts(out, "}}\n");
    }
    reel_free(text);
    return length > 0 && !out->failed ? REEL_OK : reel_fail_nomem(err, "commit");
}

static reel_status add_header(reel_text *out, const char *summary, const char *description, const char *parent, reel_error *err)
{
    reel_json *j = reel_json_object();
    bool ok = j != NULL && reel_json_set_string(j, "summary", summary) && reel_json_set_string(j, "description", description) &&
              (parent[0] == '\0' || reel_json_set_string(j, "parentCommit", parent));
    reel_status status = ok ? add_line(out, "header", j, "", 0, err) : reel_fail_nomem(err, "commit");
    reel_json_free(j);
    return status;
}

static reel_status add_stored(reel_text *out, const reel_up_file *f, reel_error *err)
{
    reel_json *j = reel_json_object();
    bool ok = j != NULL && reel_json_set_string(j, "path", f->name) && reel_json_set_string(j, "algo", "sha256") &&
              reel_json_set_string(j, "oid", f->sha256) && reel_json_set_int(j, "size", (int64_t)f->size);
    reel_status status = ok ? add_line(out, "lfsFile", j, "", 0, err) : reel_fail_nomem(err, f->name);
    reel_json_free(j);
    return status;
}

static reel_status add_contents(reel_text *out, const reel_up_file *f, reel_error *err)
{
    char *data = NULL;
    size_t n;
    reel_text more = {0};
    reel_json *j = reel_json_object();
    reel_status status = REEL_OK;
    REEL_TRY(reel_up_file_read(f, CONTENTS_LIMIT, &data, &n, err));
    reel_text_puts(&more, ", \"content\": \"");
    reel_text_base64(&more, data, n);
    reel_text_puts(&more, "\"");
    if (more.failed || j == NULL || !reel_json_set_string(j, "path", f->name) || !reel_json_set_string(j, "encoding", "base64"))
        status = reel_fail_nomem(err, f->name);
    else
        status = add_line(out, "file", j, more.s, more.len, err);
done:
    reel_free(data);
    reel_text_free(&more);
    reel_json_free(j);
    return status;
}

static reel_status contents_check(const reel_up_files *files, reel_error *err)
{
    uint64_t all = 0;
    for (size_t i = 0; i < files->n; i++) {
        const reel_up_file *f = &files->item[i];
        if (!f->settled && !f->lfs && (f->size > CONTENTS_LIMIT || (all += f->size) > CONTENTS_LIMIT))
            return reel_fail(err, REEL_ERR_LIMIT, "the files that the Hub wants inside the commit are above 100 MB together (%s is the "
                             "one too many). Send a part at a time with --include, or have .gitattributes name them for LFS", f->name);
    }
    return REEL_OK;
}

reel_status reel_commit_text(const reel_up_files *files, const char *summary, const char *description, const char *parent, reel_text *out,
                             reel_error *err)
{
    reel_status status = contents_check(files, err);
    if (status == REEL_OK)
        status = add_header(out, summary, description != NULL ? description : "", parent, err);
    for (size_t i = 0; i < files->n && status == REEL_OK; i++) {
        const reel_up_file *f = &files->item[i];
        if (!f->settled)
            status = f->lfs ? add_stored(out, f, err) : add_contents(out, f, err);
    }
    return status;
}

/* ---- sending it ---- */

typedef enum outcome { DONE, BUSY, UNKNOWN, MOVED, FAILED } outcome;

static outcome outcome_of(const reel_http_answer *a)
{
    if (a->end == REEL_HTTP_DONE && a->status / 100 == 2)
        return DONE;
    if (a->end == REEL_HTTP_DROPPED || a->end == REEL_HTTP_TIMEOUT || (a->end == REEL_HTTP_DONE && a->status / 100 == 5))
        return UNKNOWN;  /* it may have been made */
    if (a->end == REEL_HTTP_DONE && a->status == 412)
        return MOVED;
    return a->end == REEL_HTTP_REFUSED || (a->end == REEL_HTTP_DONE && (a->status == 429 || a->status == 408)) ? BUSY : FAILED;
}

static reel_status take_answer(const reel_upload *u, const reel_http_answer *a, const char *asked, char commit[41], char **url,
                               reel_error *err)
{
    reel_json *j = NULL;
    reel_status status = reel_upload_answer(u, a, asked, &j, err);
    const char *oid = reel_json_string(reel_json_get(j, "commitOid")), *at = reel_json_string(reel_json_get(j, "pullRequestUrl"));
    if (at == NULL)
        at = reel_json_string(reel_json_get(j, "commitUrl"));
    if (status == REEL_OK && (oid == NULL || !reel_commit_valid(oid)))
        status = reel_fail(err, REEL_ERR_FORMAT, "%s: the server took the commit, but does not name it", u->id);
    if (status == REEL_OK) {
        memcpy(commit, oid, 41);
        *url = at != NULL ? reel_session_url(&u->s, u->s.hub->endpoint, at) : NULL;
        if (*url != NULL && !reel_url_valid(*url)) {
            reel_free(*url);
            *url = NULL;
        }
    }
    reel_json_free(j);
    return status;
}

/* Where many commit at once, one gets through at a time: the others come back apart from one another, ever later. */
static double pause_after(int moves)
{
    const double longest = 0.1 * (double)(1 << (moves < 6 ? moves : 6));
    return longest * reel_http_chance();
}

/* After a lost answer, or where others have committed: is all there as wanted? What is new in the branch decides what is left. */
static reel_status look_again(reel_upload *u, bool *there, char commit[41], reel_error *err)
{
    reel_status status = REEL_OK;
    REEL_TRY(reel_upload_head(u, err));
    REEL_TRY(reel_upload_ask(u, err));
    *there = reel_upload_all_settled(u);
    if (*there)
        memcpy(commit, u->head, 41);
    else
        REEL_TRY(reel_lfs_send(u, err));
done:
    return status;
}

static reel_status send_text(reel_upload *u, const char *url, reel_http_answer *a, reel_error *err)
{
    reel_text text = {0};
    reel_status status = reel_commit_text(&u->files, u->push->message, u->push->description, u->head, &text, err);
    if (status == REEL_OK) {
        const reel_http_request r = {.method = "POST", .url = url, .headers = {"Content-Type: application/x-ndjson"}, .body = text.s,
                                     .body_size = text.len, .silence = PATIENCE, .fresh = true};
        reel_upload_tell(u, "commit", 0);
        reel_http_once(u->s.http, &r, a);
    }
    reel_text_free(&text);
    return status;
}

static reel_status fail_last(const reel_upload *u, const reel_http_answer *a, const char *url, int tries, reel_error *err)
{
    if (a->end != REEL_HTTP_DONE)
        return reel_http_fail(a, url, tries, err);
    if (a->status == 412)
        return reel_fail(err, REEL_ERR_MISMATCH, "%s: others commit to branch '%s' all the time. Start the upload again in a while; what "
                         "is stored is not sent again", u->id, u->repo.revision);
    return reel_upload_answer(u, a, url, NULL, err);
}

reel_status reel_upload_commit(reel_upload *u, char commit[41], char **commit_url, reel_error *err)
{
    char *url = reel_repo_api_url(u->s.hub, &u->repo, "commit", u->push->create_pr ? "?create_pr=1" : "");
    reel_status status = url == NULL ? reel_fail_nomem(err, u->id) : REEL_OK;
    bool over = false;
    *commit_url = NULL;
    for (int try = 1, moves = 0, unknowns = 0; status == REEL_OK && !over; try++) {
        reel_http_answer a = {0};
        double seconds = 0;
        if ((status = send_text(u, url, &a, err)) != REEL_OK)
            break;
        const outcome o = outcome_of(&a);
        const bool again = reel_http_again(&a, try, &seconds);
        if (o == DONE) {
            status = take_answer(u, &a, url, commit, commit_url, err);
            over = true;
        } else if (o == UNKNOWN && u->push->create_pr) {
            status = reel_fail(err, REEL_ERR_NETWORK, "%s: the answer to the pull request was lost. Look whether it is there before "
                               "another try", u->id);
        } else if (o == FAILED || (o == BUSY && !again) || (o == UNKNOWN && ++unknowns > UNKNOWNS) || (o == MOVED && ++moves > MOVES)) {
            status = fail_last(u, &a, url, try, err);
        } else {
            reel_log(u->s.ctx, REEL_LOG_DETAIL, "hub", "%s: the commit %s; looking again", u->id,
                     o == MOVED ? "came too late, the branch has moved" : o == BUSY ? "has to wait" : "was not answered");
            if (!reel_http_wait(u->s.ctx, o == MOVED ? pause_after(moves) : again ? seconds : 0))
                status = reel_fail_cancelled(err);
            if (status == REEL_OK && o != BUSY)
                status = look_again(u, &over, commit, err);
        }
        reel_http_answer_free(&a);
    }
    reel_free(url);
    return status;
}
