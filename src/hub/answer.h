/* What an answer of the Hub that is no success means for the user. */
#ifndef REEL_HUB_ANSWER_H
#define REEL_HUB_ANSWER_H

#include "hub/http.h"
#include "hub/names.h"

/* What was asked: repo and file may be NULL. */
typedef struct reel_asked { const reel_repo *repo; const char *file; const char *url;
                          const char *endpoint;    /* NULL: not known here */
                          const char *token_from;  /* NULL: no token */
                          bool token_expired;
                          bool writing, typed; } reel_asked;  /* typed: who asks may say --repo_type */

typedef enum reel_answer_kind {
    REEL_ANSWER_OK,           /* 2xx or 3xx */
    REEL_ANSWER_NO_REPO,      /* missing, or private to this asker */
    REEL_ANSWER_BAD_TOKEN,
    REEL_ANSWER_GATED,
    REEL_ANSWER_NO_REVISION,
    REEL_ANSWER_NO_FILE,
    REEL_ANSWER_DISABLED,
    REEL_ANSWER_FORBIDDEN,
    REEL_ANSWER_BUSY,         /* 429 */
    REEL_ANSWER_SERVER,       /* 5xx */
    REEL_ANSWER_NO_HUB,       /* of a proxy, a network's log-in page, another server: it says nothing of a repository */
    REEL_ANSWER_OTHER
} reel_answer_kind;
reel_answer_kind reel_answer_kind_of(const reel_http_answer *a, const reel_asked *q);

/* The sentence for an answer that is no Hub's; said: what it was instead. */
reel_status reel_answer_no_hub(const reel_asked *q, const char *said, reel_error *err);

/* The sentence and its status for an answer that is none of success. */
reel_status reel_answer_fail(const reel_http_answer *a, const reel_asked *q, reel_error *err);

/* The server's own words, at most 500 characters, or "". */
void reel_answer_words(const reel_http_answer *a, char out[512]);

#endif
