/* The low table in AVX-512 with VDPBF16PS and VCVTNEPS2BF16. */
#include <string.h>

#include "kernels/low_rows.h"
#include "kernels/simd_avx512.h"

/* ---- conversions ---- */

static inline __m256i half_of(vf x) { return (__m256i)_mm512_cvtneps_pbh(x); }
static inline __m512i half_of_two(vf low, vf high) { return (__m512i)_mm512_cvtne2ps_pbh(high, low); }
static inline vf float_of(__m256i h) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16)); }

void reel_to_bf16_avx512bf16(uint16_t *y, const float *x, size_t n)
{
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES)
        _mm512_storeu_si512(y + i, half_of_two(vf_load(x + i), vf_load(x + i + LANES)));
    for (; i < n; i += LANES)
        _mm256_mask_storeu_epi16(y + i, n - i >= LANES ? (__mmask16)0xFFFF : vf_mask(n - i), half_of(vf_get(x + i, n - i)));
}

void reel_from_bf16_avx512bf16(float *y, const uint16_t *x, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        vf_store(y + i, float_of(_mm256_loadu_si256((const __m256i *)(const void *)(x + i))));
    if (i < n)
        vf_put(y + i, float_of(_mm256_maskz_loadu_epi16(vf_mask(n - i), x + i)), n - i);
}

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

/* ---- softmax ---- */

/* 2^x to 3e-6: the result becomes bfloat16. x = n + f, f in [-1/2, 1/2]; coefficients of least largest relative error. */
static inline vf exp2_near(vf x)
{
    const vf n = vf_round(x), f = vf_sub(x, n);
    vf p = vf_fma(vf_set(0.00957009382f), f, vf_set(0.0559178597f));
    p = vf_fma(p, f, vf_set(0.24024745f));
    p = vf_fma(p, f, vf_set(0.693121815f));
    p = vf_fma(p, f, vf_set(0.999999261f));
    return vf_ldexp(p, n);
}

/* The same to 8e-5: the result becomes a byte, whose half step is 2e-3. */
static inline vf exp2_rough(vf x)
{
    const vf n = vf_round(x), f = vf_sub(x, n);
    vf p = vf_fma(vf_set(0.05517074838f), f, vf_set(0.24261009693f));
    p = vf_fma(p, f, vf_set(0.69326102734f));
    p = vf_fma(p, f, vf_set(0.99992811680f));
    return vf_ldexp(p, n);
}

static const float log2_e = 1.44269504f;

void reel_softmax_bf16_avx512bf16(uint16_t *p, const float *s, size_t n, size_t room, float factor, float *top, float *sum)
{
    const vf low = vf_set(-__builtin_inff());
    vf a = low, b = low, sum0 = vf_set(0.0f), sum1 = sum0;
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        a = vf_max(vf_load(s + i), a);
        b = vf_max(vf_load(s + i + LANES), b);
    }
    for (; i < n; i += LANES)
        a = vf_max(vf_keep(vf_get(s + i, n - i), low, n - i), a);
    *top = vf_top(vf_max(a, b));
    const vf scale = vf_set(factor * log2_e), shift = vf_set(*top);
    for (i = 0; i + 2 * LANES <= n; i += 2 * LANES) {
        const vf x = exp2_near(vf_mul(vf_sub(vf_load(s + i), shift), scale));
        const vf y = exp2_near(vf_mul(vf_sub(vf_load(s + i + LANES), shift), scale));
        sum0 = vf_add(sum0, x);
        sum1 = vf_add(sum1, y);
        _mm512_storeu_si512(p + i, half_of_two(x, y));
    }
    for (; i < n; i += LANES) {
        const vf x = vf_keep(exp2_near(vf_mul(vf_sub(vf_get(s + i, n - i), shift), scale)), vf_set(0.0f), n - i);
        sum0 = vf_add(sum0, x);
        _mm256_mask_storeu_epi16(p + i, n - i >= LANES ? (__mmask16)0xFFFF : vf_mask(n - i), half_of(x));
    }
    for (i = n; i < room; i++)
        p[i] = 0;
    *sum = vf_sum(vf_add(sum0, sum1));
}

void reel_softmax_bwd_bf16_avx512bf16(uint16_t *p, uint16_t *ds, const float *s, const float *dp, size_t n, float factor,
                                      const float *lse, const float *delta)
{
    const vf scale = vf_set(factor * log2_e), turn = vf_set(log2_e);
    for (size_t i = 0; i < n; i += LANES) {
        const size_t k = n - i;
        const vf x = exp2_near(vf_sub(vf_mul(vf_get(s + i, k), scale), vf_mul(vf_get(lse + i, k), turn)));
        const vf d = vf_mul(x, vf_sub(vf_get(dp + i, k), vf_get(delta + i, k)));
        const __mmask16 m = k >= LANES ? (__mmask16)0xFFFF : vf_mask(k);
        _mm256_mask_storeu_epi16(p + i, m, half_of(x));
        _mm256_mask_storeu_epi16(ds + i, m, half_of(d));
    }
}

void reel_gelu_near_avx512bf16(float *y, const float *x, size_t n) { reel_gelu_near_avx512(y, x, n); }

void reel_quantise_row_avx512bf16(uint8_t *q, const float *x, size_t n, float *scale)
{
    reel_quantise_row_avx512(q, x, n, scale);
}

void reel_int8_block_avx512bf16(int32_t *c, size_t ldc, const uint8_t *a, size_t lda, const int8_t *b, const int32_t *start,
                                size_t m, size_t n, size_t k)
{
    reel_int8_block_c(c, ldc, a, lda, b, start, m, n, k);  /* low_select.c has better where there is VNNI */
}

void reel_dequantise_row_avx512bf16(float *y, const int32_t *acc, size_t n, float row, const float *column, const float *bias)
{
    reel_dequantise_row_avx512(y, acc, n, row, column, bias);
}

/* ---- scores in whole numbers ---- */

static inline vf key_part(const uint16_t *x, const float *mean, size_t n)
{
    const __mmask16 m = n >= LANES ? (__mmask16)0xFFFF : vf_mask(n);
    return vf_keep(vf_sub(float_of(_mm256_maskz_loadu_epi16(m, x)), vf_get(mean, n)), vf_set(0.0f), n);
}

void reel_quantise_keys_avx512bf16(int8_t *q, float *scale, const uint16_t *x, size_t ld, const float *mean, size_t rows, size_t d)
{
    const size_t ldq = (d + 3) & ~(size_t)3;
    vf most = vf_set(0.0f);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < d; i += LANES)
            most = vf_max(vf_abs(key_part(x + r * ld + i, mean + i, d - i)), most);
    const float top = vf_top(most);
    const vf factor = vf_set(reel_quantise_factor(top));
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < ldq; i += LANES) {
            const __mmask16 m = ldq - i >= LANES ? (__mmask16)0xFFFF : vf_mask(ldq - i);
            const vf part = i < d ? key_part(x + r * ld + i, mean + i, d - i) : vf_set(0.0f);
            _mm512_mask_cvtepi32_storeu_epi8(q + r * ldq + i, m, _mm512_cvtps_epi32(vf_mul(part, factor)));
        }
    *scale = top / 127.0f;
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

void reel_quantise_values_avx512bf16(uint16_t *q, const uint16_t *x, size_t ld, const float *factor, size_t rows, size_t d)
{
    const __m512i byte = _mm512_set1_epi32(0xFF);
    for (size_t r = 0; r < rows; r += 2)
        for (size_t i = 0; i < d; i += LANES) {
            const __mmask16 m = d - i >= LANES ? (__mmask16)0xFFFF : vf_mask(d - i);
            const vf f = _mm512_maskz_loadu_ps(m, factor + i), low = float_of(_mm256_maskz_loadu_epi16(m, x + r * ld + i));
            const vf high = r + 1 < rows ? float_of(_mm256_maskz_loadu_epi16(m, x + (r + 1) * ld + i)) : vf_set(0.0f);
            const __m512i a = _mm512_and_si512(_mm512_cvtps_epi32(vf_mul(low, f)), byte);
            const __m512i b = _mm512_slli_epi32(_mm512_and_si512(_mm512_cvtps_epi32(vf_mul(high, f)), byte), 8);
            _mm512_mask_cvtepi32_storeu_epi16(q + r / 2 * d + i, m, _mm512_or_si512(a, b));
        }
}

void reel_add_whole_avx512bf16(float *y, const int32_t *x, float factor, size_t n)
{
    const vf f = vf_set(factor);
    for (size_t i = 0; i < n; i += LANES) {
        const __mmask16 m = n - i >= LANES ? (__mmask16)0xFFFF : vf_mask(n - i);
        vf_put(y + i, vf_fma(_mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(m, x + i)), f, vf_get(y + i, n - i)), n - i);
    }
}
