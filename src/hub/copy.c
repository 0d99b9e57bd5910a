#include "hub/copy.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "hub/below.h"
#include "hub/cache.h"

/* What is looked for, and where. */
typedef struct search {
    const reel_repo *repo;
    reel_patterns include, exclude;
    const reel_local *local;    /* NULL: the cache alone */
    reel_hub_cache cache;
} search;

void reel_copy_free(reel_copy *copy)
{
    reel_listing_free(&copy->files);
    *copy = (reel_copy){0};
}

/* ---- with a list ---- */

/* With the content that the list says. */
static bool in_folder(const reel_local *l, const reel_listed *f, const char *etag)
{
    char commit[41], noted[65];
    if (!reel_local_has(l, f->path))
        return false;
    if (reel_local_noted(l, f->path, commit, noted))
        return etag[0] == '\0' || strcmp(noted, etag) == 0;
    return etag[0] == '\0' || reel_local_is(l, f->path, etag);
}

static bool is_here(const search *s, const char *commit, const reel_listed *f)
{
    const char *etag = f->lfs[0] != '\0' ? f->lfs : f->oid;
    if (s->local == NULL)
        return reel_hub_cache_has(&s->cache, commit, f->path, "");
    return in_folder(s->local, f, etag) || (!reel_local_has(s->local, f->path) && reel_hub_cache_has(&s->cache, commit, f->path, etag));
}

/* By the list of that commit; false: there is none. */
static bool count(const search *s, const char *commit, reel_copy *copy)
{
    reel_listing all = {0};
    if (!(s->local != NULL && reel_listing_read(s->local->notes, commit, &all)) && !reel_listing_read(s->cache.repo, commit, &all))
        return false;
    reel_listing_filter(&all, s->include, s->exclude);
    *copy = (reel_copy){.n = all.n, .files = all};
    memcpy(copy->commit, commit, 41);
    for (size_t i = 0; i < all.n; i++)
        copy->missing += !is_here(s, commit, &all.file[i]);
    copy->kind = copy->n == 0 ? REEL_COPY_NONE : copy->missing > 0 ? REEL_COPY_PART : REEL_COPY_WHOLE;
    return true;
}

/* The commit of the newest list in the folder. */
static bool last_listed(const reel_local *l, char commit[41])
{
    struct stat st;
    struct timespec newest = {0};
    bool found = false;
    const int dir = reel_below_dir(l->notes, "trees", false);
    DIR *d = dir < 0 ? NULL : fdopendir(dir);
    for (const struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        char name[41];
        snprintf(name, sizeof name, "%.40s", e->d_name);
        if (strlen(e->d_name) != 45 || strcmp(e->d_name + 40, ".json") != 0 || !reel_commit_valid(name) ||
            fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        const struct timespec t = st.st_mtim;
        if (!found || t.tv_sec > newest.tv_sec || (t.tv_sec == newest.tv_sec && t.tv_nsec > newest.tv_nsec)) {
            newest = t;
            memcpy(commit, name, 41);
            found = true;
        }
    }
    if (d != NULL)
        closedir(d);
    else if (dir >= 0)
        close(dir);
    return found;
}

/* ---- without one: what was noted of single files ---- */

static void look_at_note(const search *s, const char *file, reel_copy *copy)
{
    char commit[41], etag[65];
    if (!reel_pattern_wanted(s->include, s->exclude, file) || !reel_local_noted(s->local, file, commit, etag) ||
        (reel_commit_valid(s->repo->revision) && strcmp(commit, s->repo->revision) != 0))
        return;
    copy->kind = REEL_COPY_UNKNOWN;
    copy->guessed = !reel_commit_valid(s->repo->revision);
    copy->n++;
    memcpy(copy->commit, commit, 41);
}

/* `dir`, an open folder of notes, is closed; `path` is it in the repository, "" or ending in '/'. */
static void walk(const search *s, int dir, const char *path, int depth, reel_copy *copy)
{
    static const char end[] = ".metadata";
    enum { DEPTH = 64 };
    DIR *d = fdopendir(dir);
    if (d == NULL) {
        close(dir);
        return;
    }
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        const size_t n = strlen(e->d_name);
        const bool note = n >= sizeof end && strcmp(e->d_name + n - (sizeof end - 1), end) == 0;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        const int below = note || depth == DEPTH ? -1 : openat(dir, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        char *name = reel_format("%s%.*s%s", path, (int)(note ? n - (sizeof end - 1) : n), e->d_name, below >= 0 ? "/" : "");
        if (note && name != NULL)
            look_at_note(s, name, copy);
        if (below >= 0 && name != NULL)
            walk(s, below, name, depth + 1, copy);
        else if (below >= 0)
            close(below);
        reel_free(name);
    }
    closedir(d);
}

/* ---- both ---- */

static void look_in_folder(const search *s, bool seen, const char *commit, reel_copy *copy)
{
    reel_copy last = {0};
    char newest[41];
    const bool listed = seen && count(s, commit, copy);
    if ((listed && copy->kind == REEL_COPY_WHOLE) || reel_commit_valid(s->repo->revision) || !last_listed(s->local, newest) ||
        !count(s, newest, &last)) {
        const int notes = listed ? -1 : reel_below_dir(s->local->notes, "download", false);
        if (notes >= 0)
            walk(s, notes, "", 0, copy);
        return;
    }
    if (!listed || last.kind == REEL_COPY_WHOLE) {
        reel_copy_free(copy);
        *copy = last;
        copy->guessed = true;
    } else {
        reel_copy_free(&last);
    }
}

void reel_copy_look(const reel_hub *hub, const reel_repo *repo, const reel_local *local, reel_patterns include, reel_patterns exclude,
                    reel_copy *copy)
{
    search s = {.repo = repo, .include = include, .exclude = exclude, .local = local};
    char commit[41];
    *copy = (reel_copy){0};
    if (reel_hub_cache_open(hub, repo, false, &s.cache, NULL) != REEL_OK)
        s.cache = (reel_hub_cache){.base = -1, .repo = -1};
    const bool seen = reel_hub_cache_commit(&s.cache, repo->revision, commit);
    if (local != NULL) {
        look_in_folder(&s, seen, commit, copy);
    } else if (seen && reel_hub_cache_has_snapshot(&s.cache, commit) && !count(&s, commit, copy)) {
        copy->kind = REEL_COPY_UNKNOWN;
        memcpy(copy->commit, commit, 41);
    }
    reel_hub_cache_close(&s.cache);
}
