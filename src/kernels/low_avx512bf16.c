/* The low table in AVX-512 with VDPBF16PS and VCVTNEPS2BF16. */
#include <string.h>

#include "kernels/simd_avx512.h"
#undef SIMD_NAME
#define SIMD_NAME(name) reel_##name##_avx512bf16
#include "kernels/low_half_tmpl.h"
#include "kernels/low_tmpl.h"

/* ---- packing ---- */

/* Two rows of 32 numbers become 32 pairs: the first 16 and the last 16. */
static inline void interleave(__m512i even, __m512i odd, __m512i *first, __m512i *last)
{
    const __m512i lo = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3,
                                        34, 2, 33, 1, 32, 0);
    const __m512i hi = _mm512_set_epi16(63, 31, 62, 30, 61, 29, 60, 28, 59, 27, 58, 26, 57, 25, 56, 24, 55, 23, 54, 22, 53, 21, 52, 20,
                                        51, 19, 50, 18, 49, 17, 48, 16);
    *first = _mm512_permutex2var_epi16(even, lo, odd);
    *last = _mm512_permutex2var_epi16(even, hi, odd);
}

static inline __mmask32 part_of(size_t n) { return n >= 32 ? 0xFFFFFFFFu : (__mmask32)((1u << n) - 1u); }

void reel_pack_bf16_avx512bf16(uint16_t *b, const uint16_t *x, size_t ld, size_t k, size_t n)
{
    for (size_t j = 0; j < n; j += REEL_PANEL)
        for (size_t i = 0; i < k; i += 2)
            for (size_t h = 0; h < REEL_PANEL; h += 32, b += 64) {
                const size_t left = n > j + h ? n - j - h : 0;
                const __mmask32 m = part_of(left), m2 = i + 1 < k ? m : 0;
                const uint16_t *row = x + i * ld + (left > 0 ? j + h : 0);
                __m512i first, last;
                interleave(_mm512_maskz_loadu_epi16(m, row), _mm512_maskz_loadu_epi16(m2, m2 != 0 ? row + ld : row), &first, &last);
                _mm512_storeu_si512(b, first);
                _mm512_storeu_si512(b + 32, last);
            }
}

/* Sixteen rows of sixteen 32-bit words, turned: words move as floats do. */
static inline void turn16(__m512i r[16])
{
    vf t[16];
    for (int i = 0; i < 16; i++)
        t[i] = _mm512_castsi512_ps(r[i]);
    vf_turn(t);
    for (int i = 0; i < 16; i++)
        r[i] = _mm512_castps_si512(t[i]);
}

/* A pair of x^T is two neighbours of a row of x: words are turned. */
void reel_pack_turned_bf16_avx512bf16(uint16_t *b, const uint16_t *x, size_t ld, size_t k, size_t n)
{
    const size_t pairs = (k + 1) / 2;
    for (size_t j = 0; j < n; j += REEL_PANEL, b += pairs * 2 * REEL_PANEL)
        for (size_t h = 0; h < REEL_PANEL; h += 16)
            for (size_t i = 0; i < pairs; i += 16) {
                const __mmask32 m = part_of(k - 2 * i);
                __m512i r[16];
                for (size_t q = 0; q < 16; q++)
                    r[q] = j + h + q < n ? _mm512_maskz_loadu_epi16(m, x + (j + h + q) * ld + 2 * i) : _mm512_setzero_si512();
                turn16(r);
                for (size_t q = 0; q < 16 && i + q < pairs; q++)
                    _mm512_storeu_si512(b + ((i + q) * REEL_PANEL + h) * 2, r[q]);
            }
}

/* Pairs of rows are interleaved, then turned as words. */
void reel_turn_bf16_avx512bf16(uint16_t *y, size_t ldy, const uint16_t *x, size_t ldx, size_t rows, size_t cols)
{
    for (size_t r = 0; r < rows; r += 32)
        for (size_t c = 0; c < cols; c += 32) {
            const __mmask32 m = part_of(cols - c), out = part_of(rows - r);
            __m512i first[16], last[16];
            for (size_t q = 0; q < 16; q++) {
                const size_t at = r + 2 * q;
                const __m512i even = at < rows ? _mm512_maskz_loadu_epi16(m, x + at * ldx + c) : _mm512_setzero_si512();
                const __m512i odd = at + 1 < rows ? _mm512_maskz_loadu_epi16(m, x + (at + 1) * ldx + c) : _mm512_setzero_si512();
                interleave(even, odd, &first[q], &last[q]);
            }
            turn16(first);
            turn16(last);
            for (size_t q = 0; q < 16; q++) {
                if (c + q < cols)
                    _mm512_mask_storeu_epi16(y + (c + q) * ldy + r, out, first[q]);
                if (c + 16 + q < cols)
                    _mm512_mask_storeu_epi16(y + (c + 16 + q) * ldy + r, out, last[q]);
            }
        }
}

/* ---- the product ---- */

/* R rows by V vectors of C in registers: 6 x 4 leave room for a row of B, and each number loaded from B is used six times. */
static inline __attribute__((always_inline)) void tile(float *c, size_t ldc, const uint16_t *a, size_t lda, const uint16_t *b,
                                                       size_t pairs, bool sum, const int R, const int V)
{
    __m512 acc[6][4];
#pragma GCC unroll 6
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            acc[r][v] = sum ? _mm512_loadu_ps(c + (size_t)r * ldc + 16 * v) : _mm512_setzero_ps();
    for (size_t i = 0; i < pairs; i++, b += 2 * REEL_PANEL) {
        __m512bh row[4];
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            row[v] = (__m512bh)_mm512_loadu_si512(b + 32 * v);
#pragma GCC unroll 6
        for (int r = 0; r < R; r++) {
            int word;
            memcpy(&word, a + (size_t)r * lda + 2 * i, sizeof word);
            const __m512bh w = (__m512bh)_mm512_set1_epi32(word);
#pragma GCC unroll 4
            for (int v = 0; v < V; v++)
                acc[r][v] = _mm512_dpbf16_ps(acc[r][v], w, row[v]);
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            _mm512_storeu_ps(c + (size_t)r * ldc + 16 * v, acc[r][v]);
}

#define ROWS(R) \
    static void rows_##R(float *c, size_t ldc, const uint16_t *a, size_t lda, const uint16_t *b, size_t pairs, bool sum, int v) \
    { \
        switch (v) { \
        case 4: tile(c, ldc, a, lda, b, pairs, sum, R, 4); break; \
        case 3: tile(c, ldc, a, lda, b, pairs, sum, R, 3); break; \
        case 2: tile(c, ldc, a, lda, b, pairs, sum, R, 2); break; \
        default: tile(c, ldc, a, lda, b, pairs, sum, R, 1); break; \
        } \
    }
ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6)
#undef ROWS

void reel_bf16_block_avx512bf16(float *c, size_t ldc, const uint16_t *a, size_t lda, const uint16_t *b, size_t m, size_t n,
                                size_t k, bool sum)
{
    static void (*const last[])(float *, size_t, const uint16_t *, size_t, const uint16_t *, size_t, bool, int) = {
        NULL, rows_1, rows_2, rows_3, rows_4, rows_5, rows_6};
    const size_t pairs = (k + 1) / 2;
    for (size_t j = 0; j < n; j += REEL_PANEL, b += pairs * 2 * REEL_PANEL) {
        const int v = n - j >= REEL_PANEL ? 4 : (int)((n - j + 15) / 16);
        size_t r = 0;
        for (; r + 6 <= m; r += 6)
            rows_6(c + r * ldc + j, ldc, a + r * lda, lda, b, pairs, sum, v);
        if (r < m)
            last[m - r](c + r * ldc + j, ldc, a + r * lda, lda, b, pairs, sum, v);
    }
}

void reel_int8_block_avx512bf16(int32_t *c, size_t ldc, const uint8_t *a, size_t lda, const int8_t *b, const int32_t *start,
                                size_t m, size_t n, size_t k)
{
    reel_int8_block_c(c, ldc, a, lda, b, start, m, n, k);  /* low_select.c has better where there is VNNI */
}

/* ---- probabilities as bytes ---- */

/* 2^x to 8e-5: the result becomes a byte, whose half step is 2e-3. */
static inline vf exp2_rough(vf x)
{
    const vf n = vf_round(x), f = vf_sub(x, n);
    vf p = vf_fma(vf_set(0.05517074838f), f, vf_set(0.24261009693f));
    p = vf_fma(p, f, vf_set(0.69326102734f));
    p = vf_fma(p, f, vf_set(0.99992811680f));
    return vf_ldexp(p, n);
}

/* The largest of scale times each of the whole numbers [i, end). */
static inline float top_of(const int32_t *s, size_t i, size_t end, float scale)
{
    const __m512i least = _mm512_set1_epi32(INT32_MIN);
    __m512i most = least;
    for (; i < end; i += LANES)
        most = _mm512_max_epi32(most, end - i >= LANES ? _mm512_loadu_si512(s + i)
                                                       : _mm512_mask_loadu_epi32(least, vf_mask(end - i), s + i));
    return scale * (float)_mm512_reduce_max_epi32(most);
}

/* 255 2^(scale s - top) to bytes; returns their sum. */
static inline __m512i bytes_of(uint8_t *p, const int32_t *s, size_t i, size_t end, vf scale, vf top)
{
    const vf full = vf_set(255.0f);
    __m512i sum = _mm512_setzero_si512();
    for (; i < end; i += LANES) {
        const __mmask16 m = end - i >= LANES ? (__mmask16)0xFFFF : vf_mask(end - i);
        const vf x = exp2_rough(vf_sub(vf_mul(_mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(m, s + i)), scale), top));
        const __m512i w = _mm512_maskz_cvtps_epi32(m, vf_mul(x, full));
        sum = _mm512_add_epi32(sum, w);
        _mm512_mask_cvtepi32_storeu_epi8(p + i, m, w);
    }
    return sum;
}

void reel_softmax_int8_avx512bf16(uint8_t *p, float *weight, const int32_t *s, size_t n, size_t room, float factor, const float *panel,
                                  float *sum)
{
    const float turn = factor * log2_e;
    const size_t groups = (n + REEL_GROUP - 1) / REEL_GROUP;
    float most = -__builtin_inff(), all = 0;
    for (size_t g = 0; g < groups; g++) {
        float top = -__builtin_inff();
        for (size_t j = g * REEL_GROUP; j < n && j < (g + 1) * REEL_GROUP; j += REEL_PANEL) {
            const float x = top_of(s, j, n - j < REEL_PANEL ? n : j + REEL_PANEL, turn * panel[j / REEL_PANEL]);
            top = x > top ? x : top;
        }
        weight[g] = top;
        most = top > most ? top : most;
    }
    float bytes[LANES];
    for (size_t first = 0; first < groups; first += LANES) {
        const size_t here = groups - first < LANES ? groups - first : LANES;
        for (size_t g = first; g < first + here; g++) {
            __m512i total = _mm512_setzero_si512();
            for (size_t j = g * REEL_GROUP; j < n && j < (g + 1) * REEL_GROUP; j += REEL_PANEL)
                total = _mm512_add_epi32(total, bytes_of(p, s, j, n - j < REEL_PANEL ? n : j + REEL_PANEL,
                                                         vf_set(turn * panel[j / REEL_PANEL]), vf_set(weight[g])));
            bytes[g - first] = (float)_mm512_reduce_add_epi32(total);
        }
        const vf w = exp2_near(vf_sub(vf_get(weight + first, here), vf_set(most)));
        vf_put(weight + first, w, here);
        all += vf_sum(vf_keep(vf_mul(w, vf_get(bytes, here)), vf_set(0.0f), here));
    }
    for (size_t i = n; i < room; i++)
        p[i] = 0;
    *sum = all;
}
