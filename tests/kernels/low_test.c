/* Every row of the low table against the plain C row over odd sizes, with guards behind every output; the plain C rows against
 * sums in double and against the definition of bfloat16. Argument: the level. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cpu.h"
#include "kernels/low.h"

void reel_bf16_block_emulated(float *c, size_t ldc, const uint16_t *a, size_t lda, const uint16_t *b, size_t m, size_t n, size_t k,
                              bool sum);  /* both in tiles_emulated.c */
void reel_int8_block_emulated(int32_t *c, size_t ldc, const uint8_t *a, size_t lda, const int8_t *b, const int32_t *start, size_t m, size_t n,
                              size_t k);

enum { ROOM = 1 << 18 };
static reel_low_kernels plain, fast;
static uint32_t seed = 7;
static float fa[ROOM], fb[ROOM], fc[ROOM], fd[ROOM];
static uint16_t ha[ROOM], hb[ROOM], hc[ROOM], hd[ROOM];
static const size_t sizes[] = {0, 1, 2, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 768, 1568};
#define EACH_SIZE(n) for (size_t at_ = 0, n = sizes[0]; at_ < sizeof sizes / sizeof *sizes && (n = sizes[at_], 1); at_++)

static float unit(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (float)((int32_t)(seed >> 8) - (1 << 23)) / (float)(1 << 23);
}

static void fill(float *x, size_t n, float factor)
{
    for (size_t i = 0; i < n; i++)
        x[i] = unit() * factor;
}

static void fill_half(uint16_t *x, size_t n, float factor)
{
    for (size_t i = 0; i < n; i++) {
        float f = unit() * factor;
        plain.to_bf16(&x[i], &f, 1);
    }
}

static float value(uint16_t h)
{
    float f;
    plain.from_bf16(&f, &h, 1);
    return f;
}

static void same_bytes(const char *what, const void *got, const void *want, size_t bytes)
{
    if (memcmp(got, want, bytes) != 0)
        fail_msg("%s (%s) differs from plain C", what, fast.isa);
}

static void test_conversion(void **state)
{
    (void)state;
    static const float odd[] = {0.0f, -0.0f, 1.0f, 1.00390625f, 1.01171875f, INFINITY, -INFINITY, 3.4e38f, -1e-3f, 65504.0f};
    static const uint16_t want[] = {0, 0x8000, 0x3F80, 0x3F80, 0x3F82, 0x7F80, 0xFF80, 0x7F80, 0xBA83, 0x4780};
    const reel_low_kernels *both[2] = {&plain, &fast};
    for (int k = 0; k < 2; k++) {  /* nearest, ties to even; overflow to infinity */
        both[k]->to_bf16(ha, odd, 10);
        same_bytes("to_bf16 of known values", ha, want, sizeof want);
        float nan = NAN;
        both[k]->to_bf16(ha, &nan, 1);
        assert_true(isnan(value(ha[0])));
    }
    EACH_SIZE(n) {
        fill(fa, n, 1e3f);
        memset(ha, 0x5a, sizeof *ha * (n + 64));
        memset(hb, 0x5a, sizeof *hb * (n + 64));
        plain.to_bf16(ha, fa, n);
        fast.to_bf16(hb, fa, n);
        same_bytes("to_bf16", hb, ha, sizeof *ha * (n + 64));
        memset(fb, 0x5a, sizeof *fb * (n + 64));
        memset(fc, 0x5a, sizeof *fc * (n + 64));
        plain.from_bf16(fb, ha, n);
        fast.from_bf16(fc, ha, n);
        same_bytes("from_bf16", fc, fb, sizeof *fb * (n + 64));
    }
}

static const size_t shapes[][3] = {{1, 1, 1}, {3, 5, 2}, {6, 16, 64}, {7, 17, 33}, {48, 64, 64}, {13, 100, 31}, {33, 130, 96},
                                   {5, 63, 128}, {96, 65, 7}, {2, 200, 66}, {40, 48, 150}, {64, 32, 32}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void test_packing(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        const size_t n = shapes[s][1], k = shapes[s][2], size = reel_panels_size(k, n) + 64;
        fill_half(hc, (n + 3) * (k + 3) * 2, 1.0f);
        for (int turned = 0; turned < 2; turned++) {
            memset(ha, 0x5a, size * sizeof *ha);
            memset(hb, 0x5a, size * sizeof *hb);
            (turned ? plain.pack_turned_bf16 : plain.pack_bf16)(ha, hc, turned ? k + 3 : n + 1, k, n);
            (turned ? fast.pack_turned_bf16 : fast.pack_bf16)(hb, hc, turned ? k + 3 : n + 1, k, n);
            same_bytes(turned ? "pack_turned" : "pack", hb, ha, size * sizeof *ha);
        }
        memset(ha, 0x5a, (n + 2) * (k + 2) * 2);
        memset(hb, 0x5a, (n + 2) * (k + 2) * 2);
        plain.turn_bf16(ha, k + 2, hc, n + 1, k, n);
        fast.turn_bf16(hb, k + 2, hc, n + 1, k, n);
        same_bytes("turn", hb, ha, (n + 2) * (k + 2) * 2);
    }
}

static void test_block(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++)
        for (int sum = 0; sum < 2; sum++) {
            const size_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2], lda = k + 5, ldc = ((n + 15) & ~(size_t)15) + 3;
            const size_t all = m * ldc + 64;
            fill_half(ha, m * lda + 64, 1.0f);
            fill_half(hc, k * (n + 1), 1.0f);
            plain.pack_bf16(hb, hc, n + 1, k, n);
            fill(fa, all, 2.0f);
            memcpy(fb, fa, all * sizeof *fa);
            memcpy(fc, fa, all * sizeof *fa);
            plain.bf16_block(fa, ldc, ha, lda, hb, m, n, k, sum);
            fast.bf16_block(fb, ldc, ha, lda, hb, m, n, k, sum);
            for (size_t r = 0; r < m; r++)
                for (size_t j = 0; j < ldc; j++) {
                    const size_t at = r * ldc + j;
                    if (j >= ((n + 15) & ~(size_t)15))
                        assert_true(fb[at] == fc[at]);  /* untouched */
                    double want = sum ? (double)fc[at] : 0;
                    for (size_t i = 0; i < k && j < n; i++)
                        want += (double)value(ha[r * lda + i]) * (double)value(hc[i * (n + 1) + j]);
                    if (j < n && !(fabs((double)fb[at] - want) <= 2e-6 * sqrt((double)k) + 1e-6))
                        fail_msg("bf16_block %s (%zu, %zu, %zu): (%zu, %zu) is %g, wanted %g", fast.isa, m, n, k, r, j, (double)fb[at], want);
                    if (j < n)
                        assert_true(fabs((double)fa[at] - want) <= 1e-6 * (1 + fabs(want)));
                }
            for (size_t i = m * ldc; i < all; i++)
                assert_true(fb[i] == fc[i]);
        }
}

/* bfloat16 numbers one step apart at most: where exp lands near the middle between two. */
static void near_half(const char *what, const uint16_t *got, const uint16_t *want, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float g = value(got[i]), w = value(want[i]);
        if (!(fabsf(g - w) <= 0.0079f * fabsf(w) + 1e-37f) && !(isnan(g) && isnan(w)))
            fail_msg("%s %s: element %zu of %zu is %g, wanted %g", what, fast.isa, i, n, (double)g, (double)w);
    }
}

static void test_softmax(void **state)
{
    (void)state;
    EACH_SIZE(n) {
        if (n == 0)
            continue;
        float top[2], sum[2];
        double all = 0;
        fill(fa, n, 30.0f);
        memset(hb, 0x5a, (n + 70) * 2);
        plain.softmax_bf16(ha, fa, n, n + 5, 0.125f, &top[0], &sum[0]);
        fast.softmax_bf16(hb, fa, n, n + 5, 0.125f, &top[1], &sum[1]);
        assert_true(top[0] == top[1] && fabsf(sum[0] - sum[1]) <= 1e-5f * sum[0]);
        near_half("softmax", hb, ha, n);
        for (size_t i = 0; i < n; i++)
            all += exp(0.125 * ((double)fa[i] - (double)top[0]));
        assert_true(fabs(all - (double)sum[1]) <= 1e-5 * all);
        for (size_t i = n; i < n + 5; i++)
            assert_int_equal(hb[i], 0);
        assert_int_equal(hb[n + 5], 0x5a5a);
        memcpy(fb, fa, n * sizeof *fa);
        fast.softmax_bf16((uint16_t *)(void *)fb, fb, n, n, 0.125f, &top[1], &sum[1]);  /* in place */
        same_bytes("softmax in place", fb, hb, 2 * n);

        fill(fb, n, 1.0f);
        fill(fc, n, 4.0f);
        fill(fd, n, 0.5f);
        plain.softmax_bwd_bf16(ha, hb, fa, fb, n, 0.125f, fc, fd);
        memset(hc, 0x5a, (n + 9) * 2);
        memset(hd, 0x5a, (n + 9) * 2);
        fast.softmax_bwd_bf16(hc, hd, fa, fb, n, 0.125f, fc, fd);
        near_half("softmax_bwd p", hc, ha, n);
        near_half("softmax_bwd ds", hd, hb, n);
        assert_int_equal(hc[n], 0x5a5a);
        assert_int_equal(hd[n], 0x5a5a);
        fast.softmax_bwd_bf16((uint16_t *)(void *)fa, (uint16_t *)(void *)fb, fa, fb, n, 0.125f, fc, fd);
        same_bytes("softmax_bwd p in place", fa, hc, 2 * n);
        same_bytes("softmax_bwd ds in place", fb, hd, 2 * n);
    }
}

static void test_int8(void **state)
{
    (void)state;
    static uint8_t q[2][4096];
    static int32_t acc[4096];
    EACH_SIZE(n) {
        float scale[2];
        fill(fa, n, 5.0f);
        memset(q, 0x5a, sizeof q);
        plain.quantise_row(q[0], fa, n, &scale[0]);
        fast.quantise_row(q[1], fa, n, &scale[1]);
        same_bytes("quantise_row", q[1], q[0], sizeof q[0]);
        assert_true(scale[0] == scale[1]);
        for (size_t i = 0; i < n; i++) {
            assert_true(q[0][i] >= 1);
            assert_true(fabsf(((float)q[0][i] - 128) * scale[0] - fa[i]) <= 0.5001f * scale[0] + 1e-6f);
            acc[i] = (int32_t)(unit() * 1e6f);
        }
        for (size_t i = 0; i < n; i++)
            fa[i] = unit() * 2e-37f;  /* 127 / max would be infinite: numbers as good as zero */
        plain.quantise_row(q[0], fa, n, &scale[0]);
        fast.quantise_row(q[1], fa, n, &scale[1]);
        for (size_t i = 0; i < n; i++)
            assert_true(q[0][i] == 128 && q[1][i] == 128 && scale[0] < 1e-38f && scale[1] < 1e-38f);
        fill(fb, n, 0.01f);
        fill(fc, n, 1.0f);
        for (int with = 0; with < 2; with++) {
            memset(fa, 0x5a, (n + 20) * sizeof *fa);
            memset(fd, 0x5a, (n + 20) * sizeof *fd);
            plain.dequantise_row(fa, acc, n, 0.03f, fb, with ? fc : NULL);
            fast.dequantise_row(fd, acc, n, 0.03f, fb, with ? fc : NULL);
            same_bytes("dequantise_row", fd, fa, (n + 20) * sizeof *fa);
        }
    }
    memset(fa, 0, 64);
    float scale = -1;
    fast.quantise_row(q[0], fa, 16, &scale);  /* nothing but zeros */
    assert_true(scale == 0 && q[0][0] == 128 && q[0][15] == 128);
}

static void test_int8_block(void **state)
{
    (void)state;
    static uint8_t a[ROOM];
    static int8_t b[ROOM], w[ROOM];
    static int32_t c[2][ROOM];
    for (size_t s = 0; s < SHAPES; s++) {
        const size_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2], lda = k + 5, ldc = ((n + 15) & ~(size_t)15) + 3;
        for (size_t i = 0; i < m * lda + 8; i++)
            a[i] = (uint8_t)((int)(unit() * 127.9f) + 128);
        for (size_t i = 0; i < n * k; i++)
            w[i] = (int8_t)(unit() * 127.9f);
        memset(b, 0, reel_quads_size(k, n));
        for (size_t j = 0; j < n; j++)
            reel_pack_int8_row(b, w + j * k, j, k);
        static int32_t start[512];
        for (size_t j = 0; j < 512; j++)
            start[j] = (int32_t)(unit() * 1e5f);
        memset(c, 0x5a, sizeof c);
        plain.int8_block(c[0], ldc, a, lda, b, NULL, m, n, k);
        fast.int8_block(c[1], ldc, a, lda, b, NULL, m, n, k);
        same_bytes("int8_block without start", c[1], c[0], (m * ldc + 64) * sizeof c[0][0]);
        memset(c, 0x5a, sizeof c);
        plain.int8_block(c[0], ldc, a, lda, b, start, m, n, k);
        fast.int8_block(c[1], ldc, a, lda, b, start, m, n, k);
        same_bytes("int8_block", c[1], c[0], (m * ldc + 64) * sizeof c[0][0]);
        for (size_t r = 0; r < m; r++)
            for (size_t j = 0; j < n; j++) {
                int32_t want = start[j];
                for (size_t i = 0; i < k; i++)
                    want += (int32_t)a[r * lda + i] * w[j * k + i];
                assert_int_equal(c[0][r * ldc + j], want);
            }
    }
}

static void test_gelu(void **state)
{
    (void)state;
    for (float x = -20.0f; x < 20.0f; x += 0.0013f) {
        const double want = 0.5 * (double)x * erfc(-(double)x * 0.70710678118654752);
        float y[2];
        plain.gelu_near(&y[0], &x, 1);
        fast.gelu_near(&y[1], &x, 1);
        assert_true(fabs((double)y[0] - want) <= 1e-6 + 1e-6 * fabs(want));
        assert_true(fabs((double)y[1] - want) <= (fabsf(x) <= 4.2f ? 6e-5 : 2.2e-4));
        assert_true(fabsf(x) >= 1 || fabs((double)y[1] - want) <= 1e-4 * fabs(want));
    }
    EACH_SIZE(n) {
        fill(fa, n, 5.0f);
        memset(fb, 0x5a, (n + 20) * sizeof *fb);
        fast.gelu_near(fb, fa, n);
        fast.gelu_near(fa, fa, n);
        same_bytes("gelu_near in place", fa, fb, n * sizeof *fa);
        assert_int_equal(((uint32_t *)(void *)fb)[n], 0x5a5a5a5a);
    }
    float odd[2] = {INFINITY, NAN};
    fast.gelu_near(odd, odd, 2);
    assert_true(isinf(odd[0]) && isnan(odd[1]));
}

static void test_int8_scores(void **state)
{
    (void)state;
    static int8_t q[2][REEL_PANEL * 132];
    static const size_t widths[] = {1, 5, 16, 63, 64, 80, 128};
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (size_t rows = 1; rows <= REEL_PANEL; rows += 21) {
            const size_t d = widths[w];
            float scale[2];
            fill_half(ha, rows * (d + 3), 3.0f);
            fill(fa, d, 1.0f);
            memset(q, 0x5a, sizeof q);
            plain.quantise_keys(q[0], &scale[0], ha, d + 3, fa, rows, d);
            fast.quantise_keys(q[1], &scale[1], ha, d + 3, fa, rows, d);
            same_bytes("quantise_keys", q[1], q[0], sizeof q[0]);
            assert_true(scale[0] == scale[1]);
            for (size_t r = 0; r < rows; r++)
                for (size_t i = 0; i < d; i++)
                    assert_true(fabsf((float)q[0][r * ((d + 3) & ~(size_t)3) + i] * scale[0] - (value(ha[r * (d + 3) + i]) - fa[i])) <=
                                0.5001f * scale[0]);
        }
    static int32_t s[4096];
    EACH_SIZE(n) {
        if (n == 0)
            continue;
        static float weight[2][64], want[4096];
        static uint8_t bytes[2][4096];
        float sum[2];
        double all = 0, most = -INFINITY;
        for (size_t i = 0; i < n; i++)
            s[i] = (int32_t)(unit() * 1e5f);
        for (size_t i = 0; i <= n / REEL_PANEL; i++)
            fb[i] = 1e-4f * (1.5f + unit());
        memset(bytes, 0x5a, sizeof bytes);
        plain.softmax_int8(bytes[0], weight[0], s, n, n + 5, 0.125f, fb, &sum[0]);
        fast.softmax_int8(bytes[1], weight[1], s, n, n + 5, 0.125f, fb, &sum[1]);
        for (size_t i = 0; i < n; i++)
            most = fmax(most, 0.125 * (double)fb[i / REEL_PANEL] * s[i]);
        for (size_t i = 0; i < n; i++)
            all += want[i] = expf((float)(0.125 * (double)fb[i / REEL_PANEL] * s[i] - most));
        for (int k = 0; k < 2; k++)
            for (size_t i = 0; i < n + 6; i++) {
                const float w = weight[k][i / REEL_GROUP];
                if (i < n)  /* half a step of the group, and one more where the exponential is near a half */
                    assert_true(fabsf(w * bytes[k][i] - 255 * want[i]) <= 0.52f * w + 255 * want[i] * 2e-4f);
                else
                    assert_int_equal(bytes[k][i], i < n + 5 ? 0 : 0x5a);
            }
        assert_true(fabs((double)sum[1] - (double)sum[0]) <= 2e-3 * (double)sum[0]);
        assert_true(fabs((double)sum[0] / 255 - all) <= 0.002 * (double)n + 1e-3 * all);
        fast.softmax_int8((uint8_t *)s, weight[0], s, n, n, 0.125f, fb, &sum[0]);
        same_bytes("softmax_int8 in place", s, bytes[1], n);
    }
}

static void test_int8_values(void **state)
{
    (void)state;
    static const size_t widths[] = {1, 5, 16, 63, 64, 80, 128};
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (size_t rows = 1; rows < 40; rows += 13) {
            const size_t d = widths[w], pairs = (rows + 1) / 2;
            fill_half(ha, rows * (d + 3), 3.0f);
            for (size_t i = 0; i < d; i++)
                fa[i] = 30.0f + unit();
            memset(hb, 0x5a, (pairs * d + 8) * 2);
            memset(hc, 0x5a, (pairs * d + 8) * 2);
            plain.quantise_values(hb, ha, d + 3, fa, rows, d);
            fast.quantise_values(hc, ha, d + 3, fa, rows, d);
            same_bytes("quantise_values", hc, hb, (pairs * d + 8) * 2);
            for (size_t r = 0; r < rows; r++)
                for (size_t i = 0; i < d; i++) {
                    const int8_t q = (int8_t)(hb[r / 2 * d + i] >> 8 * (r % 2));
                    assert_true(fabsf(q - value(ha[r * (d + 3) + i]) * fa[i]) <= 0.5001f);
                }
            static int32_t x[256];
            for (size_t i = 0; i < d; i++)
                x[i] = (int32_t)(unit() * 1e6f);
            fill(fb, d + 9, 1.0f);
            memcpy(fc, fb, (d + 9) * sizeof *fb);
            plain.add_whole(fb, x, 0.037f, d);
            fast.add_whole(fc, x, 0.037f, d);
            same_bytes("add_whole", fc, fb, (d + 9) * sizeof *fb);
        }
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "c";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversion), cmocka_unit_test(test_packing), cmocka_unit_test(test_block),
        cmocka_unit_test(test_softmax), cmocka_unit_test(test_int8), cmocka_unit_test(test_int8_block),
        cmocka_unit_test(test_gelu), cmocka_unit_test(test_int8_scores),
        cmocka_unit_test(test_int8_values),
    };
    unsigned flags = 0;
    if (strcmp(name, "avx2") == 0)
        flags = REEL_CPU_AVX2;
    else if (strcmp(name, "avx512") == 0)
        flags = REEL_CPU_AVX2 | REEL_CPU_AVX512;
    else if (strcmp(name, "avx512vnni") == 0)
        flags = REEL_CPU_AVX2 | REEL_CPU_AVX512 | REEL_CPU_AVX512_VNNI;
    else if (strcmp(name, "avx512bf16") == 0)
        flags = REEL_CPU_AVX2 | REEL_CPU_AVX512 | REEL_CPU_AVX512_BF16;
    else if (strcmp(name, "amx") == 0)
        flags = REEL_CPU_AVX2 | REEL_CPU_AVX512 | REEL_CPU_AVX512_BF16 | REEL_CPU_AMX_BF16 | REEL_CPU_AMX_INT8;
    if ((reel_cpu_flags() & flags) != flags) {
        printf("1..0 # skipped: this processor has no %s\n", name);
        return 0;
    }
    reel_low_kernels_select(&plain, 0);
    reel_low_kernels_select(&fast, flags);
#ifdef __x86_64__
    if (strcmp(name, "tiles") == 0) {
        fast.bf16_block = reel_bf16_block_emulated;
        fast.int8_block = reel_int8_block_emulated;
        fast.isa = "emulated tiles";
    }
#endif
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
