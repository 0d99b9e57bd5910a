/* The cache of the official client, one repository of it: models--ORG--NAME/{blobs,refs,snapshots,.no_exist,trees}. Nothing in it is
 * followed out of it: a link of a snapshot counts if it goes to a blob of the same repository. */
#ifndef REEL_HUB_CACHE_H
#define REEL_HUB_CACHE_H

#include "hub/names.h"

typedef struct reel_hub_cache {
    int base, repo;       /* open folders: the cache, the repository in it; -1: not there */
    char *folder, *path;  /* "models--ORG--NAME"; the same from the root */
    bool links;           /* may snapshots hold links? */
} reel_hub_cache;

/* make: the folders, where they are missing. Else a cache that is not there is an empty one. */
reel_status reel_hub_cache_open(const reel_hub *hub, const reel_repo *repo, bool make, reel_hub_cache *c, reel_error *err);
void reel_hub_cache_close(reel_hub_cache *c);

/* The commit that a revision was when last seen: a full commit id is itself. */
bool reel_hub_cache_commit(const reel_hub_cache *c, const char *revision, char commit[41]);
/* Notes it. A cache that cannot be written is no failure here. */
void reel_hub_cache_note_commit(const reel_hub_cache *c, const char *revision, const char *commit);

/* Is the file there? etag "" for any content, else a link must go to that blob. */
bool reel_hub_cache_has(const reel_hub_cache *c, const char *commit, const char *file, const char *etag);
/* Is it known that the commit has no such file? */
bool reel_hub_cache_lacks(const reel_hub_cache *c, const char *commit, const char *file);
void reel_hub_cache_note_lack(const reel_hub_cache *c, const char *commit, const char *file);

/* A complete blob of that size (-1: any). */
bool reel_hub_cache_has_blob(const reel_hub_cache *c, const char *etag, int64_t size);
/* Puts a blob into a snapshot: a link, or where there are none the file itself (moved if it is `fresh`, else copied). */
reel_status reel_hub_cache_show(const reel_hub_cache *c, const char *commit, const char *file, const char *etag, bool fresh,
                                reel_error *err);

/* The path of a file in a snapshot, of the snapshot with file NULL. NULL: no memory. */
char *reel_hub_cache_path(const reel_hub_cache *c, const char *commit, const char *file);
bool reel_hub_cache_has_snapshot(const reel_hub_cache *c, const char *commit);

/* ".locks/FOLDER/ETAG.lock" below base. NULL: no memory. */
char *reel_hub_cache_lock_name(const reel_hub_cache *c, const char *etag);

/* CACHEDIR.TAG, for backup programs; a failure does not matter. */
void reel_hub_cache_tag(int dir);

#endif
