/* The pickle of a state dict as torch.save writes it, read by a small stack machine that executes nothing: it knows the thirty
 * opcodes and the few globals that such a pickle needs, as data, and refuses every other by name. Bytes in, no file touched. */
#ifndef REEL_FORMAT_PICKLE_H
#define REEL_FORMAT_PICKLE_H

#include "base/dtype.h"
#include "base/error.h"

/* A tensor is a view of a storage. Names and keys lie in the pickle, not ended by a NUL. */
typedef struct reel_pickle_tensor {
    const char *name, *key;     /* key: of the storage, the last part of its record's name */
    size_t name_n, key_n;
    reel_dtype dtype;
    reel_dtype stored;          /* the storage's own type: U8 where it has none */
    uint64_t numel;             /* elements of the storage, in its type */
    uint64_t offset;            /* of element (0, 0, …) in it */
    int64_t stride[REEL_MAX_RANK];
    reel_shape shape;
} reel_pickle_tensor;

typedef struct reel_pickle { reel_pickle_tensor *tensor; size_t n; } reel_pickle;

/* The tensors of the state dict, in its order, names valid UTF-8, strides and sizes from 0; whether the storages hold them is
 * for the caller to see. A dict that has none itself may have it under "state_dict", "model", "module" or "model_state_dict". */
reel_status reel_pickle_read(const uint8_t *pickle, size_t n, const char *what, reel_pickle *out, reel_error *err);
void reel_pickle_free(reel_pickle *p);

#endif
