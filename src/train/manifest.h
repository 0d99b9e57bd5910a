/* reel_checkpoint.json: written last into a checkpoint, it names every file with size and SHA-256. No manifest, no
 * checkpoint. */
#ifndef REEL_TRAIN_MANIFEST_H
#define REEL_TRAIN_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define REEL_MANIFEST_NAME "reel_checkpoint.json"

/* Over all files that are in the folder now. */
reel_status reel_manifest_write(const char *dir, int64_t step, reel_error *err);

/* Is the folder whole: manifest parses, names exactly the files, sizes agree, and, if `hashes`, contents too? */
reel_status reel_manifest_check(const char *dir, bool hashes, int64_t *step, reel_error *err);

#endif
