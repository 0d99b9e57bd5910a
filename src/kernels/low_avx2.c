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

/* ---- probabilities as bytes ---- */

static inline size_t less(size_t a, size_t b) { return a < b ? a : b; }

/* The largest of scale s of a panel's numbers, lane by lane. */
static inline __attribute__((always_inline)) vf tops_of(const int32_t *s, size_t n, float scale)
{
    const vi least = vi_set(INT32_MIN);
    vi most = least;
    for (size_t i = 0; i < n; i += LANES)
        most = vi_max(most, vi_keep(vi_get(s + i, n - i), least, n - i));
    return vf_mul(vf_of(most), vf_set(scale));
}

/* 2^x to the nearest whole number, before that to 8e-5; x at most 8, and below -14 as there: 0. Adding 1.5 2^23 rounds x to a whole
 * number, which the lowest bits of the sum then are: so many steps of the exponent. */
static inline vi byte_of(vf x)
{
    const vf turn = vf_set(12582912.0f), v = vf_max(vf_set(-14.0f), x), sum = vf_add(v, turn), f = vf_sub(v, vf_sub(sum, turn));
    vf p = vf_fma(vf_set(0.05517074838f), f, vf_set(0.24261009693f));
    p = vf_fma(p, f, vf_set(0.69326102734f));
    p = vf_fma(p, f, vf_set(0.99992811680f));
    return vi_of(_mm256_castsi256_ps(vi_add(_mm256_castps_si256(p), _mm256_slli_epi32(_mm256_castps_si256(sum), 23))));
}

/* 2^(scale s + shift) of a panel's numbers as bytes; returns their sums. */
static inline __attribute__((always_inline)) vi bytes_of(uint8_t *p, const int32_t *s, size_t n, vf scale, vf shift)
{
    const vi order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    vi sum = vi_set(0);
    size_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        vi w[4];
        for (size_t q = 0; q < 4; q++)
            w[q] = byte_of(vf_fma(vf_of(vi_get(s + i + q * LANES, LANES)), scale, shift));
        const vi bytes = _mm256_packus_epi16(_mm256_packs_epi32(w[0], w[1]), _mm256_packs_epi32(w[2], w[3]));
        _mm256_storeu_si256((vi *)(void *)(p + i), _mm256_permutevar8x32_epi32(bytes, order));
        sum = vi_add(sum, _mm256_sad_epu8(bytes, vi_set(0)));
    }
    for (; i < n; i += LANES) {
        const vi w = vi_keep(byte_of(vf_fma(vf_of(vi_get(s + i, n - i)), scale, shift)), vi_set(0), n - i);
        vi_put_bytes(p + i, w, n - i);
        sum = vi_add(sum, w);
    }
    return sum;
}

void reel_softmax_int8_avx2(uint8_t *p, float *weight, const int32_t *s, size_t n, size_t room, float factor, const float *panel, float *sum)
{
    const float turn = factor * log2_e, infinite = __builtin_inff();
    const size_t groups = (n + REEL_GROUP - 1) / REEL_GROUP;
    float most = -infinite, all = 0;
    for (size_t g = 0; g < groups; g++) {
        vf top = vf_set(-infinite);
        for (size_t j = g * REEL_GROUP; j < less(n, (g + 1) * REEL_GROUP); j += REEL_PANEL) {
            const float scale = turn * panel[j / REEL_PANEL];
            top = vf_max(n - j >= REEL_PANEL ? tops_of(s + j, REEL_PANEL, scale) : tops_of(s + j, n - j, scale), top);
        }
        weight[g] = vf_top(top);
        most = weight[g] > most ? weight[g] : most;
    }
    for (size_t g = 0; g < groups; g++) {
        const vf shift = vf_set(7.99435344f - weight[g]);  /* log2 255 */
        vi bytes = vi_set(0);
        for (size_t j = g * REEL_GROUP; j < less(n, (g + 1) * REEL_GROUP); j += REEL_PANEL) {
            const vf scale = vf_set(turn * panel[j / REEL_PANEL]);
            bytes = vi_add(bytes, n - j >= REEL_PANEL ? bytes_of(p + j, s + j, REEL_PANEL, scale, shift)
                                                      : bytes_of(p + j, s + j, n - j, scale, shift));
        }
        weight[g] = _mm256_cvtss_f32(exp2_near(vf_set(weight[g] - most)));
        all += weight[g] * (float)vi_sum(bytes);
    }
    for (size_t i = n; i < room; i++)
        p[i] = 0;
    *sum = all;
}
