/* SHA-256, and git's name of a file. */
#ifndef REEL_BASE_HASH_H
#define REEL_BASE_HASH_H
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
typedef struct reel_sha256 { void *state; } reel_sha256;
reel_status reel_sha256_begin(reel_sha256 *h, reel_error *err);
void reel_sha256_add(reel_sha256 *h, const void *data, size_t n);
void reel_sha256_end(reel_sha256 *h, char hex[65]);   /* frees the state */
/* Instead of reel_sha256_begin: SHA-1 over "blob SIZE", a NUL and the content, as git names a file of `size` bytes; 40 digits. */
reel_status reel_git_id_begin(reel_sha256 *h, uint64_t size, reel_error *err);
void reel_sha1_bytes(const void *data, size_t n, unsigned char out[20]);
void reel_sha256_drop(reel_sha256 *h);  /* gives it up; one that was not begun, or has ended, is fine */
reel_status reel_sha256_file(const char *path, char hex[65], reel_error *err);
#endif
