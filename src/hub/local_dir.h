/* A folder that files of a repository are put into (--local_dir), with notes below DIR/.cache/huggingface as the official client keeps. */
#ifndef REEL_HUB_LOCAL_DIR_H
#define REEL_HUB_LOCAL_DIR_H

#include "base/context.h"

typedef struct reel_local { const char *path; int dir, notes; } reel_local;  /* open folders: DIR; DIR/.cache/huggingface */

reel_status reel_local_open(const char *path, reel_local *l, reel_error *err);
void reel_local_close(reel_local *l);

bool reel_local_has(const reel_local *l, const char *file);
/* What was noted of a file that has not changed since. */
bool reel_local_noted(const reel_local *l, const char *file, char commit[41], char etag[65]);
reel_status reel_local_note(const reel_local *l, const char *file, const char *commit, const char *etag, reel_error *err);

/* Is it a file of that content? Hashes it. */
bool reel_local_is(const reel_local *l, const char *file, const char *etag);

/* Names below notes/download; NULL: no memory. */
char *reel_local_lock_name(const char *file);
char *reel_local_partial_name(const char *file, const char *etag);

/* Moves a complete partial file (a name below notes) to its place. */
reel_status reel_local_place(const reel_local *l, const char *partial, const char *file, reel_error *err);

#endif
