#include "hub/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "hub/url.h"

struct reel_http {
    reel_context *ctx;
    const reel_hub *hub;
    char *token;
    CURL *curl;
    char reason[CURL_ERROR_SIZE];
};

/* One exchange while it runs. */
typedef struct exchange {
    reel_http *http;
    const reel_http_request *r;
    reel_http_answer *a;
    uint64_t at;      /* of the file that is sent */
    bool stopped, cancelled;
    const char *why;  /* what of the answer is refused here: libcurl's own words would not say it */
} exchange;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode global;
static void global_begin(void) { global = curl_global_init(CURL_GLOBAL_DEFAULT); }

reel_status reel_http_open(reel_context *ctx, const reel_hub *hub, const char *token, reel_http **out, reel_error *err)
{
    *out = NULL;
    pthread_once(&once, global_begin);
    reel_http *h = reel_calloc(1, sizeof *h);
    if (h != NULL) {
        h->ctx = ctx;
        h->hub = hub;
        h->token = reel_strdup(token);
        h->curl = global == CURLE_OK ? curl_easy_init() : NULL;
    }
    if (h == NULL || h->curl == NULL || (token != NULL && h->token == NULL)) {
        reel_http_close(&h);
        return reel_fail_nomem(err, "HTTP");
    }
    *out = h;
    return REEL_OK;
}

reel_status reel_http_set_token(reel_http *h, const char *token, reel_error *err)
{
    reel_hub_forget(&h->token);
    h->token = reel_strdup(token);
    return token == NULL || h->token != NULL ? REEL_OK : reel_fail_nomem(err, "token");
}

void reel_http_close(reel_http **http)
{
    reel_http *h = *http;
    if (h == NULL)
        return;
    if (h->curl != NULL)
        curl_easy_cleanup(h->curl);
    reel_hub_forget(&h->token);
    reel_free(h);
    *http = NULL;
}

void reel_http_answer_free(reel_http_answer *a)
{
    reel_text_free(&a->headers);
    reel_text_free(&a->body);
    *a = (reel_http_answer){0};
}

bool reel_http_trusted(const reel_http *http, const char *url) { return reel_url_same_origin(url, http->hub->endpoint); }

char *reel_http_agent(const char *origin)
{
    return reel_format("reel/%s; libcurl/%s%s%s", reel_version(), curl_version_info(CURLVERSION_NOW)->version, origin != NULL ? "; origin/" : "",
                       origin != NULL ? origin : "");
}

/* ---- headers of an answer ---- */

/* The value of the last header of that name and its length; NULL: there is none. */
static const char *find_header(const reel_http_answer *a, const char *name, size_t *length)
{
    const size_t n = strlen(name);
    const char *found = NULL;
    for (const char *line = a->headers.s; line != NULL && *line != '\0'; line = strchr(line, '\n') + 1)
        if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
            found = line + n + 1 + strspn(line + n + 1, " \t");
            *length = strcspn(found, "\n");
            while (*length > 0 && (found[*length - 1] == ' ' || found[*length - 1] == '\t'))
                (*length)--;
        }
    return found;
}

bool reel_http_header(const reel_http_answer *a, const char *name, char *out, size_t size)
{
    size_t length = 0;
    const char *value = find_header(a, name, &length);
    snprintf(out, size, "%.*s", (int)length, value != NULL ? value : "");
    return value != NULL;
}

reel_status reel_http_header_copy(const reel_http_answer *a, const char *name, char **out, reel_error *err)
{
    size_t length = 0;
    const char *value = find_header(a, name, &length);
    *out = reel_strndup(value, length);
    return value == NULL || *out != NULL ? REEL_OK : reel_fail_nomem(err, name);
}

int64_t reel_http_header_number(const reel_http_answer *a, const char *name)
{
    char text[32];
    int64_t n;
    return reel_http_header(a, name, text, sizeof text) && reel_parse_int(text, &n) && n >= 0 ? n : -1;
}

/* ---- what libcurl calls ---- */

enum { HEADERS_LIMIT = 128 * 1024 };

static size_t on_header(char *data, size_t size, size_t n, void *user)
{
    exchange *x = user;
    size_t length = size * n;
    const size_t all = length;
    while (length > 0 && (data[length - 1] == '\r' || data[length - 1] == '\n'))
        length--;
    if (length >= 5 && strncasecmp(data, "HTTP/", 5) == 0) {  /* a new answer: after 100 Continue, or a proxy's */
        x->a->headers.len = 0;
        return all;
    }
    if (length == 0)
        return all;
    if (x->a->headers.len + length > HEADERS_LIMIT || memchr(data, '\0', length) != NULL) {
        x->why = x->a->headers.len + length > HEADERS_LIMIT ? "the answer's headers are longer than 128 KiB" : "a header has a NUL byte";
        return 0;
    }
    reel_text_add(&x->a->headers, data, length);
    reel_text_add(&x->a->headers, "\n", 1);
    return x->a->headers.failed ? 0 : all;
}

static void note_status(exchange *x) { curl_easy_getinfo(x->http->curl, CURLINFO_RESPONSE_CODE, &x->a->status); }

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
    exchange *x = user;
    const size_t bytes = size * n, limit = x->r->limit > 0 ? x->r->limit : 1 << 20;
    note_status(x);
    if (x->r->sink != NULL && x->a->status / 100 == 2) {
        x->stopped = !x->r->sink(x->a, data, bytes, x->r->user);
        return x->stopped ? 0 : bytes;
    }
    if (bytes > limit - x->a->body.len) {
        x->stopped = x->a->status / 100 == 2;  /* of an error, the beginning is enough */
        snprintf(x->http->reason, sizeof x->http->reason, "the answer is longer than %zu bytes", limit);
        return x->stopped ? 0 : bytes;
    }
    reel_text_add(&x->a->body, data, bytes);
    return x->a->body.failed ? 0 : bytes;
}

static size_t on_send(char *out, size_t size, size_t n, void *user)
{
    exchange *x = user;
    const uint64_t left = x->r->size - x->at;
    const size_t wanted = size * n < left ? size * n : (size_t)left;
    const ssize_t got = wanted > 0 ? pread(x->r->fd, out, wanted, (off_t)(x->r->offset + x->at)) : 0;
    if (got < 0 || (got == 0 && wanted > 0))
        return CURL_READFUNC_ABORT;
    x->at += (uint64_t)got;
    return (size_t)got;
}

static int on_seek(void *user, curl_off_t offset, int origin)
{
    exchange *x = user;
    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > x->r->size)
        return CURL_SEEKFUNC_FAIL;
    x->at = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

static int on_progress(void *user, curl_off_t all, curl_off_t now, curl_off_t to_send, curl_off_t sent)
{
    exchange *x = user;
    (void)all;
    (void)now;
    (void)to_send;
    if (x->r->sent != NULL)
        x->r->sent((uint64_t)sent, x->r->user);
    x->cancelled = reel_cancelled(x->http->ctx);
    return x->cancelled;
}

/* ---- one exchange ---- */

static struct curl_slist *add_line(struct curl_slist *list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(list, line);
    if (longer == NULL)
        curl_slist_free_all(list);
    return longer;
}

/* NULL: no memory. */
static struct curl_slist *lines_of(const reel_http *h, const reel_http_request *r)
{
    struct curl_slist *list = add_line(NULL, "Accept-Encoding: identity");
    if (list != NULL)
        list = add_line(list, "Expect:");  /* no waiting for 100 Continue */
    for (size_t i = 0; i < sizeof r->headers / sizeof *r->headers && r->headers[i] != NULL && list != NULL; i++)
        list = add_line(list, r->headers[i]);
    if (list == NULL || h->token == NULL || r->anonymous || !reel_http_trusted(h, r->url))
        return list;
    char *line = reel_format("Authorization: Bearer %s", h->token);
    list = line != NULL ? add_line(list, line) : (curl_slist_free_all(list), NULL);
    reel_hub_forget(&line);
    return list;
}

static void set_method(CURL *c, const reel_http_request *r, exchange *x)
{
    if (strcmp(r->method, "HEAD") == 0) {
        curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    } else if (strcmp(r->method, "PUT") == 0 && r->body == NULL) {
        curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->size);
        curl_easy_setopt(c, CURLOPT_READFUNCTION, on_send);
        curl_easy_setopt(c, CURLOPT_READDATA, x);
        curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(c, CURLOPT_SEEKDATA, x);
    } else if (strcmp(r->method, "GET") == 0) {
        curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
    } else {
        curl_easy_setopt(c, CURLOPT_POST, 1L);
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_size);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->body != NULL ? r->body : "");
        if (strcmp(r->method, "POST") != 0)
            curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, r->method);
    }
}

static void set_limits(CURL *c, const reel_hub *hub, const reel_http_request *r)
{
    const double connect = r->connect > 0 ? r->connect : hub->download_timeout, silence = r->silence > 0 ? r->silence : hub->download_timeout;
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)(1000 * connect));
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, silence < 1 ? 1L : (long)silence);
    if (r->total > 0)
        curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(1000 * r->total));
}

/* false: an option that must hold is not known to this libcurl. */
static bool set_up(reel_http *h, const reel_http_request *r, exchange *x, struct curl_slist *lines)
{
    CURL *c = h->curl;
    curl_easy_reset(c);  /* keeps the connections */
    bool good = curl_easy_setopt(c, CURLOPT_URL, r->url) == CURLE_OK && curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK && curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK && curl_easy_setopt(c, CURLOPT_HTTPHEADER, lines) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK;
    if (h->hub->ca_file != NULL)
        good = good && curl_easy_setopt(c, CURLOPT_CAINFO, h->hub->ca_file) == CURLE_OK;
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, h->hub->agent);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->reason);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, x);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, x);
    curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, r->fresh ? 1L : 0L);
    set_method(c, r, x);
    set_limits(c, h->hub, r);
    return good;
}

static void judge(reel_http_answer *a, const exchange *x, CURLcode code)
{
    static const struct { CURLcode code; enum reel_http_end end; } ends[] = {
        {CURLE_OK, REEL_HTTP_DONE}, {CURLE_COULDNT_CONNECT, REEL_HTTP_REFUSED}, {CURLE_COULDNT_RESOLVE_HOST, REEL_HTTP_REFUSED},
        {CURLE_COULDNT_RESOLVE_PROXY, REEL_HTTP_REFUSED}, {CURLE_OPERATION_TIMEDOUT, REEL_HTTP_TIMEOUT}, {CURLE_GOT_NOTHING, REEL_HTTP_DROPPED},
        {CURLE_PARTIAL_FILE, REEL_HTTP_DROPPED}, {CURLE_RECV_ERROR, REEL_HTTP_DROPPED}, {CURLE_SEND_ERROR, REEL_HTTP_DROPPED},
        {CURLE_HTTP2, REEL_HTTP_DROPPED}, {CURLE_HTTP2_STREAM, REEL_HTTP_DROPPED}, {CURLE_PEER_FAILED_VERIFICATION, REEL_HTTP_TLS},
        {CURLE_SSL_CONNECT_ERROR, REEL_HTTP_DROPPED}, {CURLE_SSL_CACERT_BADFILE, REEL_HTTP_TLS}, {CURLE_SSL_CERTPROBLEM, REEL_HTTP_TLS},
        {CURLE_SSL_ISSUER_ERROR, REEL_HTTP_TLS},
    };
    a->end = REEL_HTTP_BAD;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends[i].code == code)
            a->end = ends[i].end;
    if (x->stopped)
        a->end = REEL_HTTP_STOPPED;
    if (x->cancelled)
        a->end = REEL_HTTP_CANCELLED;
    const char *said = x->http->reason[0] != '\0' ? x->http->reason : curl_easy_strerror(code);
    if (a->end != REEL_HTTP_DONE)
        snprintf(a->reason, sizeof a->reason, "%s", x->why != NULL ? x->why : said);
}

/* A server may repeat the token in its words, and those are shown. */
static void hide(reel_text *t, const char *token)
{
    static const char shown[] = "…";
    enum { LEAST = 8, SHOWN = sizeof shown - 1 };  /* shorter ones are no tokens, and would hide words */
    const size_t n = strlen(token);
    char *at = t->s, *found;
    while (n >= LEAST && at != NULL && (found = memmem(at, t->len - (size_t)(at - t->s), token, n)) != NULL) {
        memcpy(found, shown, SHOWN);
        at = found + SHOWN;
        memmove(at, found + n, t->len - (size_t)(found + n - t->s) + 1);  /* with its NUL */
        t->len -= n - SHOWN;
    }
}

void reel_http_once(reel_http *h, const reel_http_request *r, reel_http_answer *a)
{
    exchange x = {.http = h, .r = r, .a = a};
    *a = (reel_http_answer){.end = REEL_HTTP_BAD};
    h->reason[0] = '\0';
    if (!reel_url_valid(r->url)) {
        snprintf(a->reason, sizeof a->reason, "not an http or https address, or one with a user name");
        return;
    }
    struct curl_slist *lines = lines_of(h, r);
    if (lines == NULL || !set_up(h, r, &x, lines)) {
        snprintf(a->reason, sizeof a->reason, "%s", lines == NULL ? "out of memory" : "this libcurl lacks an option that is needed (7.85 or later)");
    } else {
        const CURLcode code = curl_easy_perform(h->curl);
        note_status(&x);
        judge(a, &x, code);
        if (h->token != NULL)
            hide(&a->headers, h->token);
        if (h->token != NULL && a->status / 100 != 2)
            hide(&a->body, h->token);
    }
    curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(lines);
}

/* ---- again ---- */

bool reel_http_expired(long status) { return status == 400 || status == 401 || status == 403 || status == 404 || status == 410; }

/* "api";r=0;t=55 */
static double rate_limit_seconds(const reel_http_answer *a)
{
    char value[128];
    double seconds;
    if (!reel_http_header(a, "RateLimit", value, sizeof value))
        return -1;
    const char *t = strstr(value, ";t=");
    if (t == NULL)
        return -1;
    char *number = reel_strndup(t + 3, strspn(t + 3, "0123456789"));
    const bool good = number != NULL && reel_parse_float(number, &seconds);
    reel_free(number);
    return good ? seconds : -1;
}

static double retry_after_seconds(const reel_http_answer *a)
{
    char value[64];
    double seconds;
    if (!reel_http_header(a, "Retry-After", value, sizeof value))
        return -1;
    if (reel_parse_float(value, &seconds))
        return seconds >= 0 ? seconds : -1;
    const time_t then = curl_getdate(value, NULL);
    return then == (time_t)-1 ? -1 : then > time(NULL) ? difftime(then, time(NULL)) : 0;
}

double reel_http_chance(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)(t.tv_nsec / 1000 % 1000) / 1000;
}

static double jitter(double seconds) { return seconds * (0.8 + 0.4 * reel_http_chance()); }

double reel_http_asked_wait(const reel_http_answer *a)
{
    const double seconds = a->end == REEL_HTTP_DONE && a->status == 429 ? rate_limit_seconds(a) : -1;
    return seconds < 0 && a->end == REEL_HTTP_DONE ? retry_after_seconds(a) : seconds;
}

bool reel_http_again(const reel_http_answer *a, int attempt, double *seconds)
{
    static const double waits[] = {1, 2, 4, 8, 8};
    static const long statuses[] = {408, 429, 500, 502, 503, 504};
    bool again = a->end == REEL_HTTP_TIMEOUT || a->end == REEL_HTTP_DROPPED || (a->end == REEL_HTTP_REFUSED && attempt < 2);
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses && a->end == REEL_HTTP_DONE; i++)
        again = again || a->status == statuses[i];
    if (!again || attempt >= REEL_HTTP_TRIES)
        return false;
    const double asked = reel_http_asked_wait(a);
    *seconds = asked >= 0 ? asked + 1 : jitter(waits[attempt > 5 ? 4 : attempt - 1]);
    return *seconds <= REEL_HTTP_LONGEST_WAIT;
}

bool reel_http_wait(reel_context *ctx, double seconds)
{
    for (double left = seconds; left > 0; left -= 0.05) {
        if (reel_cancelled(ctx))
            return false;
        const struct timespec step = {0, left < 0.05 ? (long)(left * 1e9) : 50000000};
        nanosleep(&step, NULL);
    }
    return !reel_cancelled(ctx);
}

reel_status reel_http_fail(const reel_http_answer *a, const char *url, int tries, reel_error *err)
{
    char shown[300], often[32] = "";
    if (a->end == REEL_HTTP_CANCELLED)
        return reel_fail_cancelled(err);
    reel_url_show(shown, sizeof shown, url);
    if (tries > 1)
        snprintf(often, sizeof often, ", tried %d times", tries);
    if (a->end == REEL_HTTP_STOPPED)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: %s", shown, a->reason);
    if (a->end == REEL_HTTP_TLS) {
        const bool clock = strstr(a->reason, "expired") != NULL || strstr(a->reason, "not yet valid") != NULL;
        return reel_fail(err, REEL_ERR_NETWORK, "%s: the server's certificate is not trusted (%s).%s If it is a server of your own, name its "
                         "certificate authority's file in SSL_CERT_FILE", shown, a->reason,
                         clock ? " Is this machine's clock right?" : "");
    }
    return reel_fail(err, REEL_ERR_NETWORK, "%s: no answer%s (%s%s)%s", shown, a->end == REEL_HTTP_BAD ? " that can be used" : "",
                     a->reason, often, a->end == REEL_HTTP_REFUSED ? ". Is the network up, and the address right?" : "");
}

reel_status reel_http_send(reel_http *h, const reel_http_request *r, reel_http_answer *a, reel_error *err)
{
    double seconds;
    for (int attempt = 1;; attempt++) {
        reel_http_once(h, r, a);
        if (!reel_http_again(a, attempt, &seconds))
            return a->end == REEL_HTTP_DONE ? REEL_OK : reel_http_fail(a, r->url, attempt, err);
        char shown[300];
        reel_url_show(shown, sizeof shown, r->url);
        if (a->end == REEL_HTTP_DONE)
            reel_log(h->ctx, REEL_LOG_DETAIL, "hub", "%s: answer %ld; again in %.0f s", shown, a->status, seconds);
        else
            reel_log(h->ctx, REEL_LOG_DETAIL, "hub", "%s: %s; again in %.0f s", shown, a->reason, seconds);
        reel_http_answer_free(a);
        if (!reel_http_wait(h->ctx, seconds)) {
            a->end = REEL_HTTP_CANCELLED;
            return reel_fail_cancelled(err);
        }
    }
}
