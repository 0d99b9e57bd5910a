/* HTTP over libcurl, which http.c alone knows. One exchange at a time; connections stay open from one to the next. Redirects are not
 * followed here: each hop is decided by who asked. TLS is always verified. The token goes to the endpoint's own origin and nowhere else,
 * whatever is asked. */
#ifndef REEL_HUB_HTTP_H
#define REEL_HUB_HTTP_H

#include "base/text.h"
#include "hub/settings.h"

typedef struct reel_http reel_http;  /* one thread's */

/* token: NULL for none; copied. */
reel_status reel_http_open(reel_context *ctx, const reel_hub *hub, const char *token, reel_http **out, reel_error *err);
/* Another one from here on. */
reel_status reel_http_set_token(reel_http *http, const char *token, reel_error *err);
void reel_http_close(reel_http **http);

typedef struct reel_http_answer {
    enum reel_http_end {
        REEL_HTTP_DONE,       /* an answer, whatever its status, and all of its body */
        REEL_HTTP_REFUSED,    /* no connection, or no such host */
        REEL_HTTP_TIMEOUT,
        REEL_HTTP_DROPPED,    /* the connection broke */
        REEL_HTTP_TLS,        /* not who it should be; never tried again */
        REEL_HTTP_STOPPED,    /* the sink said so, or the body was above `limit` */
        REEL_HTTP_CANCELLED,
        REEL_HTTP_BAD,        /* not HTTP, or a request that cannot be sent */
    } end;
    long status;              /* 200; 0: none came */
    reel_text headers;        /* "name: value\n" of the last answer; the token, if the server repeats it, is "…" here */
    reel_text body;           /* where there was no sink, or the status was not 2xx (the token is "…" then, too): at most `limit` bytes */
    char reason[300];         /* libcurl's words, for any end but DONE */
} reel_http_answer;
void reel_http_answer_free(reel_http_answer *a);

/* A header's value into out (cut if it must be); false, and "", where there is none. Names without case; the last one counts. */
bool reel_http_header(const reel_http_answer *a, const char *name, char *out, size_t size);
/* The same, whole: for what must not be cut, such as an address. *out NULL where there is none; free it. */
reel_status reel_http_header_copy(const reel_http_answer *a, const char *name, char **out, reel_error *err);
/* As a whole number from 0 up; -1 where there is none. */
int64_t reel_http_header_number(const reel_http_answer *a, const char *name);

typedef struct reel_http_request {
    const char *method;       /* GET, HEAD, POST, PUT, DELETE */
    const char *url;
    const char *headers[6];   /* "Name: value"; ends with NULL */
    bool anonymous;           /* no token, even to the endpoint */
    bool fresh;               /* on a connection of its own: on one that was kept open and has died libcurl sends a request again by itself */
    const void *body; size_t body_size;             /* sent: from memory, */
    int fd; uint64_t offset, size;                  /* or (PUT with body NULL) these bytes of a file */
    /* Takes the body of a 2xx answer; `a` has status and headers. false: stop. NULL: it is kept in answer.body. */
    bool (*sink)(const reel_http_answer *a, const void *data, size_t n, void *user);
    void (*sent)(uint64_t bytes, void *user);       /* progress of what is sent, may be NULL */
    void *user;
    size_t limit;             /* most bytes of answer.body; 0: 1 MiB */
    double connect, silence;  /* seconds to connect; without a byte. 0: the hub's download_timeout */
    double total;             /* seconds for all; 0: no limit */
} reel_http_request;

/* One exchange. `a` is filled whatever happens; free it. */
void reel_http_once(reel_http *http, const reel_http_request *r, reel_http_answer *a);

/* The same, again after 408, 429, 5xx, time-outs and broken connections, with the waits of the page's section on retries; for requests
 * that may be repeated and have no sink. REEL_OK: an answer came, whatever its status. Else the host, why, and how often it was tried. */
reel_status reel_http_send(reel_http *http, const reel_http_request *r, reel_http_answer *a, reel_error *err);

/* Do stores say so of a signed address that has expired? They have several ways. */
bool reel_http_expired(long status);
/* Is it worth trying again? Then *seconds is how long to wait before try `attempt` + 1 (1 is the first): what the server asks for, else
 * 1, 2, 4, 8, 8 s; all with up to a fifth more or less. */
bool reel_http_again(const reel_http_answer *a, int attempt, double *seconds);
enum { REEL_HTTP_TRIES = 6, REEL_HTTP_LONGEST_WAIT = 300 };
/* 0 to 1, of whatever the clock's last digits are: only to keep many clients apart. */
double reel_http_chance(void);
/* How many seconds the server asks to wait (RateLimit, Retry-After); -1: it does not say. */
double reel_http_asked_wait(const reel_http_answer *a);
/* Sleeps; false: cancelled. */
bool reel_http_wait(reel_context *ctx, double seconds);
/* Says why no answer came. */
reel_status reel_http_fail(const reel_http_answer *a, const char *url, int tries, reel_error *err);

/* Does the token go with a request to this address? */
bool reel_http_trusted(const reel_http *http, const char *url);

/* "reel/0.1.0; libcurl/7.88.1; origin/X" */
char *reel_http_agent(const char *origin);

#endif
