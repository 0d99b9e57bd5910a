#include "hub/copy.h"

#include "hub/cache.h"

static void count_cached(const reel_hub_cache *c, const char *include, const char *exclude, reel_copy *copy)
{
    reel_listing all = {0};
    copy->kind = REEL_COPY_UNKNOWN;
    if (!reel_listing_read(c->repo, copy->commit, &all))
        return;
    reel_listing_filter(&all, include, exclude);
    copy->n = all.n;
    for (size_t i = 0; i < all.n; i++)
        copy->missing += !reel_hub_cache_has(c, copy->commit, all.file[i].path, "");
    copy->kind = copy->n == 0 ? REEL_COPY_NONE : copy->missing > 0 ? REEL_COPY_PART : REEL_COPY_WHOLE;
    reel_listing_free(&all);
}

reel_copy reel_copy_look(const reel_hub *hub, const reel_repo *repo, const char *include, const char *exclude)
{
    reel_hub_cache c;
    reel_copy copy = {.kind = REEL_COPY_NONE};
    if (reel_hub_cache_open(hub, repo, false, &c, NULL) != REEL_OK)
        return copy;
    if (reel_hub_cache_commit(&c, repo->revision, copy.commit) && reel_hub_cache_has_snapshot(&c, copy.commit))
        count_cached(&c, include, exclude, &copy);
    reel_hub_cache_close(&c);
    return copy;
}
