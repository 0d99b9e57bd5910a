/* Names of the Hub: repositories, revisions, files, content. What a server or a file says is checked here before it becomes a path. */
#ifndef REEL_HUB_NAMES_H
#define REEL_HUB_NAMES_H

#include "hub/settings.h"

typedef enum reel_repo_type { REEL_REPO_MODEL, REEL_REPO_DATASET, REEL_REPO_SPACE } reel_repo_type;

/* A repository at a revision. Text is borrowed. */
typedef struct reel_repo { reel_repo_type type; const char *id, *revision; } reel_repo;

/* "model", "dataset", "space" */
bool reel_repo_type_parse(const char *name, reel_repo_type *out);
const char *reel_repo_type_name(reel_repo_type t);
/* Before an id in addresses: "", "datasets/", "spaces/". */
const char *reel_repo_prefix(reel_repo_type t);

/* Is it an id that the Hub could have: "name" or "ns/name"? */
bool reel_repo_id_valid(const char *id);
/* The same, and why not. */
reel_status reel_repo_id_check(const char *id, reel_error *err);
/* "models--ns--name". NULL: no memory. */
char *reel_repo_folder(reel_repo_type t, const char *id);

/* A revision: not empty, no part "." or "..", no control characters, no '\\'; not above 255 bytes. */
bool reel_revision_valid(const char *revision);
bool reel_commit_valid(const char *text);  /* 40 lower-case hex digits */
bool reel_etag_valid(const char *text);    /* 40 or 64 of them */

/* What may stand where a folder or file may: ORG/NAME[@REVISION], of a data set with :FILE behind it. */
typedef struct reel_hub_name {
    char *id, *revision;
    const char *file;        /* in the text that was read; "" none */
} reel_hub_name;
/* Is the text such a name, and nothing of that name on this disk? false: it is a path; *out needs no freeing. *nomem: no memory to say. */
bool reel_hub_name_read(const char *text, bool with_file, reel_hub_name *out, bool *nomem);
void reel_hub_name_free(reel_hub_name *name);

/* Patterns as fnmatch has them, '*' also over '/'; "data/" is all below data; a name that is the pattern itself fits too. Text is borrowed. */
typedef struct reel_patterns { const char *const *item; size_t n; } reel_patterns;
#define REEL_PATTERNS(...) ((reel_patterns){(const char *const[]){__VA_ARGS__}, sizeof (const char *const[]){__VA_ARGS__} / sizeof(char *)})

/* A file's name inside a repository: relative, no empty part, ".", "..", ".git", no '\\', no control characters, UTF-8. */
bool reel_repo_file_valid(const char *path);

/* Addresses; NULL: no memory. */
char *reel_repo_resolve_url(const reel_hub *hub, const reel_repo *repo, const char *file);
/* ENDPOINT/api/models/ID/WHAT/REVISION[tail]; what NULL: ENDPOINT/api/models/ID[tail]. */
char *reel_repo_api_url(const reel_hub *hub, const reel_repo *repo, const char *what, const char *tail);

#endif
