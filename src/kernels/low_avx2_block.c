/* The products of the low table in AVX2, which has an instruction for neither type: numbers are widened first. */
#include <string.h>

#include "kernels/low_rows.h"
#include "kernels/simd_avx2.h"

enum { STRIP = 16 };  /* columns that a tile takes: two vectors of sums a row */

static inline __m256i load(const void *p) { return _mm256_loadu_si256(p); }
static inline void store(void *p, __m256i x) { _mm256_storeu_si256(p, x); }

/* Where the strip of column j begins in panels of `words` rows of words. */
static inline size_t strip_at(size_t j, size_t words) { return (j / REEL_PANEL * REEL_PANEL * words + j % REEL_PANEL) * 4; }

/* ---- bfloat16: the even and the odd rows as float32 ---- */

static inline __m256 even_half(__m256i pairs) { return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)); }
static inline __m256 odd_half(__m256i pairs) { return _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(-65536))); }

static inline __attribute__((always_inline)) void half_tile(float *c, size_t ldc, const uint16_t *a, size_t lda, const uint16_t *b,
                                                            size_t pairs, bool sum, const int R)
{
    __m256 acc[6][2];
#pragma GCC unroll 6
    for (int r = 0; r < R; r++)
#pragma GCC unroll 2
        for (int v = 0; v < 2; v++)
            acc[r][v] = sum ? _mm256_loadu_ps(c + (size_t)r * ldc + 8 * v) : _mm256_setzero_ps();
    for (size_t i = 0; i < pairs; i++, b += 2 * REEL_PANEL) {
        const __m256i w0 = load(b), w1 = load(b + STRIP);
#pragma GCC unroll 2
        for (int odd = 0; odd < 2; odd++) {
            const __m256 b0 = odd ? odd_half(w0) : even_half(w0), b1 = odd ? odd_half(w1) : even_half(w1);
#pragma GCC unroll 6
            for (int r = 0; r < R; r++) {
                int word;
                memcpy(&word, a + (size_t)r * lda + 2 * i, sizeof word);
                const __m256i both = _mm256_set1_epi32(word);
                const __m256 w = odd ? odd_half(both) : even_half(both);
                acc[r][0] = _mm256_fmadd_ps(w, b0, acc[r][0]);
                acc[r][1] = _mm256_fmadd_ps(w, b1, acc[r][1]);
            }
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; r++)
#pragma GCC unroll 2
        for (int v = 0; v < 2; v++)
            _mm256_storeu_ps(c + (size_t)r * ldc + 8 * v, acc[r][v]);
}

#define HALF_TILE(R) \
    static void half_tile_##R(float *c, size_t ldc, const uint16_t *a, size_t lda, const uint16_t *b, size_t pairs, bool sum) \
    { \
        half_tile(c, ldc, a, lda, b, pairs, sum, R); \
    }
HALF_TILE(1) HALF_TILE(2) HALF_TILE(3) HALF_TILE(4) HALF_TILE(5) HALF_TILE(6)
#undef HALF_TILE

void reel_bf16_block_avx2(float *c, size_t ldc, const uint16_t *a, size_t lda, const uint16_t *b, size_t m, size_t n, size_t k, bool sum)
{
    static void (*const tile[])(float *, size_t, const uint16_t *, size_t, const uint16_t *, size_t, bool) = {
        NULL, half_tile_1, half_tile_2, half_tile_3, half_tile_4, half_tile_5, half_tile_6};
    const size_t pairs = (k + 1) / 2;
    for (size_t j = 0; j < n; j += STRIP)
        for (size_t r = 0; r < m; r += 6)
            tile[m - r < 6 ? m - r : 6](c + r * ldc + j, ldc, a + r * lda, lda, b + strip_at(j, pairs) / 2, pairs, sum);
}

/* ---- int8 ----
 *
 * VPMADDUBSW, which multiplies 8 bits, saturates. VPMADDWD multiplies 16 bits and sums two products in 32, half as many at a time, and
 * only two of four pipes have it; so half of the products are turned into sums, which all four do (Winograd 1968):
 *
 *     a0 b0 + a1 b1 = (a0 + b1) (a1 + b0) - a0 a1 - b0 b1
 *
 * A quad of A against a quad of B is then two additions and one VPMADDWD; what is subtracted belongs to a row of A or a column of B
 * and is found while they are widened. Sums are taken modulo 2^32, so the result is exact wherever the plain sum is.
 *
 * Widened: of the quad's four numbers the first and third are the low and high half of a word, the second and fourth of another. */
enum { ROWS = 96, TILE = 4, DEEP = 64 };  /* rows of A, of a tile; quads that are widened at once, so that a strip stays in the first cache */

typedef struct strip { __m256i even[2], odd[2]; } strip;    /* a quad of 16 columns */
typedef struct wide_b { strip quad[DEEP]; __m256i minus[2]; } wide_b;

typedef struct wide_a { int32_t even[DEEP], odd[DEEP]; } wide_a;  /* a row */

/* Returns what a row's products have too much. */
static int32_t widen_a(wide_a *w, const uint8_t *a, size_t quads)
{
    const __m256i bytes = _mm256_set1_epi16(0xFF);
    __m256i sum = _mm256_setzero_si256();
    for (size_t i = 0; i < quads; i += 8) {
        __m256i x = _mm256_setzero_si256();
        if (quads - i >= 8)
            x = load(a + 4 * i);
        else
            memcpy(&x, a + 4 * i, 4 * (quads - i));
        const __m256i even = _mm256_and_si256(x, bytes), odd = _mm256_srli_epi16(x, 8);
        store(w->even + i, even);
        store(w->odd + i, odd);
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(even, odd));
    }
    return vi_sum(sum);
}

/* The strip at b; the one at `next` is fetched meanwhile, for its lines are too far apart to be foreseen. */
static void widen_b(wide_b *w, const int8_t *b, const int8_t *next, size_t quads)
{
    w->minus[0] = w->minus[1] = _mm256_setzero_si256();
    for (size_t i = 0; i < quads; i++, b += 4 * REEL_PANEL, next += 4 * REEL_PANEL) {
        _mm_prefetch(next, _MM_HINT_T0);
        for (int v = 0; v < 2; v++) {
            const __m256i x = load(b + 32 * v), even = _mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8), odd = _mm256_srai_epi16(x, 8);
            w->quad[i].even[v] = even;
            w->quad[i].odd[v] = odd;
            w->minus[v] = _mm256_add_epi32(w->minus[v], _mm256_madd_epi16(even, odd));
        }
    }
}

/* gcc 12 moves sums from register to register where it may choose. */
#define ADD_TO(sum, x) __asm__("vpaddd %1, %0, %0" : "+x"(sum) : "x"(x))

/* R rows of C from their start: rows lds apart, or none. */
static inline __attribute__((always_inline)) void int8_tile(int32_t *c, size_t ldc, const wide_a *a, const int32_t *minus, const wide_b *b,
                                                            size_t quads, const int32_t *start, size_t lds, const int R)
{
    __m256i acc[TILE][2];
#pragma GCC unroll 4
    for (int r = 0; r < R; r++)
#pragma GCC unroll 2
        for (int v = 0; v < 2; v++) {
            const __m256i from = start != NULL ? load(start + (size_t)r * lds + 8 * v) : _mm256_setzero_si256();
            acc[r][v] = _mm256_sub_epi32(_mm256_sub_epi32(from, b->minus[v]), _mm256_set1_epi32(minus[r]));
        }
    for (size_t i = 0; i < quads; i++) {
        const strip *quad = &b->quad[i];
        const __m256i e0 = quad->even[0], e1 = quad->even[1], o0 = quad->odd[0], o1 = quad->odd[1];
#pragma GCC unroll 4
        for (int r = 0; r < R; r++) {
            const __m256i e = _mm256_set1_epi32(a[r].even[i]), o = _mm256_set1_epi32(a[r].odd[i]);
            ADD_TO(acc[r][0], _mm256_madd_epi16(_mm256_add_epi16(e, o0), _mm256_add_epi16(o, e0)));
            ADD_TO(acc[r][1], _mm256_madd_epi16(_mm256_add_epi16(e, o1), _mm256_add_epi16(o, e1)));
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; r++)
#pragma GCC unroll 2
        for (int v = 0; v < 2; v++)
            store(c + (size_t)r * ldc + 8 * v, acc[r][v]);
}

typedef void tile_fn(int32_t *c, size_t ldc, const wide_a *a, const int32_t *minus, const wide_b *b, size_t quads, const int32_t *start,
                     size_t lds);
#define INT8_TILE(R) \
    static void int8_tile_##R(int32_t *c, size_t ldc, const wide_a *a, const int32_t *minus, const wide_b *b, size_t quads, \
                              const int32_t *start, size_t lds) \
    { \
        int8_tile(c, ldc, a, minus, b, quads, start, lds, R); \
    }
INT8_TILE(1) INT8_TILE(2) INT8_TILE(3) INT8_TILE(4)
#undef INT8_TILE

/* At most ROWS rows of A and DEEP quads of the depth; `words` is the whole depth, in which B lies. */
static void int8_part(int32_t *c, size_t ldc, const uint8_t *a, size_t lda, const int8_t *b, size_t words, const int32_t *start, size_t lds,
                      size_t m, size_t n, size_t quads)
{
    static tile_fn *const tile[] = {NULL, int8_tile_1, int8_tile_2, int8_tile_3, int8_tile_4};
    wide_a left[ROWS];
    int32_t minus[ROWS];
    wide_b right;
    for (size_t r = 0; r < m; r++)
        minus[r] = widen_a(&left[r], a + r * lda, quads);
    for (size_t j = 0; j < n; j += STRIP) {
        widen_b(&right, b + strip_at(j, words), b + strip_at(j + STRIP < n ? j + STRIP : j, words), quads);
        for (size_t r = 0; r < m; r += TILE)
            tile[m - r < TILE ? m - r : TILE](c + r * ldc + j, ldc, &left[r], &minus[r], &right, quads,
                                              start != NULL ? start + r * lds + j : NULL, lds);
    }
}

void reel_int8_block_avx2(int32_t *c, size_t ldc, const uint8_t *a, size_t lda, const int8_t *b, const int32_t *start, size_t m, size_t n,
                          size_t k)
{
    const size_t quads = (k + 3) / 4;
    for (size_t r = 0; r < m; r += ROWS) {
        const size_t rows = m - r < ROWS ? m - r : ROWS;
        int32_t *out = c + r * ldc;
        int8_part(out, ldc, a + r * lda, lda, b, quads, start, 0, rows, n, quads < DEEP ? quads : DEEP);
        for (size_t q = DEEP; q < quads; q += DEEP)  /* the next parts go on from what is there */
            int8_part(out, ldc, a + r * lda + 4 * q, lda, b + q * 4 * REEL_PANEL, quads, out, ldc, rows, n, quads - q < DEEP ? quads - q : DEEP);
    }
}
