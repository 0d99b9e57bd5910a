#include "hub/flock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hub/below.h"
#include "hub/http.h"

/* Does the path still name what is locked? Others may have removed it between open and lock. */
static bool is_same(int dir, const char *name, int fd)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && a.st_nlink > 0 && fstatat(dir, name, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_ino == b.st_ino &&
           a.st_dev == b.st_dev;
}

/* 1: locked; 0: another has it; -1: not possible here. */
static int attempt(int dir, const char *name, int *fd)
{
    *fd = openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0664);
    if (*fd < 0)
        return -1;
    const int e = flock(*fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    if (e == 0 && is_same(dir, name, *fd))
        return 1;
    close(*fd);
    *fd = -1;
    return e == ENOLCK || e == ENOSYS || e == EOPNOTSUPP || e == EINVAL ? -1 : 0;
}

reel_status reel_hub_lock(reel_context *ctx, int base, const char *path, const char *shown, int *fd, reel_error *err)
{
    enum { PATIENCE = 100 };  /* rounds of a tenth of a second */
    const char *last;
    const int dir = reel_below_parent(base, path, true, &last);
    reel_status status = REEL_OK;
    int got = dir < 0 ? -1 : 0;
    *fd = -1;
    for (int round = 0; got == 0 && status == REEL_OK; round++) {
        got = attempt(dir, last, fd);
        if (got == 0 && round == PATIENCE)
            reel_log(ctx, REEL_LOG_NOTE, "hub", "waiting for another process that fetches %s", shown);
        if (got == 0 && !reel_http_wait(ctx, 0.1))
            status = reel_fail_cancelled(err);
    }
    if (dir >= 0)
        close(dir);
    return status;
}

void reel_hub_unlock(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}
