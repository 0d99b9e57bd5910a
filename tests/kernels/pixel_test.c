/* Each fast pixel kernel gives the same bytes as plain C, over odd sizes and offsets, and writes nothing around its output. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../level.h"
#include "kernels/pixel.h"

enum { GUARD = 64, MOST = 2048, FILL = 0x5a };

static reel_pixel_kernels plain, fast;
static uint32_t seed = 12345;

static uint32_t draw(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

/* Bytes of exactly the wanted size, so that the address sanitizer sees a read behind the end. */
static uint8_t *random_bytes(size_t n)
{
    uint8_t *p = malloc(n > 0 ? n : 1);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        p[i] = draw() % 9 == 0 ? (draw() & 1 ? 255 : 0) : (uint8_t)draw();
    return p;
}

static float *random_floats(size_t n)
{
    float *p = malloc((n > 0 ? n : 1) * sizeof *p);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        p[i] = ((float)(draw() & 0xFFFF) / 65536.0f - 0.5f) * 5.0f;
    return p;
}

static uint8_t want[GUARD + 8 * MOST + GUARD], got[GUARD + 8 * MOST + GUARD];

static void clear(void)
{
    memset(want, FILL, sizeof want);
    memset(got, FILL, sizeof got);
}

static void test_yuv(void **state)
{
    (void)state;
    const reel_yuv_matrix matrix[] = {{16, 9539, 13075, 16525, -6660, -3209}, {0, 8192, 12901, 15201, -3835, -1534},
                                      {16, 9539, 13752, 17545, -5328, -1535}};
    for (size_t n = 0; n < 90; n++)
        for (size_t x0 = 0; x0 < 4; x0++)
            for (size_t k = 0; k < 3; k++) {
                uint8_t *y = random_bytes(n), *u = random_bytes((x0 + n + 1) / 2), *v = random_bytes((x0 + n + 1) / 2);
                clear();
                plain.yuv_row(want + GUARD, y, u, v, x0, n, &matrix[k]);
                fast.yuv_row(got + GUARD, y, u, v, x0, n, &matrix[k]);
                assert_memory_equal(want, got, sizeof want);
                free(y);
                free(u);
                free(v);
            }
}

/* A table like the real ones: lo never falls, the last tap of the last output is the last input. */
typedef struct taps { size_t n, in_n, stride; int32_t *lo, *count; int16_t *weight; float *wf; } taps;

static taps taps_make(size_t n, int most)
{
    taps t = {.n = n, .stride = (size_t)(most + 3) / 4 * 4};
    t.lo = calloc(n + 1, sizeof *t.lo);
    t.count = calloc(n + 1, sizeof *t.count);
    t.weight = calloc(n * t.stride + 1, sizeof *t.weight);
    t.wf = random_floats(n * t.stride);
    int32_t at = 0;
    for (size_t i = 0; i < n; i++) {
        t.count[i] = 1 + (int32_t)(draw() % (uint32_t)most);
        t.lo[i] = at;
        at += (int32_t)(draw() % 3);
        for (int32_t k = 0; k < t.count[i]; k++)
            t.weight[i * t.stride + (size_t)k] = (int16_t)(draw() % 32768u);
    }
    for (size_t i = 0; i < n; i++)
        if ((size_t)(t.lo[i] + t.count[i]) > t.in_n)
            t.in_n = (size_t)(t.lo[i] + t.count[i]);
    for (size_t i = n; i-- > 0;)  /* ends must not fall either */
        if (i == n - 1 && (size_t)(t.lo[i] + t.count[i]) < t.in_n)
            t.lo[i] = (int32_t)t.in_n - t.count[i];
    return t;
}

static void taps_free(taps *t)
{
    free(t->lo);
    free(t->count);
    free(t->weight);
    free(t->wf);
}

static void test_resize_row(void **state)
{
    (void)state;
    for (size_t n = 0; n < 70; n++)
        for (int most = 1; most < 20; most++) {
            taps t = taps_make(n, most);
            uint8_t *in = random_bytes(3 * t.in_n);
            int shift = 14 + (int)(draw() % 8);
            clear();
            plain.resize_row_u8(want + GUARD, in, n, t.lo, t.count, t.weight, t.stride, shift);
            fast.resize_row_u8(got + GUARD, in, n, t.lo, t.count, t.weight, t.stride, shift);
            assert_memory_equal(want, got, sizeof want);
            free(in);
            taps_free(&t);
        }
}

static void test_resize_col(void **state)
{
    (void)state;
    for (size_t n = 0; n < 100; n++)
        for (size_t k = 1; k < 20; k++) {
            uint8_t *in[20];
            int16_t weight[20];
            for (size_t i = 0; i < k; i++) {
                in[i] = random_bytes(n);
                weight[i] = (int16_t)(draw() % 32768u);
            }
            clear();
            plain.resize_col_u8(want + GUARD, (const uint8_t *const *)in, weight, k, n, 14 + (int)(n % 8));
            fast.resize_col_u8(got + GUARD, (const uint8_t *const *)in, weight, k, n, 14 + (int)(n % 8));
            assert_memory_equal(want, got, sizeof want);
            for (size_t i = 0; i < k; i++)
                free(in[i]);
        }
}

/* A filter's weights: some below zero, 1 together. */
static void weights_fill(int32_t *w, size_t n, int shift)
{
    int32_t left = 1 << shift;
    for (size_t k = 0; k + 1 < n; k++) {
        w[k] = (int32_t)(draw() % (1u << (shift - 1))) - (1 << (shift - 3));
        left -= w[k] /= (int32_t)n;
    }
    w[n - 1] = left;
}

/* Weights of 16 bits below zero too, and those of 32 bits beside a sum in 64. */
static void test_resize_signed(void **state)
{
    (void)state;
    for (size_t n = 0; n < 70; n++)
        for (int most = 1; most < 20; most++) {
            taps t = taps_make(n, most);
            uint8_t *in = random_bytes(3 * t.in_n);
            int32_t *wide = calloc(n * t.stride + 1, sizeof *wide);
            for (size_t i = 0; i < n; i++) {
                int32_t w[20];
                weights_fill(w, (size_t)t.count[i], 14);
                weights_fill(wide + i * t.stride, (size_t)t.count[i], REEL_WIDE_SHIFT);
                for (int32_t k = 0; k < t.count[i]; k++)
                    t.weight[i * t.stride + (size_t)k] = (int16_t)w[k];
            }
            clear();
            plain.resize_row_u8(want + GUARD, in, n, t.lo, t.count, t.weight, t.stride, 14);
            fast.resize_row_u8(got + GUARD, in, n, t.lo, t.count, t.weight, t.stride, 14);
            assert_memory_equal(want, got, sizeof want);
            clear();
            fast.resize_row_wide(got + GUARD, in, n, t.lo, t.count, wide, t.stride);
            for (size_t i = 0; i < 3 * n; i++) {
                int64_t sum = 1 << (REEL_WIDE_SHIFT - 1);
                for (size_t k = 0; k < (size_t)t.count[i / 3]; k++)
                    sum += (int64_t)wide[i / 3 * t.stride + k] * in[3 * ((size_t)t.lo[i / 3] + k) + i % 3];
                sum >>= REEL_WIDE_SHIFT;
                want[GUARD + i] = sum < 0 ? 0 : sum > 255 ? 255 : (uint8_t)sum;
            }
            assert_memory_equal(want, got, sizeof want);
            free(in);
            free(wide);
            taps_free(&t);
        }
}

static void test_resize_col_signed(void **state)
{
    (void)state;
    for (size_t n = 0; n < 600; n += 1 + n / 20)
        for (size_t k = 1; k < 20; k++) {
            uint8_t *in[20];
            int32_t w[20], wide[20];
            int16_t weight[20];
            weights_fill(w, k, 14);
            weights_fill(wide, k, REEL_WIDE_SHIFT);
            for (size_t i = 0; i < k; i++) {
                in[i] = random_bytes(n);
                weight[i] = (int16_t)w[i];
            }
            clear();
            plain.resize_col_u8(want + GUARD, (const uint8_t *const *)in, weight, k, n, 14);
            fast.resize_col_u8(got + GUARD, (const uint8_t *const *)in, weight, k, n, 14);
            assert_memory_equal(want, got, sizeof want);
            clear();
            fast.resize_col_wide(got + GUARD, (const uint8_t *const *)in, wide, k, n);
            for (size_t i = 0; i < n; i++) {
                int64_t sum = 1 << (REEL_WIDE_SHIFT - 1);
                for (size_t j = 0; j < k; j++)
                    sum += (int64_t)wide[j] * in[j][i];
                sum >>= REEL_WIDE_SHIFT;
                want[GUARD + i] = sum < 0 ? 0 : sum > 255 ? 255 : (uint8_t)sum;
            }
            assert_memory_equal(want, got, sizeof want);
            for (size_t i = 0; i < k; i++)
                free(in[i]);
        }
}

static void test_planes(void **state)
{
    (void)state;
    static float table[3][256];
    for (size_t i = 0; i < 768; i++)
        table[i / 256][i % 256] = (float)draw();
    for (size_t n = 0; n < 100; n++) {
        uint8_t *rgb = random_bytes(3 * n);
        for (size_t c = 0; c < 3; c++) {  /* the tested plane in the guarded place */
            static float a[MOST], b[MOST];
            clear();
            void *w = want + GUARD, *g = got + GUARD;
            plain.planes_from_rgb(c == 0 ? w : a, c == 1 ? w : (c == 0 ? a : b), c == 2 ? w : b, rgb, n, (const float (*)[256])table);
            fast.planes_from_rgb(c == 0 ? g : a, c == 1 ? g : (c == 0 ? a : b), c == 2 ? g : b, rgb, n, (const float (*)[256])table);
            assert_memory_equal(want, got, sizeof want);
            for (size_t i = 0; i < n; i++) {
                float value;
                memcpy(&value, want + GUARD + 4 * i, 4);
                assert_true(value == table[c][rgb[3 * i + c]]);
            }
        }
        free(rgb);
    }
}

/* The calculation: equal in every form, and equal to dividing for the guide's numbers. */
static void test_scaled(void **state)
{
    (void)state;
    reel_byte_scale scale[3] = {{255, 0, 0.485f, 0.229f, 0}, {255, 0, 0.456f, 0.224f, 0}, {1, 0, 103.529998779f, 57.375f, 0}};
    for (int c = 0; c < 3; c++) {
        scale[c].dr = 1 / scale[c].d;
        scale[c].sr = 1 / scale[c].s;
    }
    for (size_t n = 0; n < 200; n++) {
        uint8_t *rgb = random_bytes(3 * n);
        for (int c = 0; c < 2 && n == 100; c++)
            scale[c].d = scale[c].dr = 1;  /* the processors': nothing to divide by first */
        for (size_t c = 0; c < 3; c++) {
            static float a[MOST], b[MOST];
            clear();
            void *w = want + GUARD, *g = got + GUARD;
            plain.planes_scaled(c == 0 ? w : a, c == 1 ? w : (c == 0 ? a : b), c == 2 ? w : b, rgb, n, scale);
            fast.planes_scaled(c == 0 ? g : a, c == 1 ? g : (c == 0 ? a : b), c == 2 ? g : b, rgb, n, scale);
            assert_memory_equal(want, got, sizeof want);
            for (size_t i = 0; i < n; i++) {
                float value, x = (float)rgb[3 * i + c] / scale[c].d;
                memcpy(&value, want + GUARD + 4 * i, 4);
                assert_true(value == (x - scale[c].m) / scale[c].s);
            }
        }
        free(rgb);
    }
}

static void test_lerp_row(void **state)
{
    (void)state;
    for (size_t n = 0; n < 100; n++)
        for (uint32_t step = 0; step < 5; step++)
            for (int mirrored = 0; mirrored < 2; mirrored++) {
                int32_t i0[100] = {0}, i1[100] = {0};
                int32_t at = 0;
                for (size_t i = 0; i < n; i++) {
                    size_t place = mirrored ? n - 1 - i : i;
                    i0[place] = at;
                    i1[place] = at + 1;
                    at += (int32_t)(draw() % (step + 1));
                }
                for (size_t i = 0; i < n; i++)  /* the last value has none behind it */
                    i1[i] = i1[i] > at ? at : i1[i];
                float *in = random_floats((size_t)at + 1), *l0 = random_floats(n), *l1 = random_floats(n);
                clear();
                plain.lerp_row((void *)(want + GUARD), in, n, i0, i1, l0, l1);
                fast.lerp_row((void *)(got + GUARD), in, n, i0, i1, l0, l1);
                assert_memory_equal(want, got, sizeof want);
                free(in);
                free(l0);
                free(l1);
            }
}

static void test_lerp_col(void **state)
{
    (void)state;
    for (size_t n = 0; n < 200; n++) {
        float *a = random_floats(n), *b = random_floats(n);
        clear();
        plain.lerp_col((void *)(want + GUARD), a, b, 0.3f, 0.7f, n);
        fast.lerp_col((void *)(got + GUARD), a, b, 0.3f, 0.7f, n);
        assert_memory_equal(want, got, sizeof want);
        free(a);
        free(b);
    }
}

static void test_area_row(void **state)
{
    (void)state;
    for (size_t n = 0; n < 70; n++)
        for (int most = 1; most < 24; most++) {
            taps t = taps_make(n, most);
            float *in = random_floats(t.in_n), *weight = random_floats(n * (size_t)most);
            clear();
            plain.area_row((void *)(want + GUARD), in, n, t.lo, t.count, weight, n);
            fast.area_row((void *)(got + GUARD), in, n, t.lo, t.count, weight, n);
            assert_memory_equal(want, got, sizeof want);
            free(in);
            free(weight);
            taps_free(&t);
        }
}

static void test_area_col(void **state)
{
    (void)state;
    for (size_t n = 0; n < 100; n++)
        for (size_t k = 1; k < 24; k++) {
            float *in[24], *weight = random_floats(k);
            for (size_t i = 0; i < k; i++)
                in[i] = random_floats(n);
            clear();
            plain.area_col((void *)(want + GUARD), (const float *const *)in, weight, k, n);
            fast.area_col((void *)(got + GUARD), (const float *const *)in, weight, k, n);
            assert_memory_equal(want, got, sizeof want);
            for (size_t i = 0; i < k; i++)
                free(in[i]);
            free(weight);
        }
}

/* The check values of the colour formula (BT.601, limited range), in a row wide enough for every form. */
static void test_yuv_values(void **state)
{
    (void)state;
    static const int values[][6] = {{16, 128, 128, 0, 0, 0}, {235, 128, 128, 255, 255, 255}, {126, 128, 128, 128, 128, 128},
                                    {81, 90, 240, 253, 0, 0}, {145, 54, 34, 0, 254, 0}, {41, 240, 110, 0, 0, 254},
                                    {0, 0, 0, 0, 135, 0}, {255, 255, 255, 255, 124, 255}, {126, 30, 200, 242, 107, 0}};
    static const reel_yuv_matrix bt601 = {16, 9539, 13075, 16525, -6660, -3209};
    for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
        uint8_t y[33], u[17], v[17], rgb[99];
        memset(y, values[k][0], sizeof y);
        memset(u, values[k][1], sizeof u);
        memset(v, values[k][2], sizeof v);
        fast.yuv_row(rgb, y, u, v, 0, 33, &bt601);
        for (size_t i = 0; i < 99; i++)
            assert_int_equal(rgb[i], values[k][3 + i % 3]);
    }
}

int main(int argc, char **argv)
{
    unsigned flags;
    if (!test_level(argc, argv, &flags))
        return 0;
    reel_pixel_kernels_select(&plain, 0);
    reel_pixel_kernels_select(&fast, flags);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yuv_values), cmocka_unit_test(test_yuv), cmocka_unit_test(test_resize_row),
        cmocka_unit_test(test_resize_col), cmocka_unit_test(test_resize_signed), cmocka_unit_test(test_resize_col_signed),
        cmocka_unit_test(test_planes), cmocka_unit_test(test_scaled), cmocka_unit_test(test_lerp_row),
        cmocka_unit_test(test_lerp_col), cmocka_unit_test(test_area_row), cmocka_unit_test(test_area_col),
    };
    return cmocka_run_group_tests_name("pixel kernels", tests, NULL, NULL);
}
