/* bf16_block and int8_block with AMX tiles (TDPBF16PS, TDPBUSD): 32 x 32 of C in four tiles, 64 bytes of k a step. A is read where
 * it lies, B's panels are the instructions' own layout, in which both types look alike: words of 4 bytes. Odd ends go through
 * small buffers. */
#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

#include "kernels/low_rows.h"

/* Palette 1: eight tiles of 16 rows of 64 bytes (Intel SDM, 18.3). */
typedef struct tile_config { uint8_t palette, start, reserved[14]; uint16_t bytes[16]; uint8_t rows[16]; } tile_config;

enum { SIDE = 16, STEP = 16 };  /* rows of a tile; words of k a step */
#define BARRIER() __asm__ volatile("" ::: "memory")  /* gcc 12: a tile load does not order with stores before it */

typedef struct edge { uint32_t a[2 * SIDE * STEP], b[STEP * 2 * SIDE], c[4 * SIDE * SIDE]; } edge;

/* Four tiles of C at (r, j): whole ones in place, cut ones through `e`. cols: 16 or 32, rows: 1 to 32. lda in bytes, ldc in words. */
static inline __attribute__((always_inline)) void block(uint32_t *c, size_t ldc, const unsigned char *a, size_t lda,
                                                        const uint32_t *b, size_t rows, size_t cols, size_t words, bool sum,
                                                        const uint32_t *start, const bool bytes, edge *e)
{
    const bool whole = rows == 2 * SIDE && cols == 2 * SIDE;
    uint32_t *out = whole ? c : e->c;
    const size_t ldo = whole ? ldc : 2 * SIDE;
    for (size_t r = 0; r < rows && !whole && sum; r++)
        memcpy(e->c + r * 2 * SIDE, c + r * ldc, cols * sizeof *c);
    for (size_t r = 0; r < 2 * SIDE && start != NULL; r++)  /* the same row 32 times, whatever the number of rows */
        memcpy(e->c + r * 2 * SIDE, start, cols * sizeof *start);
    BARRIER();
    if (start != NULL) {
        _tile_loadd(0, e->c, 8 * SIDE);
        _tile_loadd(1, e->c + SIDE, 8 * SIDE);
        _tile_loadd(2, e->c + 2 * SIDE * SIDE, 8 * SIDE);
        _tile_loadd(3, e->c + 2 * SIDE * SIDE + SIDE, 8 * SIDE);
    } else if (sum) {
        _tile_loadd(0, out, ldo * 4);
        _tile_loadd(1, out + SIDE, ldo * 4);
        _tile_loadd(2, out + SIDE * ldo, ldo * 4);
        _tile_loadd(3, out + SIDE * ldo + SIDE, ldo * 4);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (size_t i = 0; i < words; i += STEP, b += STEP * REEL_PANEL) {
        const unsigned char *x = a + 4 * i;
        const uint32_t *y = b;
        size_t ldx = lda, ldy = 4 * REEL_PANEL;
        const size_t left = words - i < STEP ? words - i : STEP;
        if (rows < 2 * SIDE || left < STEP) {
            memset(e->a, 0, sizeof e->a);
            for (size_t r = 0; r < rows; r++)
                memcpy(e->a + r * STEP, a + r * lda + 4 * i, 4 * left);
            x = (const unsigned char *)e->a;
            ldx = 4 * STEP;
        }
        if (left < STEP) {
            memset(e->b, 0, sizeof e->b);
            for (size_t q = 0; q < left; q++)
                memcpy(e->b + q * 2 * SIDE, b + q * REEL_PANEL, 2 * SIDE * sizeof *b);
            y = e->b;
            ldy = 8 * SIDE;
        }
        BARRIER();
        _tile_loadd(4, x, ldx);
        _tile_loadd(6, y, ldy);
        _tile_loadd(7, y + SIDE, ldy);
        _tile_loadd(5, x + SIDE * ldx, ldx);
        if (bytes) {
            _tile_dpbusd(0, 4, 6);
            _tile_dpbusd(1, 4, 7);
            _tile_dpbusd(2, 5, 6);
            _tile_dpbusd(3, 5, 7);
        } else {
            _tile_dpbf16ps(0, 4, 6);
            _tile_dpbf16ps(1, 4, 7);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_stored(0, out, ldo * 4);
    _tile_stored(1, out + SIDE, ldo * 4);
    _tile_stored(2, out + SIDE * ldo, ldo * 4);
    _tile_stored(3, out + SIDE * ldo + SIDE, ldo * 4);
    BARRIER();
    for (size_t r = 0; r < rows && !whole; r++)
        memcpy(c + r * ldc, e->c + r * 2 * SIDE, cols * sizeof *c);
}

static inline __attribute__((always_inline)) void all_blocks(uint32_t *c, size_t ldc, const unsigned char *a, size_t lda,
                                                             const uint32_t *b, size_t m, size_t n, size_t words, bool sum,
                                                             const uint32_t *start, const bool bytes)
{
    static const tile_config config = {
        .palette = 1, .bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};
    const size_t written = (n + 15) & ~(size_t)15;
    edge e;
    _tile_loadconfig(&config);
    for (size_t j = 0; j < written; j += 2 * SIDE) {
        const uint32_t *panel = b + j / REEL_PANEL * words * REEL_PANEL + j % REEL_PANEL;
        const size_t cols = written - j < 2 * SIDE ? written - j : 2 * SIDE;
        for (size_t r = 0; r < m; r += 2 * SIDE)
            block(c + r * ldc + j, ldc, a + r * lda, lda, panel, m - r < 2 * SIDE ? m - r : 2 * SIDE, cols, words, sum,
                  start != NULL ? start + j : NULL, bytes, &e);
    }
    _tile_release();
}

void reel_bf16_block_amx(float *c, size_t ldc, const uint16_t *a, size_t lda, const uint16_t *b, size_t m, size_t n, size_t k,
                         bool sum)
{
    all_blocks((uint32_t *)(void *)c, ldc, (const unsigned char *)a, 2 * lda, (const uint32_t *)(const void *)b, m, n, (k + 1) / 2,
               sum, NULL, false);
}

void reel_int8_block_amx(int32_t *c, size_t ldc, const uint8_t *a, size_t lda, const int8_t *b, const int32_t *start, size_t m,
                         size_t n, size_t k)
{
    all_blocks((uint32_t *)(void *)c, ldc, a, lda, (const uint32_t *)(const void *)b, m, n, (k + 3) / 4, false,
               (const uint32_t *)(const void *)start, true);
}
