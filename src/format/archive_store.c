#include "format/archive_store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

enum { PATH_LIMIT = 1024, DEPTH_LIMIT = 32 };

/* The next part of a path: its length, *p moved to its first letter. 0 at the end. */
static size_t next_part(const char **p)
{
    while (**p == '/')
        ++*p;
    return strcspn(*p, "/");
}

const char *reel_member_fault(const char *name)
{
    size_t n = strlen(name), depth = 0;
    if (n == 0)
        return "has no name";
    if (n > PATH_LIMIT)
        return "has a name of more than 1024 bytes";
    if (name[0] == '/')
        return "would land outside: its path is absolute";
    if (strchr(name, '\\') != NULL)
        return "has a backslash in its name";
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return "has a control character in its name";
    if (!reel_utf8_valid(name, n))
        return "has a name that is not UTF-8";
    for (size_t len; (len = next_part(&name)) > 0; name += len) {
        if (len == 2 && name[0] == '.' && name[1] == '.')
            return "would land outside: its path has a '..'";
        if (++depth > DEPTH_LIMIT)
            return "lies more than 32 folders deep";
    }
    return NULL;
}

/* Walks to the folder that holds the last part, making what is missing. The folder's descriptor, or -1. `last` gets the
 * last part ("" where the path is nothing but dots). */
static int walk(int root, const char *name, char last[256], const char **fault)
{
    int dir = dup(root);
    last[0] = 0;
    for (size_t len; dir >= 0 && (len = next_part(&name)) > 0; name += len) {
        if (len == 1 && name[0] == '.')
            continue;
        if (last[0] != 0) {
            int made = mkdirat(dir, last, 0700), saved = errno, next = -1;
            if (made == 0 || saved == EEXIST) {
                next = openat(dir, last, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                saved = errno;
                if (next < 0 && (saved == ENOTDIR || saved == ELOOP))
                    *fault = "is a file and a folder at once";
            }
            close(dir);
            dir = next;
            errno = saved;
        }
        if (len > 255) {
            if (dir >= 0)
                close(dir);
            *fault = "has a name of more than 255 bytes in its path";
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(last, name, len);
        last[len] = 0;
    }
    return dir;
}

int reel_member_folder(int root, const char *name, const char **fault)
{
    char last[256];
    int result = 0, saved = 0, dir = walk(root, name, last, fault);
    if (dir < 0)
        return -1;
    if (last[0] != 0 && mkdirat(dir, last, 0700) != 0) {
        struct stat st;
        saved = errno;
        result = -1;
        if (saved == EEXIST && fstatat(dir, last, &st, AT_SYMLINK_NOFOLLOW) == 0) {
            result = S_ISDIR(st.st_mode) ? 0 : -1;  /* a folder may be named again, or was made for its members */
            if (result != 0)
                *fault = "is a file and a folder at once";
        }
    }
    close(dir);
    errno = saved;
    return result;
}

int reel_member_file(int root, const char *name, const char **fault)
{
    char last[256];
    int fd, saved, dir = walk(root, name, last, fault);
    if (dir < 0)
        return -1;
    fd = openat(dir, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    saved = errno;
    if (fd < 0 && saved == EEXIST)
        *fault = "stands in the archive twice, or is a file and a folder at once";
    if (fd < 0 && last[0] == 0)
        *fault = "has no name";
    close(dir);
    errno = saved;
    return fd;
}
