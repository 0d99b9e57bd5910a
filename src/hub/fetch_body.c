#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/text.h"
#include "hub/fetch.h"
#include "hub/url.h"

enum { HOPS = 20, RENEWALS = 2, BUFFER = 1 << 16 };

/* One body on its way. */
typedef struct way {
    reel_session *s;
    const reel_body *b;
    int fd;
    uint64_t at;             /* bytes in the file */
    uint64_t came;           /* over the line, in all */
    uint64_t farthest;       /* how far the file had come when tries were last counted anew */
    bool whole;              /* the server says that there is no more than what is here */
    bool resumed;            /* some of them from an earlier try */
    bool begun, refused;     /* this answer was looked at; and says what it should not */
    bool stopped;            /* who is told wants no more */
    int e;                   /* errno of a write */
    char why[200];
    reel_sha256 hash;        /* of the bytes in the file; state NULL: only at the end */
    char *url;
    int renewals, hops;
} way;

static bool is_git(const char *like) { return strlen(like) == 40; }

static reel_status hash_begin(way *w, reel_error *err)
{
    const reel_file_meta *m = w->b->meta;
    reel_sha256_drop(&w->hash);
    if (!is_git(m->etag))
        return reel_sha256_begin(&w->hash, err);
    return m->size < 0 ? REEL_OK : reel_git_id_begin(&w->hash, (uint64_t)m->size, err);  /* its size comes first */
}

reel_status reel_fetch_hash(int fd, uint64_t size, const char *like, char hash[65], reel_error *err)
{
    char buffer[BUFFER];
    reel_sha256 h = {0};
    uint64_t at = 0;
    reel_status status = is_git(like) ? reel_git_id_begin(&h, size, err) : reel_sha256_begin(&h, err);
    while (status == REEL_OK && at < size) {
        const size_t wanted = size - at < sizeof buffer ? (size_t)(size - at) : sizeof buffer;
        const ssize_t n = pread(fd, buffer, wanted, (off_t)at);
        if (n > 0) {
            reel_sha256_add(&h, buffer, (size_t)n);
            at += (uint64_t)n;
        } else if (n == 0 || errno != EINTR) {
            status = n == 0 ? reel_fail(err, REEL_ERR_IO, "a file became shorter while it was read")
                : reel_fail_errno(err, errno, "a file", "read");
        }
    }
    if (status == REEL_OK)
        reel_sha256_end(&h, hash);
    reel_sha256_drop(&h);
    return status;
}

static bool tell(const way *w, int64_t bytes)
{
    return w->b->fetched == NULL || bytes == 0 || w->b->fetched(bytes, w->b->file, w->b->user);
}

/* Back to the beginning. */
static reel_status restart(way *w, reel_error *err)
{
    tell(w, -(int64_t)w->at);
    w->at = 0;
    w->resumed = false;
    if (ftruncate(w->fd, 0) != 0)
        return reel_fail_errno(err, errno, w->b->partial, "shorten");
    return hash_begin(w, err);
}

/* What an earlier try left: hashed, so that the rest can follow. */
static reel_status take_up(way *w, reel_error *err)
{
    struct stat st;
    char buffer[BUFFER];
    const int64_t size = w->b->meta->size;
    reel_status status = hash_begin(w, err);
    if (status != REEL_OK)
        return status;
    if (fstat(w->fd, &st) != 0)
        return reel_fail_errno(err, errno, w->b->partial, "read");
    const bool usable = w->b->resume && w->b->meta->etag[0] != '\0' && (size < 0 || st.st_size <= size);
    if (!usable)
        return restart(w, err);
    while (w->hash.state != NULL && w->at < (uint64_t)st.st_size) {
        const ssize_t n = pread(w->fd, buffer, sizeof buffer, (off_t)w->at);
        if (n <= 0 || reel_cancelled(w->s->ctx))
            return n > 0 ? reel_fail_cancelled(err) : restart(w, err);
        reel_sha256_add(&w->hash, buffer, (size_t)n);
        w->at += (uint64_t)n;
    }
    w->at = (uint64_t)st.st_size;
    w->resumed = w->at > 0;
    tell(w, (int64_t)w->at);
    return REEL_OK;
}

/* ---- what arrives ---- */

static bool refuse(way *w, const char *why)
{
    snprintf(w->why, sizeof w->why, "%s", why);
    w->refused = true;
    return false;
}

/* "bytes 100-199/200": does it begin where we are, and end where the file does? */
static bool range_is_ours(const way *w, const reel_http_answer *a)
{
    char range[128];
    unsigned long long first, last, all;
    if (!reel_http_header(a, "Content-Range", range, sizeof range))
        return false;
    const int n = sscanf(range, "bytes %llu-%llu/%llu", &first, &last, &all);
    return n >= 2 && first == w->at && (n < 3 || w->b->meta->size < 0 || all == (unsigned long long)w->b->meta->size);
}

/* Before the first byte: from where does the server send, and how much? */
static bool begin(way *w, const reel_http_answer *a)
{
    w->begun = true;
    if (a->status == 206 ? !range_is_ours(w, a) : a->status != 200)
        return refuse(w, a->status == 206 ? "the server sends another part than was asked for" : "the server answers with something else");
    if (a->status == 200 && w->at > 0 && restart(w, NULL) != REEL_OK)
        return refuse(w, "the partial file cannot be shortened");
    const int64_t size = w->b->meta->size, length = reel_http_header_number(a, "Content-Length");
    if (size >= 0 && length >= 0 && (uint64_t)length > (uint64_t)size - w->at)
        return refuse(w, "the server sends more than it announced");
    return true;
}

static bool take(const reel_http_answer *a, const void *data, size_t n, void *user)
{
    way *w = user;
    const char *from = data;
    if (!w->begun && !begin(w, a))
        return false;
    if (w->b->meta->size >= 0 && n > (uint64_t)w->b->meta->size - w->at)
        return refuse(w, "the server sends more than it announced");
    for (size_t done = 0; done < n && !w->stopped;) {
        const ssize_t put = pwrite(w->fd, from + done, n - done, (off_t)w->at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            w->e = put < 0 ? errno : ENOSPC;
            return false;
        }
        if (w->hash.state != NULL)
            reel_sha256_add(&w->hash, from + done, (size_t)put);
        done += (size_t)put;
        w->at += (uint64_t)put;
        w->came += (uint64_t)put;
        w->stopped = !tell(w, put);
    }
    return !w->stopped;
}

/* ---- one answer after the other ---- */

static reel_status fail_write(const way *w, reel_error *err)
{
    const reel_file_meta *m = w->b->meta;
    if ((w->e != ENOSPC && w->e != EDQUOT && w->e != EFBIG) || m->size < 0)
        return reel_fail_errno(err, w->e, w->b->file, "store");
    return reel_fail(err, REEL_ERR_IO,
                     "%s: no room in %s for the %llu bytes that are still to come (%s); what is there is kept, and the next try goes on",
                     w->b->file, w->b->shown_dir, (unsigned long long)((uint64_t)m->size - w->at), strerror(w->e));
}

/* The Hub's own address again: a signed one has expired, or came to nothing. */
static reel_status renew(way *w, reel_error *err)
{
    reel_free(w->url);
    w->url = reel_repo_resolve_url(w->s->hub, w->b->repo, w->b->file);
    return w->url == NULL ? reel_fail_nomem(err, w->b->file) : REEL_OK;
}

static reel_status hop(way *w, const reel_http_answer *a, reel_error *err)
{
    char *next, shown[300];
    reel_status status = reel_session_next(w->s, a, w->url, &next, err);
    if (status != REEL_OK)
        return status;
    if (next == NULL || ++w->hops > HOPS || !reel_session_may_follow(w->url, next)) {
        reel_url_show(shown, sizeof shown, next != NULL ? next : "");
        reel_free(next);
        return reel_fail(err, REEL_ERR_NETWORK,
                         "%s: the server sends on to '%s', where it may not go (a circle, https to http, or no address)",
                         w->b->file, shown);
    }
    reel_free(w->url);
    w->url = next;
    return REEL_OK;
}

/* More was asked for than there is. Content-Range says how much that is: it may be just what is here. Else what is here is no part
 * of it. */
static reel_status beyond_end(way *w, const reel_http_answer *a, reel_error *err)
{
    char range[128];
    unsigned long long all;
    const bool told = reel_http_header(a, "Content-Range", range, sizeof range) && sscanf(range, "bytes */%llu", &all) == 1;
    w->whole = told && all == w->at && w->b->meta->size < 0;
    return w->whole ? REEL_OK : restart(w, err);
}

/* Tries are counted anew once the file has grown by enough, and never for bytes that came before: a server that drops after each byte, or
 * after the same ones again, comes to an end. */
static bool made_progress(way *w)
{
    enum { PARTS = 64, LEAST = 1 << 20 };
    const int64_t size = w->b->meta->size;
    const uint64_t enough = size < 0 || size / PARTS >= LEAST ? LEAST : (uint64_t)size / PARTS + 1;
    if (w->at < w->farthest || w->at - w->farthest < enough)
        return false;
    w->farthest = w->at;
    return true;
}

/* What to do after an answer that did not bring all. REEL_OK: ask again. */
static reel_status after(way *w, const reel_http_answer *a, int *attempt, reel_error *err)
{
    char shown[300];
    double seconds;
    const int64_t size = w->b->meta->size;
    reel_url_show(shown, sizeof shown, w->url);
    if (w->e != 0)
        return fail_write(w, err);
    if (w->stopped)
        return reel_fail_cancelled(err);
    if (w->refused)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: %s (%s); nothing of it is kept", w->b->file, w->why, shown);
    if (a->end == REEL_HTTP_DONE && a->status / 100 == 3)
        return hop(w, a, err);
    if (a->end == REEL_HTTP_DONE && a->status == 416 && w->at > 0 && w->renewals++ < RENEWALS)
        return beyond_end(w, a, err);
    const bool storage = !reel_http_trusted(w->s->http, w->url);
    if (a->end == REEL_HTTP_DONE && storage && reel_http_expired(a->status) && w->renewals++ < RENEWALS)
        return renew(w, err);
    if (a->end == REEL_HTTP_DONE && a->status / 100 == 2) {  /* a consistent answer, and too short: once more, for the rest */
        if (++*attempt <= 2)
            return REEL_OK;
        return reel_fail(err, REEL_ERR_FORMAT, "%s: the server announced %lld bytes and sends %llu (%s)", w->b->file, (long long)size,
                         (unsigned long long)w->at, shown);
    }
    if (!reel_http_again(a, ++*attempt, &seconds)) {
        const reel_asked asked = reel_session_asked(w->s, w->b->repo, w->b->file, w->url);
        if (a->end == REEL_HTTP_DONE && storage)
            return reel_fail(err, REEL_ERR_NETWORK, "%s: the server that stores it refuses it (%s answers %ld)", w->b->file, shown,
                             a->status);
        return a->end == REEL_HTTP_DONE ? reel_answer_fail(a, &asked, err) : reel_http_fail(a, w->url, *attempt, err);
    }
    reel_log(w->s->ctx, REEL_LOG_DETAIL, "hub", "%s: %s after %llu bytes; again in %.0f s", w->b->file,
             a->end == REEL_HTTP_DONE ? "refused" : a->reason, (unsigned long long)w->at, seconds);
    return reel_http_wait(w->s->ctx, seconds) ? REEL_OK : reel_fail_cancelled(err);
}

static bool is_complete(const way *w, const reel_http_answer *a)
{
    const bool good = a->end == REEL_HTTP_DONE && a->status / 100 == 2 && !w->refused && w->e == 0;
    return good && (w->b->meta->size < 0 || w->at == (uint64_t)w->b->meta->size);
}

/* Until the file has all its bytes. */
static reel_status fill(way *w, reel_error *err)
{
    reel_status status = REEL_OK;
    bool complete = w->b->meta->size >= 0 && w->at == (uint64_t)w->b->meta->size;
    w->farthest = w->at;
    w->whole = false;
    for (int attempt = 0; status == REEL_OK && !complete;) {
        char range[64];
        reel_http_answer a;
        snprintf(range, sizeof range, "Range: bytes=%llu-", (unsigned long long)w->at);
        w->begun = w->refused = false;
        const reel_http_request r = {.method = "GET", .url = w->url, .sink = take, .user = w, .limit = 1 << 16,
                                     .headers = {"X-HF-Download-Counter: 1", w->at > 0 ? range : NULL}};
        reel_http_once(w->s->http, &r, &a);
        complete = is_complete(w, &a);
        if (!complete) {
            if (a.end != REEL_HTTP_DONE && made_progress(w))
                attempt = 0;
            status = after(w, &a, &attempt, err);
            complete = w->whole;
        }
        reel_http_answer_free(&a);
    }
    return status;
}

static reel_status end_hash(way *w, char hash[65], reel_error *err)
{
    if (w->hash.state == NULL)
        return reel_fetch_hash(w->fd, w->at, w->b->meta->etag, hash, err);
    reel_sha256_end(&w->hash, hash);
    return REEL_OK;
}

static reel_status check_room(const way *w, reel_error *err)
{
    const int64_t size = w->b->meta->size;
    const uint64_t room = reel_disk_free(w->b->shown_dir), left = size > 0 ? (uint64_t)size - w->at : 0;
    if (left <= room)
        return REEL_OK;
    return reel_fail(err, REEL_ERR_IO, "%s: it needs %llu bytes, and %s has room for %llu: %llu are missing", w->b->file,
                     (unsigned long long)left,
                     w->b->shown_dir, (unsigned long long)room, (unsigned long long)(left - room));
}

/* All bytes, and those that the name says. */
static reel_status fetch(way *w, char hash[65], reel_error *err)
{
    const char *etag = w->b->meta->etag;
    reel_status status = take_up(w, err);
    if (status == REEL_OK)
        status = check_room(w, err);
    for (int round = 0; status == REEL_OK; round++) {
        status = fill(w, err);
        if (status == REEL_OK)
            status = end_hash(w, hash, err);
        if (status != REEL_OK || etag[0] == '\0' || strcmp(hash, etag) == 0)
            return status;
        if (round > 0)
            return reel_fail(err, REEL_ERR_FORMAT, "%s: what came is not the file: its content is %s, and should be %s; it was removed",
                             w->b->file,
                             hash, etag);
        reel_log(w->s->ctx, REEL_LOG_NOTE, "hub", "%s: what came is damaged%s; once more from the beginning", w->b->file,
                 w->resumed ? ", perhaps the part from an earlier try" : "");
        status = restart(w, err);
        if (status == REEL_OK)
            status = renew(w, err);
    }
    return status;
}

reel_status reel_fetch_body(reel_session *s, const reel_body *b, char hash[65], uint64_t *bytes, reel_error *err)
{
    way w = {.s = s, .b = b};
    *bytes = 0;
    reel_status status = reel_session_token(s, err);
    if (status != REEL_OK)
        return status;
    w.url = b->meta->url != NULL ? reel_strdup(b->meta->url) : reel_repo_resolve_url(s->hub, b->repo, b->file);
    if (w.url == NULL)
        return reel_fail_nomem(err, b->file);
    w.fd = openat(b->dir, b->partial, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | (b->resume ? 0 : O_EXCL), 0666);
    status = w.fd < 0 ? reel_fail_errno(err, errno, b->file, "store") : fetch(&w, hash, err);
    if (status == REEL_OK && fsync(w.fd) != 0)
        status = reel_fail_errno(err, errno, b->file, "store");
    if (w.fd >= 0)
        close(w.fd);
    /* of no use to the next try: what was refused, and what nobody will find again */
    const bool useless = status == REEL_ERR_FORMAT || !b->resume || b->meta->etag[0] == '\0';
    if (status != REEL_OK && w.fd >= 0 && useless)
        unlinkat(b->dir, b->partial, 0);
    if (status != REEL_OK)
        tell(&w, -(int64_t)w.at);
    *bytes = w.came;
    reel_sha256_drop(&w.hash);
    reel_free(w.url);
    return status;
}
