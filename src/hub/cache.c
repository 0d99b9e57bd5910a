#include "hub/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "hub/below.h"

enum { REF_LIMIT = 64 };

void reel_hub_cache_tag(int dir)
{
    static const char text[] = "Signature: 8a477f597d28d172789f06886806bc55\n# A cache of files from the Hugging Face Hub: no need to back it up.\n";
    if (faccessat(dir, "CACHEDIR.TAG", F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        reel_below_write(dir, "CACHEDIR.TAG", "CACHEDIR.TAG", text, sizeof text - 1, NULL);
}

/* The repository's folder may be a link that its user made, to another disk; nothing below it may. */
static reel_status open_folders(const char *cache_dir, bool make, reel_hub_cache *c, reel_error *err)
{
    if (make) {
        reel_status status = reel_dir_make(cache_dir, err);
        if (status != REEL_OK)
            return status;
    }
    c->base = open(cache_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (c->base >= 0 && make) {
        reel_hub_cache_tag(c->base);
        if (mkdirat(c->base, c->folder, 0777) != 0 && errno != EEXIST && errno != EROFS)
            return reel_fail_errno(err, errno, c->path, "create the folder");
    }
    if (c->base >= 0)
        c->repo = openat(c->base, c->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (c->repo < 0 && (make || (errno != ENOENT && errno != ENOTDIR)))
        return reel_fail_errno(err, errno, c->path, "open");
    return REEL_OK;
}

reel_status reel_hub_cache_open(const reel_hub *hub, const reel_repo *repo, bool make, reel_hub_cache *c, reel_error *err)
{
    *c = (reel_hub_cache){.base = -1, .repo = -1, .links = hub->symlinks};
    if (hub->cache_dir[0] == '\0')
        return reel_fail(err, REEL_ERR_NOT_FOUND,
                         "there is no folder for what comes from the Hub: set HF_HOME or HOME, or use --local_dir");
    c->folder = reel_repo_folder(repo->type, repo->id);
    c->path = c->folder != NULL ? reel_path_join(hub->cache_dir, c->folder) : NULL;
    reel_status status = c->path == NULL ? reel_fail_nomem(err, repo->id) : open_folders(hub->cache_dir, make, c, err);
    if (status != REEL_OK)
        reel_hub_cache_close(c);
    return status;
}

void reel_hub_cache_close(reel_hub_cache *c)
{
    if (c->base >= 0)
        close(c->base);
    if (c->repo >= 0)
        close(c->repo);
    reel_free(c->folder);
    reel_free(c->path);
    *c = (reel_hub_cache){.base = -1, .repo = -1};
}

/* ---- refs ---- */

static bool ref_path(char out[PATH_MAX], const char *revision)
{
    return snprintf(out, PATH_MAX, "refs/%s", revision) < PATH_MAX;
}

bool reel_hub_cache_commit(const reel_hub_cache *c, const char *revision, char commit[41])
{
    char path[PATH_MAX], text[REF_LIMIT];
    if (reel_commit_valid(revision)) {
        memcpy(commit, revision, 41);
        return true;
    }
    if (c->repo < 0 || !ref_path(path, revision) || !reel_below_read(c->repo, path, text, sizeof text) || !reel_commit_valid(text))
        return false;
    memcpy(commit, text, 41);
    return true;
}

void reel_hub_cache_note_commit(const reel_hub_cache *c, const char *revision, const char *commit)
{
    char path[PATH_MAX], old[41];
    if (c->repo < 0 || reel_commit_valid(revision) || !ref_path(path, revision))
        return;
    if (!reel_hub_cache_commit(c, revision, old) || strcmp(old, commit) != 0)
        reel_below_write(c->repo, path, path, commit, 40, NULL);
}

/* ---- snapshots ---- */

static bool below(char out[PATH_MAX], const char *area, const char *commit, const char *file)
{
    return snprintf(out, PATH_MAX, "%s/%s/%s", area, commit, file) < PATH_MAX;
}

/* "../../blobs/", one "../" more for each folder of the file. */
static void way_to_blobs(char out[PATH_MAX], const char *file)
{
    size_t n = (size_t)snprintf(out, PATH_MAX, "../../");
    for (const char *f = strchr(file, '/'); f != NULL && n + 16 < PATH_MAX; f = strchr(f + 1, '/'))
        n += (size_t)snprintf(out + n, PATH_MAX - n, "../");
    snprintf(out + n, PATH_MAX - n, "blobs/");
}

/* Is `name` in dir a file, or a link to a blob of this repository that is there? */
static bool is_shown(int dir, const char *name, const char *file, const char *etag)
{
    struct stat st;
    char way[PATH_MAX], target[PATH_MAX];
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    if (S_ISREG(st.st_mode))
        return true;
    const ssize_t n = S_ISLNK(st.st_mode) ? readlinkat(dir, name, target, sizeof target - 1) : -1;
    if (n < 0)
        return false;
    target[n] = '\0';
    way_to_blobs(way, file);
    const size_t prefix = strlen(way);
    const char *blob = target + prefix;
    if (strncmp(target, way, prefix) != 0 || *blob == '\0' || strchr(blob, '/') != NULL || strcmp(blob, "..") == 0)
        return false;
    return (etag[0] == '\0' || strcmp(blob, etag) == 0) && fstatat(dir, name, &st, 0) == 0 && S_ISREG(st.st_mode);
}

bool reel_hub_cache_has(const reel_hub_cache *c, const char *commit, const char *file, const char *etag)
{
    char path[PATH_MAX];
    const char *last;
    const int dir = c->repo < 0 || !below(path, "snapshots", commit, file) ? -1 : reel_below_parent(c->repo, path, false, &last);
    const bool has = dir >= 0 && is_shown(dir, last, file, etag);
    if (dir >= 0)
        close(dir);
    return has;
}

bool reel_hub_cache_lacks(const reel_hub_cache *c, const char *commit, const char *file)
{
    char path[PATH_MAX];
    return c->repo >= 0 && below(path, ".no_exist", commit, file) && reel_below_is_file(c->repo, path, NULL, NULL);
}

void reel_hub_cache_note_lack(const reel_hub_cache *c, const char *commit, const char *file)
{
    char path[PATH_MAX];
    if (c->repo >= 0 && below(path, ".no_exist", commit, file) && !reel_below_is_file(c->repo, path, NULL, NULL))
        reel_below_write(c->repo, path, path, "", 0, NULL);
}

bool reel_hub_cache_has_snapshot(const reel_hub_cache *c, const char *commit)
{
    char path[PATH_MAX];
    const int dir = c->repo < 0 || !below(path, "snapshots", commit, "") ? -1 : reel_below_dir(c->repo, path, false);
    if (dir >= 0)
        close(dir);
    return dir >= 0;
}

char *reel_hub_cache_path(const reel_hub_cache *c, const char *commit, const char *file)
{
    return reel_format("%s/snapshots/%s%s%s", c->path, commit, file != NULL ? "/" : "", file != NULL ? file : "");
}

char *reel_hub_cache_lock_name(const reel_hub_cache *c, const char *etag) { return reel_format(".locks/%s/%s.lock", c->folder, etag); }

/* ---- blobs ---- */

bool reel_hub_cache_has_blob(const reel_hub_cache *c, const char *etag, int64_t size)
{
    struct stat st;
    const int dir = c->repo < 0 ? -1 : reel_below_dir(c->repo, "blobs", false);
    const bool has = dir >= 0 && fstatat(dir, etag, &st, 0) == 0 && S_ISREG(st.st_mode) && (size < 0 || st.st_size == size);
    if (dir >= 0)
        close(dir);
    return has;
}

/* Links where they can be; 0, or errno. */
static int put_link(int dir, const char *name, const char *file, const char *etag)
{
    char way[PATH_MAX], temp[NAME_MAX + 1];
    way_to_blobs(way, file);
    if (strlen(way) + strlen(etag) >= sizeof way)
        return ENAMETOOLONG;
    strcat(way, etag);
    reel_below_temp(temp, sizeof temp, name, "tmp");
    if (symlinkat(way, dir, temp) != 0)
        return errno;
    const int e = renameat(dir, temp, dir, name) == 0 ? 0 : errno;
    if (e != 0)
        unlinkat(dir, temp, 0);
    return e;
}

static int put_file(int blobs, int dir, const char *name, const char *etag, bool fresh)
{
    char temp[NAME_MAX + 1];
    if (fresh)
        return renameat(blobs, etag, dir, name) == 0 ? 0 : errno;
    const int from = openat(blobs, etag, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return errno;
    reel_below_temp(temp, sizeof temp, name, "tmp");
    int e = reel_below_copy(from, dir, temp);
    close(from);
    if (e == 0 && renameat(dir, temp, dir, name) != 0)
        e = errno;
    if (e != 0)
        unlinkat(dir, temp, 0);
    return e;
}

reel_status reel_hub_cache_show(const reel_hub_cache *c, const char *commit, const char *file, const char *etag, bool fresh,
                                reel_error *err)
{
    char path[PATH_MAX], shown[PATH_MAX];
    const char *last;
    snprintf(shown, sizeof shown, "%s", file);
    if (!below(path, "snapshots", commit, file))
        return reel_fail(err, REEL_ERR_LIMIT, "%s: the name is too long", shown);
    const int dir = reel_below_parent(c->repo, path, true, &last);
    if (dir < 0)
        return reel_below_fail(err, errno, shown, "create the folder of");
    const int blobs = reel_below_dir(c->repo, "blobs", false);
    int e = c->links ? put_link(dir, last, file, etag) : EPERM;
    if (e == EPERM || e == ENOTSUP || e == ENOSYS)
        e = blobs < 0 ? ENOENT : put_file(blobs, dir, last, etag, fresh);
    if (blobs >= 0)
        close(blobs);
    close(dir);
    return e == 0 ? REEL_OK : reel_below_fail(err, e, shown, "put into the snapshot");
}
