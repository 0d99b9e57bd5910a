#include "nn/arena.h"

#include "base/mem.h"

enum { ALIGN = 64, MEASURED_FROM = 4096 };

void *reel_arena_take(reel_arena *a, size_t count, size_t elem)
{
    size_t bytes, end;
    if (a->failed || !reel_mul(&bytes, count, elem) || !reel_add(&bytes, bytes, ALIGN - 1) ||
        !reel_add(&end, a->at, bytes & ~(size_t)(ALIGN - 1)) || (a->base != NULL && end > a->size)) {
        a->failed = true;
        return NULL;
    }
    /* While measuring, an address that nobody reads: views of it can be cut like any other. */
    void *taken = a->base != NULL ? (void *)(a->base + a->at) : (void *)(uintptr_t)(MEASURED_FROM + a->at);
    a->at = end;
    if (a->peak < end)
        a->peak = end;
    return taken;
}

size_t reel_arena_mark(const reel_arena *a)
{
    return a->at;
}

void reel_arena_rewind(reel_arena *a, size_t mark)
{
    a->at = mark;
}

reel_view reel_arena_view(reel_arena *a, reel_dtype t, size_t rows, size_t cols)
{
    size_t count;
    if (!reel_mul(&count, rows, cols)) {
        a->failed = true;
        count = 0;
    }
    return (reel_view){.dev = reel_arena_take(a, count, reel_dtype_size(t)), .dtype = t, .rows = rows, .cols = cols, .ld = cols};
}
