/* Pixel kernels with AVX2 and FMA. The bytes equal those of pixel_c.c: the integer sums are exact, and the float ones use the
 * same roundings in the same order. */
#include <immintrin.h>
#include <string.h>

#include "kernels/pixel_rows.h"

static inline __m128i load16(const void *p) { return _mm_loadu_si128(p); }

/* Which byte of the 16 of one channel goes to byte `i` of packed RGB; -1: not from this channel. */
static const int8_t interleave[3][3][16] = {
    {{0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1, 5},
     {-1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1},
     {-1, -1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1}},
    {{-1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10, -1},
     {5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10},
     {-1, 5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1}},
    {{-1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1, -1},
     {-1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1},
     {10, -1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15}},
};

static inline void store_rgb(uint8_t *rgb, __m128i r, __m128i g, __m128i b)
{
    for (int part = 0; part < 3; part++) {
        __m128i x = _mm_shuffle_epi8(r, load16(interleave[part][0]));
        x = _mm_or_si128(x, _mm_shuffle_epi8(g, load16(interleave[part][1])));
        x = _mm_or_si128(x, _mm_shuffle_epi8(b, load16(interleave[part][2])));
        _mm_storeu_si128((__m128i *)(void *)(rgb + 16 * part), x);
    }
}

/* 8 chroma samples, each for two pixels, times 8 about zero. */
static inline __m256i chroma(const uint8_t *p)
{
    __m128i c = _mm_loadl_epi64((const __m128i *)(const void *)p);
    __m256i wide = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(c, c));
    return _mm256_slli_epi16(_mm256_sub_epi16(wide, _mm256_set1_epi16(128)), 3);
}

static inline __m128i pack8(__m256i v)
{
    return _mm_packus_epi16(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
}

void reel_yuv_row_avx2(uint8_t *rgb, const uint8_t *y, const uint8_t *u, const uint8_t *v, size_t x0, size_t n,
                       const reel_yuv_matrix *m)
{
    size_t i = x0 & 1;  /* a chroma sample is shared by an even pixel and the next */
    if (i > n)
        i = n;
    if (i > 0)
        reel_yuv_row_c(rgb, y, u, v, x0, i, m);
    const __m256i offset = _mm256_set1_epi16((short)m->y_offset), cy = _mm256_set1_epi16((short)m->cy);
    const __m256i crv = _mm256_set1_epi16((short)m->crv), cbu = _mm256_set1_epi16((short)m->cbu);
    const __m256i cgv = _mm256_set1_epi16((short)m->cgv), cgu = _mm256_set1_epi16((short)m->cgu);
    for (; i + 16 <= n; i += 16) {
        __m256i luma = _mm256_cvtepu8_epi16(load16(y + i));
        luma = _mm256_mulhi_epi16(_mm256_slli_epi16(_mm256_sub_epi16(luma, offset), 3), cy);
        __m256i cu = chroma(u + (x0 + i) / 2), cv = chroma(v + (x0 + i) / 2);
        __m256i r = _mm256_add_epi16(luma, _mm256_mulhi_epi16(cv, crv));
        __m256i g = _mm256_add_epi16(luma, _mm256_add_epi16(_mm256_mulhi_epi16(cu, cgu), _mm256_mulhi_epi16(cv, cgv)));
        __m256i b = _mm256_add_epi16(luma, _mm256_mulhi_epi16(cu, cbu));
        store_rgb(rgb + 3 * i, pack8(r), pack8(g), pack8(b));
    }
    if (i < n)
        reel_yuv_row_c(rgb + 3 * i, y + i, u, v, x0 + i, n - i, m);
}

/* One output pixel: 4 taps (12 of 16 bytes) at a time; lanes hold r, g, b and nothing. */
static inline __m128i row_pixel(const uint8_t *p, const int16_t *w, int32_t count, __m128i sum)
{
    const __m128i first = _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1);
    const __m128i second = _mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
    for (int32_t k = 0; k < count; k += 4) {
        __m128i px = load16(p + 3 * k);
        __m128i q = _mm_loadl_epi64((const __m128i *)(const void *)(w + k));
        sum = _mm_add_epi32(sum, _mm_madd_epi16(_mm_shuffle_epi8(px, first), _mm_shuffle_epi32(q, 0x00)));
        sum = _mm_add_epi32(sum, _mm_madd_epi16(_mm_shuffle_epi8(px, second), _mm_shuffle_epi32(q, 0x55)));
    }
    return sum;
}

void reel_resize_row_u8_avx2(uint8_t *out, const uint8_t *in, size_t out_n, const int32_t *lo, const int32_t *count,
                             const int16_t *weight, size_t stride, int shift)
{
    size_t i = 0;
    if (out_n > 0) {
        const __m128i half = _mm_set1_epi32(1 << (shift - 1)), by = _mm_cvtsi32_si128(shift);
        size_t end = 3 * ((size_t)lo[out_n - 1] + (size_t)count[out_n - 1]);  /* bytes that may be read: lo does not fall */
        /* The last pixel is stored by the plain loop: four bytes are written here. */
        for (; i + 1 < out_n; i++) {
            size_t read = 3 * (size_t)lo[i] + 12 * ((size_t)(count[i] + 3) / 4) + 4;
            if (read > end)
                break;
            __m128i sum = row_pixel(in + 3 * (size_t)lo[i], weight + i * stride, count[i], half);
            sum = _mm_packs_epi32(_mm_sra_epi32(sum, by), sum);
            int bytes = _mm_cvtsi128_si32(_mm_packus_epi16(sum, sum));
            memcpy(out + 3 * i, &bytes, 4);
        }
    }
    if (i < out_n)
        reel_resize_row_u8_c(out + 3 * i, in, out_n - i, lo + i, count + i, weight + i * stride, stride, shift);
}

void reel_resize_col_u8_avx2(uint8_t *out, const uint8_t *const *in, const int16_t *weight, size_t taps, size_t n, int shift)
{
    size_t i = 0;
    const __m256i half = _mm256_set1_epi32(1 << (shift - 1));
    const __m128i by = _mm_cvtsi32_si128(shift);
    for (; i + 16 <= n; i += 16) {
        __m256i low = half, high = half;
        for (size_t k = 0; k < taps; k += 2) {
            int pair = k + 1 < taps;
            __m128i a = load16(in[k] + i), b = pair ? load16(in[k + 1] + i) : _mm_setzero_si128();
            unsigned q = (uint16_t)weight[k] | (unsigned)(uint16_t)(pair ? weight[k + 1] : 0) << 16;
            __m256i w = _mm256_set1_epi32((int)q);
            low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b)), w));
            high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b)), w));
        }
        __m256i words = _mm256_packs_epi32(_mm256_sra_epi32(low, by), _mm256_sra_epi32(high, by));
        words = _mm256_permute4x64_epi64(words, 0xD8);  /* lanes were packed each on its own */
        _mm_storeu_si128((__m128i *)(void *)(out + i), pack8(words));
    }
    for (; i < n; i++) {  /* the plain loop, without shifting the row pointers */
        int sum = 1 << (shift - 1);
        for (size_t k = 0; k < taps; k++)
            sum += weight[k] * in[k][i];
        sum >>= shift;
        out[i] = sum < 0 ? 0 : sum > 255 ? 255 : (uint8_t)sum;
    }
}

/* Which byte of the three vectors of packed RGB goes to place `i` of a channel; -1: not from this vector. */
static const int8_t part_of[3][3][16] = {
    {{0, 3, 6, 9, 12, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
     {-1, -1, -1, -1, -1, -1, 2, 5, 8, 11, 14, -1, -1, -1, -1, -1},
     {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 1, 4, 7, 10, 13}},
    {{1, 4, 7, 10, 13, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
     {-1, -1, -1, -1, -1, 0, 3, 6, 9, 12, 15, -1, -1, -1, -1, -1},
     {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 2, 5, 8, 11, 14}},
    {{2, 5, 8, 11, 14, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
     {-1, -1, -1, -1, -1, 1, 4, 7, 10, 13, -1, -1, -1, -1, -1, -1},
     {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 3, 6, 9, 12, 15}},
};

/* 16 packed pixels to a channel of them. */
static inline __m128i channel(const __m128i x[3], int c)
{
    __m128i v = _mm_shuffle_epi8(x[0], load16(part_of[c][0]));
    v = _mm_or_si128(v, _mm_shuffle_epi8(x[1], load16(part_of[c][1])));
    return _mm_or_si128(v, _mm_shuffle_epi8(x[2], load16(part_of[c][2])));
}

static inline __m256 quotient(__m256 x, float d, float r)
{
    __m256 by = _mm256_set1_ps(r), q = _mm256_mul_ps(x, by);
    return _mm256_fmadd_ps(_mm256_fnmadd_ps(q, _mm256_set1_ps(d), x), by, q);
}

static inline __m256 scaled(__m128i x, const reel_byte_scale *s)
{
    __m256 v = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(x));
    return quotient(_mm256_sub_ps(quotient(v, s->d, s->dr), _mm256_set1_ps(s->m)), s->s, s->sr);
}

void reel_planes_scaled_avx2(float *r, float *g, float *b, const uint8_t *rgb, size_t n, const reel_byte_scale scale[3])
{
    float *const out[3] = {r, g, b};
    size_t i = 0;
    for (; i < n; i += 16) {
        /* The last, part group goes back over values that are done; too narrow a row is left to plain C. */
        if (i + 16 > n) {
            if (n < 16)
                break;
            i = n - 16;
        }
        const __m128i x[3] = {load16(rgb + 3 * i), load16(rgb + 3 * i + 16), load16(rgb + 3 * i + 32)};
        for (int c = 0; c < 3; c++) {
            __m128i v = channel(x, c);
            _mm256_storeu_ps(out[c] + i, scaled(v, &scale[c]));
            _mm256_storeu_ps(out[c] + i + 8, scaled(_mm_unpackhi_epi64(v, v), &scale[c]));
        }
    }
    if (n < 16)
        reel_planes_scaled_c(r, g, b, rgb, n, scale);
}

void reel_lerp_row_avx2(float *out, const float *in, size_t n, const int32_t *i0, const int32_t *i1, const float *l0,
                        const float *l1)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256 a = _mm256_i32gather_ps(in, _mm256_loadu_si256((const __m256i *)(const void *)(i0 + i)), 4);
        __m256 b = _mm256_i32gather_ps(in, _mm256_loadu_si256((const __m256i *)(const void *)(i1 + i)), 4);
        b = _mm256_mul_ps(b, _mm256_loadu_ps(l1 + i));
        _mm256_storeu_ps(out + i, _mm256_fmadd_ps(a, _mm256_loadu_ps(l0 + i), b));
    }
    if (i < n)
        reel_lerp_row_c(out + i, in, n - i, i0 + i, i1 + i, l0 + i, l1 + i);
}

void reel_lerp_col_avx2(float *out, const float *a, const float *b, float h0, float h1, size_t n)
{
    size_t i = 0;
    const __m256 w0 = _mm256_set1_ps(h0), w1 = _mm256_set1_ps(h1);
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(out + i,
                         _mm256_fmadd_ps(_mm256_loadu_ps(a + i), w0, _mm256_mul_ps(_mm256_loadu_ps(b + i), w1)));
    if (i < n)
        reel_lerp_col_c(out + i, a + i, b + i, h0, h1, n - i);
}

static inline __m256i load_index(const int32_t *p) { return _mm256_loadu_si256((const __m256i *)(const void *)p); }

void reel_area_row_avx2(float *out, const float *in, size_t n, const int32_t *lo, const int32_t *count, const float *weight,
                        size_t stride)
{
    size_t i = 0;
    const __m256i one = _mm256_set1_epi32(1);
    for (; i + 8 <= n; i += 8) {
        __m256i at = load_index(lo + i), taps = load_index(count + i);
        int most = 1;
        for (size_t j = 0; j < 8; j++)
            most = count[i + j] > most ? count[i + j] : most;
        /* 1 + (taps - 1) / 4 * 4 */
        __m256i split = _mm256_add_epi32(_mm256_andnot_si256(_mm256_set1_epi32(3), _mm256_sub_epi32(taps, one)), one);
        __m256 sum = _mm256_mul_ps(_mm256_i32gather_ps(in, at, 4), _mm256_loadu_ps(weight + i));
        for (int k = 1; k < most; k++) {
            __m256i here = _mm256_set1_epi32(k);
            __m256 valid = _mm256_castsi256_ps(_mm256_cmpgt_epi32(taps, here));
            __m256 twice = _mm256_castsi256_ps(_mm256_cmpgt_epi32(split, here));
            at = _mm256_add_epi32(at, one);
            __m256 p = _mm256_mask_i32gather_ps(_mm256_setzero_ps(), in, at, valid, 4);
            __m256 w = _mm256_loadu_ps(weight + (size_t)k * stride + i);
            __m256 next = _mm256_blendv_ps(_mm256_fmadd_ps(p, w, sum), _mm256_add_ps(sum, _mm256_mul_ps(p, w)), twice);
            sum = _mm256_blendv_ps(sum, next, valid);
        }
        _mm256_storeu_ps(out + i, sum);
    }
    if (i < n)
        reel_area_row_c(out + i, in, n - i, lo + i, count + i, weight + i, stride);
}

void reel_area_col_avx2(float *out, const float *const *in, const float *weight, size_t taps, size_t n)
{
    size_t i = 0, split = taps == 0 ? 0 : 1 + (taps - 1) / 4 * 4;
    for (; i < n; i += 8) {
        /* The last, part group goes back over values that are done; too narrow a row is left to plain C. */
        if (i + 8 > n) {
            if (n < 8)
                break;
            i = n - 8;
        }
        __m256 sum = _mm256_mul_ps(_mm256_loadu_ps(in[0] + i), _mm256_set1_ps(weight[0]));
        for (size_t k = 1; k < split; k++)
            sum = _mm256_add_ps(sum, _mm256_mul_ps(_mm256_loadu_ps(in[k] + i), _mm256_set1_ps(weight[k])));
        for (size_t k = split; k < taps; k++)
            sum = _mm256_fmadd_ps(_mm256_loadu_ps(in[k] + i), _mm256_set1_ps(weight[k]), sum);
        _mm256_storeu_ps(out + i, sum);
    }
    if (n < 8)
        reel_area_col_c(out, in, weight, taps, n);
}
