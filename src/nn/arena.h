/* Device memory for activations, planned by walking twice: without memory behind it the arena measures, and a pass that is
 * walked while the back end is planning finds its need. Layers cannot drift from the plan, since both walks are one code. */
#ifndef REEL_NN_ARENA_H
#define REEL_NN_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "backend/backend.h"

typedef struct reel_arena {
    char *base;          /* NULL: measuring */
    size_t size, at, peak;
    bool failed;         /* a size did not fit size_t, or the arena was too small */
} reel_arena;

void *reel_arena_take(reel_arena *a, size_t count, size_t elem);   /* device address, 64-byte aligned */
size_t reel_arena_mark(const reel_arena *a);
void reel_arena_rewind(reel_arena *a, size_t mark);
reel_view reel_arena_view(reel_arena *a, reel_dtype t, size_t rows, size_t cols);

#endif
