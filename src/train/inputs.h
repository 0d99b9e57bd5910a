/* What a list of files and folders comes to. */
#ifndef REEL_TRAIN_INPUTS_H
#define REEL_TRAIN_INPUTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct reel_input {
    char *path;
    const char *reason;
} reel_input; /* reason (static): why it gives no video; or NULL */
typedef struct reel_inputs { reel_input *item; size_t n, capacity; bool several; } reel_inputs;

/* Files as they are, whether they exist or not; folders: all videos below them, sorted by path. */
reel_status reel_inputs_open(const char *const *given, size_t n, reel_inputs *out, reel_error *err);
void reel_inputs_free(reel_inputs *in);

#endif
