/* Decoded and converted pictures against those of others, and the colour matrices against the specification's table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libavutil/frame.h>

#include "../crc32.h"
#include "base/cpu.h"
#include "base/file.h"
#include "shared.h"
#include "video/media.h"

typedef struct picture { uint8_t *rgb; size_t n; } picture;

static reel_status take(reel_frame *f, size_t k, void *user, reel_error *err)
{
    picture *p = user;
    (void)k;
    int w = reel_frame_width(f), h = reel_frame_height(f);
    p->n = (size_t)w * (size_t)h * 3;
    p->rgb = malloc(p->n);
    return reel_frame_rgb(f, &(reel_rect){0, 0, w, h}, p->rgb, (size_t)w * 3, err);
}

/* Frame `frame` in output order as RGB24: PyAV 18.1 (FFmpeg 8.1.2); the last four FFmpeg 5.1's command with -sws_flags bicubic. */
static void test_pictures(void **state)
{
    (void)state;
    static const struct { const char *name; int64_t frame; uint32_t crc; } want[] = {
        {"clips/v_ApplyEyeMakeup_g01_c01.avi", 109, 0x669feddd},
        {"clips/RATRACE_wave_f_nm_np1_fr_goo_37.avi", 48, 0x9df2c95c},
        {"clips/S001C001P001R001A001_rgb.avi", 68, 0x4233b21a},
        {"clips/R6llTwEh07w.mp4", 202, 0x3a90c306},
        {"clips/flipping_a_pancake.mkv", 206, 0xb843b71c},
        {"clips/playing_guitar.mp4", 200, 0xf3332261},
        {"quirks/discard_first_keyframe.mp4", 16, 0x2be74f48},
        {"quirks/test_video_66x50.mov", 54, 0x5a0b72d5},
        {"quirks/av1_video.mkv", 83, 0x640a1933},
        {"quirks/h265_video.mp4", 6, 0xd8203b0b},
        {"quirks/bt601_full_range.mp4", 40, 0xe27ee577},
        {"quirks/bt709_full_range.mp4", 20, 0x94276818},
        {"quirks/testsrc2_odd_width_vp9.mp4", 16, 0x19f3e1ee},
        {"quirks/testsrc2_vp8.webm", 20, 0x8be215af},
        {"quirks/count.h264", 163, 0x4d16dfb3},
        {"quirks/playable_but_bad_container.mkv", 100, 0xae674daa},
        {"quirks/animated.gif", 10, 0xb89f8045},
        {"quirks/unordered.mov", 2, 0x7f0fb5a9},
        {"quirks/fragmented_sintel.mp4", 160, 0x641174ea},
        {"quirks/mjpeg.avi", 5, 0x16cb72f8},
        {"quirks/sample.3gp", 49, 0xc9d321cb},
        {"quirks/h264_10bits.mp4", 20, 0x47f830eb},
        {"quirks/testsrc2_odd_height_vp9.mp4", 16, 0xb16ab7fb},
        {"quirks/testsrc2_444_10bit_hevc.mp4", 16, 0x5d3e231b},
        {"quirks/bitmap.mp4", 3, 0xff41d912},
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        reel_error err = {0};
        reel_video *v = NULL;
        picture p = {0};
        const char *path = shared_path(want[i].name);
        if (!reel_is_file(path)) {
            print_message("# skipped: no videos at %s\n", shared_root());
            skip();
        }
        if (reel_video_open(NULL, path, false, &v, &err) != REEL_OK ||
            reel_video_decode(v, &want[i].frame, 1, take, &p, &err) != REEL_OK)
            fail_msg("%s", err.message);
        if (crc32(p.rgb, p.n) != want[i].crc)
            fail_msg("%s: frame %lld is another picture", want[i].name, (long long)want[i].frame);
        free(p.rgb);
        reel_video_close(&v);
    }
}

static uint8_t clamp8(int v)
{
    return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v;
}

/* cY, cRV, cBU, cGV, cGU of the specification, 2.3. */
static void test_matrices(void **state)
{
    (void)state;
    static const struct { enum AVColorSpace space; enum AVPixelFormat format; enum AVColorRange range; int yo, c[5]; } rows[] = {
        {AVCOL_SPC_UNSPECIFIED, AV_PIX_FMT_YUV420P, AVCOL_RANGE_UNSPECIFIED, 16, {9539, 13075, 16525, -6660, -3209}},
        {AVCOL_SPC_SMPTE170M, AV_PIX_FMT_YUV422P, AVCOL_RANGE_MPEG, 16, {9539, 13075, 16525, -6660, -3209}},
        {AVCOL_SPC_BT470BG, AV_PIX_FMT_YUV420P, AVCOL_RANGE_JPEG, 0, {8192, 11485, 14516, -5850, -2819}},
        {AVCOL_SPC_UNSPECIFIED, AV_PIX_FMT_YUVJ420P, AVCOL_RANGE_UNSPECIFIED, 0, {8192, 11485, 14516, -5850, -2819}},
        {AVCOL_SPC_BT709, AV_PIX_FMT_YUV420P, AVCOL_RANGE_MPEG, 16, {9539, 14686, 17305, -4366, -1747}},
        {AVCOL_SPC_BT709, AV_PIX_FMT_YUVJ422P, AVCOL_RANGE_UNSPECIFIED, 0, {8192, 12901, 15201, -3835, -1534}},
        {AVCOL_SPC_FCC, AV_PIX_FMT_YUV420P, AVCOL_RANGE_MPEG, 16, {9539, 13056, 16600, -6639, -3095}},
        {AVCOL_SPC_SMPTE240M, AV_PIX_FMT_YUV420P, AVCOL_RANGE_MPEG, 16, {9539, 14697, 17029, -4445, -2113}},
        {AVCOL_SPC_BT2020_NCL, AV_PIX_FMT_YUV420P, AVCOL_RANGE_MPEG, 16, {9539, 13752, 17545, -5328, -1535}},
    };
    reel_video v = {.path = (char *)"a frame"};
    reel_pixel_kernels_select(&v.kernels, reel_cpu_flags());
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AVFrame *av = av_frame_alloc();
        av->width = 64;
        av->height = 4;
        av->format = rows[i].format;
        av->colorspace = rows[i].space;
        av->color_range = rows[i].range;
        assert_int_equal(av_frame_get_buffer(av, 0), 0);
        int rows_c = rows[i].format == AV_PIX_FMT_YUV422P || rows[i].format == AV_PIX_FMT_YUVJ422P ? 4 : 2;
        for (int p = 0; p < 3; p++)
            for (int y = 0; y < (p == 0 ? 4 : rows_c); y++)
                for (int x = 0; x < (p == 0 ? 64 : 32); x++)
                    av->data[p][y * av->linesize[p] + x] = (uint8_t)(x * 37 + y * 91 + p * 53);
        uint8_t rgb[64 * 4 * 3];
        reel_frame f = {&v, av};
        reel_error err = {0};
        assert_int_equal(reel_frame_rgb(&f, &(reel_rect){0, 0, 64, 4}, rgb, 64 * 3, &err), REEL_OK);
        for (int y = 0; y < 4; y++)
            for (int x = 0; x < 64; x++) {
                int cy = rows_c == 4 ? y : y / 2;
                int luma = (uint8_t)(x * 37 + y * 91) - rows[i].yo;
                int cu = (uint8_t)(x / 2 * 37 + cy * 91 + 53) - 128, cv = (uint8_t)(x / 2 * 37 + cy * 91 + 106) - 128;
                const int *c = rows[i].c;
                int a = (luma * 8 * c[0]) >> 16;
                const uint8_t *px = rgb + (y * 64 + x) * 3;
                assert_int_equal(px[0], clamp8(a + ((cv * 8 * c[1]) >> 16)));
                assert_int_equal(px[1], clamp8(a + ((cu * 8 * c[4]) >> 16) + ((cv * 8 * c[3]) >> 16)));
                assert_int_equal(px[2], clamp8(a + ((cu * 8 * c[2]) >> 16)));
            }
        av_frame_free(&av);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pictures), cmocka_unit_test(test_matrices)};
    return cmocka_run_group_tests_name("video colour", tests, NULL, NULL);
}
