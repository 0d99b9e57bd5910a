/* reel hub download: some files of a repository, or all. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "args/args.h"
#include "args/jobs.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "hub/below.h"
#include "hub/copy.h"
#include "hub/pool.h"

typedef struct downloaded { reel_hub_downloaded shown; char *path; char commit[41]; } downloaded;

typedef struct work {
    reel_context *ctx;
    const reel_hub_download_args *a;
    reel_repo repo;
    char commit[41];              /* "": the files say */
    reel_session s;
    reel_local local;
    bool to_folder, copied;       /* copied: the Hub does not answer, and what is here is all */
    const char *const *name;      /* files and folders that were named */
    size_t names;
    reel_listing listing;
    reel_file_meta *known;        /* one a listed file */
    reel_wanted *wanted;
    size_t n;
    reel_hub_event_fn event;
    void *user;
} work;

void reel_hub_downloaded_close(reel_hub_downloaded **shown)
{
    downloaded *d = (downloaded *)*shown;
    if (d != NULL)
        reel_free(d->path);
    reel_free(d);
    *shown = NULL;
}

static reel_status run_pool(work *w, uint64_t total, reel_error *err)
{
    const reel_pool pool = {.repo = w->repo, .local = w->to_folder ? &w->local : NULL, .force = w->a->force_download, .away = w->copied,
                            .threads = (int)w->a->max_workers, .event = w->event, .user = w->user};
    reel_status status = reel_pool_get(&pool, &w->s, w->wanted, w->n, total, err);
    if (status == REEL_OK && w->commit[0] == '\0' && w->n > 0)
        memcpy(w->commit, w->wanted[0].got.commit, 41);
    return status;
}

/* Writes the ref of what was resolved, as single files do by themselves. */
static void note_commit(const work *w, const char *revision)
{
    reel_hub_cache c;
    if (w->to_folder || reel_hub_cache_open(w->s.hub, &w->repo, true, &c, NULL) != REEL_OK)
        return;
    reel_hub_cache_note_commit(&c, revision, w->commit);
    reel_hub_cache_close(&c);
}

/* An answer that says nothing of the files: what is here may serve. */
static bool may_use_copy(reel_answer_kind kind) { return kind != REEL_ANSWER_OTHER && kind != REEL_ANSWER_NO_REVISION; }

/* The quick question for the commit came to nothing, and no copy can stand in: with patience, where that may help. */
static reel_status ask_again(work *w, reel_status status, reel_answer_kind *kind, reel_error *err)
{
    const bool helps = *kind == REEL_ANSWER_SERVER || *kind == REEL_ANSWER_BUSY;
    if (status != REEL_ERR_CANCELLED && helps && reel_session_rest(&w->s, &status, err))
        status = reel_session_commit(&w->s, &w->repo, w->commit, kind, err);
    return status;
}

/* ---- files that were named ---- */

/* The error of a file that is not there gets the name that was perhaps meant. */
static reel_status suggest(work *w, reel_status status, reel_error *err)
{
    for (size_t i = 0; i < w->n; i++) {
        const reel_wanted *f = &w->wanted[i];
        reel_listing all = {0};
        const reel_repo at = {w->repo.type, w->repo.id, f->got.commit};
        if (err == NULL || !f->got.missing || f->got.commit[0] == '\0' || reel_listing_fetch(&w->s, &at, &all, NULL) != REEL_OK) {
            reel_listing_free(&all);
            continue;
        }
        const char *near = reel_listing_near(&all, f->file);
        char said[REEL_ERROR_SIZE];
        snprintf(said, sizeof said, "%s", err->message);
        if (near != NULL && strcmp(near, f->file) != 0)
            reel_fail(err, status, "%s; did you mean '%s'?", said, near);
        reel_listing_free(&all);
        break;
    }
    return status;
}

/* Are all of them here, so that they can serve where the Hub does not answer? */
static bool has_copies(const work *w)
{
    reel_hub_cache c;
    char commit[41];
    size_t here = 0;
    if (w->a->force_download || (!w->to_folder && reel_hub_cache_open(w->s.hub, &w->repo, false, &c, NULL) != REEL_OK))
        return false;
    const bool seen = w->to_folder || reel_hub_cache_commit(&c, w->repo.revision, commit);
    for (size_t i = 0; seen && i < w->n; i++)
        here += w->to_folder ? reel_local_has(&w->local, w->wanted[i].file) : reel_hub_cache_has(&c, commit, w->wanted[i].file, "");
    if (!w->to_folder)
        reel_hub_cache_close(&c);
    return seen && here == w->n;
}

static reel_status get_named(work *w, const char *const *files, size_t n, reel_error *err)
{
    const char *revision = w->repo.revision;
    reel_answer_kind kind;
    w->wanted = reel_calloc(n, sizeof *w->wanted);
    if (w->wanted == NULL)
        return reel_fail_nomem(err, "files");
    w->n = n;
    for (size_t i = 0; i < n; i++)
        w->wanted[i].file = files[i];
    if (n > 1 && !w->s.hub->offline && !reel_commit_valid(revision)) {  /* all of one commit */
        reel_status status = reel_session_commit_quickly(&w->s, &w->repo, w->commit, &kind, err);
        if (status != REEL_OK && !has_copies(w))
            status = ask_again(w, status, &kind, err);
        if (status == REEL_ERR_CANCELLED || (status != REEL_OK && !may_use_copy(kind)))
            return status;
        if (status == REEL_OK) {
            note_commit(w, revision);
            w->repo.revision = w->commit;
        }
    }
    reel_status status = run_pool(w, 0, err);
    return status == REEL_ERR_NOT_FOUND && !w->s.hub->offline ? suggest(w, status, err) : status;
}

/* ---- what a listing has ---- */

static const char *where(const work *w) { return w->to_folder ? w->local.path : w->s.hub->cache_dir; }

static void look_for_copy(const work *w, reel_patterns include, reel_copy *c)
{
    reel_copy_look(w->s.hub, &w->repo, w->to_folder ? &w->local : NULL, include, reel_patterns_of(&w->a->exclude), c);
}

static reel_status want_listed(work *w, uint64_t *total, reel_error *err);

/* Takes what is here, and says what is not known of it. What a folder lacks comes from the cache. */
static reel_status take_copy(work *w, reel_copy *c, bool whole, reel_error *err)
{
    uint64_t total;
    memcpy(w->commit, c->commit, 41);
    w->n = c->n;
    if (c->guessed)
        reel_log(w->ctx, REEL_LOG_WARNING, "hub", "%s: what is in %s is taken (commit %.12s); whether revision '%s' is that cannot be told offline",
                 w->repo.id, where(w), c->commit, w->repo.revision);
    if (c->kind == REEL_COPY_UNKNOWN)
        reel_log(w->ctx, REEL_LOG_WARNING, "hub", "%s: what is here of it is taken as it is; whether that is %s cannot be told offline",
                 w->repo.id, whole ? "all" : "all that matches");
    if (!w->to_folder || c->kind == REEL_COPY_UNKNOWN)
        return REEL_OK;
    w->repo.revision = w->commit;
    w->listing = c->files;
    c->files = (reel_listing){0};
    w->copied = true;
    reel_status status = want_listed(w, &total, err);
    return status == REEL_OK ? run_pool(w, total, err) : status;
}

static reel_status use_copy_offline(work *w, reel_patterns include, bool whole, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_copy c;
    look_for_copy(w, include, &c);
    if (c.kind == REEL_COPY_PART)
        status = reel_fail(err, REEL_ERR_NOT_FOUND, "%s: %zu of its %zu files are not in %s", w->repo.id, c.missing, c.n, where(w));
    else if (c.kind == REEL_COPY_NONE)
        status = reel_fail(err, REEL_ERR_NOT_FOUND, "%s%s: %srevision '%s' is not in %s, and offline mode is on (--offline, HF_HUB_OFFLINE)",
                           reel_repo_prefix(w->repo.type), w->repo.id, whole ? "" : "what matches of ", w->repo.revision, where(w));
    else
        status = take_copy(w, &c, whole, err);
    reel_copy_free(&c);
    return status;
}

/* The Hub did not answer, however often it was asked, and *err says how. What is not known to be all is no whole download. */
static reel_status use_what_is_left(work *w, reel_copy *c, bool whole, reel_status status, reel_error *err)
{
    char said[REEL_ERROR_SIZE];
    snprintf(said, sizeof said, "%s", err->message);
    if (c->kind == REEL_COPY_NONE)
        return status;
    if (c->kind == REEL_COPY_PART)
        return reel_fail(err, status, "%s; and %zu of its %zu files are not in %s", said, c->missing, c->n, where(w));
    if (c->kind == REEL_COPY_UNKNOWN && whole)
        return reel_fail(err, status, "%s; and whether all of it is in %s is not known (--offline takes what is there)", said, where(w));
    reel_log(w->ctx, REEL_LOG_WARNING, "hub", "the copy of %s that is here is used: %s", w->repo.id, said);
    return take_copy(w, c, whole, err);
}

/* The commit of the revision. A copy that is known to be all serves after one question without an answer; any other after many. */
static reel_status resolve(work *w, reel_patterns include, bool whole, bool *copied, reel_error *err)
{
    reel_answer_kind kind = REEL_ANSWER_SERVER;
    reel_copy c = {.kind = REEL_COPY_NONE};
    *copied = false;
    reel_status status = reel_session_commit_quickly(&w->s, &w->repo, w->commit, &kind, err);
    if (status == REEL_OK || status == REEL_ERR_CANCELLED)
        return status;
    if (may_use_copy(kind) && !w->a->force_download)
        look_for_copy(w, include, &c);
    if (c.kind != REEL_COPY_WHOLE)
        status = ask_again(w, status, &kind, err);
    if (status != REEL_OK && status != REEL_ERR_CANCELLED && may_use_copy(kind)) {
        status = use_what_is_left(w, &c, whole, status, err);
        *copied = status == REEL_OK;
    }
    reel_copy_free(&c);
    return status;
}

static bool ignores_case(int dir)
{
    char name[64], upper[64];
    reel_below_temp(name, sizeof name, "reel", "case");
    snprintf(upper, sizeof upper, "REEL%s", name + 4);
    const int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    const bool same = fd >= 0 && faccessat(dir, upper, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    if (fd >= 0) {
        close(fd);
        unlinkat(dir, name, 0);
    }
    return same;
}

/* Two names that are one on this disk would overwrite each other. */
static reel_status check_twins(const work *w, reel_error *err)
{
    const char *twin = reel_listing_twins(&w->listing);
    if (twin == NULL)
        return REEL_OK;
    const int dir = w->to_folder ? w->local.dir : open(w->s.hub->cache_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool bad = dir >= 0 && ignores_case(dir);
    if (dir >= 0 && !w->to_folder)
        close(dir);
    return bad
        ? reel_fail(err, REEL_ERR_EXISTS,
                    "%s: it has two files '%s' that differ in upper and lower case alone, and this disk cannot hold both",
                           w->repo.id, twin)
               : REEL_OK;
}

static reel_status want_listed(work *w, uint64_t *total, reel_error *err)
{
    reel_hub_cache c = {.base = -1, .repo = -1};
    w->n = w->listing.n;
    w->wanted = reel_calloc(w->n, sizeof *w->wanted);
    w->known = reel_calloc(w->n, sizeof *w->known);
    if (w->wanted == NULL || w->known == NULL)
        return reel_fail_nomem(err, "files");
    const bool cached = !w->to_folder && reel_hub_cache_open(w->s.hub, &w->repo, false, &c, NULL) == REEL_OK;
    *total = 0;
    for (size_t i = 0; i < w->n; i++) {
        const reel_listed *f = &w->listing.file[i];
        reel_file_meta *m = &w->known[i];
        *m = (reel_file_meta){.size = f->size};
        memcpy(m->commit, w->commit, 41);
        snprintf(m->etag, sizeof m->etag, "%s", f->lfs[0] != '\0' ? f->lfs : f->oid);
        w->wanted[i] = (reel_wanted){.file = f->path, .known = m};
        const bool there = !w->a->force_download && (w->to_folder ? reel_local_has(&w->local, f->path) : cached &&
                                                     reel_hub_cache_has(&c, w->commit, f->path, m->etag));
        *total += there ? 0 : (uint64_t)f->size;
    }
    reel_hub_cache_close(&c);
    return REEL_OK;
}

static void note_tree(const work *w)
{
    reel_hub_cache c;
    if (w->to_folder) {
        reel_listing_note(w->local.notes, w->commit, &w->listing);
    } else if (reel_hub_cache_open(w->s.hub, &w->repo, true, &c, NULL) == REEL_OK) {
        reel_listing_note(c.repo, w->commit, &w->listing);
        reel_hub_cache_close(&c);
    }
}

/* What was named, beside folders, is there. */
static reel_status check_found(const work *w, const reel_listing *all, reel_error *err)
{
    for (size_t i = 0; i < w->names; i++) {
        bool found = false;
        for (size_t k = 0; k < all->n && !found; k++)
            found = reel_pattern_match((reel_patterns){&w->name[i], 1}, all->file[k].path);
        if (!found)
            return reel_fail(err, REEL_ERR_NOT_FOUND, "%s%s: it has nothing called '%s' at revision '%s'", reel_repo_prefix(w->repo.type), w->repo.id,
                             w->name[i], w->a->revision);
    }
    return REEL_OK;
}

static reel_status get_listed(work *w, reel_patterns include, reel_error *err)
{
    const char *revision = w->repo.revision;
    const bool whole = include.n == 0 && w->a->exclude.n == 0;
    bool copied;
    uint64_t total = 0;
    if (w->s.hub->offline)
        return use_copy_offline(w, include, whole, err);
    reel_status status = resolve(w, include, whole, &copied, err);
    if (status != REEL_OK || copied)
        return status;
    w->repo.revision = w->commit;
    REEL_TRY(reel_listing_fetch(&w->s, &w->repo, &w->listing, err));
    REEL_TRY(check_found(w, &w->listing, err));
    reel_listing_filter(&w->listing, include, reel_patterns_of(&w->a->exclude));
    if (w->listing.n == 0)
        REEL_TRY(reel_fail(err, REEL_ERR_NOT_FOUND, whole ? "%s: it has no files" : "%s: none of its files matches", w->repo.id));
    REEL_TRY(check_twins(w, err));
    note_commit(w, revision);
    REEL_TRY(want_listed(w, &total, err));
    if (whole)
        note_tree(w);  /* before the files: if this is interrupted, it is known that they are not all here */
    REEL_TRY(run_pool(w, total, err));
done:
    return status;
}

/* ---- all of it ---- */

static reel_status result(const work *w, const char *one, reel_hub_downloaded **out, reel_error *err)
{
    downloaded *d = reel_calloc(1, sizeof *d);
    reel_hub_cache c = {.base = -1, .repo = -1};
    if (d == NULL)
        return reel_fail_nomem(err, "result");
    if (w->to_folder)
        d->path = one != NULL ? reel_path_join(w->local.path, one) : reel_strdup(w->local.path);
    else if (reel_hub_cache_open(w->s.hub, &w->repo, false, &c, NULL) == REEL_OK)
        d->path = reel_hub_cache_path(&c, w->commit, one);
    reel_hub_cache_close(&c);
    memcpy(d->commit, w->commit, 41);
    d->shown = (reel_hub_downloaded){.path = d->path, .commit = d->commit, .files = w->n};
    for (size_t i = 0; w->wanted != NULL && i < w->n; i++) {
        d->shown.fetched += w->wanted[i].got.fetched;
        d->shown.bytes += w->wanted[i].got.bytes;
    }
    *out = &d->shown;
    if (d->path != NULL)
        return REEL_OK;
    reel_hub_downloaded_close(out);
    return reel_fail_nomem(err, "result");
}

/* include, and the names, folders among them, as one list. NULL: no memory. */
static const char **patterns_of(const work *w, const char *const *files, size_t n)
{
    const reel_list *given = &w->a->include;
    const char **out = reel_calloc(given->n + n + 1, sizeof *out);
    for (size_t i = 0; out != NULL && i < given->n + n; i++)
        out[i] = i < given->n ? given->item[i] : files[i - given->n];
    return out;
}

static reel_status check_names(const work *w, const char *const *files, size_t n, bool *folders, reel_error *err)
{
    const char *at = strchr(w->repo.id, '@');
    if (at != NULL && at[1] != '\0')
        return reel_fail(err, REEL_ERR_ARG, "'%s': here a revision is named by --revision: reel hub download %.*s --revision %s", w->repo.id,
                         (int)(at - w->repo.id), w->repo.id, at + 1);
    reel_status status = reel_repo_id_check(w->repo.id, err);
    if (status == REEL_OK && !reel_revision_valid(w->repo.revision))
        status = reel_fail(err, REEL_ERR_ARG, "--revision: '%s' cannot be a branch, tag or commit", w->repo.revision);
    *folders = false;
    for (size_t i = 0; status == REEL_OK && i < n; i++) {
        char *name = reel_path_trim(files[i]);
        if (name == NULL)
            return reel_fail_nomem(err, "names");
        *folders = *folders || strcmp(name, files[i]) != 0;
        if (!reel_repo_file_valid(name))
            status = reel_fail(err, REEL_ERR_ARG, "'%s' cannot be the name of a file in a repository", files[i]);
        reel_free(name);
    }
    return status;
}

static reel_status bring(work *w, const char *const *files, size_t n, reel_error *err)
{
    bool folders = false;
    const char **include = NULL;
    reel_status status = check_names(w, files, n, &folders, err);
    if (status != REEL_OK)
        return status;
    REEL_TRY(reel_session_open(w->ctx, &w->s, err));
    w->s.typed = true;
    if (w->a->local_dir[0] != '\0') {
        REEL_TRY(reel_local_open(w->a->local_dir, &w->local, err));
        w->to_folder = true;
    }
    if (n > 0 && !folders) {
        if (w->a->include.n > 0 || w->a->exclude.n > 0)
            reel_log(w->ctx, REEL_LOG_WARNING, "hub", "--include and --exclude have no effect: the files are named");
        REEL_TRY(get_named(w, files, n, err));
    } else {
        include = patterns_of(w, files, n);
        REEL_TRY(include == NULL ? reel_fail_nomem(err, "names") : get_listed(w, (reel_patterns){include, w->a->include.n + n}, err));
    }
done:
    reel_free(include);
    return status;
}

reel_status reel_hub_download(reel_context *ctx, const reel_args *args, const char *const *names, size_t n, reel_hub_event_fn event,
                              void *user, reel_hub_downloaded **out, reel_error *err)
{
    work w = {.ctx = ctx, .a = reel_args_values(args, REEL_JOB_HUB_DOWNLOAD), .local = {.dir = -1, .notes = -1}, .event = event,
              .user = user};
    reel_error own = {0};
    *out = NULL;
    if (err == NULL)
        err = &own;
    if (w.a == NULL || n == 0)
        return reel_fail(err, REEL_ERR_ARG, "a download needs its options and a repository's name");
    w.repo = (reel_repo){.id = names[0], .revision = w.a->revision};
    w.name = names + 1;
    w.names = n - 1;
    reel_repo_type_parse(w.a->repo_type, &w.repo.type);
    reel_status status = bring(&w, names + 1, n - 1, err);
    if (status == REEL_OK)
        status = result(&w, n == 2 && w.wanted != NULL && w.listing.n == 0 ? names[1] : NULL, out, err);
    reel_local_close(&w.local);
    reel_session_close(&w.s);
    reel_listing_free(&w.listing);
    reel_free(w.known);
    reel_free(w.wanted);
    return status;
}
