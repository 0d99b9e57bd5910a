/* Products of the low table in AVX2, which has neither VPDPBUSD nor VDPBF16PS.
 *
 * int8: VPMADDUBSW would saturate (two products of 255 x 127 do not fit 16 bits), so both operands are widened to 16 bits and VPMADDWD sums
 * pairs in 32, exactly. Widening is done once a panel and part of k; of a word's four numbers the even and the odd ones become two words, so that
 * no number moves to another lane. Two of these and their sums take as long as one FMA of float32 and do twice as much. */
#include <string.h>

#include "kernels/low_rows.h"
#include "kernels/simd_avx2.h"

enum { ROWS = 4, STRIP = 2 * LANES, STRIPS = REEL_PANEL / STRIP };

/* ---- int8 ---- */

/* Words of k at a time: a widened panel of them (32 KiB) and a tile's rows stay in the first cache, or near it. */
enum { PART = 64 };

typedef struct wide {
    vi right[STRIPS][PART][4];            /* a strip's word: even of both vectors, then odd */
    int32_t left[ROWS][2 * PART + LANES]; /* even and odd of a word side by side; written by vectors */
} wide;

static void widen_panel(wide *w, const int8_t *b, size_t words)
{
    for (size_t i = 0; i < words; i++, b += 4 * REEL_PANEL)
        for (size_t s = 0; s < STRIPS; s++)
            for (size_t v = 0; v < 2; v++) {
                const vi x = _mm256_loadu_si256((const vi *)(const void *)(b + (2 * s + v) * sizeof(vi)));
                w->right[s][i][v] = _mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8);
                w->right[s][i][2 + v] = _mm256_srai_epi16(x, 8);
            }
}

static void widen_row(int32_t *to, const uint8_t *a, size_t words)
{
    const vi low = _mm256_set1_epi16(0xFF);
    for (size_t i = 0; i < words; i += LANES) {
        vi x = _mm256_setzero_si256();
        if (words - i >= LANES)
            x = _mm256_loadu_si256((const vi *)(const void *)(a + 4 * i));
        else
            memcpy(&x, a + 4 * i, 4 * (words - i));
        const vi even = _mm256_and_si256(x, low), odd = _mm256_srli_epi16(x, 8);
        const vi first = _mm256_unpacklo_epi32(even, odd), last = _mm256_unpackhi_epi32(even, odd);  /* words 0 1 4 5, 2 3 6 7 */
        _mm256_storeu_si256((vi *)(void *)(to + 2 * i), _mm256_permute2x128_si256(first, last, 0x20));
        _mm256_storeu_si256((vi *)(void *)(to + 2 * i + LANES), _mm256_permute2x128_si256(first, last, 0x31));
    }
}

static inline __attribute__((always_inline)) void int8_tile(int32_t *c, size_t ldc, const wide *w, size_t strip, const int32_t *start, bool sum,
                                                            size_t words, const int R)
{
    vi acc[ROWS][2];
#pragma GCC unroll 4
    for (int r = 0; r < R; r++)
#pragma GCC unroll 2
        for (int v = 0; v < 2; v++) {
            const int32_t *from = sum ? c + (size_t)r * ldc + LANES * v : start != NULL ? start + LANES * v : NULL;
            acc[r][v] = from != NULL ? _mm256_loadu_si256((const vi *)(const void *)from) : _mm256_setzero_si256();
        }
    for (size_t i = 0; i < words; i++) {
        const vi *right = w->right[strip][i];
        const vi b0 = right[0], b1 = right[1], b2 = right[2], b3 = right[3];
#pragma GCC unroll 4
        for (int r = 0; r < R; r++) {
            const vi even = _mm256_set1_epi32(w->left[r][2 * i]), odd = _mm256_set1_epi32(w->left[r][2 * i + 1]);
            acc[r][0] = vi_add(acc[r][0], _mm256_madd_epi16(even, b0));
            acc[r][1] = vi_add(acc[r][1], _mm256_madd_epi16(even, b1));
            acc[r][0] = vi_add(acc[r][0], _mm256_madd_epi16(odd, b2));
            acc[r][1] = vi_add(acc[r][1], _mm256_madd_epi16(odd, b3));
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; r++)
#pragma GCC unroll 2
        for (int v = 0; v < 2; v++)
            _mm256_storeu_si256((vi *)(void *)(c + (size_t)r * ldc + LANES * v), acc[r][v]);
}

static void int8_rows(int32_t *c, size_t ldc, const wide *w, size_t strip, const int32_t *start, bool sum, size_t words, size_t rows)
{
    switch (rows) {
    case 4: int8_tile(c, ldc, w, strip, start, sum, words, 4); break;
    case 3: int8_tile(c, ldc, w, strip, start, sum, words, 3); break;
    case 2: int8_tile(c, ldc, w, strip, start, sum, words, 2); break;
    default: int8_tile(c, ldc, w, strip, start, sum, words, 1); break;
    }
}

void reel_int8_block_avx2(int32_t *c, size_t ldc, const uint8_t *a, size_t lda, const int8_t *b, const int32_t *start, size_t m, size_t n,
                          size_t k)
{
    wide w;
    const size_t all = (k + 3) / 4;
    for (size_t j = 0; j < n; j += REEL_PANEL, b += all * 4 * REEL_PANEL)
        for (size_t i = 0; i < all; i += PART) {
            const size_t words = all - i < PART ? all - i : PART;
            widen_panel(&w, b + i * 4 * REEL_PANEL, words);
            for (size_t r = 0; r < m; r += ROWS) {
                const size_t rows = m - r < ROWS ? m - r : ROWS;
                for (size_t q = 0; q < rows; q++)
                    widen_row(w.left[q], a + (r + q) * lda + 4 * i, words);
                for (size_t s = 0; s < STRIPS && j + s * STRIP < n; s++)
                    int8_rows(c + r * ldc + j + s * STRIP, ldc, &w, s, start != NULL ? start + j + s * STRIP : NULL, i > 0, words, rows);
            }
        }
}

/* ---- bfloat16: widened to float32 on the way; only for what is short, such as the patches of an int8 run ---- */

static inline vf upper(vi x) { return _mm256_castsi256_ps(_mm256_and_si256(x, vi_set((int32_t)0xFFFF0000u))); }
static inline vf lower(vi x) { return _mm256_castsi256_ps(_mm256_slli_epi32(x, 16)); }

static inline __attribute__((always_inline)) void bf16_tile(float *c, size_t ldc, const uint16_t *a, size_t lda, const uint16_t *b,
                                                            size_t pairs, bool sum, const int R)
{
    vf acc[ROWS][2];
#pragma GCC unroll 4
    for (int r = 0; r < R; r++)
#pragma GCC unroll 2
        for (int v = 0; v < 2; v++)
            acc[r][v] = sum ? vf_load(c + (size_t)r * ldc + LANES * v) : vf_set(0.0f);
    for (size_t i = 0; i < pairs; i++, b += 2 * REEL_PANEL) {
        const vi x = _mm256_loadu_si256((const vi *)(const void *)b), y = _mm256_loadu_si256((const vi *)(const void *)(b + 2 * LANES));
        const vf x0 = lower(x), x1 = upper(x), y0 = lower(y), y1 = upper(y);
#pragma GCC unroll 4
        for (int r = 0; r < R; r++) {
            int32_t word;
            memcpy(&word, a + (size_t)r * lda + 2 * i, sizeof word);
            const vi both = vi_set(word);
            acc[r][0] = vf_fma(lower(both), x0, acc[r][0]);
            acc[r][1] = vf_fma(lower(both), y0, acc[r][1]);
            acc[r][0] = vf_fma(upper(both), x1, acc[r][0]);
            acc[r][1] = vf_fma(upper(both), y1, acc[r][1]);
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; r++)
#pragma GCC unroll 2
        for (int v = 0; v < 2; v++)
            vf_store(c + (size_t)r * ldc + LANES * v, acc[r][v]);
}

static void bf16_rows(float *c, size_t ldc, const uint16_t *a, size_t lda, const uint16_t *b, size_t pairs, bool sum, size_t rows)
{
    switch (rows) {
    case 4: bf16_tile(c, ldc, a, lda, b, pairs, sum, 4); break;
    case 3: bf16_tile(c, ldc, a, lda, b, pairs, sum, 3); break;
    case 2: bf16_tile(c, ldc, a, lda, b, pairs, sum, 2); break;
    default: bf16_tile(c, ldc, a, lda, b, pairs, sum, 1); break;
    }
}

void reel_bf16_block_avx2(float *c, size_t ldc, const uint16_t *a, size_t lda, const uint16_t *b, size_t m, size_t n, size_t k, bool sum)
{
    const size_t pairs = (k + 1) / 2;
    for (size_t j = 0; j < n; j += STRIP) {
        const uint16_t *strip = b + (j / REEL_PANEL * pairs * REEL_PANEL + j % REEL_PANEL) * 2;
        for (size_t r = 0; r < m; r += ROWS)
            bf16_rows(c + r * ldc + j, ldc, a + r * lda, lda, strip, pairs, sum, m - r < ROWS ? m - r : ROWS);
    }
}
