/* The files of a repository at a commit: from the Hub, or from trees/COMMIT.json as the official client keeps it. */
#ifndef REEL_HUB_LISTING_H
#define REEL_HUB_LISTING_H

#include "hub/session.h"

typedef struct reel_listed {
    char *path;
    int64_t size;
    char oid[65];             /* git's id of what is stored; "": not given */
    char lfs[65];             /* SHA-256 of a large file, or "" */
    char *xet;                /* for the official client's note, or NULL */
} reel_listed;

typedef struct reel_listing { reel_listed *file; size_t n, capacity; } reel_listing;
void reel_listing_free(reel_listing *l);

/* One page of the Hub's answer. A name that cannot be one is an error. */
reel_status reel_listing_add(reel_listing *l, const reel_json *page, const char *id, reel_error *err);
/* All pages; repo->revision is the commit. */
reel_status reel_listing_fetch(reel_session *s, const reel_repo *repo, reel_listing *l, reel_error *err);

/* trees/COMMIT.json below an open folder. read: false where there is none that can be used. */
bool reel_listing_read(int base, const char *commit, reel_listing *l);
void reel_listing_note(int base, const char *commit, const reel_listing *l);

struct reel_list;
/* Those that an option was given. Borrowed. */
reel_patterns reel_patterns_of(const struct reel_list *list);

/* Does one of them fit? */
bool reel_pattern_match(reel_patterns patterns, const char *path);
/* Let through by both; none in include lets everything through. */
bool reel_pattern_wanted(reel_patterns include, reel_patterns exclude, const char *path);
/* Drops what include and exclude do not let through. */
void reel_listing_filter(reel_listing *l, reel_patterns include, reel_patterns exclude);

/* Are there two names that differ in case alone? One of them, or NULL. */
const char *reel_listing_twins(const reel_listing *l);

/* The nearest name to a wrong one, or NULL. */
const char *reel_listing_near(const reel_listing *l, const char *name);

#endif
