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

static reel_status download(reel_http *http, const char *given, sinking *s, double seconds, reel_error *err)
{
    const double end = reel_now() + seconds;
    char location[8192], *url = reel_strdup(given);
    reel_status status = url == NULL ? reel_fail_nomem(err, "address") : REEL_OK;
    for (int hop = 0; status == REEL_OK; hop++) {
        reel_http_answer a;
        const reel_http_request r = {.method = "GET", .url = url, .anonymous = true, .sink = take, .user = s, .limit = 1 << 16,
                                     .total = end - reel_now() > 0.1 ? end - reel_now() : 0.1};
        reel_http_once(http, &r, &a);
        const bool moved = a.end == REEL_HTTP_DONE && a.status / 100 == 3 && reel_http_header(&a, "Location", location, sizeof location);
        char *next = moved ? reel_url_join(url, location) : NULL;
        if (moved && next == NULL)
            status = reel_fail_nomem(err, "address");
        else if (moved && (hop == HOPS || !reel_session_may_follow(url, next)))
            status = fail_moved(url, err);
        else if (!moved)
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

/* ".mp4" of an address, or "". */
static void ending_of(const char *url, char out[16])
{
    const char *path = strstr(url, "://") + 3, *dot = NULL;
    const size_t n = strcspn(path, "?#");
    for (size_t i = strcspn(path, "/"); i < n; i++)
        dot = path[i] == '.' ? path + i : path[i] == '/' ? NULL : dot;
    const size_t length = dot != NULL ? (size_t)(path + n - dot) : 0;
    const bool good = length > 1 && length < 10 &&
        strspn(dot + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") >= length - 1;
    snprintf(out, 16, "%.*s", good ? (int)length : 0, good ? dot : "");
}

static int make_temporary(reel_context *ctx, const char *url, char **path)
{
    char ending[16];
    const char *dir = ctx->cache_dir != NULL && reel_dir_make(ctx->cache_dir, NULL) == REEL_OK ? ctx->cache_dir : "/tmp";
    ending_of(url, ending);
    *path = reel_format("%s/reel-url-XXXXXX%s", dir, ending);
    return *path == NULL ? -1 : mkostemps(*path, (int)strlen(ending), O_CLOEXEC);
}

reel_status reel_hub_fetch_url(reel_context *ctx, const char *name, uint64_t limit, double seconds, char **path, bool *temporary,
                               reel_error *err)
{
    const reel_hub *hub = reel_hub_of(ctx);
    reel_http *http = NULL;
    *path = NULL;
    *temporary = false;
    if (strncasecmp(name, "http://", 7) != 0 && strncasecmp(name, "https://", 8) != 0) {
        *path = reel_strdup(name);
        return *path != NULL ? REEL_OK : reel_fail_nomem(err, name);
    }
    char shown[300];
    reel_url_show(shown, sizeof shown, name);
    if (!reel_url_valid(name))
        return reel_fail(err, REEL_ERR_ARG, "an address has no user name or password, no blanks, and a host; write it percent-encoded");
    if (hub == NULL)
        return reel_fail_nomem(err, "settings of the Hub");
    if (hub->offline)
        return reel_fail(err, REEL_ERR_NETWORK, "%s: not fetched in offline mode (--offline, HF_HUB_OFFLINE)", shown);
    sinking s = {.fd = make_temporary(ctx, name, path), .limit = limit};
    reel_status status = s.fd < 0 ? reel_fail_errno(err, errno, *path != NULL ? *path : shown, "create")
        : reel_http_open(ctx, hub, NULL, &http, err);
    if (status == REEL_OK)
        reel_log(ctx, REEL_LOG_NOTE, "hub", "fetching %s", shown);
    if (status == REEL_OK)
        status = download(http, name, &s, seconds, err);
    reel_http_close(&http);
    if (s.fd >= 0 && close(s.fd) != 0 && status == REEL_OK)
        status = reel_fail_errno(err, errno, *path, "write");
    *temporary = status == REEL_OK;
    if (status != REEL_OK) {
        if (s.fd >= 0)
            unlink(*path);
        reel_free(*path);
        *path = NULL;
    }
    return status;
}
