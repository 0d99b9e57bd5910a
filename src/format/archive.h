/* tar, tar.gz, tar.xz, tar.zst and zip, unpacked safely: regular files and folders only, names that stay inside, counted. */
#ifndef REEL_FORMAT_ARCHIVE_H
#define REEL_FORMAT_ARCHIVE_H
#include <stdint.h>
#include "base/context.h"
#include "base/error.h"
/* Does the name look like an archive that reel opens (.tar, .tar.gz, .tgz, .tar.xz, .tar.zst, .zip)? */
bool reel_archive_name(const char *path);
/* Unpacks into the cache (ctx->cache_dir/extracted/KEY, KEY of path, size and time), once; *dir gets the folder (free it).
 * Refused by name: links, devices, pipes, absolute names, "..", a name twice, too large, too much expansion. */
reel_status reel_archive_extract(reel_context *ctx, const char *path, char **dir, reel_error *err);
#endif
