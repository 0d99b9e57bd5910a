/* One file of a repository, into the cache or into a folder: what is there is not fetched again. */
#ifndef REEL_HUB_GET_H
#define REEL_HUB_GET_H

#include "hub/cache.h"
#include "hub/fetch.h"
#include "hub/local_dir.h"

/* What all files of a download share. Read by many threads. */
typedef struct reel_get {
    reel_repo repo;             /* its revision as it was asked for */
    const reel_local *local;    /* NULL: the cache */
    bool force;                 /* fetch what is there, too */
    bool away;                  /* ask nobody, as if offline */
    bool patient;               /* a copy is of little use alone: ask with patience before one is taken */
    reel_fetched_fn fetched;
    void (*announced)(int64_t size, const char *file, void *user);  /* a body of that size (-1: not known) begins; may be NULL */
    void *user;
} reel_get;

typedef struct reel_got {
    char commit[41];
    bool missing;      /* the repository has no such file: the error says so */
    bool fetched;
    bool copied;       /* the Hub did not answer, and a copy that was here serves */
    uint64_t bytes;
} reel_got;

/* known: what a listing says of the file (NULL: it is asked for). */
reel_status reel_get_file(reel_session *s, const reel_get *g, const char *file, const reel_file_meta *known, reel_got *got,
                          reel_error *err);

#endif
