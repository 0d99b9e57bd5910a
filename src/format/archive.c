/* libarchive reads, we write: its disk writer lets devices and links through even when asked not to. */
#include "format/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/text.h"
#include "format/archive_store.h"

enum { MEMBER_LIMIT = 1000000, RATIO_LIMIT = 200, BLOCK = 1 << 16 };
static const uint64_t total_limit = 64ull << 30, kept_free = 1ull << 30, ratio_from = 16u << 20;

typedef struct unpack {
    reel_context *ctx;
    const char *path;       /* of the archive, for messages */
    struct archive *archive;
    int root;               /* the folder that is being filled */
    uint64_t out, limit;    /* bytes unpacked so far, and allowed */
    size_t members;
} unpack;

bool reel_archive_name(const char *path)
{
    static const char *const suffix[] = { ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.zst", ".tzst", ".zip" };
    for (size_t i = 0; i < sizeof suffix / sizeof *suffix; i++)
        if (reel_ends_with(path, suffix[i]))
            return true;
    return false;
}

static reel_status fail_member(const unpack *u, const char *name, const char *fault, reel_error *err)
{
    return reel_fail(err, REEL_ERR_FORMAT, "%s: member %.200s%s %s; the archive is refused", u->path, name,
                     strlen(name) > 200 ? "…" : "", fault);
}

static reel_status fail_archive(const unpack *u, reel_error *err)
{
    const char *text = archive_error_string(u->archive);
    return reel_fail(err, REEL_ERR_FORMAT, "%s: damaged, corrupt or truncated archive (%s). Fetch it again.", u->path,
                     text != NULL ? text : "the end is missing");
}

/* The size so far is `out` with this member at `size` bytes: may it be so large? */
static reel_status check_size(const unpack *u, const char *name, uint64_t size, reel_error *err)
{
    uint64_t out;
    int64_t in = archive_filter_bytes(u->archive, -1);
    if (__builtin_add_overflow(u->out, size, &out) || out > u->limit)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: too large: with member %.200s it passes the limit of %" PRIu64
                         " MiB to unpack", u->path, name, u->limit >> 20);
    if (out > ratio_from && (in <= 0 || out / RATIO_LIMIT > (uint64_t)in))
        return reel_fail(err, REEL_ERR_LIMIT,
                         "%s: member %.200s expands to more than %d times its size in the archive; past this ratio nothing is "
                         "unpacked", u->path, name, RATIO_LIMIT);
    return REEL_OK;
}

static reel_status write_at(const unpack *u, int fd, const char *name, const char *data, size_t n, uint64_t at,
                            reel_error *err)
{
    while (n > 0) {
        ssize_t wrote = pwrite(fd, data, n, (off_t)at);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0) {
            char text[640];
            snprintf(text, sizeof text, "%s: member %.500s", u->path, name);
            return reel_fail_errno(err, wrote == 0 ? EIO : errno, text, "unpack into the cache");
        }
        data += wrote;
        n -= (size_t)wrote;
        at += (uint64_t)wrote;
    }
    return REEL_OK;
}

/* Copies one member's data; holes count at full size. */
static reel_status copy_data(unpack *u, struct archive_entry *entry, int fd, const char *name, reel_error *err)
{
    reel_status status = REEL_OK;
    uint64_t end = 0, size = 0;
    for (;;) {
        const void *block = NULL;
        size_t n = 0;
        la_int64_t at = 0;
        int result = archive_read_data_block(u->archive, &block, &n, &at);
        if (result == ARCHIVE_EOF)
            break;
        if (result < ARCHIVE_WARN)
            return fail_archive(u, err);
        if (result == ARCHIVE_RETRY || n == 0)
            continue;
        if (at < 0 || (uint64_t)at < end || __builtin_add_overflow((uint64_t)at, n, &end))
            return fail_member(u, name, "has data of an invalid size", err);
        if (reel_cancelled(u->ctx))
            return reel_fail_cancelled(err);
        REEL_TRY(check_size(u, name, end, err));
        REEL_TRY(write_at(u, fd, name, block, n, (uint64_t)at, err));
    }
    if (archive_entry_size_is_set(entry) && archive_entry_size(entry) > 0)
        size = (uint64_t)archive_entry_size(entry);
    if (size > end) {  /* a hole at the end */
        REEL_TRY(check_size(u, name, size, err));
        if (ftruncate(fd, (off_t)size) != 0)
            REEL_TRY(reel_fail_errno(err, errno, u->path, "unpack into the cache"));
        end = size;
    }
    u->out += end;
done:
    return status;
}

static reel_status copy_file(unpack *u, struct archive_entry *entry, const char *name, reel_error *err)
{
    reel_status status = REEL_OK;
    const char *fault = NULL;
    int fd = -1;
    if (archive_entry_size_is_set(entry)) {
        if (archive_entry_size(entry) < 0)
            return fail_member(u, name, "has an invalid size", err);
        if ((uint64_t)archive_entry_size(entry) > u->limit)  /* the ratio is looked at as bytes come */
            REEL_TRY(check_size(u, name, (uint64_t)archive_entry_size(entry), err));
    }
    fd = reel_member_file(u->root, name, &fault);
    if (fd < 0 && fault != NULL)
        return fail_member(u, name, fault, err);
    if (fd < 0)
        return reel_fail_errno(err, errno, u->path, "unpack into the cache");
    REEL_TRY(copy_data(u, entry, fd, name, err));
    if (close(fd) != 0) {
        fd = -1;
        REEL_TRY(reel_fail_errno(err, errno, u->path, "unpack into the cache"));
    }
    fd = -1;
done:
    if (fd >= 0)
        close(fd);
    return status;
}

/* Names come as UTF-8 where the format says so, else as the bytes that stand there (the "C" locale converts nothing). */
static const char *member_name(struct archive_entry *entry)
{
    const char *name = archive_entry_pathname_utf8(entry);
    return name != NULL ? name : archive_entry_pathname(entry);
}

static reel_status copy_member(unpack *u, struct archive_entry *entry, reel_error *err)
{
    const char *name = member_name(entry), *fault = NULL;
    unsigned type = archive_entry_filetype(entry);
    if (name == NULL)
        return fail_member(u, "without a readable name", "has a name that is not UTF-8", err);
    if (++u->members > MEMBER_LIMIT)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: more than %d members, which is past the limit", u->path, MEMBER_LIMIT);
    if (archive_entry_hardlink(entry) != NULL)
        return fail_member(u, name, "is a hard link, and no data set needs links", err);
    if (archive_entry_symlink(entry) != NULL || type == AE_IFLNK)
        return fail_member(u, name, "is a symbolic link, and no data set needs links", err);
    if (archive_entry_is_encrypted(entry))
        return fail_member(u, name, "is encrypted", err);
    if (type == AE_IFIFO)
        return fail_member(u, name, "is a named pipe (a special file)", err);
    if (type != AE_IFREG && type != AE_IFDIR)
        return fail_member(u, name, "is a device or another special file", err);
    if ((fault = reel_member_fault(name)) != NULL)
        return fail_member(u, name, fault, err);
    if (type == AE_IFREG)
        return copy_file(u, entry, name, err);
    if (reel_member_folder(u->root, name, &fault) == 0)
        return REEL_OK;
    return fault != NULL ? fail_member(u, name, fault, err)
                         : reel_fail_errno(err, errno, u->path, "unpack into the cache");
}

/* tar and zip, one filter of gzip, xz, zstd; a filter that this libarchive would run as a program is left out. */
static reel_status open_archive(unpack *u, int fd, reel_error *err)
{
    struct archive *a = u->archive = archive_read_new();
    if (a == NULL)
        return reel_fail_nomem(err, u->path);
    archive_read_support_format_tar(a);
    archive_read_support_format_zip(a);
    if (archive_zlib_version() != NULL)
        archive_read_support_filter_gzip(a);
    if (archive_liblzma_version() != NULL)
        archive_read_support_filter_xz(a);
    if (archive_libzstd_version() != NULL)
        archive_read_support_filter_zstd(a);
    if (archive_read_open_fd(a, fd, BLOCK) != ARCHIVE_OK)  /* looks at the first bytes */
        return reel_fail(err, REEL_ERR_FORMAT, "%s: not a whole archive of a format that reel opens: tar, tar.gz, tar.xz, "
                         "tar.zst, zip (%s)", u->path, archive_error_string(a));
    return REEL_OK;
}

static reel_status copy_members(unpack *u, int fd, reel_error *err)
{
    reel_status status = REEL_OK;
    REEL_TRY(open_archive(u, fd, err));
    for (;;) {
        struct archive_entry *entry = NULL;
        int result = archive_read_next_header(u->archive, &entry);
        if (result == ARCHIVE_EOF)
            break;
        if (result == ARCHIVE_RETRY)
            continue;
        if (result < ARCHIVE_WARN)
            REEL_TRY(fail_archive(u, err));
        REEL_TRY(copy_member(u, entry, err));
    }
    if (u->members == 0)
        REEL_TRY(reel_fail(err, REEL_ERR_FORMAT, "%s: the archive is empty: no video and no class folder in it", u->path));
done:
    archive_read_free(u->archive);
    u->archive = NULL;
    return status;
}

/* Fills the fresh folder `temp`, and gives it its name when all is there and on the disk. */
static reel_status fill(reel_context *ctx, const char *path, int fd, const char *temp, const char *dir, reel_error *err)
{
    reel_status status = REEL_OK;
    uint64_t room = reel_disk_free(ctx->cache_dir);
    unpack u = { .ctx = ctx, .path = path, .root = -1, .limit = total_limit };
    if (room < kept_free || room - kept_free < u.limit)
        u.limit = room > kept_free ? room - kept_free : 0;
    REEL_TRY(reel_dir_remove(temp, err));  /* left by a run that was killed; its lock is gone */
    REEL_TRY(reel_dir_make(temp, err));
    u.root = open(temp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (u.root < 0)
        REEL_TRY(reel_fail_errno(err, errno, temp, "open"));
    reel_log(ctx, REEL_LOG_NOTE, "data", "unpacking %s into %s", path, ctx->cache_dir);
    REEL_TRY(copy_members(&u, fd, err));
    if (syncfs(u.root) != 0)  /* once, not a file at a time: power loss must not leave empty videos behind the name */
        REEL_TRY(reel_fail_errno(err, errno, temp, "write"));
    REEL_TRY(reel_dir_rename(temp, dir, err));
done:
    if (u.root >= 0)
        close(u.root);
    if (status != REEL_OK)
        reel_dir_remove(temp, NULL);
    return status;
}

/* One process unpacks, others wait for it. */
static reel_status lock_wait(reel_context *ctx, const char *path, int *lock, reel_error *err)
{
    bool told = false;
    *lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*lock < 0)
        return reel_fail_errno(err, errno, path, "create");
    while (flock(*lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return reel_fail_errno(err, errno, path, "lock");
        if (reel_cancelled(ctx))
            return reel_fail_cancelled(err);
        if (!told)
            reel_log(ctx, REEL_LOG_NOTE, "data", "another run unpacks this archive; waiting for it");
        told = true;
        nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
    }
    return REEL_OK;
}

/* Names the same bytes only: another file under the same path has another size or time. */
static reel_status cache_key(const char *path, int fd, char key[65], reel_error *err)
{
    struct stat st;
    char *full = realpath(path, NULL), *text = NULL;
    reel_sha256 hash;
    reel_status status = REEL_OK;
    if (full == NULL || fstat(fd, &st) != 0)
        REEL_TRY(reel_fail_errno(err, errno, path, "read"));
    text = reel_format("%s\n%lld\n%lld.%09ld", full, (long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    if (text == NULL)
        REEL_TRY(reel_fail_nomem(err, path));
    REEL_TRY(reel_sha256_begin(&hash, err));
    reel_sha256_add(&hash, text, strlen(text));
    reel_sha256_end(&hash, key);
    key[32] = 0;
done:
    free(full);  /* realpath's own */
    reel_free(text);
    return status;
}

reel_status reel_archive_extract(reel_context *ctx, const char *path, char **dir, reel_error *err)
{
    reel_status status = REEL_OK;
    char key[65], *base = NULL, *final = NULL, *temp = NULL, *lock_path = NULL;
    int fd = -1, lock = -1;
    uint64_t size = 0;
    *dir = NULL;
    REEL_TRY(reel_file_open(path, &fd, &size, err));
    if (ctx->cache_dir == NULL)
        REEL_TRY(reel_fail(err, REEL_ERR_ARG, "%s: an archive needs a cache folder to be unpacked into; set cache_dir", path));
    REEL_TRY(cache_key(path, fd, key, err));
    base = reel_path_join(ctx->cache_dir, "extracted");
    final = base != NULL ? reel_path_join(base, key) : NULL;
    temp = final != NULL ? reel_format("%s.tmp", final) : NULL;
    lock_path = final != NULL ? reel_format("%s.lock", final) : NULL;
    if (temp == NULL || lock_path == NULL)
        REEL_TRY(reel_fail_nomem(err, path));
    REEL_TRY(reel_dir_make(base, err));
    REEL_TRY(lock_wait(ctx, lock_path, &lock, err));
    if (!reel_is_dir(final))
        REEL_TRY(fill(ctx, path, fd, temp, final, err));
    *dir = final;
    final = NULL;
done:
    if (fd >= 0)
        close(fd);
    if (lock >= 0)
        close(lock);
    reel_free(base);
    reel_free(final);
    reel_free(temp);
    reel_free(lock_path);
    return status;
}
