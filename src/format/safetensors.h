/* safetensors files: every rule checked on the header before a byte of data is touched; written as the reference writes them. */
#ifndef REEL_FORMAT_SAFETENSORS_H
#define REEL_FORMAT_SAFETENSORS_H

#include "format/tensors.h"

/* Checks a header: `n` bytes of JSON for `data_bytes` bytes of data behind it. Touches no file. */
reel_status reel_st_parse(const char *header, size_t n, uint64_t data_bytes, const char *what, reel_tensors *out,
                          reel_error *err);
/* The bytes of a whole file; the tensors point into them. `what` names them in messages. */
reel_status reel_st_read(const uint8_t *file, size_t size, const char *what, reel_tensors *out, reel_error *err);
reel_status reel_st_open(const char *path, reel_tensors *out, reel_error *err);  /* one file, mapped */

/* What is to be written: data stays the caller's. */
typedef struct reel_st_entry { const char *name; reel_dtype dtype; reel_shape shape; const void *data; } reel_st_entry;

/* Writes a file atomically: larger element sizes first, then names in byte order; header padded with blanks to 8.
 * metadata: n_meta pairs of key, value (may be NULL); "format": "pt" is added. Replaces an existing file. */
reel_status reel_st_write(const char *path, const reel_st_entry *entry, size_t n, const char *const *metadata, size_t n_meta,
                          reel_error *err);

/* The same in two steps, for data that does not fit memory: begin writes the header, then data in the file's order with
 * reel_out_write on w->out, then commit. order[i]: the entry whose data comes i-th (n numbers, the caller's). */
typedef struct reel_st_writer { reel_out out; uint64_t expected; } reel_st_writer;
reel_status reel_st_write_begin(reel_st_writer *w, const char *path, const reel_st_entry *entry, size_t n,
                                const char *const *metadata, size_t n_meta, size_t *order, reel_error *err);
reel_status reel_st_write_commit(reel_st_writer *w, reel_error *err);
void reel_st_write_abort(reel_st_writer *w);

#endif
