/* Several files of a repository at once, by threads. */
#ifndef REEL_HUB_POOL_H
#define REEL_HUB_POOL_H

#include "hub/get.h"

typedef struct reel_wanted {
    const char *file;
    const reel_file_meta *known;    /* NULL: asked for */
    reel_got got;
} reel_wanted;

typedef struct reel_pool {
    reel_repo repo;
    const reel_local *local;
    bool force, away, patient;      /* as of reel_get */
    int threads;
    reel_hub_event_fn event;        /* may be NULL */
    void *user;
} reel_pool;

/* Fetches all; the first failure stops the others. total: bytes that are known to be missing (0: they are counted as they begin). */
reel_status reel_pool_get(const reel_pool *p, reel_session *s, reel_wanted *w, size_t n, uint64_t total, reel_error *err);

#endif
