/* Files below a folder that is open, named by paths that came from a server: no link is followed on the way, so that none that was planted
 * leads outside. What is written is there whole or not at all. */
#ifndef REEL_HUB_BELOW_H
#define REEL_HUB_BELOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* A folder, made with those above it if `make`; "" is the base itself. The descriptor, or -1 with errno. */
int reel_below_dir(int base, const char *path, bool make);
/* The folder that holds `path`; *last is the name in it. */
int reel_below_parent(int base, const char *path, bool make, const char **last);

/* Replaces a small file, its folders made. `shown` names it in the message. */
reel_status reel_below_write(int base, const char *path, const char *shown, const void *data, size_t n, reel_error *err);
/* A small text, cut to size; false where it is none: not there, a link, longer. */
bool reel_below_read(int base, const char *path, char *out, size_t size);
/* A regular file; links are no files here. *size and *seconds (mtime) may be NULL. */
bool reel_below_is_file(int base, const char *path, uint64_t *size, double *seconds);

/* A name that nobody else has: "NAME.XXXXXXXX.END", out of room: cut. */
void reel_below_temp(char *out, size_t size, const char *name, const char *end);

/* A new file in dir with what is left to read from `from`, synced. 0, or errno. */
int reel_below_copy(int from, int dir, const char *name);

/* What errno says of such a path: a link or a file where a folder should be is named so. */
reel_status reel_below_fail(reel_error *err, int e, const char *shown, const char *what);

#endif
