/* SHA-256. */
#ifndef REEL_BASE_HASH_H
#define REEL_BASE_HASH_H
#include <stddef.h>
#include "base/error.h"
typedef struct reel_sha256 { void *state; } reel_sha256;
reel_status reel_sha256_begin(reel_sha256 *h, reel_error *err);
void reel_sha256_add(reel_sha256 *h, const void *data, size_t n);
void reel_sha256_end(reel_sha256 *h, char hex[65]);   /* frees the state */
reel_status reel_sha256_file(const char *path, char hex[65], reel_error *err);
#endif
