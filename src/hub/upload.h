/* One upload while it runs: the folder's files, what the Hub has of them, which way each goes. Private to src/hub; other layers see
 * hub/push.h. */
#ifndef REEL_HUB_UPLOAD_H
#define REEL_HUB_UPLOAD_H

#include <time.h>

#include "base/text.h"
#include "hub/push.h"
#include "hub/session.h"

typedef struct reel_up_file {
    char *name;                 /* in the repository */
    char *path;                 /* on the disk */
    uint64_t size;
    struct timespec changed;    /* when it was looked at */
    bool lfs;                   /* goes to the store, by SHA-256; else it travels in the commit */
    bool settled;               /* the Hub's head has it, or wants it ignored */
    bool stored;                /* lfs: the store has it */
    char sha256[65], git[41];   /* "": not computed yet */
} reel_up_file;

typedef struct reel_up_files { reel_up_file *item; size_t n, capacity; } reel_up_files;

typedef struct reel_upload {
    reel_session s;
    const reel_push *push;
    char *id;                   /* as the Hub has it, with the user's name before it */
    reel_repo repo;             /* repo.id is `id` */
    char head[41];              /* commit that the branch was at; "": none yet */
    reel_up_files files;
    reel_hub_event_fn fn; void *user;
    reel_hub_event event;       /* what is told */
    uint64_t before;            /* bytes sent by exchanges that are over */
    double began;
} reel_upload;

/* upload_files.c: fills u->files from the folder (or the one file) of u->push; refuses what looks like a secret. */
reel_status reel_upload_collect(reel_upload *u, reel_error *err);
void reel_up_files_free(reel_up_files *files);
/* Opens it if it is still what was looked at. REEL_ERR_MISMATCH: changed meanwhile. */
reel_status reel_up_file_open(const reel_up_file *f, int *fd, reel_error *err);
/* All of it, at most `limit` bytes, if it is so still when the last was read. *data is the caller's. */
reel_status reel_up_file_read(const reel_up_file *f, size_t limit, char **data, size_t *n, reel_error *err);
/* The name of its bytes, computed once. Asks for cancelling. */
reel_status reel_up_file_sha256(reel_upload *u, reel_up_file *f, reel_error *err);
reel_status reel_up_file_git(reel_upload *u, reel_up_file *f, reel_error *err);

/* upload_repo.c: the repository and the branch are there, made if need be; u->id, u->head are known. */
reel_status reel_upload_prepare(reel_upload *u, reel_error *err);
/* u->head as it is now. */
reel_status reel_upload_head(reel_upload *u, reel_error *err);
/* The Hub's opinion of README.md, if it is among the files. */
reel_status reel_upload_card_check(reel_upload *u, reel_error *err);

/* upload_files.c: is a part of this path .git or .cache? */
bool reel_upload_is_private(const char *path);

/* preupload.c: asks which way each file goes, and settles those that the head has. */
reel_status reel_upload_ask(reel_upload *u, reel_error *err);
bool reel_upload_all_settled(const reel_upload *u);

/* commit.c: one commit with all files that are not settled. *url (may come back NULL) is the caller's. */
reel_status reel_upload_commit(reel_upload *u, char commit[41], char **url, reel_error *err);
/* Its text: one JSON object a line. parent: "" none. */
reel_status reel_commit_text(const reel_up_files *files, const char *summary, const char *description, const char *parent, reel_text *out,
                             reel_error *err);

/* upload.c: one question with a JSON body (may be NULL), tried again as all are. *a is the answer, whatever its status; free it. */
reel_status reel_upload_post(reel_upload *u, const char *url, const char *type, const char *body, size_t n, reel_http_answer *a,
                             reel_error *err);
/* The JSON of an answer of success; else what the answer says. out NULL: it is not wanted. */
reel_status reel_upload_answer(const reel_upload *u, const reel_http_answer *a, const char *url, reel_json **out, reel_error *err);
void reel_upload_tell(reel_upload *u, const char *what, uint64_t sent_now);
enum { REEL_UPLOAD_ANSWER_LIMIT = 64 << 20 };

#endif
