/* The low table in AVX2: what low_c.c says. The products are in low_avx2_block.c. */
#include "kernels/simd_avx2.h"
#include "kernels/low_half_tmpl.h"
#include "kernels/low_tmpl.h"

/* ---- packing ---- */

/* Numbers of bfloat16 in a vector. */
enum { HALVES = 2 * LANES };

/* Up to the n-th; the rest is zero, and is not read. */
static inline __m256i get_halves(const uint16_t *p, size_t n)
{
    __m256i x = _mm256_setzero_si256();
    if (n >= HALVES)
        return _mm256_loadu_si256((const __m256i *)(const void *)p);
    memcpy(&x, p, n * sizeof *p);
    return x;
}

static inline void put_halves(uint16_t *p, __m256i x, size_t n)
{
    if (n >= HALVES)
        _mm256_storeu_si256((__m256i *)(void *)p, x);
    else
        memcpy(p, &x, n * sizeof *p);
}

/* Two rows of 16 numbers become 16 pairs: the first 8 and the last 8. */
static inline void interleave(__m256i even, __m256i odd, __m256i *first, __m256i *last)
{
    const __m256i lo = _mm256_unpacklo_epi16(even, odd), hi = _mm256_unpackhi_epi16(even, odd);
    *first = _mm256_permute2x128_si256(lo, hi, 0x20);
    *last = _mm256_permute2x128_si256(lo, hi, 0x31);
}

void reel_pack_bf16_avx2(uint16_t *b, const uint16_t *x, size_t ld, size_t k, size_t n)
{
    for (size_t j = 0; j < n; j += REEL_PANEL)
        for (size_t i = 0; i < k; i += 2)
            for (size_t h = 0; h < REEL_PANEL; h += HALVES, b += 2 * HALVES) {
                const size_t left = n > j + h ? n - j - h : 0;
                const uint16_t *row = x + i * ld + (left > 0 ? j + h : 0);
                __m256i first, last;
                interleave(get_halves(row, left), i + 1 < k ? get_halves(row + ld, left) : _mm256_setzero_si256(), &first, &last);
                put_halves(b, first, HALVES);
                put_halves(b + HALVES, last, HALVES);
            }
}

/* Eight rows of eight 32-bit words, turned: words move as floats do. */
static inline void turn8(__m256i r[8])
{
    vf t[8];
    for (int i = 0; i < 8; i++)
        t[i] = _mm256_castsi256_ps(r[i]);
    vf_turn(t);
    for (int i = 0; i < 8; i++)
        r[i] = _mm256_castps_si256(t[i]);
}

/* A pair of x^T is two neighbours of a row of x: words are turned. */
void reel_pack_turned_bf16_avx2(uint16_t *b, const uint16_t *x, size_t ld, size_t k, size_t n)
{
    const size_t pairs = (k + 1) / 2;
    for (size_t j = 0; j < n; j += REEL_PANEL, b += pairs * 2 * REEL_PANEL)
        for (size_t h = 0; h < REEL_PANEL; h += 8)
            for (size_t i = 0; i < pairs; i += 8) {
                __m256i r[8];
                for (size_t q = 0; q < 8; q++)
                    r[q] = j + h + q < n ? get_halves(x + (j + h + q) * ld + 2 * i, k - 2 * i) : _mm256_setzero_si256();
                turn8(r);
                for (size_t q = 0; q < 8 && i + q < pairs; q++)
                    put_halves(b + ((i + q) * REEL_PANEL + h) * 2, r[q], HALVES);
            }
}

/* Pairs of rows are interleaved, then turned as words. */
void reel_turn_bf16_avx2(uint16_t *y, size_t ldy, const uint16_t *x, size_t ldx, size_t rows, size_t cols)
{
    for (size_t r = 0; r < rows; r += HALVES)
        for (size_t c = 0; c < cols; c += HALVES) {
            __m256i first[8], last[8];
            for (size_t q = 0; q < 8; q++) {
                const size_t at = r + 2 * q;
                const __m256i none = _mm256_setzero_si256();
                interleave(at < rows ? get_halves(x + at * ldx + c, cols - c) : none,
                           at + 1 < rows ? get_halves(x + (at + 1) * ldx + c, cols - c) : none, &first[q], &last[q]);
            }
            turn8(first);
            turn8(last);
            for (size_t q = 0; q < 8; q++) {
                if (c + q < cols)
                    put_halves(y + (c + q) * ldy + r, first[q], rows - r);
                if (c + 8 + q < cols)
                    put_halves(y + (c + 8 + q) * ldy + r, last[q], rows - r);
            }
        }
}
