/* A context's hub, and an open line to it. */
#ifndef REEL_HUB_SESSION_H
#define REEL_HUB_SESSION_H

#include "base/json.h"
#include "hub/answer.h"

typedef struct reel_session {  /* one thread's */
    reel_context *ctx;
    const reel_hub *hub;
    reel_http *http;
    const char *token_from;   /* NULL: none is sent */
    bool token_read, token_expired;
    bool typed;               /* who asks may say --repo_type */
    char warned[64];          /* the topic of the server's last warning */
    double rest;              /* seconds that the server asked to wait in answer to the last quick try; 0: it did not */
} reel_session;

/* Opens nothing on the network yet, and looks for no token. */
reel_status reel_session_open(reel_context *ctx, reel_session *s, reel_error *err);
/* For another thread. */
reel_status reel_session_fork(const reel_session *from, reel_session *s, reel_error *err);
void reel_session_close(reel_session *s);

/* Looks for the token: before the first question, so that what needs none is not stopped by a bad one. One that has expired is warned of,
 * and sent: the Hub decides. One that cannot be a token is an error. */
reel_status reel_session_token(reel_session *s, reel_error *err);

/* REEL_ERR_NETWORK where the hub is offline; `what` begins the sentence. */
reel_status reel_session_online(const reel_session *s, const char *what, reel_error *err);

/* The address that an answer to `base` names by `reference`. One at the public hub is one at the endpoint. NULL: no memory. */
char *reel_session_url(const reel_session *s, const char *base, const char *reference);

/* The same of a redirect's Location, whole however long it is; *next NULL: it names none. Free it. */
reel_status reel_session_next(const reel_session *s, const reel_http_answer *a, const char *base, char **next, reel_error *err);

/* May a redirect go from one to the other? Not from https to http, nor to what is neither. */
bool reel_session_may_follow(const char *from, const char *to);

/* GET of JSON, tried again as the page says, redirects on the own host followed. *a is the answer (free it), for its headers. */
reel_status reel_session_json(reel_session *s, const char *url, const reel_asked *asked, size_t limit, reel_json **out, reel_http_answer *a,
                              reel_error *err);

/* One try within HF_HUB_ETAG_TIMEOUT, for a question whose answer a copy can stand in for: REEL_OK is any answer. */
reel_status reel_session_try(reel_session *s, const reel_http_request *r, reel_http_answer *a, reel_error *err);
/* Before the same is asked with patience: waits as the server asked. false: that is too long to be waited for, and *status stays what it
 * is; or it was cancelled, and *status says so. */
bool reel_session_rest(reel_session *s, reel_status *status, reel_error *err);

/* The commit that a revision is now. quickly: by such a try. */
reel_status reel_session_commit_quickly(reel_session *s, const reel_repo *repo, char commit[41], reel_answer_kind *kind, reel_error *err);
reel_status reel_session_commit(reel_session *s, const reel_repo *repo, char commit[41], reel_answer_kind *kind, reel_error *err);

/* Tells a warning that an answer brings (X-HF-Warning: topic; text), once a topic. */
void reel_session_warning(reel_session *s, const reel_http_answer *a);

/* For reel_asked. */
reel_asked reel_session_asked(const reel_session *s, const reel_repo *repo, const char *file, const char *url);

#endif
