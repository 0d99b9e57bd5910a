#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

/* --- system calls, replaceable by tests --- */

static ssize_t real_write(int fd, const void *data, size_t n) { return write(fd, data, n); }
static int real_fsync(int fd) { return fsync(fd); }
static int real_close(int fd) { return close(fd); }
static int real_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }

static int real_rename(const char *from, const char *to, bool replace)
{
    if (replace)
        return rename(from, to);
    int r = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
    if (r != 0 && (errno == EINVAL || errno == ENOSYS)) {  /* some file systems cannot: look first */
        struct stat st;
        if (lstat(to, &st) == 0) {
            errno = EEXIST;
            return -1;
        }
        return rename(from, to);
    }
    return r;
}

const reel_io reel_io_real = {real_write, real_fsync, real_close, real_open, real_rename};
static const reel_io *io = &reel_io_real;  /* changed by tests alone, before any thread */

void reel_io_set(const reel_io *table)
{
    io = table != NULL ? table : &reel_io_real;
}

/* --- reading --- */

static reel_status fail_open(reel_error *err, int e, const char *path)
{
    if (e == ENOENT || e == ENOTDIR)
        return reel_fail(err, REEL_ERR_NOT_FOUND, "%s: no such file", path);
    if (e == ELOOP)
        return reel_fail(err, REEL_ERR_IO, "%s: a link that leads back to itself (too many levels)", path);
    return reel_fail_errno(err, e, path, "open");
}

reel_status reel_file_open(const char *path, int *fd, uint64_t *size, reel_error *err)
{
    struct stat st;
    *fd = -1;
    *size = 0;
    int f = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (f < 0)
        return fail_open(err, errno, path);
    if (fstat(f, &st) != 0) {
        reel_status status = reel_fail_errno(err, errno, path, "read");
        close(f);
        return status;
    }
    if (!S_ISREG(st.st_mode)) {
        close(f);
        return reel_fail(err, REEL_ERR_IO, "%s: not a regular file but a %s", path,
                         S_ISDIR(st.st_mode) ? "folder (directory)" : S_ISFIFO(st.st_mode) ? "named pipe" : "device");
    }
    *fd = f;
    *size = (uint64_t)st.st_size;
    return REEL_OK;
}

static reel_status read_fully(int fd, const char *path, char *data, size_t n, reel_error *err)
{
    for (size_t at = 0; at < n;) {
        ssize_t r = read(fd, data + at, n - at);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return reel_fail_errno(err, errno, path, "read");
        if (r == 0)
            return reel_fail(err, REEL_ERR_IO, "%s: became shorter while it was read", path);
        at += (size_t)r;
    }
    return REEL_OK;
}

reel_status reel_file_read_open(int fd, uint64_t size, const char *path, size_t limit, char **data, size_t *n, reel_error *err)
{
    char *buffer = NULL;
    *data = NULL;
    *n = 0;
    reel_status status = REEL_OK;
    if (size > limit) {
        status = reel_fail(err, REEL_ERR_LIMIT, "%s: %llu bytes are more than the limit of %zu for this kind of file", path,
                           (unsigned long long)size, limit);
        goto done;
    }
    buffer = reel_realloc(NULL, (size_t)size + 1, 1);
    if (buffer == NULL) {
        status = reel_fail_nomem(err, path);
        goto done;
    }
    REEL_TRY(read_fully(fd, path, buffer, (size_t)size, err));
    buffer[size] = '\0';
    *data = buffer;
    *n = (size_t)size;
    buffer = NULL;
done:
    reel_free(buffer);
    return status;
}

reel_status reel_file_read(const char *path, size_t limit, char **data, size_t *n, reel_error *err)
{
    int fd;
    uint64_t size;
    *data = NULL;
    *n = 0;
    reel_status status = reel_file_open(path, &fd, &size, err);
    if (status != REEL_OK)
        return status;
    status = reel_file_read_open(fd, size, path, limit, data, n, err);
    close(fd);
    return status;
}

reel_status reel_file_map(const char *path, reel_map *map, reel_error *err)
{
    int fd;
    uint64_t size;
    *map = (reel_map){0};
    reel_status status = reel_file_open(path, &fd, &size, err);
    if (status != REEL_OK)
        return status;
    if (size > SIZE_MAX / 2)
        status = reel_fail(err, REEL_ERR_LIMIT, "%s: too large for this machine", path);
    else if (size > 0) {
        void *p = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
            status = reel_fail_errno(err, errno, path, "map");
        else
            *map = (reel_map){.data = p, .n = (size_t)size};
    }
    close(fd);
    return status;
}

void reel_file_unmap(reel_map *map)
{
    if (map->data != NULL) {
        union { const uint8_t *in; void *out; } u = {.in = map->data};
        munmap(u.out, map->n);
    }
    *map = (reel_map){0};
}

reel_status reel_file_check_pointer(const void *bytes, size_t n, const char *what, reel_error *err)
{
    static const char pointer[] = "version https://git-lfs";
    if (n < sizeof pointer - 1 || memcmp(bytes, pointer, sizeof pointer - 1) != 0)
        return REEL_OK;
    return reel_fail(err, REEL_ERR_FORMAT, "%s: is a Git LFS pointer, not the file itself; fetch that (git lfs pull)", what);
}

/* --- writing --- */

static int open_temp(reel_out *out, mode_t mode)
{
    for (int attempt = 0; attempt < 16; attempt++) {
        uint32_t unique = 0;
        if (getrandom(&unique, sizeof unique, 0) != (ssize_t)sizeof unique)
            unique = (uint32_t)attempt;
        char *dir = reel_path_parent(out->path);
        if (dir == NULL)
            break;
        reel_free(out->temp);
        out->temp = reel_format("%s/.%s.%d-%08x.tmp", dir, reel_path_base(out->path), (int)getpid(), unique);
        reel_free(dir);
        if (out->temp == NULL)
            break;
        int fd = io->open(out->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    errno = out->temp == NULL ? ENOMEM : errno;
    return -1;
}

static reel_status begin(reel_out *out, const char *path, mode_t mode, reel_error *err)
{
    *out = (reel_out){.fd = -1};
    out->path = reel_strdup(path);
    if (out->path == NULL)
        return reel_fail_nomem(err, path);
    out->fd = open_temp(out, mode);
    if (out->fd >= 0)
        return REEL_OK;
    int e = errno;
    reel_free(out->temp);
    out->temp = NULL;  /* nothing of ours was made */
    reel_out_abort(out);
    return reel_fail_errno(err, e, path, "create");
}

reel_status reel_out_begin(reel_out *out, const char *path, reel_error *err)
{
    return begin(out, path, 0666, err);
}

void reel_out_abort(reel_out *out)
{
    if (out->fd >= 0)
        io->close(out->fd);
    if (out->temp != NULL)
        unlink(out->temp);
    reel_free(out->temp);
    reel_free(out->path);
    *out = (reel_out){.fd = -1};
}

static reel_status out_fail(reel_out *out, int e, const char *what, reel_error *err)
{
    reel_status status = reel_fail_errno(err, e, out->path, what);
    reel_out_abort(out);
    return status;
}

reel_status reel_out_write(reel_out *out, const void *data, size_t n, reel_error *err)
{
    const char *p = data;
    while (n > 0) {
        ssize_t w = io->write(out->fd, p, n < (1u << 30) ? n : (1u << 30));
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return out_fail(out, w < 0 ? errno : ENOSPC, "write", err);
        p += w;
        n -= (size_t)w;
        out->written += (uint64_t)w;
    }
    return REEL_OK;
}

reel_status reel_dir_sync(const char *path, reel_error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return reel_fail_errno(err, errno, path, "open");
    int r = io->fsync(fd), e = errno;
    close(fd);
    if (r != 0 && e != EINVAL)  /* some file systems have no sync of folders */
        return reel_fail_errno(err, e, path, "sync");
    return REEL_OK;
}

reel_status reel_out_commit(reel_out *out, bool replace, reel_error *err)
{
    /* A failed fsync is final: the kernel may have dropped the pages, and asking again would lie. */
    if (io->fsync(out->fd) != 0)
        return out_fail(out, errno, "sync", err);
    int closed = io->close(out->fd), e = errno;
    out->fd = -1;
    if (closed != 0 && e != EINTR)
        return out_fail(out, e, "close", err);
    if (io->rename(out->temp, out->path, replace) != 0) {
        e = errno;
        if (e == EEXIST) {
            reel_status status = reel_fail(err, REEL_ERR_EXISTS, "%s is already there", out->path);
            reel_out_abort(out);
            return status;
        }
        return out_fail(out, e, "rename to", err);
    }
    reel_free(out->temp);
    out->temp = NULL;
    char *dir = reel_path_parent(out->path);
    reel_status status = dir == NULL ? reel_fail_nomem(err, out->path) : reel_dir_sync(dir, err);
    reel_free(dir);
    reel_out_abort(out);
    return status;
}

reel_status reel_file_write(const char *path, const void *data, size_t n, reel_error *err)
{
    reel_out out;
    reel_status status = reel_out_begin(&out, path, err);
    if (status == REEL_OK)
        status = reel_out_write(&out, data, n, err);
    if (status == REEL_OK)
        status = reel_out_commit(&out, true, err);
    return status;
}

reel_status reel_file_write_mode(const char *path, const void *data, size_t n, mode_t mode, reel_error *err)
{
    reel_out out;
    reel_status status = begin(&out, path, mode, err);
    if (status == REEL_OK && fchmod(out.fd, mode) != 0)  /* the umask takes away; it must not take what the owner needs */
        status = out_fail(&out, errno, "change the permissions of", err);
    if (status == REEL_OK)
        status = reel_out_write(&out, data, n, err);
    if (status == REEL_OK)
        status = reel_out_commit(&out, true, err);
    return status;
}

reel_status reel_file_write_text(const char *dir, const char *name, char *text_taken, reel_error *err)
{
    char *path = reel_path_join(dir, name);
    reel_status status = path == NULL || text_taken == NULL ? reel_fail_nomem(err, dir)
                                                            : reel_file_write(path, text_taken, strlen(text_taken), err);
    reel_free(path);
    reel_free(text_taken);
    return status;
}

/* --- folders --- */

reel_status reel_dir_make(const char *path, reel_error *err)
{
    char *copy = reel_strdup(path);
    reel_status status = REEL_OK;
    if (copy == NULL)
        return reel_fail_nomem(err, path);
    for (char *p = copy + (*copy == '/'); status == REEL_OK; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char kept = *p;
        *p = '\0';
        if (*copy != '\0' && mkdir(copy, 0777) != 0 && errno != EEXIST)
            status = reel_fail_errno(err, errno, copy, "create the folder");
        *p = kept;
        if (kept == '\0')
            break;
    }
    if (status == REEL_OK && !reel_is_dir(path))
        status = reel_fail(err, REEL_ERR_EXISTS, "%s is there and is not a folder", path);
    reel_free(copy);
    return status;
}

static reel_status remove_at(int parent, const char *name, const char *shown, int depth, reel_error *err)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return REEL_OK;
    if ((errno != EISDIR && errno != EPERM) || depth > 32)
        return reel_fail_errno(err, errno, shown, "remove");
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (d == NULL) {
        if (fd >= 0)
            close(fd);
        return reel_fail_errno(err, errno, shown, "remove");
    }
    reel_status status = REEL_OK;
    for (struct dirent *e; status == REEL_OK && (e = readdir(d)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            status = remove_at(fd, e->d_name, shown, depth + 1, err);
    closedir(d);
    if (status == REEL_OK && unlinkat(parent, name, AT_REMOVEDIR) != 0)
        status = reel_fail_errno(err, errno, shown, "remove");
    return status;
}

reel_status reel_dir_remove(const char *path, reel_error *err)
{
    return remove_at(AT_FDCWD, path, path, 0, err);
}

reel_status reel_dir_rename(const char *from, const char *to, reel_error *err)
{
    if (io->rename(from, to, false) != 0) {
        if (errno == EEXIST || errno == ENOTEMPTY)
            return reel_fail(err, REEL_ERR_EXISTS, "%s is already there", to);
        return reel_fail_errno(err, errno, to, "rename to");
    }
    char *dir = reel_path_parent(to);
    reel_status status = dir == NULL ? reel_fail_nomem(err, to) : reel_dir_sync(dir, err);
    reel_free(dir);
    return status;
}

reel_status reel_dir_list(const char *path, reel_names *names, reel_error *err)
{
    size_t capacity = 0;
    reel_status status = REEL_OK;
    *names = (reel_names){0};
    DIR *d = opendir(path);
    if (d == NULL) {
        if (errno == ENOENT)
            return reel_fail(err, REEL_ERR_NOT_FOUND, "%s: no such folder", path);
        return reel_fail_errno(err, errno, path, "list");
    }
    for (struct dirent *e; (errno = 0, e = readdir(d)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        void *items = names->name;
        bool room = reel_grow(&items, &capacity, names->n, sizeof *names->name);
        names->name = items;
        char *copy = room ? reel_strdup(e->d_name) : NULL;
        if (copy == NULL) {
            status = reel_fail_nomem(err, path);
            break;
        }
        names->name[names->n++] = copy;
    }
    if (status == REEL_OK && errno != 0)
        status = reel_fail_errno(err, errno, path, "list");
    closedir(d);
    if (status != REEL_OK)
        reel_names_free(names);
    else if (names->n > 0)
        qsort(names->name, names->n, sizeof *names->name, reel_compare_text);
    return status;
}

void reel_names_free(reel_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        reel_free(names->name[i]);
    reel_free(names->name);
    *names = (reel_names){0};
}

/* --- questions --- */

bool reel_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool reel_is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool reel_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

bool reel_same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

reel_status reel_output_check(const char *output, const char *input, const char *folder, reel_error *err)
{
    if (reel_is_dir(output))
        return reel_fail(err, REEL_ERR_EXISTS, "--output %s is a folder; name a file", output);
    if (input != NULL && reel_same_file(output, input))
        return reel_fail(err, REEL_ERR_EXISTS, "--output %s is the input itself. Choose another name.", output);
    if (folder == NULL || *folder == '\0' || !reel_exists(output))
        return REEL_OK;
    char *dir = reel_path_parent(output);
    if (dir == NULL)
        return reel_fail_nomem(err, output);
    bool inside = reel_same_file(dir, folder);
    reel_free(dir);
    if (inside)
        return reel_fail(err, REEL_ERR_EXISTS, "--output %s is a file of %s, which is read here. Choose another name.", output,
                         folder);
    return REEL_OK;
}

char *reel_path_join(const char *dir, const char *name)
{
    size_t n = strlen(dir);
    return reel_format("%s%s%s", dir, n > 0 && dir[n - 1] == '/' ? "" : "/", name);
}

char *reel_path_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return reel_strdup(".");
    return slash == path ? reel_strdup("/") : reel_strndup(path, (size_t)(slash - path));
}

char *reel_path_trim(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    return reel_strndup(path, n);
}

bool reel_path_is_below(const char *path)
{
    for (const unsigned char *c = (const unsigned char *)path; *c != '\0'; c++)
        if (*c < 0x20 || *c == 0x7f || *c == '\\')
            return false;
    for (const char *part = path;; part++) {
        const size_t n = strcspn(part, "/");
        if (n == 0 || n > 255 || (n <= 2 && strncmp(part, "..", n) == 0))
            return false;
        part += n;
        if (*part == '\0')
            return reel_utf8_valid(path, strlen(path));
    }
}

reel_status reel_path_check_stays(const char *dir, const char *path, reel_error *err)
{
    char *parent = reel_path_parent(path);
    if (parent == NULL)
        return reel_fail_nomem(err, path);
    char *top = realpath(dir, NULL), *real = realpath(parent, NULL);
    const size_t n = top != NULL && strcmp(top, "/") != 0 ? strlen(top) : 0;
    const bool stays = top == NULL || real == NULL || (strncmp(real, top, n) == 0 && (real[n] == '/' || real[n] == '\0'));
    free(top);  /* realpath's own */
    free(real);
    reel_free(parent);
    return stays ? REEL_OK : reel_fail(err, REEL_ERR_FORMAT, "%s: a link on its way leads out of the folder %s", path, dir);
}

const char *reel_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

uint64_t reel_disk_free(const char *path)
{
    struct statvfs st;
    if (statvfs(path, &st) != 0)
        return UINT64_MAX;
    return (uint64_t)st.f_bavail * (uint64_t)st.f_frsize;
}
