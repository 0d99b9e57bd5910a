/* The transforms against the numbers that the Python libraries gave (test vectors of the specification), and their geometry. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../level.h"
#include "transforms/filter.h"
#include "transforms/transform.h"
#include "pattern.h"

static reel_pixel_kernels kernels;

static reel_processor imagenet(void)
{
    return (reel_processor){.do_resize = true, .do_center_crop = true, .do_rescale = true, .do_normalize = true,
                            .shortest_edge = 224, .crop_height = 224, .crop_width = 224, .resample = 2,
                            .rescale_factor = 0.00392156862745098, .mean = {0.485, 0.456, 0.406}, .std = {0.229, 0.224, 0.225}};
}

static float *run(const reel_transform *t, const reel_transform_draws *d, const uint8_t *rgb, int w, int h)
{
    reel_error err = {0};
    reel_clip *clip = NULL;
    float *out = malloc(3 * (size_t)t->height * (size_t)t->width * sizeof *out);
    if (reel_clip_begin(t, d, 1, out, &clip, &err) != REEL_OK || reel_clip_put_rgb(clip, rgb, w, h, 0, &err) != REEL_OK)
        fail_msg("%s", err.message);
    reel_clip_end(&clip);
    assert_null(clip);
    return out;
}

static reel_transform make(reel_transform_kind kind, const reel_processor *p, int h, int w)
{
    return (reel_transform){.kind = kind, .processor = p, .height = h, .width = w, .kernels = &kernels};
}

static void test_pattern(void **state)
{
    (void)state;
    uint8_t *rgb = pattern(240, 320);
    assert_int_equal(crc32(rgb, 240 * 320 * 3), 0x5a973e6a);
    free(rgb);
}

static uint8_t *to_bytes(const float *in, size_t n)
{
    uint8_t *out = malloc(n);
    for (size_t i = 0; i < n; i++) {
        out[i] = (uint8_t)in[i];
        assert_true((float)out[i] == in[i]);
    }
    return out;
}

static void test_resize_bytes(void **state)
{
    (void)state;
    uint8_t *rgb = pattern(240, 320);
    reel_processor p = imagenet();
    p.do_rescale = p.do_normalize = p.do_center_crop = false;
    reel_transform t = make(REEL_TRANSFORM_PROCESSOR, &p, 224, 298);
    float *out = run(&t, NULL, rgb, 320, 240);
    uint8_t *bytes = to_bytes(out, 3 * 224 * 298);
    assert_int_equal(crc32(bytes, 3 * 224 * 298), 0x70d9fc9c);
    free(bytes);
    free(out);
    p.do_center_crop = true;
    t = make(REEL_TRANSFORM_PROCESSOR, &p, 224, 224);
    out = run(&t, NULL, rgb, 320, 240);
    bytes = to_bytes(out, 3 * 224 * 224);
    assert_int_equal(crc32(bytes, 3 * 224 * 224), 0x1869d0d1);
    static const uint8_t first[3][3] = {{25, 34, 41}, {54, 63, 70}, {83, 92, 99}};
    for (size_t c = 0; c < 3; c++)
        assert_memory_equal(bytes + c * 224 * 224, first[c], 3);
    free(bytes);
    free(out);
    free(rgb);
}

static void test_fused(void **state)
{
    (void)state;
    uint8_t *rgb = pattern(240, 320);
    reel_processor p = imagenet();
    reel_transform t = make(REEL_TRANSFORM_PROCESSOR, &p, 224, 224);
    float *out = run(&t, NULL, rgb, 320, 240);
    assert_int_equal(crc32(out, 3 * 224 * 224 * sizeof *out), 0xee2b6b7d);
    assert_true(out[0] == -1.6897851f);
    free(out);
    free(rgb);
}

static void test_eval(void **state)
{
    (void)state;
    uint8_t *rgb = pattern(240, 320);
    reel_processor p = imagenet();
    reel_transform t = make(REEL_TRANSFORM_EVAL, &p, 224, 224);
    float *out = run(&t, NULL, rgb, 320, 240);
    assert_int_equal(crc32(out, 3 * 224 * 224 * sizeof *out), 0x9040ddbb);
    assert_true(out[0] == -2.0538714f && out[1] == -1.8938353f && out[2] == -1.7149198f);
    const float *last = out + 3 * 224 * 224 - 3;
    assert_true(last[0] == -1.5836797f && last[1] == -1.4906788f && last[2] == -1.4074906f);
    free(out);
    free(rgb);
}

static void test_train(void **state)
{
    (void)state;
    uint8_t *rgb = pattern(240, 320);
    reel_processor p = imagenet();
    reel_transform whole = make(REEL_TRANSFORM_TRAIN, &p, 256, 341);
    whole.min_size = whole.max_size = 256;
    float *out = run(&whole, NULL, rgb, 320, 240);
    assert_int_equal(crc32(out, 3 * 256 * 341 * sizeof *out), 0xb35781b5);
    assert_true(out[0] == -2.1179039f && out[1] == -2.0091040f && out[2] == -1.8966130f);
    /* A crop is a part of it, mirrored or not: bit for bit, though only that part was computed. */
    reel_transform part = make(REEL_TRANSFORM_TRAIN, &p, 224, 224);
    part.flip = 0.5;
    part.min_size = 256;
    part.max_size = 320;
    for (uint32_t flip = 0; flip < 2; flip++) {
        reel_transform_draws d = {.size_u = 65 * 7, .top_u = 17 + 33, .left_u = 55 + 118 * 2, .flip_u = flip ? 0x3FFFFF : 0xF00000};
        float *crop = run(&part, &d, rgb, 320, 240);
        for (size_t c = 0; c < 3; c++)
            for (size_t y = 0; y < 224; y++)
                for (size_t x = 0; x < 224; x++) {
                    float want = out[(c * 256 + y + 17) * 341 + 55 + (flip ? 223 - x : x)];
                    assert_true(crop[(c * 224 + y) * 224 + x] == want);
                }
        free(crop);
    }
    free(out);
    free(rgb);
}

/* Further sizes of the pattern, shrunk by many taps, enlarged, tall: made with torch 2.15, torchvision 0.29.2 and transformers
 * 5.24 (short side 256 and crop; Resize((224, 224)); VideoMAEImageProcessor), on a processor with AVX-512. */
static void test_sizes(void **state)
{
    (void)state;
    static const struct { int h, w; uint32_t top, left, crc[3]; } cases[] = {
        {720, 1280, 16, 77, {0x85ca1684, 0x1e5132ab, 0x8ddd98ac}},
        {97, 61, 91, 10, {0x3ba68dc9, 0x19dc2b80, 0x5c1b373e}},
        {301, 224, 60, 10, {0x1170cef0, 0x315b29cf, 0xa44750d7}},
    };
    reel_processor p = imagenet();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t *rgb = pattern((size_t)cases[i].h, (size_t)cases[i].w);
        for (int kind = REEL_TRANSFORM_TRAIN; kind <= REEL_TRANSFORM_PROCESSOR; kind++) {
            reel_transform t = make((reel_transform_kind)kind, &p, 224, 224);
            reel_transform_draws d = {.top_u = cases[i].top, .left_u = cases[i].left};
            t.min_size = t.max_size = 256;
            float *out = run(&t, &d, rgb, cases[i].w, cases[i].h);
            assert_int_equal(crc32(out, 3 * 224 * 224 * sizeof *out), cases[i].crc[kind]);
            free(out);
        }
        free(rgb);
    }
}

/* Value 128 in the guide's form and in the processors' fused form. */
static void test_value(void **state)
{
    (void)state;
    static const float guide[3] = {0.07406463f, 0.20518219f, 0.42649257f}, fused[3] = {0.07406451f, 0.20518209f, 0.42649239f};
    uint8_t rgb[16 * 16 * 3];
    memset(rgb, 128, sizeof rgb);
    reel_processor p = imagenet();
    p.shortest_edge = p.crop_height = p.crop_width = 16;
    reel_transform t = make(REEL_TRANSFORM_EVAL, &p, 16, 16);
    float *a = run(&t, NULL, rgb, 16, 16);
    t.kind = REEL_TRANSFORM_PROCESSOR;
    float *b = run(&t, NULL, rgb, 16, 16);
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < 256; i++)
            assert_true(a[c * 256 + i] == guide[c] && b[c * 256 + i] == fused[c]);
    free(a);
    free(b);
}

/* 101 x 151 in a crop of 224 x 224 lies at row 61, column 36, and the rest is a zero pixel, rescaled and normalised. */
static void test_padding(void **state)
{
    (void)state;
    uint8_t *rgb = pattern(101, 151);
    reel_processor p = imagenet();
    p.do_resize = false;
    reel_transform t = make(REEL_TRANSFORM_PROCESSOR, &p, 224, 224);
    float *out = run(&t, NULL, rgb, 151, 101);
    p.do_rescale = p.do_normalize = false;
    float *raw = run(&t, NULL, rgb, 151, 101);
    for (size_t y = 0; y < 224; y++)
        for (size_t x = 0; x < 224; x++) {
            int inside = y >= 61 && y < 61 + 101 && x >= 36 && x < 36 + 151;
            float want = inside ? (float)rgb[((y - 61) * 151 + x - 36) * 3] : 0;
            assert_true(raw[y * 224 + x] == want);
        }
    assert_true(fabsf(out[0] - (0 - 0.485f) / 0.229f) < 1e-6f);
    free(raw);
    free(out);
    free(rgb);
}

/* uniform_crop of 256 x 341 to 224: (16, 0), (16, 59), (16, 117). */
static void test_views(void **state)
{
    (void)state;
    static const size_t left[3] = {0, 59, 117};
    uint8_t *wide = pattern(240, 320), *tall = malloc(240 * 320 * 3);
    for (size_t y = 0; y < 320; y++)
        for (size_t x = 0; x < 240; x++)
            memcpy(tall + (y * 240 + x) * 3, wide + (x * 320 + y) * 3, 3);
    reel_processor p = imagenet();
    reel_transform whole = make(REEL_TRANSFORM_TRAIN, &p, 256, 341);
    whole.min_size = whole.max_size = 256;
    float *out = run(&whole, NULL, wide, 320, 240);
    for (int crop = 0; crop < 3; crop++) {
        reel_transform t = make(REEL_TRANSFORM_EVAL, &p, 224, 224);
        t.min_size = 256;
        t.crops = 3;
        t.crop = crop;
        float *a = run(&t, NULL, wide, 320, 240), *b = run(&t, NULL, tall, 240, 320);
        for (size_t y = 0; y < 224; y++)
            for (size_t x = 0; x < 224; x++) {
                assert_true(a[y * 224 + x] == out[(y + 16) * 341 + x + left[crop]]);
                assert_true(fabsf(b[x * 224 + y] - a[y * 224 + x]) < 1e-5f);
            }
        free(a);
        free(b);
    }
    free(out);
    free(wide);
    free(tall);
}

static void check_subsample(int64_t t, int n, const int64_t *want)
{
    int64_t got[64];
    reel_subsample(t, n, got);
    for (int i = 0; i < n; i++)
        assert_int_equal(got[i], want[i]);
}

static void test_subsample(void **state)
{
    (void)state;
    check_subsample(53, 16, (int64_t[]){0, 3, 6, 10, 13, 17, 20, 24, 27, 31, 34, 38, 41, 45, 48, 52});
    check_subsample(54, 16, (int64_t[]){0, 3, 7, 10, 14, 17, 21, 24, 28, 31, 35, 38, 42, 45, 49, 53});
    check_subsample(64, 16, (int64_t[]){0, 4, 8, 12, 16, 21, 25, 29, 33, 37, 42, 46, 50, 54, 58, 63});
    check_subsample(17, 16, (int64_t[]){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16});
    check_subsample(10, 16, (int64_t[]){0, 0, 1, 1, 2, 3, 3, 4, 4, 5, 6, 6, 7, 7, 8, 9});
    check_subsample(2, 16, (int64_t[]){0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
    check_subsample(1, 4, (int64_t[]){0, 0, 0, 0});
    int64_t index[128];
    reel_subsample(148, 64, index);
    assert_int_equal(index[27], 62);
    for (int64_t t = 1; t < 2000; t++)
        for (int n = 4; n <= 128; n *= 2) {
            if (n == 64)
                continue;
            reel_subsample(t, n, index);
            for (int i = 0; i < n; i++)
                assert_int_equal(index[i], i * (t - 1) / (n - 1));
        }
}

static void test_back(void **state)
{
    (void)state;
    uint8_t rgb[8 * 8 * 3], back[8 * 8 * 3];
    for (size_t i = 0; i < sizeof rgb; i++)
        rgb[i] = (uint8_t)(i * 41);
    reel_processor p = imagenet();
    p.shortest_edge = p.crop_height = p.crop_width = 8;
    double mean[3], std[3];
    /* the guide's and the processor's; ViViT's, with its 1 taken off; bytes as they are; rescaled alone */
    for (int way = 0; way < 5; way++) {
        reel_transform t = make(way == 0 ? REEL_TRANSFORM_EVAL : REEL_TRANSFORM_PROCESSOR, &p, 8, 8);
        p.offset = way == 2;
        p.rescale_factor = way == 2 ? 1 / 127.5 : 1.0 / 255;
        p.do_rescale = way != 3;
        p.do_normalize = way < 3;
        float *clip = run(&t, NULL, rgb, 8, 8);
        reel_transform_levels(&t, mean, std);
        if (way < 2)
            assert_true(memcmp(mean, p.mean, sizeof mean) == 0 && memcmp(std, p.std, sizeof std) == 0);
        reel_clip_to_rgb(mean, std, clip, 1, 8, 8, back);
        assert_memory_equal(rgb, back, sizeof rgb);
        free(clip);
    }
}

/* Values of the filters; Hamming's constants are float32 numbers in Pillow. */
static void test_filters(void **state)
{
    (void)state;
    static const struct { reel_filter filter; double x, value; } at[] = {
        {REEL_FILTER_HAMMING, 0.5, 0.34377469073887}, {REEL_FILTER_HAMMING, -0.25, 0.77901593064499}, {REEL_FILTER_HAMMING, 0, 1},
        {REEL_FILTER_HAMMING, 1, 0}, {REEL_FILTER_BOX, 0.5, 1}, {REEL_FILTER_BOX, -0.5, 0}, {REEL_FILTER_BILINEAR, -0.75, 0.25},
        {REEL_FILTER_BICUBIC, 0.5, 0.5625}, {REEL_FILTER_BICUBIC, -1.5, -0.0625}, {REEL_FILTER_BICUBIC, 2, 0}, {REEL_FILTER_LANCZOS, 0, 1},
        {REEL_FILTER_LANCZOS, 1.5, -0.13509491152312}, {REEL_FILTER_LANCZOS, 3, 0}, {REEL_FILTER_NEAREST, 0, 0},
    };
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        if (fabs(reel_filter_at(at[i].filter, at[i].x) - at[i].value) > 1e-11)
            fail_msg("%s at %g: %.14g", reel_filter_name(at[i].filter), at[i].x, reel_filter_at(at[i].filter, at[i].x));
}

/* An image processor beside the video processor: the guide's transforms take its mean and std, the processor's own does not. */
static void test_beside(void **state)
{
    (void)state;
    uint8_t rgb[8 * 8 * 3];
    memset(rgb, 102, sizeof rgb);
    reel_processor p = imagenet();
    p.shortest_edge = p.crop_height = p.crop_width = 8;
    p.image = &(reel_processor_beside){.mean = {0.5, 0.4, 0.25}, .std = {0.5, 0.25, 1}};
    static const float guide[3] = {-0.2f, 0, 0.15f}, own[3] = {(0.4f - 0.485f) / 0.229f, (0.4f - 0.456f) / 0.224f, (0.4f - 0.406f) / 0.225f};
    for (int kind = REEL_TRANSFORM_TRAIN; kind <= REEL_TRANSFORM_PROCESSOR; kind++) {
        reel_transform t = make((reel_transform_kind)kind, &p, 8, 8);
        reel_transform_draws d = {0};
        double mean[3], std[3];
        float *clip = run(&t, &d, rgb, 8, 8);
        for (int c = 0; c < 3; c++)
            assert_true(fabsf(clip[c * 64] - (kind == REEL_TRANSFORM_PROCESSOR ? own : guide)[c]) < 1e-6f);
        reel_transform_levels(&t, mean, std);
        assert_true(mean[0] == (kind == REEL_TRANSFORM_PROCESSOR ? 0.485 : 0.5) && std[2] == (kind == REEL_TRANSFORM_PROCESSOR ? 0.225 : 1));
        free(clip);
    }
}

/* A frame of another size in mid-stream, a repeated frame, and what is refused. */
static void test_clip(void **state)
{
    (void)state;
    reel_error err = {0};
    reel_clip *clip = NULL;
    uint8_t *a = pattern(240, 320), *b = pattern(120, 90);
    reel_processor p = imagenet();
    reel_transform t = make(REEL_TRANSFORM_EVAL, &p, 32, 32);
    size_t n = 3 * 32 * 32;
    float *out = malloc(4 * n * sizeof *out);
    assert_int_equal(reel_clip_begin(&t, NULL, 4, out, &clip, &err), REEL_OK);
    assert_int_equal(reel_clip_put_rgb(clip, a, 320, 240, 0, &err), REEL_OK);
    assert_int_equal(reel_clip_put_rgb(clip, b, 90, 120, 2, &err), REEL_OK);
    assert_int_equal(reel_clip_put_rgb(clip, a, 320, 240, 3, &err), REEL_OK);
    reel_clip_repeat(clip, 2, 1);
    assert_memory_equal(out + n, out + 2 * n, n * sizeof *out);
    assert_memory_equal(out, out + 3 * n, n * sizeof *out);
    assert_int_equal(reel_clip_put_rgb(clip, a, 320, 240, 4, &err), REEL_ERR_ARG);
    reel_clip_end(&clip);
    t = make(REEL_TRANSFORM_TRAIN, &p, 224, 224);
    t.min_size = t.max_size = 100;
    assert_int_equal(reel_clip_begin(&t, NULL, 1, out, &clip, &err), REEL_OK);
    assert_int_equal(reel_clip_put_rgb(clip, a, 320, 240, 0, &err), REEL_ERR_ARG);
    reel_clip_end(&clip);
    p.do_center_crop = false;
    t = make(REEL_TRANSFORM_PROCESSOR, &p, 224, 224);
    assert_int_equal(reel_clip_begin(&t, NULL, 1, out, &clip, &err), REEL_OK);
    assert_int_equal(reel_clip_put_rgb(clip, a, 320, 240, 0, &err), REEL_ERR_MISMATCH);
    reel_clip_end(&clip);
    free(out);
    free(a);
    free(b);
}

int main(int argc, char **argv)
{
    unsigned flags;
    if (!test_level(argc, argv, &flags))
        return 0;
    reel_pixel_kernels_select(&kernels, flags);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pattern), cmocka_unit_test(test_resize_bytes), cmocka_unit_test(test_fused),
        cmocka_unit_test(test_eval), cmocka_unit_test(test_train), cmocka_unit_test(test_sizes), cmocka_unit_test(test_value), cmocka_unit_test(test_padding),
        cmocka_unit_test(test_views), cmocka_unit_test(test_subsample), cmocka_unit_test(test_back), cmocka_unit_test(test_filters), cmocka_unit_test(test_beside), cmocka_unit_test(test_clip),
    };
    return cmocka_run_group_tests_name("transforms", tests, NULL, NULL);
}
