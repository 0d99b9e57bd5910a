/* A table of named tensors, whatever file they came from: what the readers of weights fill and models look names up in. */
#ifndef REEL_FORMAT_TENSORS_H
#define REEL_FORMAT_TENSORS_H

#include "base/dtype.h"
#include "base/file.h"
#include "base/json.h"

typedef struct reel_tensor {
    char *name;
    reel_dtype dtype;
    reel_shape shape;
    const uint8_t *data;   /* row-major, in the mapping or in a copy; may be unaligned; NULL where only a header was parsed */
    uint64_t offset;       /* of a safetensors file: where its bytes begin in the data */
    uint64_t bytes;
} reel_tensor;

/* One file or several shards, tensors sorted by name in byte order. */
typedef struct reel_tensors {
    reel_tensor *tensor;
    size_t n;
    char *path;            /* the file, or the index of the shards, for messages; NULL where bytes were parsed */
    reel_json *metadata;   /* of a (the first) safetensors file; NULL where there is none */
    reel_map *map;
    size_t maps;
    void **copy;           /* tensors that do not lie in the file as rows are used: put in order in memory */
    size_t copies;
    char **absent;         /* names that the index of shards has and no shard: an error only where a model needs one (reel_match) */
    size_t absents;
    uint64_t file_bytes;
} reel_tensors;

void reel_tensors_close(reel_tensors *t);
const reel_tensor *reel_tensors_find(const reel_tensors *t, const char *name);      /* NULL: not there */
const char *reel_tensors_metadata(const reel_tensors *t, const char *key);          /* NULL: not there */

/* --- for readers --- */

/* Sorts by name; a name twice is refused. `what` names the file. */
reel_status reel_tensors_sort(reel_tensors *t, const char *what, reel_error *err);
/* A name that could be printed: no control byte. */
reel_status reel_tensor_name_check(const char *name, const char *what, reel_error *err);
/* Fills a table from the bytes of a whole file, into which it may point. */
typedef reel_status reel_tensors_reader(const uint8_t *file, size_t size, const char *what, reel_tensors *out, reel_error *err);
/* A file, mapped and read; the table owns the mapping. */
reel_status reel_tensors_open(const char *path, reel_tensors_reader *read, reel_tensors *out, reel_error *err);
/* Moves all that `part` owns to the end of `all`, unsorted. `all` began empty and grew by this alone. */
reel_status reel_tensors_append(reel_tensors *all, reel_tensors *part, const char *what, reel_error *err);

#endif
