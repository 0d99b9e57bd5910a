#include "hub/below.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static int step(int at, const char *name, bool make)
{
    enum { FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };
    int fd = openat(at, name, FLAGS);
    if (fd < 0 && errno == ENOENT && make) {
        if (mkdirat(at, name, 0777) != 0 && errno != EEXIST)
            return -1;
        fd = openat(at, name, FLAGS);
    }
    return fd;
}

/* The first n bytes of path. */
static int walk(int base, const char *path, size_t n, bool make)
{
    int at = fcntl(base, F_DUPFD_CLOEXEC, 3);
    for (size_t i = 0; at >= 0 && i < n;) {
        char name[NAME_MAX + 1];
        const size_t length = strcspn(path + i, "/");
        if (length > NAME_MAX || i + length > n) {
            close(at);
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(name, path + i, length);
        name[length] = '\0';
        i += length + (path[i + length] == '/');
        if (length == 0)
            continue;
        const int next = step(at, name, make), e = errno;
        close(at);
        at = next;
        errno = e;
    }
    return at;
}

int reel_below_dir(int base, const char *path, bool make) { return walk(base, path, strlen(path), make); }

int reel_below_parent(int base, const char *path, bool make, const char **last)
{
    const char *slash = strrchr(path, '/');
    *last = slash != NULL ? slash + 1 : path;
    return walk(base, path, slash != NULL ? (size_t)(slash - path) : 0, make);
}

reel_status reel_below_fail(reel_error *err, int e, const char *shown, const char *what)
{
    if (e == ELOOP || e == ENOTDIR)
        return reel_fail(err, REEL_ERR_EXISTS, "%s: a link or a file stands on the way where a folder should; remove it", shown);
    return reel_fail_errno(err, e, shown, what);
}

void reel_below_temp(char *out, size_t size, const char *name, const char *end)
{
    uint32_t unique = 0;
    if (getrandom(&unique, sizeof unique, 0) != (ssize_t)sizeof unique)
        unique = (uint32_t)getpid();
    snprintf(out, size, "%.*s.%08x.%s", (int)(NAME_MAX - 32), name, unique, end);
}

static bool write_all(int fd, const char *data, size_t n)
{
    while (n > 0) {
        const ssize_t w = write(fd, data, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return false;
        data += w;
        n -= (size_t)w;
    }
    return true;
}

reel_status reel_below_write(int base, const char *path, const char *shown, const void *data, size_t n, reel_error *err)
{
    char temp[NAME_MAX + 1];
    const char *last;
    const int dir = reel_below_parent(base, path, true, &last);
    if (dir < 0)
        return reel_below_fail(err, errno, shown, "create the folder of");
    reel_below_temp(temp, sizeof temp, last, "tmp");
    const int fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    bool good = fd >= 0 && write_all(fd, data, n) && fsync(fd) == 0;
    int e = errno;
    if (fd >= 0)
        close(fd);
    if (good && renameat(dir, temp, dir, last) != 0) {
        good = false;
        e = errno;
    }
    if (!good && fd >= 0)
        unlinkat(dir, temp, 0);
    close(dir);
    return good ? REEL_OK : reel_fail_errno(err, e, shown, "write");
}

bool reel_below_read(int base, const char *path, char *out, size_t size)
{
    const char *last;
    const int dir = reel_below_parent(base, path, false, &last);
    const int fd = dir < 0 ? -1 : openat(dir, last, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    size_t n = 0;
    ssize_t got = -1;
    while (fd >= 0 && n < size && (got = read(fd, out + n, size - n)) > 0)
        n += (size_t)got;
    if (fd >= 0)
        close(fd);
    if (dir >= 0)
        close(dir);
    if (got < 0 || n >= size || memchr(out, '\0', n) != NULL)
        n = 0;
    out[n] = '\0';
    return n > 0;
}

bool reel_below_is_file(int base, const char *path, uint64_t *size, double *seconds)
{
    struct stat st;
    const char *last;
    const int dir = reel_below_parent(base, path, false, &last);
    const bool is = dir >= 0 && fstatat(dir, last, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
    if (dir >= 0)
        close(dir);
    if (is && size != NULL)
        *size = (uint64_t)st.st_size;
    if (is && seconds != NULL)
        *seconds = (double)st.st_mtim.tv_sec + 1e-9 * (double)st.st_mtim.tv_nsec;
    return is;
}

int reel_below_copy(int from, int dir, const char *name)
{
    char buffer[65536];
    const int to = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    ssize_t n = 0;
    bool good = to >= 0;
    while (good && (n = read(from, buffer, sizeof buffer)) > 0)
        good = write_all(to, buffer, (size_t)n);
    good = good && n == 0 && fsync(to) == 0;
    const int e = good ? 0 : errno;
    if (to >= 0)
        close(to);
    return e;
}
