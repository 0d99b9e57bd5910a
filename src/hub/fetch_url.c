/* A video at an http or https address. It is a stranger's: no token, limits of size and time, no name of the server's. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "hub/locate.h"
#include "hub/session.h"
#include "hub/url.h"

enum { HOPS = 10 };

typedef struct sinking { int fd, e; uint64_t got, limit; bool too_long; } sinking;

static bool take(const reel_http_answer *a, const void *data, size_t n, void *user)
{
    sinking *s = user;
    const char *from = data;
    const int64_t length = reel_http_header_number(a, "Content-Length");
    if (n > s->limit - s->got || (length >= 0 && (uint64_t)length > s->limit)) {
        s->too_long = true;
        return false;
    }
    while (n > 0) {
        const ssize_t put = write(s->fd, from, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            s->e = put < 0 ? errno : ENOSPC;
            return false;
        }
        from += put;
        n -= (size_t)put;
        s->got += (uint64_t)put;
    }
    return true;
}

static reel_status judge(const reel_http_answer *a, const sinking *s, const char *url, double seconds, reel_error *err)
{
    char shown[300];
    reel_url_show(shown, sizeof shown, url);
    if (s->e != 0)
        return reel_fail_errno(err, s->e, shown, "store what comes from there");
    if (s->too_long)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: it is larger than the limit of %.3g GB", shown, (double)s->limit / 1e9);
    if (a->end == REEL_HTTP_TIMEOUT)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: it does not come within %.0f s, or stands still (%s)", shown, seconds, a->reason);
    if (a->end != REEL_HTTP_DONE)
        return reel_http_fail(a, url, 1, err);
    if (a->status != 200)
        return reel_fail(err, a->status == 404 || a->status == 410 ? REEL_ERR_NOT_FOUND : REEL_ERR_NETWORK, "%s: the server answers %ld",
                         shown, a->status);
    return s->got > 0 ? REEL_OK : reel_fail(err, REEL_ERR_FORMAT, "%s: it is empty", shown);
}

static reel_status fail_moved(const char *url, reel_error *err)
{
    char shown[300];
    reel_url_show(shown, sizeof shown, url);
    return reel_fail(err, REEL_ERR_NETWORK, "%s: the server sends on where it may not go (a circle, https to http, or no address)", shown);
}

/* Many servers send an address with blanks in it; browsers and curl write them as %20. NULL: no memory. */
static char *without_blanks(const char *location)
{
    reel_text out = {0};
    for (const char *c = location; *c != '\0'; c++)
        reel_text_add(&out, *c == ' ' ? "%20" : c, *c == ' ' ? 3 : 1);
    return location[0] == '\0' ? reel_strdup("") : reel_text_take(&out);
}

static reel_status download(reel_http *http, const char *given, sinking *s, double seconds, reel_error *err)
{
    const double end = reel_now() + seconds;
    char *url = reel_strdup(given);
    reel_status status = url == NULL ? reel_fail_nomem(err, "address") : REEL_OK;
    for (int hop = 0; status == REEL_OK; hop++) {
        reel_http_answer a;
        const reel_http_request r = {.method = "GET", .url = url, .anonymous = true, .sink = take, .user = s, .limit = 1 << 16,
                                     .total = end - reel_now() > 0.1 ? end - reel_now() : 0.1};
        reel_http_once(http, &r, &a);
        char *location = NULL;
        if (a.end == REEL_HTTP_DONE && a.status / 100 == 3)
            status = reel_http_header_copy(&a, "Location", &location, err);
        const bool moved = location != NULL;
        char *quoted = moved ? without_blanks(location) : NULL;
        char *next = quoted != NULL ? reel_url_join(url, quoted) : NULL;
        reel_free(quoted);
        reel_free(location);
        if (moved && next == NULL)
            status = reel_fail_nomem(err, "address");
        else if (moved && (hop == HOPS || !reel_session_may_follow(url, next)))
            status = fail_moved(url, err);
        else if (!moved && status == REEL_OK)
            status = judge(&a, s, url, seconds, err);
        reel_http_answer_free(&a);
        reel_free(moved ? url : NULL);
        url = moved ? next : url;
        if (!moved)
            break;
    }
    reel_free(url);
    return status;
}

/* ---- its file ---- */

void reel_hub_fetched_drop(reel_hub_fetched *f)
{
    if (f->named)
        unlink(f->path);
    if (f->held)
        close(f->fd);
    reel_free(f->path);
    *f = (reel_hub_fetched){.fd = -1};
}

/* Can the descriptor be opened by a path, as one of not too many? */
static bool can_be_held(reel_hub_fetched *f)
{
    enum { HELD = 256 };  /* a process may have 1024 of them, if nobody allowed more */
    f->path = reel_format("/proc/self/fd/%d", f->fd);
    f->held = f->path != NULL && f->fd < HELD && access(f->path, R_OK) == 0;
    if (f->held)
        return true;
    reel_free(f->path);
    f->path = NULL;
    return false;
}

static reel_status make_file(reel_context *ctx, reel_hub_fetched *f, reel_error *err)
{
    const char *dir = ctx->cache_dir != NULL && reel_dir_make(ctx->cache_dir, NULL) == REEL_OK ? ctx->cache_dir : "/tmp";
    f->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (f->fd >= 0 && can_be_held(f))
        return REEL_OK;
    if (f->fd >= 0)
        close(f->fd);
    char *name = reel_format("%s/reel-url-XXXXXX", dir);  /* not every file system has files without a name */
    f->fd = name == NULL ? -1 : mkostemp(name, O_CLOEXEC);
    if (f->fd < 0) {
        reel_status status = name == NULL ? reel_fail_nomem(err, dir) : reel_fail_errno(err, errno, name, "create");
        reel_free(name);
        return status;
    }
    if (can_be_held(f)) {
        unlink(name);
        reel_free(name);
    } else {
        f->path = name;
        f->named = true;
    }
    return REEL_OK;
}

/* All of it, into the file. */
static reel_status fill(reel_context *ctx, const char *name, uint64_t limit, double seconds, reel_hub_fetched *f, reel_error *err)
{
    sinking s = {.fd = f->fd, .limit = limit};
    reel_http *http = NULL;
    reel_status status = reel_http_open(ctx, reel_hub_of(ctx), NULL, &http, err);
    if (status == REEL_OK)
        status = download(http, name, &s, seconds, err);
    reel_http_close(&http);
    if (!f->held && close(f->fd) != 0 && status == REEL_OK)
        status = reel_fail_errno(err, errno, f->path, "write");
    return status;
}

reel_status reel_hub_fetch_url(reel_context *ctx, const char *name, uint64_t limit, double seconds, reel_hub_fetched *out, reel_error *err)
{
    const reel_hub *hub = reel_hub_of(ctx);
    char shown[300];
    *out = (reel_hub_fetched){.fd = -1};
    if (strncasecmp(name, "http://", 7) != 0 && strncasecmp(name, "https://", 8) != 0) {
        out->path = reel_strdup(name);
        return out->path != NULL ? REEL_OK : reel_fail_nomem(err, name);
    }
    reel_url_show(shown, sizeof shown, name);
    if (!reel_url_valid(name))
        return reel_fail(err, REEL_ERR_ARG, "an address has no user name or password, no blanks, and a host; write it percent-encoded");
    if (hub == NULL)
        return reel_fail_nomem(err, "settings of the Hub");
    if (hub->offline)
        return reel_fail(err, REEL_ERR_NETWORK, "%s: not fetched in offline mode (--offline, HF_HUB_OFFLINE)", shown);
    reel_status status = make_file(ctx, out, err);
    if (status != REEL_OK)
        return status;
    reel_log(ctx, REEL_LOG_NOTE, "hub", "fetching %s", shown);
    status = fill(ctx, name, limit, seconds, out, err);
    if (status != REEL_OK)
        reel_hub_fetched_drop(out);
    return status;
}
