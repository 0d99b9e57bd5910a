#include "hub/local_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/text.h"
#include "hub/below.h"
#include "hub/cache.h"
#include "hub/fetch.h"

reel_status reel_local_open(const char *path, reel_local *l, reel_error *err)
{
    *l = (reel_local){.path = path, .dir = -1, .notes = -1};
    reel_status status = reel_dir_make(path, err);
    if (status != REEL_OK)
        return status;
    l->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    l->notes = l->dir < 0 ? -1 : reel_below_dir(l->dir, ".cache/huggingface", true);
    if (l->notes < 0) {
        status = reel_below_fail(err, errno, path, "create .cache/huggingface in");
        reel_local_close(l);
        return status;
    }
    if (!reel_below_is_file(l->notes, ".gitignore", NULL, NULL))
        reel_below_write(l->notes, ".gitignore", ".gitignore", "*", 1, NULL);
    reel_hub_cache_tag(l->notes);
    return REEL_OK;
}

void reel_local_close(reel_local *l)
{
    if (l->dir >= 0)
        close(l->dir);
    if (l->notes >= 0)
        close(l->notes);
    l->dir = l->notes = -1;
}

bool reel_local_has(const reel_local *l, const char *file) { return reel_below_is_file(l->dir, file, NULL, NULL); }

bool reel_local_noted(const reel_local *l, const char *file, char commit[41], char etag[65])
{
    char text[512], line[3][128];
    double when, changed;
    char *name = reel_format("download/%s.metadata", file);
    const bool read = name != NULL && reel_below_read(l->notes, name, text, sizeof text);
    reel_free(name);
    if (!read || sscanf(text, "%127[^\n]\n%127[^\n]\n%127[^\n]", line[0], line[1], line[2]) != 3)
        return false;
    if (!reel_commit_valid(line[0]) || !reel_etag_valid(line[1]) || !reel_parse_float(line[2], &when))
        return false;
    if (!reel_below_is_file(l->dir, file, NULL, &changed) || changed - 1 > when)
        return false;
    memcpy(commit, line[0], 41);
    snprintf(etag, 65, "%.64s", line[1]);
    return true;
}

reel_status reel_local_note(const reel_local *l, const char *file, const char *commit, const char *etag, reel_error *err)
{
    struct timespec t;
    char *name = reel_format("download/%s.metadata", file), text[192];
    if (name == NULL)
        return reel_fail_nomem(err, file);
    clock_gettime(CLOCK_REALTIME, &t);
    const int n = snprintf(text, sizeof text, "%s\n%s\n%lld.%06ld\n", commit, etag, (long long)t.tv_sec, t.tv_nsec / 1000);
    reel_status status = reel_below_write(l->notes, name, name, text, (size_t)n, err);
    reel_free(name);
    return status;
}

bool reel_local_is(const reel_local *l, const char *file, const char *etag)
{
    const char *last;
    char hash[65];
    uint64_t size;
    if (!reel_below_is_file(l->dir, file, &size, NULL))
        return false;
    const int dir = reel_below_parent(l->dir, file, false, &last);
    const int fd = dir < 0 ? -1 : openat(dir, last, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    const bool is = fd >= 0 && reel_fetch_hash(fd, size, etag, hash, NULL) == REEL_OK && strcmp(hash, etag) == 0;
    if (fd >= 0)
        close(fd);
    if (dir >= 0)
        close(dir);
    return is;
}

char *reel_local_lock_name(const char *file) { return reel_format("download/%s.lock", file); }

/* The name in base64 with '-' and '_' for '+' and '/'. */
char *reel_local_partial_name(const char *file, const char *etag)
{
    unsigned char sum[20];
    reel_text text = {0};
    const char *slash = strrchr(file, '/'), *last = slash != NULL ? slash + 1 : file;
    char *name = reel_format("%s.metadata", last);
    if (name == NULL)
        return NULL;
    reel_sha1_bytes(name, strlen(name), sum);
    reel_free(name);
    reel_text_base64(&text, sum, sizeof sum);
    for (char *c = text.s; c != NULL && *c != '\0'; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    char *partial = text.failed ? NULL : reel_format("download/%.*s%s.%s.reel.incomplete", slash != NULL ? (int)(slash + 1 - file) : 0, file,
                                                     text.s, etag);
    reel_text_free(&text);
    return partial;
}

reel_status reel_local_place(const reel_local *l, const char *partial, const char *file, reel_error *err)
{
    const char *from_name, *to_name;
    const int from = reel_below_parent(l->notes, partial, false, &from_name), to = reel_below_parent(l->dir, file, true, &to_name);
    const bool good = from >= 0 && to >= 0 && renameat(from, from_name, to, to_name) == 0;
    const int e = errno;
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
    return good ? REEL_OK : reel_below_fail(err, e, file, "put into its folder");
}
