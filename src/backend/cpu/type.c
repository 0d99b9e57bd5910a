/* The table of a type for float32 and for bfloat16. */
#include <math.h>
#include <string.h>

#include "backend/cpu/type.h"

void reel_cpu_copy_rows(const reel_cpu_type *t, void *to, const void *from, size_t ld, size_t rows, size_t d)
{
    const size_t depth = t->depth(d);
    for (size_t r = 0; r < rows; r++) {
        char *row = (char *)to + r * depth * t->size;
        memcpy(row, (const char *)from + r * ld * t->size, d * t->size);
        memset(row + d * t->size, 0, (depth - d) * t->size);
    }
}

void reel_cpu_multiply(const reel_cpu *c, const reel_cpu_type *t, float *out, size_t ldc, const void *a, size_t lda, const void *b,
                       size_t m, size_t n, size_t k, bool sum)
{
    const size_t deep = reel_cpu_deep(t), depth = t->depth(k);
    for (size_t i = 0; i < k; i += deep)
        for (size_t j = 0; j < n; j += REEL_PANEL)
            t->block(c, out + j, ldc, reel_cpu_at_const(t, a, i), lda, reel_cpu_at_const(t, b, j * depth + i * REEL_PANEL), m,
                     reel_cpu_min(REEL_PANEL, n - j), reel_cpu_min(deep, k - i), sum || i > 0);
}

/* ---- float32 ---- */

static size_t rows_f32(const reel_cpu *c, size_t most)
{
    (void)c;
    return most / 6 * 6;
}

static size_t packed_f32(size_t k, size_t n) { return reel_panel_columns(n) * k; }
static size_t depth_f32(size_t k) { return k; }

static void pack_f32(const reel_cpu *c, void *b, const void *x, size_t ld, size_t k, size_t n) { c->k.pack(b, x, ld, k, n); }

static void pack_turned_f32(const reel_cpu *c, void *b, const void *x, size_t ld, size_t k, size_t n)
{
    c->k.pack_turned(b, x, ld, k, n);
}

static void pack_float_f32(const reel_cpu *c, void *b, const float *x, size_t ld, size_t k, size_t n) { c->k.pack(b, x, ld, k, n); }

static void pack_turned_float_f32(const reel_cpu *c, void *b, const float *x, size_t ld, size_t k, size_t n)
{
    c->k.pack_turned(b, x, ld, k, n);
}

static void turn_f32(const reel_cpu *c, void *y, size_t ldy, const void *x, size_t ldx, size_t rows, size_t cols)
{
    c->k.turn(y, ldy, x, ldx, rows, cols);
}

static void block_f32(const reel_cpu *c, float *out, size_t ldc, const void *a, size_t lda, const void *b, size_t m, size_t n, size_t k,
                      bool sum)
{
    c->k.block(out, ldc, a, lda, b, m, n, k, sum);
}

static void softmax_f32(const reel_cpu *c, float *s, size_t n, size_t room, float scale, float *lse, float *sum)
{
    float top;
    (void)room;
    c->k.softmax_row(s, n, scale, &top, sum);
    *lse = top + logf(*sum);
}

static void softmax_bwd_f32(const reel_cpu *c, float *s, float *dp, size_t n, float scale, const float *lse, const float *delta)
{
    c->k.softmax_bwd(s, dp, n, scale, lse, delta);
}

static void store_f32(const reel_cpu *c, void *y, const float *x, size_t n)
{
    (void)c;
    memmove(y, x, n * sizeof *x);
}

const reel_cpu_type reel_cpu_f32 = {
    .size = sizeof(float), .rows = rows_f32, .packed = packed_f32, .depth = depth_f32, .pack = pack_f32, .pack_float = pack_float_f32, .pack_turned_float = pack_turned_float_f32, .pack_turned = pack_turned_f32,
    .turn = turn_f32, .block = block_f32, .softmax = softmax_f32, .softmax_bwd = softmax_bwd_f32, .store = store_f32,
};

/* ---- bfloat16 ---- */

static size_t rows_bf16(const reel_cpu *c, size_t most) { return most / c->low.tile_rows * c->low.tile_rows; }
static size_t depth_bf16(size_t k) { return (k + 1) & ~(size_t)1; }

static void pack_bf16(const reel_cpu *c, void *b, const void *x, size_t ld, size_t k, size_t n) { c->low.pack_bf16(b, x, ld, k, n); }

static void pack_turned_bf16(const reel_cpu *c, void *b, const void *x, size_t ld, size_t k, size_t n)
{
    c->low.pack_turned_bf16(b, x, ld, k, n);
}

enum { PART = 256 };

static void pack_float_bf16(const reel_cpu *c, void *b, const float *x, size_t ld, size_t k, size_t n)
{
    uint16_t part[PART * REEL_PANEL];
    for (size_t i = 0; i < k; i += PART) {
        const size_t rows = reel_cpu_min(PART, k - i);
        for (size_t r = 0; r < rows; r++)
            c->low.to_bf16(part + r * REEL_PANEL, x + (i + r) * ld, n);
        c->low.pack_bf16((uint16_t *)b + i * REEL_PANEL, part, REEL_PANEL, rows, n);
    }
}

static void pack_turned_float_bf16(const reel_cpu *c, void *b, const float *x, size_t ld, size_t k, size_t n)
{
    uint16_t part[REEL_PANEL * PART];
    for (size_t i = 0; i < k; i += PART) {
        const size_t cols = reel_cpu_min(PART, k - i);
        for (size_t r = 0; r < n; r++)
            c->low.to_bf16(part + r * PART, x + r * ld + i, cols);
        c->low.pack_turned_bf16((uint16_t *)b + i * REEL_PANEL, part, PART, cols, n);
    }
}

static void turn_bf16(const reel_cpu *c, void *y, size_t ldy, const void *x, size_t ldx, size_t rows, size_t cols)
{
    c->low.turn_bf16(y, ldy, x, ldx, rows, cols);
}

static void block_bf16(const reel_cpu *c, float *out, size_t ldc, const void *a, size_t lda, const void *b, size_t m, size_t n,
                       size_t k, bool sum)
{
    c->low.bf16_block(out, ldc, a, lda, b, m, n, k, sum);
}

static void softmax_bf16(const reel_cpu *c, float *s, size_t n, size_t room, float scale, float *lse, float *sum)
{
    float top;
    c->low.softmax_bf16((uint16_t *)(void *)s, s, n, room, scale, &top, sum);
    *lse = scale * top + logf(*sum);
}

static void softmax_bwd_bf16(const reel_cpu *c, float *s, float *dp, size_t n, float scale, const float *lse, const float *delta)
{
    uint16_t *p = (uint16_t *)(void *)s, *ds = (uint16_t *)(void *)dp;
    c->low.softmax_bwd_bf16(p, ds, s, dp, n, scale, lse, delta);
    if (n % 2 != 0)
        p[n] = ds[n] = 0;  /* read as a pair */
}

static void store_bf16(const reel_cpu *c, void *y, const float *x, size_t n) { c->low.to_bf16(y, x, n); }

const reel_cpu_type reel_cpu_bf16 = {
    .size = sizeof(uint16_t), .rows = rows_bf16, .packed = reel_panels_size, .depth = depth_bf16, .pack = pack_bf16, .pack_float = pack_float_bf16,
    .pack_turned_float = pack_turned_float_bf16, .pack_turned = pack_turned_bf16,
    .turn = turn_bf16, .block = block_bf16, .softmax = softmax_bf16, .softmax_bwd = softmax_bwd_bf16, .store = store_bf16,
};
