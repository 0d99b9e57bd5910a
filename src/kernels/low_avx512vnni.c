/* int8_block with VPDPBUSD, which sums four products of 8 bits in 32 without saturation. */
#include <immintrin.h>
#include <string.h>

#include "kernels/low_rows.h"

static inline __attribute__((always_inline)) void tile(int32_t *c, size_t ldc, const uint8_t *a, size_t lda, const int8_t *b,
                                                       const int32_t *start, size_t quads, const int R, const int V)
{
    __m512i acc[6][4];
#pragma GCC unroll 6
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            acc[r][v] = start != NULL ? _mm512_loadu_si512(start + 16 * v) : _mm512_setzero_si512();
    for (size_t i = 0; i < quads; i++, b += 4 * REEL_PANEL) {
        __m512i row[4];
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            row[v] = _mm512_loadu_si512(b + 64 * v);
#pragma GCC unroll 6
        for (int r = 0; r < R; r++) {
            int word;
            memcpy(&word, a + (size_t)r * lda + 4 * i, sizeof word);
            const __m512i w = _mm512_set1_epi32(word);
#pragma GCC unroll 4
            for (int v = 0; v < V; v++)
                acc[r][v] = _mm512_dpbusd_epi32(acc[r][v], w, row[v]);
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            _mm512_storeu_si512(c + (size_t)r * ldc + 16 * v, acc[r][v]);
}

#define ROWS(R) \
    static void rows_##R(int32_t *c, size_t ldc, const uint8_t *a, size_t lda, const int8_t *b, const int32_t *start, \
                         size_t quads, int v) \
    { \
        switch (v) { \
        case 4: tile(c, ldc, a, lda, b, start, quads, R, 4); break; \
        case 3: tile(c, ldc, a, lda, b, start, quads, R, 3); break; \
        case 2: tile(c, ldc, a, lda, b, start, quads, R, 2); break; \
        default: tile(c, ldc, a, lda, b, start, quads, R, 1); break; \
        } \
    }
ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6)
#undef ROWS

void reel_int8_block_avx512vnni(int32_t *c, size_t ldc, const uint8_t *a, size_t lda, const int8_t *b, const int32_t *start, size_t m,
                                size_t n, size_t k)
{
    static void (*const last[])(int32_t *, size_t, const uint8_t *, size_t, const int8_t *, const int32_t *,
                                 size_t, int) = {
        NULL, rows_1, rows_2, rows_3, rows_4, rows_5, rows_6};
    const size_t quads = (k + 3) / 4;
    for (size_t j = 0; j < n; j += REEL_PANEL, b += quads * 4 * REEL_PANEL) {
        const int v = n - j >= REEL_PANEL ? 4 : (int)((n - j + 15) / 16);
        size_t r = 0;
        for (; r + 6 <= m; r += 6)
            rows_6(c + r * ldc + j, ldc, a + r * lda, lda, b, start != NULL ? start + j : NULL, quads, v);
        if (r < m)
            last[m - r](c + r * ldc + j, ldc, a + r * lda, lda, b, start != NULL ? start + j : NULL, quads, v);
    }
}
