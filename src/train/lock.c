#include "train/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

/* Magic numbers of statfs(2). */
static bool is_network(const char *dir)
{
    struct statfs fs;
    if (statfs(dir, &fs) != 0)
        return false;
    unsigned long type = (unsigned long)fs.f_type & 0xFFFFFFFFul;
    return type == 0x6969 || type == 0xFF534D42 || type == 0xFE534D42 || type == 0x517B || type == 0x01021997;
}

/* The file may have been removed by its last holder between our open and our lock: then the lock is worth nothing. */
static bool is_still_there(int fd, const char *path)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

reel_status reel_lock_take(reel_context *ctx, const char *dir, reel_lock *lock, reel_error *err)
{
    *lock = (reel_lock){.fd = -1};
    char *path = reel_path_join(dir, REEL_LOCK_NAME);
    if (path == NULL)
        return reel_fail_nomem(err, dir);
    reel_status status = REEL_OK;
    int fd = -1;
    for (;;) {
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd < 0) {
            status = reel_fail_errno(err, errno, path, "create");
            break;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            status = errno == EWOULDBLOCK ? reel_fail(err, REEL_ERR_EXISTS,
                                                      "%s: another run is at work in this folder. Wait for it, or "
                                                      "choose another --output_dir.",
                                                      dir)
                                          : reel_fail_errno(err, errno, path, "lock");
            break;
        }
        if (is_still_there(fd, path))
            break;
        close(fd);
    }
    if (status != REEL_OK) {
        if (fd >= 0)
            close(fd);
        reel_free(path);
        return status;
    }
    if (is_network(dir))
        reel_log(ctx, REEL_LOG_WARNING, "warning",
                 "%s is on a network file system, where locks and renames may not be atomic", dir);
    *lock = (reel_lock){.fd = fd, .path = path};
    return REEL_OK;
}

void reel_lock_drop(reel_lock *lock)
{
    if (lock->path == NULL)
        return;
    unlink(lock->path);
    close(lock->fd);
    reel_free(lock->path);
    *lock = (reel_lock){.fd = -1};
}
