#include "hub/get.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/text.h"
#include "hub/below.h"
#include "hub/flock.h"

/* One file on its way. */
typedef struct job {
    reel_session *s;
    const reel_get *g;
    const char *file;
    const reel_file_meta *meta;
    char key[65];           /* of lock and partial file: the etag, or what stands for one */
    reel_hub_cache cache;
    reel_got *got;
} job;

static reel_status fail_offline(const job *j, reel_error *err)
{
    return reel_fail(err, REEL_ERR_NOT_FOUND,
                     "%s%s: '%s' at revision '%s' is not in %s, and offline mode is on (--offline, HF_HUB_OFFLINE)",
                     reel_repo_prefix(j->g->repo.type), j->g->repo.id, j->file, j->g->repo.revision,
                     j->g->local != NULL ? j->g->local->path : j->s->hub->cache_dir);
}

/* ---- what the server says ---- */

/* The copy that may serve when the Hub does not answer. */
static bool has_copy(const job *j, char commit[41])
{
    char etag[65];
    if (j->g->local != NULL && reel_local_has(j->g->local, j->file)) {
        if (!reel_local_noted(j->g->local, j->file, commit, etag))
            commit[0] = '\0';
        return true;
    }
    return j->g->local == NULL && reel_hub_cache_commit(&j->cache, j->g->repo.revision, commit) &&
        reel_hub_cache_has(&j->cache, commit, j->file, "");
}

static reel_status open_for_writing(job *j, reel_error *err)
{
    if (j->cache.repo >= 0)
        return REEL_OK;
    reel_hub_cache_close(&j->cache);
    return reel_hub_cache_open(j->s->hub, &j->g->repo, true, &j->cache, err);
}

static void note_missing(job *j, const reel_file_meta *m)
{
    j->got->missing = true;
    memcpy(j->got->commit, m->commit, 41);
    if (!m->lacks || m->commit[0] == '\0' || j->g->local != NULL || open_for_writing(j, NULL) != REEL_OK)
        return;
    reel_hub_cache_note_lack(&j->cache, m->commit, j->file);
    reel_hub_cache_note_commit(&j->cache, j->g->repo.revision, m->commit);
}

/* Takes the copy that is here, if there is one and it may serve. */
static bool takes_copy(job *j, const char *why)
{
    if (j->g->force || !has_copy(j, j->got->commit))
        return false;
    j->got->copied = true;
    reel_log(j->s->ctx, REEL_LOG_WARNING, "hub", "the copy of %s that is here is used: %s", j->file, why);
    return true;
}

/* Quickly first; a copy serves where the Hub does not answer; else once more, with patience. *copy: use what is there. */
static reel_status ask(job *j, reel_file_meta *m, bool *copy, reel_error *err)
{
    *copy = !j->g->patient && reel_hub_is_silent(j->s->hub) && takes_copy(j, "the Hub did not answer a moment ago");
    if (*copy)
        return REEL_OK;
    reel_status status = reel_fetch_meta(j->s, &j->g->repo, j->file, false, m, err);
    const bool helps = m->unreachable && (m->kind == REEL_ANSWER_SERVER || m->kind == REEL_ANSWER_BUSY);
    if (status != REEL_OK && status != REEL_ERR_CANCELLED && helps) {
        *copy = !j->g->patient && takes_copy(j, err->message);
        if (*copy)
            return REEL_OK;
        if (reel_session_rest(j->s, &status, err))
            status = reel_fetch_meta(j->s, &j->g->repo, j->file, true, m, err);
    }
    *copy = status != REEL_OK && status != REEL_ERR_CANCELLED && m->unreachable && takes_copy(j, err->message);
    if (*copy)
        return REEL_OK;
    if (status != REEL_OK && m->kind == REEL_ANSWER_NO_FILE)
        note_missing(j, m);
    return status;
}

/* ---- the bytes ---- */

static void make_key(job *j)
{
    if (j->meta->etag[0] != '\0') {
        snprintf(j->key, sizeof j->key, "%s", j->meta->etag);
        return;
    }
    reel_sha256 h = {0};  /* no name that can be trusted: one of our own */
    if (reel_sha256_begin(&h, NULL) == REEL_OK) {
        reel_sha256_add(&h, j->meta->commit, 40);
        reel_sha256_add(&h, j->file, strlen(j->file));
        reel_sha256_end(&h, j->key);
    }
}

/* Into `partial` of dir, or, where nobody could be kept out, a name that none else has; *used is that name. */
static reel_status fetch_into(job *j, int dir, const char *partial, const char *shown_dir, bool locked, char used[NAME_MAX + 1],
                              char hash[65],
                              reel_error *err)
{
    snprintf(used, NAME_MAX + 1, "%s", partial);
    if (!locked)
        reel_below_temp(used, NAME_MAX + 1, j->key, "incomplete");
    const reel_repo at_commit = {j->g->repo.type, j->g->repo.id, j->meta->commit};
    const reel_body b = {.repo = &at_commit, .file = j->file, .meta = j->meta, .dir = dir, .partial = used, .shown_dir = shown_dir,
                         .resume = locked, .fetched = j->g->fetched, .user = j->g->user};
    if (j->g->announced != NULL)
        j->g->announced(j->meta->size, j->file, j->g->user);
    j->got->fetched = true;
    return reel_fetch_body(j->s, &b, hash, &j->got->bytes, err);
}

static reel_status fetch_blob(job *j, bool locked, char hash[65], reel_error *err)
{
    char partial[NAME_MAX + 1], used[NAME_MAX + 1];
    const int blobs = reel_below_dir(j->cache.repo, "blobs", true);
    if (blobs < 0)
        return reel_below_fail(err, errno, j->cache.path, "create the folder blobs in");
    snprintf(partial, sizeof partial, "%s.reel.incomplete", j->key);
    reel_status status = fetch_into(j, blobs, partial, j->cache.path, locked, used, hash, err);
    if (status == REEL_OK && renameat(blobs, used, blobs, hash) != 0)
        status = reel_fail_errno(err, errno, j->file, "store");
    if (status == REEL_OK)
        fsync(blobs);
    close(blobs);
    return status;
}

/* With the lock, or where there are none without. */
static reel_status into_cache_locked(job *j, bool locked, reel_error *err)
{
    const reel_file_meta *m = j->meta;
    char hash[65];
    if (!j->g->force && reel_hub_cache_has(&j->cache, m->commit, j->file, m->etag))
        return REEL_OK;  /* another was quicker */
    snprintf(hash, sizeof hash, "%s", m->etag);
    const bool there = !j->g->force && m->etag[0] != '\0' && reel_hub_cache_has_blob(&j->cache, m->etag, m->size);
    reel_status status = there ? REEL_OK : fetch_blob(j, locked, hash, err);
    return status == REEL_OK ? reel_hub_cache_show(&j->cache, m->commit, j->file, hash, !there, err) : status;
}

static reel_status into_cache(job *j, reel_error *err)
{
    int lock = -1;
    if (!j->g->force && reel_hub_cache_has(&j->cache, j->meta->commit, j->file, j->meta->etag)) {
        reel_hub_cache_note_commit(&j->cache, j->g->repo.revision, j->meta->commit);
        return REEL_OK;
    }
    reel_status status = open_for_writing(j, err);
    if (status != REEL_OK)
        return status;
    reel_hub_cache_note_commit(&j->cache, j->g->repo.revision, j->meta->commit);
    char *name = reel_hub_cache_lock_name(&j->cache, j->key);
    status = name == NULL ? reel_fail_nomem(err, j->file) : reel_hub_lock(j->s->ctx, j->cache.base, name, j->file, &lock, err);
    if (status == REEL_OK)
        status = into_cache_locked(j, lock >= 0, err);
    reel_hub_unlock(&lock);
    reel_free(name);
    return status;
}

/* ---- into a folder ---- */

/* What is left to read from `from` as a new file in dir: `name` under the lock, where what a killed process left may go, else a name that
 * none else has; used is that name. 0, or errno. */
static int copy_into(int from, int dir, const char *name, bool locked, char used[NAME_MAX + 1])
{
    snprintf(used, NAME_MAX + 1, "%s", name);
    if (locked)
        unlinkat(dir, used, 0);
    else
        reel_below_temp(used, NAME_MAX + 1, name, "copy");
    const int e = reel_below_copy(from, dir, used);
    if (e != 0 && e != EEXIST)
        unlinkat(dir, used, 0);
    return e;
}

/* From the cache, where it has the same content. */
static bool copy_from_cache(job *j, int dir, const char *partial, bool locked, char used[NAME_MAX + 1])
{
    if (j->meta->etag[0] == '\0' || !reel_hub_cache_has_blob(&j->cache, j->meta->etag, j->meta->size))
        return false;
    const int blobs = reel_below_dir(j->cache.repo, "blobs", false);
    const int from = blobs < 0 ? -1 : openat(blobs, j->meta->etag, O_RDONLY | O_CLOEXEC);
    const bool good = from >= 0 && copy_into(from, dir, partial, locked, used) == 0;
    if (from >= 0)
        close(from);
    if (blobs >= 0)
        close(blobs);
    return good;
}

static reel_status into_dir_locked(job *j, bool locked, const char *partial, reel_error *err)
{
    const reel_local *l = j->g->local;
    const reel_file_meta *m = j->meta;
    char hash[65], used[NAME_MAX + 1], commit[41], etag[65];
    const char *last;
    snprintf(hash, sizeof hash, "%s", m->etag);
    const bool noted = reel_local_noted(l, j->file, commit, etag);
    if (!j->g->force && m->etag[0] != '\0' && reel_local_has(l, j->file) &&
        (noted ? strcmp(etag, m->etag) == 0 : strlen(m->etag) == 64 && reel_local_is(l, j->file, m->etag)))
        return reel_local_note(l, j->file, m->commit, m->etag, err);
    const int dir = reel_below_parent(l->notes, partial, true, &last);
    if (dir < 0)
        return reel_below_fail(err, errno, l->path, "create the notes in");
    reel_status status = REEL_OK;
    if (j->g->force || !copy_from_cache(j, dir, last, locked, used))
        status = fetch_into(j, dir, last, l->path, locked, used, hash, err);
    close(dir);
    char *from = status == REEL_OK ? reel_format("%.*s%s", (int)(last - partial), partial, used) : NULL;
    if (status == REEL_OK)
        status = from == NULL ? reel_fail_nomem(err, j->file) : reel_local_place(l, from, j->file, err);
    reel_free(from);
    return status == REEL_OK ? reel_local_note(l, j->file, m->commit, hash, err) : status;
}

static reel_status into_dir(job *j, reel_error *err)
{
    int lock = -1;
    char *name = reel_local_lock_name(j->file), *partial = reel_local_partial_name(j->file, j->key);
    reel_status status = name == NULL || partial == NULL ? reel_fail_nomem(err, j->file)
                                                         : reel_hub_lock(j->s->ctx, j->g->local->notes, name, j->file, &lock, err);
    if (status == REEL_OK)
        status = into_dir_locked(j, lock >= 0, partial, err);
    reel_hub_unlock(&lock);
    reel_free(name);
    reel_free(partial);
    return status;
}

/* ---- one file ---- */

static bool is_offline(const job *j) { return j->s->hub->offline || j->g->away; }

/* Without asking anybody. */
static bool is_there(job *j)
{
    const char *revision = j->g->repo.revision;
    char etag[65];
    if (j->g->force && !is_offline(j))
        return false;
    if (j->g->local == NULL)
        return (reel_commit_valid(revision) || is_offline(j)) && reel_hub_cache_commit(&j->cache, revision, j->got->commit) &&
               reel_hub_cache_has(&j->cache, j->got->commit, j->file, "");
    const bool noted = reel_local_noted(j->g->local, j->file, j->got->commit, etag);
    return (noted && reel_commit_valid(revision) && strcmp(revision, j->got->commit) == 0) ||
        (is_offline(j) && reel_local_has(j->g->local, j->file));
}

/* Puts an open file of the cache into the folder, by way of the notes. */
static reel_status place_copy(job *j, int from, bool locked, reel_error *err)
{
    char path[PATH_MAX], used[NAME_MAX + 1];
    const char *last;
    if (snprintf(path, sizeof path, "download/%s.reel.copy", j->file) >= (int)sizeof path)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: the name is too long", j->file);
    const int dir = reel_below_parent(j->g->local->notes, path, true, &last);
    if (dir < 0)
        return reel_below_fail(err, errno, j->g->local->path, "create the notes in");
    const int e = copy_into(from, dir, last, locked, used);
    char *temporary = e == 0 ? reel_format("%.*s%s", (int)(last - path), path, used) : NULL;
    reel_status status = e != 0 ? reel_fail_errno(err, e, j->file, "copy from the cache")
        : temporary == NULL ? reel_fail_nomem(err, j->file) : reel_local_place(j->g->local, temporary, j->file, err);
    if (e == 0 && status != REEL_OK)
        unlinkat(dir, used, 0);
    close(dir);
    reel_free(temporary);
    return status;
}

/* Offline, into a folder: what the cache has by its links. */
static reel_status from_cache_offline(job *j, reel_error *err)
{
    int lock = -1;
    if (j->g->local == NULL || !reel_hub_cache_commit(&j->cache, j->g->repo.revision, j->got->commit) ||
        !reel_hub_cache_has(&j->cache, j->got->commit, j->file, ""))
        return fail_offline(j, err);
    char *source = reel_hub_cache_path(&j->cache, j->got->commit, j->file), *name = reel_local_lock_name(j->file);
    reel_status status = source == NULL || name == NULL ? reel_fail_nomem(err, j->file)
        : reel_hub_lock(j->s->ctx, j->g->local->notes, name, j->file, &lock, err);
    const int from = status == REEL_OK ? open(source, O_RDONLY | O_CLOEXEC) : -1;
    if (status == REEL_OK && from < 0)
        status = reel_fail_errno(err, errno, j->file, "copy from the cache");
    if (status == REEL_OK && !reel_local_has(j->g->local, j->file))  /* else another was quicker */
        status = place_copy(j, from, lock >= 0, err);
    if (from >= 0)
        close(from);
    reel_hub_unlock(&lock);
    reel_free(source);
    reel_free(name);
    return status;
}

static reel_status bring(job *j, const reel_file_meta *known, reel_error *err)
{
    reel_file_meta asked = {0};
    bool copy = false;
    reel_status status = known != NULL ? REEL_OK : ask(j, &asked, &copy, err);
    if (status == REEL_OK && !copy) {
        j->meta = known != NULL ? known : &asked;
        memcpy(j->got->commit, j->meta->commit, 41);
        make_key(j);
        status = j->g->local != NULL ? into_dir(j, err) : into_cache(j, err);
    }
    reel_file_meta_free(&asked);
    return status;
}

reel_status reel_get_file(reel_session *s, const reel_get *g, const char *file, const reel_file_meta *known, reel_got *got, reel_error *err)
{
    job j = {.s = s, .g = g, .file = file, .got = got, .cache = {.base = -1, .repo = -1}};
    reel_error local_err = {0};
    *got = (reel_got){0};
    if (err == NULL)
        err = &local_err;
    if (!reel_repo_file_valid(file))
        return reel_fail(err, REEL_ERR_ARG, "'%s' cannot be the name of a file in a repository", file);
    reel_status status = s->hub->cache_dir[0] == '\0' && g->local != NULL ? REEL_OK
        : reel_hub_cache_open(s->hub, &g->repo, false, &j.cache, err);
    if (status == REEL_OK && !is_there(&j))
        status = is_offline(&j) ? from_cache_offline(&j, err) : bring(&j, known, err);
    reel_hub_cache_close(&j.cache);
    return status;
}
