/* One file of a repository: what it is (by HEAD), and its bytes (by GET: resumed, counted, hashed). */
#ifndef REEL_HUB_FETCH_H
#define REEL_HUB_FETCH_H

#include "hub/session.h"

typedef struct reel_file_meta {
    char commit[41];
    char etag[65];    /* SHA-256 or git's id of the content; "": the server gives none that can be checked */
    int64_t size;     /* -1: not known */
    char *url;        /* where the bytes are; at another host this is a credential. NULL: at the Hub */
    reel_answer_kind kind;    /* OK; NO_FILE: commit may be set all the same; else what is in the way */
    bool linked;              /* etag and size are those of X-Linked-Etag and X-Linked-Size: a store's own do not replace them */
    bool lacks;               /* the Hub itself says that this commit has no such file */
    bool unreachable;         /* no answer, or one that says nothing about the file: a copy that is there may serve */
} reel_file_meta;
void reel_file_meta_free(reel_file_meta *m);

/* patient: a minute and all tries; else one try and the short time of HF_HUB_ETAG_TIMEOUT. An error also fills kind and unreachable. */
reel_status reel_fetch_meta(reel_session *s, const reel_repo *repo, const char *file, bool patient, reel_file_meta *m, reel_error *err);

/* Told of bytes that arrived; negative: that many do not count after all. false: stop. */
typedef bool (*reel_fetched_fn)(int64_t bytes, const char *file, void *user);

typedef struct reel_body {
    const reel_repo *repo;    /* at the commit */
    const char *file;         /* of the repository */
    const reel_file_meta *meta;
    int dir;                  /* open folder of the partial file, */
    const char *partial;      /* and its name there */
    const char *shown_dir;    /* for messages, and to ask for free space */
    bool resume;              /* keep and use what is there: only under the lock */
    reel_fetched_fn fetched; void *user;
} reel_body;
/* Fills the partial file and syncs it. hash: of the content, as meta.etag has it, or its SHA-256. On failure the partial file stays if
 * it can be resumed. *bytes: that came over the line. */
reel_status reel_fetch_body(reel_session *s, const reel_body *b, char hash[65], uint64_t *bytes, reel_error *err);

/* The hash of an open file of `size` bytes: like (40 or 64 digits) says which; else SHA-256. */
reel_status reel_fetch_hash(int fd, uint64_t size, const char *like, char hash[65], reel_error *err);

#endif
