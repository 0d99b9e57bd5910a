/* Files: read whole or mapped, regular files only; written beside their name, synced and renamed, so that a reader sees the
 * old file or the new one and never half. */
#ifndef REEL_BASE_FILE_H
#define REEL_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* The system calls that writing uses; tests put one in that fails at call k. NULL restores the real ones. */
typedef struct reel_io {
    ssize_t (*write)(int fd, const void *data, size_t n);
    int (*fsync)(int fd);
    int (*close)(int fd);
    int (*open)(const char *path, int flags, mode_t mode);
    int (*rename)(const char *from, const char *to, bool replace);
} reel_io;
void reel_io_set(const reel_io *io);
extern const reel_io reel_io_real;

/* Opens a regular file for reading (O_NONBLOCK, so that a pipe does not hang). *size gets its length. */
reel_status reel_file_open(const char *path, int *fd, uint64_t *size, reel_error *err);

/* The whole of a file of at most `limit` bytes, with a NUL behind it that is not counted. */
reel_status reel_file_read(const char *path, size_t limit, char **data, size_t *n, reel_error *err);
/* The same of what is open already, from where it stands: `size` bytes; path is for messages. */
reel_status reel_file_read_open(int fd, uint64_t size, const char *path, size_t limit, char **data, size_t *n, reel_error *err);

/* A file mapped for reading. Empty files give data NULL, n 0. */
typedef struct reel_map { const uint8_t *data; size_t n; } reel_map;
reel_status reel_file_map(const char *path, reel_map *map, reel_error *err);
void reel_file_unmap(reel_map *map);

/* A Git LFS pointer stands where a large file should: REEL_ERR_FORMAT, with advice. */
reel_status reel_file_check_pointer(const void *bytes, size_t n, const char *what, reel_error *err);

/* One file being written: begin, write…, then commit (fsync, rename, fsync of the folder) or abort. Any failure removes the
 * temporary file; after a failure only abort (or nothing) may follow. */
typedef struct reel_out { char *path, *temp; int fd; uint64_t written; } reel_out;
reel_status reel_out_begin(reel_out *out, const char *path, reel_error *err);
reel_status reel_out_write(reel_out *out, const void *data, size_t n, reel_error *err);
reel_status reel_out_commit(reel_out *out, bool replace, reel_error *err);
void reel_out_abort(reel_out *out);

/* All at once. */
reel_status reel_file_write(const char *path, const void *data, size_t n, reel_error *err);
/* With permissions of its own, whatever the umask is: no name ever has the bytes with wider ones. */
reel_status reel_file_write_mode(const char *path, const void *data, size_t n, mode_t mode, reel_error *err);
/* The same for a text (taken; NULL: no memory) as file `name` of a folder. */
reel_status reel_file_write_text(const char *dir, const char *name, char *text_taken, reel_error *err);

reel_status reel_dir_make(const char *path, reel_error *err);      /* with parents; existing is fine */
reel_status reel_dir_remove(const char *path, reel_error *err);    /* a tree of our own making; links are not followed */
reel_status reel_dir_sync(const char *path, reel_error *err);
reel_status reel_dir_rename(const char *from, const char *to, reel_error *err);  /* never replaces; syncs the parent */

/* Names in a folder, sorted by bytes, without . and ..; free with reel_names_free. */
typedef struct reel_names { char **name; size_t n; } reel_names;
reel_status reel_dir_list(const char *path, reel_names *names, reel_error *err);
void reel_names_free(reel_names *names);

bool reel_is_dir(const char *path);
bool reel_is_file(const char *path);   /* a regular file, links followed */
bool reel_exists(const char *path);
bool reel_same_file(const char *a, const char *b);  /* both there, and one file (links followed) */
/* May `output` be written (replacing what is called so)? Not where it is a folder, one of the job's inputs, or in the folder
 * that the job reads from and there already. input, folder: "" or NULL for none. */
reel_status reel_output_check(const char *output, const char *input, const char *folder, reel_error *err);
char *reel_path_join(const char *dir, const char *name);  /* NULL: no memory */
char *reel_path_parent(const char *path);                  /* "." where there is no '/'; NULL: no memory */
char *reel_path_trim(const char *path);                    /* without the '/' at its end; NULL: no memory */
/* A path from a stranger that stays below the folder that it is joined to: UTF-8 without control bytes and backslashes, parts of 1
 * to 255 bytes, none of them . or .. (links are another matter). */
bool reel_path_is_below(const char *path);
/* REEL_ERR_FORMAT where the folder of `path`, links followed, is neither `dir` nor below it. */
reel_status reel_path_check_stays(const char *dir, const char *path, reel_error *err);
const char *reel_path_base(const char *path);             /* behind the last '/'; trailing '/' must be gone */
uint64_t reel_disk_free(const char *path);                /* bytes; UINT64_MAX where unknown */

#endif
