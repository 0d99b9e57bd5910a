/* What is written can be read: frames, times and pictures come back; equal input gives equal bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "video/decode.h"
#include "video/encode.h"

enum { W = 90, H = 64, N = 30 };

static char dir[64];

static const char *in_dir(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

/* A smooth picture that changes with time. */
static uint8_t *picture(size_t frames)
{
    uint8_t *rgb = malloc(frames * W * H * 3), *p = rgb;
    for (size_t t = 0; t < frames; t++)
        for (size_t y = 0; y < H; y++)
            for (size_t x = 0; x < W; x++) {
                *p++ = (uint8_t)(x * 2 + t);
                *p++ = (uint8_t)(y * 3);
                *p++ = (uint8_t)(200 - 3 * t - x / 2);
            }
    return rgb;
}

static double difference(const uint8_t *a, const uint8_t *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += abs(a[i] - b[i]);
    return sum / (double)n;
}

/* Of the means of 8x8 blocks: what dithering must keep. */
static double block_difference(const uint8_t *a, const uint8_t *b, size_t frames)
{
    double sum = 0;
    size_t n = 0;
    for (size_t t = 0; t < frames; t++)
        for (size_t y = 0; y + 8 <= H; y += 8)
            for (size_t x = 0; x + 8 <= W; x += 8)
                for (size_t c = 0; c < 3; c++, n++) {
                    int d = 0;
                    for (size_t i = 0; i < 64; i++) {
                        size_t at = (((t * H + y + i / 8) * W) + x + i % 8) * 3 + c;
                        d += a[at] - b[at];
                    }
                    sum += abs(d) / 64.0;
                }
    return sum / (double)n;
}

/* Reads all frames back, after checking count and size. */
static uint8_t *read_back(const char *path, size_t frames, reel_video_info *info)
{
    reel_error err = {0};
    reel_video *v = NULL;
    int64_t n = 0, *numbers = calloc(frames, sizeof *numbers);
    if (reel_video_open(NULL, path, true, &v, &err) != REEL_OK || reel_video_count(v, &n, &err) != REEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(n, frames);
    info->size = sizeof *info;
    assert_int_equal(reel_video_get_info(v, info, &err), REEL_OK);
    assert_int_equal(info->width, W);
    assert_int_equal(info->height, H);
    uint8_t *rgb = malloc(frames * W * H * 3);
    for (size_t i = 0; i < frames; i++)
        numbers[i] = (int64_t)i;
    if (reel_video_read(v, numbers, frames, rgb, &err) != REEL_OK)
        fail_msg("%s", err.message);
    free(numbers);
    reel_video_close(&v);
    return rgb;
}

static void test_avi(void **state)
{
    (void)state;
    uint8_t *rgb = picture(N);
    for (int b = 0; b < 2; b++) {
        reel_error err = {0};
        reel_video_info info = {0};
        if (reel_avi_write(in_dir("a.avi"), rgb, N, W, H, 25, 2, b, &err) != REEL_OK)
            fail_msg("%s", err.message);
        uint8_t *back = read_back(in_dir("a.avi"), N, &info);
        assert_true(difference(rgb, back, (size_t)N * W * H * 3) < 3.0);
        assert_string_equal(info.codec, "mpeg4");
        assert_string_equal(info.container, "avi");
        assert_true(info.fps == 25.0 && info.duration > 1.15 && info.duration < 1.25);
        char *one = NULL, *two = NULL;
        size_t n1, n2;
        assert_int_equal(reel_file_read(in_dir("a.avi"), 1 << 24, &one, &n1, &err), REEL_OK);
        assert_non_null(memmem(one, n1, "XVID", 4));
        assert_int_equal(reel_avi_write(in_dir("b.avi"), rgb, N, W, H, 25, 2, b, &err), REEL_OK);
        assert_int_equal(reel_file_read(in_dir("b.avi"), 1 << 24, &two, &n2, &err), REEL_OK);
        assert_int_equal(n1, n2);
        assert_memory_equal(one, two, n1);
        reel_free(one);
        reel_free(two);
        free(back);
    }
    free(rgb);
}

/* Blocks of a GIF file: how many pictures, with which delay, and does it loop? */
/* The caller's buffer may end where memory ends. */
static void test_avi_reads_no_further(void **state)
{
    (void)state;
    enum { SIDE = 64, COUNT = 2 };
    const size_t bytes = (size_t)COUNT * SIDE * SIDE * 3, page = 4096, room = (bytes + page - 1) / page * page;
    uint8_t *memory = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    assert_int_equal(mprotect(memory + room, page, PROT_NONE), 0);
    uint8_t *rgb = memory + room - bytes;
    memset(rgb, 90, bytes);
    reel_error err;
    assert_int_equal(reel_avi_write(in_dir("edge.avi"), rgb, COUNT, SIDE, SIDE, 25, 4, 0, &err), REEL_OK);
    munmap(memory, room + page);
}

static void gif_facts(const uint8_t *p, size_t n, int *pictures, int *delay, bool *loops)
{
    size_t at = 13 + (p[10] & 0x80 ? 3u << ((p[10] & 7) + 1) : 0);
    *pictures = 0;
    *delay = -1;
    *loops = false;
    while (at < n && p[at] != 0x3b) {
        if (p[at] == 0x21) {
            if (p[at + 1] == 0xf9) {
                int d = p[at + 4] | p[at + 5] << 8;
                assert_true(*delay < 0 || *delay == d);
                *delay = d;
            }
            *loops |= p[at + 1] == 0xff && memcmp(p + at + 3, "NETSCAPE2.0", 11) == 0 && p[at + 16] == 0 && p[at + 17] == 0;
            at += 2;
        } else {
            assert_int_equal(p[at], 0x2c);
            (*pictures)++;
            at += 10 + (p[at + 9] & 0x80 ? 3u << ((p[at + 9] & 7) + 1) : 0) + 1;
        }
        while (p[at] != 0)
            at += p[at] + 1u;
        at++;
    }
}

static void test_gif(void **state)
{
    (void)state;
    uint8_t *rgb = picture(16), *bytes = NULL;
    size_t n;
    reel_error err = {0};
    reel_video_info info = {0};
    if (reel_gif_write(in_dir("a.gif"), rgb, 16, W, H, 25, &err) != REEL_OK)
        fail_msg("%s", err.message);
    uint8_t *back = read_back(in_dir("a.gif"), 16, &info);
    /* FFmpeg's palettegen and paletteuse reach 6.0 and 1.0 on these frames. */
    assert_true(difference(rgb, back, (size_t)16 * W * H * 3) < 6.6);
    assert_true(block_difference(rgb, back, 16) < 1.2);
    assert_int_equal(reel_file_read(in_dir("a.gif"), 1 << 24, (char **)&bytes, &n, &err), REEL_OK);
    int pictures, delay;
    bool loops;
    gif_facts(bytes, n, &pictures, &delay, &loops);
    assert_int_equal(pictures, 16);
    assert_int_equal(delay, 25);
    assert_true(loops);
    reel_free(bytes);
    free(back);
    free(rgb);
}

static void test_png(void **state)
{
    (void)state;
    uint8_t *rgb = picture(1);
    reel_error err = {0};
    reel_video_info info = {0};
    if (reel_png_write(in_dir("a.png"), rgb, W, H, &err) != REEL_OK)
        fail_msg("%s", err.message);
    uint8_t *back = read_back(in_dir("a.png"), 1, &info);
    assert_memory_equal(rgb, back, (size_t)W * H * 3);
    free(back);
    free(rgb);
}

static void test_refused(void **state)
{
    (void)state;
    reel_error err = {0};
    uint8_t rgb[3] = {0};
    assert_int_equal(reel_png_write(in_dir("x.png"), rgb, 0, 1, &err), REEL_ERR_ARG);
    assert_int_equal(reel_gif_write(in_dir("x.gif"), rgb, 0, 1, 1, 25, &err), REEL_ERR_ARG);
    assert_int_equal(reel_avi_write(in_dir("x.avi"), rgb, 1, 1, 1, 25, 99, 0, &err), REEL_ERR_ARG);
    assert_int_equal(reel_png_write("/nowhere/x.png", rgb, 1, 1, &err), REEL_ERR_IO);
    assert_non_null(strstr(err.message, "/nowhere/x.png"));
    assert_false(reel_exists(in_dir("x.png")) || reel_exists(in_dir("x.gif")) || reel_exists(in_dir("x.avi")));
}

static int make_dir(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/reel_encode_XXXXXX");
    return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state)
{
    (void)state;
    return reel_dir_remove(dir, NULL) != REEL_OK;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_avi),
        cmocka_unit_test(test_avi_reads_no_further), cmocka_unit_test(test_gif), cmocka_unit_test(test_png),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests_name("video encode", tests, make_dir, remove_dir);
}
