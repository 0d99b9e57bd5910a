/* The public functions on files made here: windows of time, wrong arguments, limits, damaged and hostile files, threads. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cpu.h"
#include "base/file.h"
#include "base/mem.h"
#include "shared.h"
#include "video/encode.h"
#include "video/media.h"

enum { W = 64, H = 48, N = 120 };

static char dir[64];

static const char *in_dir(const char *name)
{
    static char path[4][128];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
    return path[turn];
}

static void must(reel_status status, const reel_error *err)
{
    if (status != REEL_OK)
        fail_msg("%s", err->message);
}

/* Frame i is grey i + 64, so that it can be told by its mean. */
static void write_greys(const char *path, int w, int h, size_t n, int fps, int b_frames)
{
    reel_error err = {0};
    size_t size = (size_t)w * (size_t)h * 3;
    uint8_t *rgb = malloc(n * size);
    for (size_t i = 0; i < n; i++)
        memset(rgb + i * size, (int)(64 + i % 128), size);
    must(reel_avi_write(path, rgb, n, w, h, fps, 2, b_frames, &err), &err);
    free(rgb);
}

static reel_video *open_video(const char *path)
{
    reel_error err = {0};
    reel_video *v = NULL;
    must(reel_video_open(NULL, path, true, &v, &err), &err);
    return v;
}

static void test_window(void **state)
{
    (void)state;
    const double guide = 16 * 4 / 30.0;  /* a hair below 32/15 */
    static const struct { const char *name; double start; int count25; } cases[] = {
        {"a.avi", 0.0, 54}, {"a.avi", 1.0, 54}, {"a.avi", 0.05, 53}, {"a.avi", 0.04, 53},  /* 0.04 is a hair above 1/25 */
        {"b.avi", 0.0, 53}, {"b.avi", 1.0, 54},
    };
    reel_error err = {0};
    int64_t first, stop;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reel_video *v = open_video(in_dir(cases[i].name));
        must(reel_video_window(v, cases[i].start, cases[i].start + guide, &first, &stop, &err), &err);
        if (stop - first != cases[i].count25)
            fail_msg("%s from %g: %lld frames, not %d", cases[i].name, cases[i].start, (long long)(stop - first), cases[i].count25);
        reel_video_close(&v);
    }
    reel_video *v = open_video(in_dir("c.avi"));  /* 30 fps: 64, not 65 */
    must(reel_video_window(v, 0, guide, &first, &stop, &err), &err);
    assert_true(first == 0 && stop == 64);
    must(reel_video_window(v, 1.0, 1.0 + guide, &first, &stop, &err), &err);
    assert_true(first == 30 && stop == 94);
    must(reel_video_window(v, nextafter(1.0, 2), 1.0 + guide, &first, &stop, &err), &err);
    assert_true(first == 31 && stop == 94);
    must(reel_video_window(v, -5, 1e-300, &first, &stop, &err), &err);
    assert_true(first == 0 && stop == 1);
    must(reel_video_window(v, -INFINITY, INFINITY, &first, &stop, &err), &err);
    assert_true(first == 0 && stop == N);
    must(reel_video_window(v, 1e15, 1e300, &first, &stop, &err), &err);
    assert_true(first == stop);
    must(reel_video_window(v, 3, 2, &first, &stop, &err), &err);
    assert_true(first == stop);
    must(reel_video_window(v, NAN, NAN, &first, &stop, &err), &err);
    assert_true(first == stop);
    reel_status status;
    assert_true(fabs(reel_video_duration(v, &err, &status) - 4.0) < 1e-9 && status == REEL_OK);
    assert_true(fabs(reel_video_frame_time(v, 45) - 1.5) < 1e-12);
    reel_video_close(&v);
}

static double mean(const uint8_t *p, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += p[i];
    return sum / (double)n;
}

static void test_read(void **state)
{
    (void)state;
    static const char *const names[] = {"a.avi", "b.avi", "c.avi"};
    for (size_t f = 0; f < 3; f++) {
        reel_error err = {0};
        reel_video *v = open_video(in_dir(names[f]));
        int64_t want[] = {0, 1, 1, 1, 17, 63, 64, 119, 119}, n;
        size_t k = sizeof want / sizeof *want;
        must(reel_video_count(v, &n, &err), &err);
        assert_int_equal(n, N);
        uint8_t *rgb = malloc(k * W * H * 3);
        must(reel_video_read(v, want, k, rgb, &err), &err);
        for (size_t i = 0; i < k; i++)
            assert_true(fabs(mean(rgb + i * W * H * 3, W * H * 3) - (double)(64 + want[i])) < 2.0);
        must(reel_video_read(v, want, 0, rgb, &err), &err);
        assert_int_equal(reel_video_read(v, (int64_t[]){N}, 1, rgb, &err), REEL_ERR_ARG);
        assert_non_null(strstr(err.message, "120"));
        assert_int_equal(reel_video_read(v, (int64_t[]){-1}, 1, rgb, &err), REEL_ERR_ARG);
        assert_int_equal(reel_video_read(v, (int64_t[]){5, 4}, 2, rgb, &err), REEL_ERR_ARG);
        free(rgb);
        reel_video_close(&v);
    }
}

static void test_info(void **state)
{
    (void)state;
    reel_error err = {0};
    reel_video *v = open_video(in_dir("b.avi"));
    reel_video_info info = {0};
    assert_int_equal(reel_video_get_info(v, &info, &err), REEL_ERR_ARG);
    info.size = offsetof(reel_video_info, codec);  /* an older caller's struct */
    info.codec[0] = '?';
    must(reel_video_get_info(v, &info, &err), &err);
    assert_true(info.codec[0] == '?' && info.width == W && info.height == H && info.frames == -1);
    info.size = sizeof info;
    must(reel_video_get_info(v, &info, &err), &err);
    assert_string_equal(info.codec, "mpeg4");
    assert_string_equal(info.container, "avi");
    assert_true(info.fps == 25 && !info.has_audio && info.rotation == 0);
    reel_video_close(&v);
    reel_video_close(&v);
    reel_video_close(NULL);
    assert_true(reel_video_name("x/Y.AVI") && reel_video_name("a.webm") && reel_video_name("a.3gp"));
    assert_false(reel_video_name("a.avi.txt") || reel_video_name("avi") || reel_video_name("a.png"));
}

/* Opens what must not open and checks the message. */
static void refused(const char *path, const char *word)
{
    reel_error err = {0};
    reel_video *v = NULL;
    if (reel_video_open(NULL, path, true, &v, &err) == REEL_OK)
        fail_msg("%s was opened", path);
    assert_null(v);
    if (strstr(err.message, word) == NULL || strchr(err.message, '\n') != NULL)
        fail_msg("%s", err.message);
}

static void put(const char *name, const void *data, size_t n)
{
    reel_error err = {0};
    must(reel_file_write(in_dir(name), data, n, &err), &err);
}

static void test_hostile(void **state)
{
    (void)state;
    char text[512];
    put("empty.avi", "", 0);
    refused(in_dir("empty.avi"), "empty");
    put("text.avi", "This is a letter, not a film.\n", 30);
    refused(in_dir("text.avi"), "not a video");
    snprintf(text, sizeof text, "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\nfile://%s\n#EXT-X-ENDLIST\n", in_dir("a.avi"));
    put("list.avi", text, strlen(text));
    refused(in_dir("list.avi"), "formats");
    snprintf(text, sizeof text, "ffconcat version 1.0\nfile %s\n", in_dir("a.avi"));
    put("concat.mp4", text, strlen(text));
    refused(in_dir("concat.mp4"), "formats");
    static const char sdp[] = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 15004 RTP/AVP 96\n"
                              "a=rtpmap:96 H264/90000\n";
    put("sdp.mkv", sdp, strlen(sdp));
    refused(in_dir("sdp.mkv"), "formats");
    refused(in_dir("absent.avi"), "absent.avi");
    refused(dir, dir);
    assert_int_equal(mkfifo(in_dir("pipe.mp4"), 0600), 0);
    refused(in_dir("pipe.mp4"), "regular");
    char *data;
    size_t n;
    assert_int_equal(reel_file_read(in_dir("a.avi"), 1 << 24, &data, &n, NULL), REEL_OK);
    put("cut.avi", data, 100);
    refused(in_dir("cut.avi"), "cut.avi");
    put("half.avi", data, n / 2);  /* no index, but what is there is shown */
    reel_video *v = open_video(in_dir("half.avi"));
    reel_error err = {0};
    int64_t frames;
    must(reel_video_count(v, &frames, &err), &err);
    assert_true(frames > 20 && frames < N);
    reel_video_close(&v);
    reel_free(data);
}

/* 43 bytes that unpack into 15000 x 15000 pixels. */
static void test_pixels(void **state)
{
    (void)state;
    static const uint8_t gif[] = {'G', 'I', 'F', '8', '9', 'a', 0x98, 0x3a, 0x98, 0x3a, 0x80, 0, 0, 0, 0, 0, 255, 255, 255, 0x2c,
                                  0, 0, 0, 0, 0x98, 0x3a, 0x98, 0x3a, 0, 2, 2, 0x44, 1, 0, 0x3b};
    put("large.gif", gif, sizeof gif);
    reel_error err = {0};
    reel_video *v = NULL;
    int64_t n;
    double before = reel_now();
    int64_t peak = reel_memory_peak();
    reel_status status = reel_video_open(NULL, in_dir("large.gif"), true, &v, &err);
    if (status == REEL_OK)
        status = reel_video_count(v, &n, &err);
    reel_video_close(&v);
    assert_int_equal(status, REEL_ERR_LIMIT);
    assert_true(strstr(err.message, "pixel") != NULL && strstr(err.message, "15000x15000") != NULL);
    assert_true(reel_now() - before < 2);
    assert_true(reel_memory_peak() - peak < 100 << 20);
    reel_video_limits limits = reel_video_limits_default;
    limits.max_pixels = W * H - 1;
    status = reel_video_open_with(NULL, in_dir("a.avi"), true, 1, &limits, &v, &err);
    if (status == REEL_OK)
        status = reel_video_count(v, &n, &err);
    reel_video_close(&v);
    assert_int_equal(status, REEL_ERR_LIMIT);
    assert_non_null(strstr(err.message, "pixel"));
}

static void test_limits(void **state)
{
    (void)state;
    reel_error err = {0};
    reel_video *v = NULL;
    int64_t n;
    reel_video_limits limits = reel_video_limits_default;
    limits.max_seconds = -1;
    assert_int_equal(reel_video_open_with(NULL, in_dir("a.avi"), true, 1, &limits, &v, &err), REEL_ERR_LIMIT);
    limits = reel_video_limits_default;
    limits.max_frames = 0;
    must(reel_video_open_with(NULL, in_dir("a.avi"), true, 1, &limits, &v, &err), &err);
    v->keep_limit = 0;
    must(reel_video_count(v, &n, &err), &err);  /* counting a long film is no clip */
    static uint8_t rgb[W * H * 3];
    assert_int_equal(reel_video_read(v, (int64_t[]){20}, 1, rgb, &err), REEL_ERR_LIMIT);
    reel_video_close(&v);
}

static bool yes(void *user)
{
    return ++*(int *)user > 40;
}

static void test_cancel(void **state)
{
    (void)state;
    reel_error err = {0};
    reel_context *ctx = NULL;
    reel_video *v = NULL;
    int asked = 0;
    int64_t n;
    must(reel_context_open(&ctx, &err), &err);
    reel_context_set_cancel(ctx, yes, &asked);
    reel_status status = reel_video_open(ctx, in_dir("a.avi"), true, &v, &err);
    if (status == REEL_OK)
        status = reel_video_count(v, &n, &err);
    assert_int_equal(status, REEL_ERR_CANCELLED);
    /* Asked again and allowed this time, it starts anew. */
    if (v != NULL) {
        reel_context_set_cancel(ctx, NULL, NULL);
        must(reel_video_count(v, &n, &err), &err);
        assert_int_equal(n, N);
    }
    reel_video_close(&v);
    reel_context_close(&ctx);
}

/* The chunks of an AVI's pictures one after the other are a raw MPEG-4 stream. */
static size_t add_chunks(uint8_t *out, const char *path)
{
    char *data;
    size_t n, len = 0;
    assert_int_equal(reel_file_read(path, 1 << 24, &data, &n, NULL), REEL_OK);
    const uint8_t *p = (const uint8_t *)data, *movi = memmem(p, n, "movi", 4);
    for (size_t at = (size_t)(movi - p) + 4; at + 8 <= n && memcmp(p + at, "00dc", 4) == 0;) {
        size_t size = p[at + 4] | (size_t)p[at + 5] << 8 | (size_t)p[at + 6] << 16;
        memcpy(out + len, p + at + 8, size);
        len += size;
        at += 8 + size + (size & 1);
    }
    reel_free(data);
    return len;
}

/* A raw stream has no times, and here the size changes in its middle. */
static void test_raw(void **state)
{
    (void)state;
    uint8_t *raw = malloc(1 << 22);
    write_greys(in_dir("other.avi"), 96, 80, 20, 25, 0);
    size_t n = add_chunks(raw, in_dir("a.avi"));
    put("even.m4v", raw, n);
    n += add_chunks(raw + n, in_dir("other.avi"));
    put("raw.m4v", raw, n);
    free(raw);
    reel_error err = {0};
    reel_video *v = open_video(in_dir("raw.m4v"));
    int64_t frames, want[] = {0, 60, 119, 120, 139};
    must(reel_video_count(v, &frames, &err), &err);
    assert_int_equal(frames, N + 20);
    uint8_t *rgb = malloc(5 * W * H * 3);
    must(reel_video_read(v, want, 5, rgb, &err), &err);
    for (size_t i = 0; i < 5; i++)
        assert_true(fabs(mean(rgb + i * W * H * 3, W * H * 3) - (double)(64 + want[i] % N)) < 2.0);
    free(rgb);
    reel_video_close(&v);
    v = open_video(in_dir("even.m4v"));
    must(reel_video_count(v, &frames, &err), &err);
    assert_true(frames == N && fabs(reel_video_frame_time(v, 50) - 2.0) < 1e-9);
    reel_video_close(&v);
}

/* Every allocation fails once: an error, nothing left open, and the next attempt works. */
static void test_no_memory(void **state)
{
    (void)state;
    uint8_t *rgb = malloc(2 * W * H * 3);
    for (long k = 1;; k++) {
        reel_error err = {0};
        reel_video *v = NULL;
        reel_mem_fail_at(k, false);
        reel_status status = reel_video_open(NULL, in_dir("b.avi"), true, &v, &err);
        if (status == REEL_OK)
            status = reel_video_read(v, (int64_t[]){3, 90}, 2, rgb, &err);
        bool failed = reel_mem_calls() >= k;
        reel_mem_fail_at(0, false);
        reel_video_close(&v);
        if (!failed) {
            assert_int_equal(status, REEL_OK);
            assert_true(k > 5);
            break;
        }
        assert_int_equal(status, REEL_ERR_NOMEM);
        assert_true(err.message[0] != '\0');
    }
    free(rgb);
}

typedef struct job { const char *path; uint64_t sum; int threads; } job;

static reel_status add_sum(reel_frame *f, size_t k, void *user, reel_error *err)
{
    job *j = user;
    (void)k;
    int w = reel_frame_width(f), h = reel_frame_height(f);
    uint8_t *rgb = malloc((size_t)w * (size_t)h * 3);
    reel_status status = reel_frame_rgb(f, &(reel_rect){0, 0, w, h}, rgb, (size_t)w * 3, err);
    for (size_t i = 0; i < (size_t)w * (size_t)h * 3; i++)
        j->sum = j->sum * 31 + rgb[i];
    free(rgb);
    return status;
}

static void *decode_job(void *user)
{
    job *j = user;
    reel_video *v = NULL;
    int64_t n = 0, want[16];
    j->sum = 0;
    if (reel_video_open_with(NULL, j->path, true, j->threads, NULL, &v, NULL) == REEL_OK &&
        reel_video_count(v, &n, NULL) == REEL_OK && n > 0) {
        for (int64_t i = 0; i < 16; i++)
            want[i] = i * n / 16;
        if (reel_video_decode(v, want, 16, add_sum, j, NULL) != REEL_OK)
            j->sum = 0;
    }
    reel_video_close(&v);
    return NULL;
}

/* Side by side, each thread its own video; with codec threads of their own too: the same pictures. */
static void test_threads(void **state)
{
    (void)state;
    static const char *const shared[] = {"clips/v_ApplyEyeMakeup_g01_c01.avi", "clips/R6llTwEh07w.mp4",
                                         "quirks/testsrc2_odd_height_vp9.mp4", "quirks/video_90.mov"};
    char path[4][5000];
    uint64_t alone[4];
    for (size_t i = 0; i < 4; i++) {
        snprintf(path[i], sizeof path[i], "%s", shared_path(shared[i]));
        if (!reel_is_file(path[i]))
            snprintf(path[i], sizeof path[i], "%s", in_dir(i % 2 ? "b.avi" : "c.avi"));
        job j = {path[i], 0, 1};
        decode_job(&j);
        alone[i] = j.sum;
        assert_true(alone[i] != 0);
    }
    for (int threads = 1; threads <= 3; threads += 2) {
        pthread_t thread[4];
        job jobs[4];
        for (size_t i = 0; i < 4; i++) {
            jobs[i] = (job){path[i], 0, threads};
            assert_int_equal(pthread_create(&thread[i], NULL, decode_job, &jobs[i]), 0);
        }
        for (size_t i = 0; i < 4; i++) {
            pthread_join(thread[i], NULL);
            assert_true(jobs[i].sum == alone[i]);
        }
    }
}

typedef struct half { uint8_t *whole, *part; reel_rect rect; int w, h; } half;

static reel_status take_both(reel_frame *f, size_t k, void *user, reel_error *err)
{
    half *x = user;
    (void)k;
    x->w = reel_frame_width(f);
    x->h = reel_frame_height(f);
    x->whole = malloc((size_t)x->w * (size_t)x->h * 3);
    x->part = malloc((size_t)x->rect.w * (size_t)x->rect.h * 3);
    assert_int_equal(reel_frame_rgb(f, &(reel_rect){0, 0, x->w + 1, x->h}, x->whole, (size_t)x->w * 3, err), REEL_ERR_ARG);
    reel_status status = reel_frame_rgb(f, &(reel_rect){0, 0, x->w, x->h}, x->whole, (size_t)x->w * 3, err);
    return status != REEL_OK ? status : reel_frame_rgb(f, &x->rect, x->part, (size_t)x->rect.w * 3, err);
}

static void read_both(const char *path, bool turn, half *x)
{
    reel_error err = {0};
    reel_video *v = NULL;
    must(reel_video_open(NULL, path, turn, &v, &err), &err);
    must(reel_video_decode(v, (int64_t[]){1}, 1, take_both, x, &err), &err);
    reel_video_close(&v);
}

static void check_part(const half *x)
{
    for (int y = 0; y < x->rect.h; y++)
        assert_memory_equal(x->part + (size_t)y * (size_t)x->rect.w * 3,
                            x->whole + ((size_t)(y + x->rect.y) * (size_t)x->w + (size_t)x->rect.x) * 3, (size_t)x->rect.w * 3);
}

/* A rectangle is a part of the whole, also when turned and when libswscale converts; and a turned frame is the frame, turned. */
static void test_rectangles(void **state)
{
    (void)state;
    static const struct { const char *name; int degrees; } files[] = {
        {"quirks/video_90.mov", 90}, {"quirks/video_180.mov", 180}, {"quirks/nasa_13013_rotated.mp4", 270},
        {"quirks/video_0.mov", 0}, {"quirks/testsrc2_odd_height_vp9.mp4", 0}, {"quirks/h264_10bits.mp4", 0},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const char *path = shared_path(files[i].name);
        if (!reel_is_file(path)) {
            print_message("# skipped: %s is not there\n", path);
            continue;
        }
        half shown = {.rect = {13, 31, 101, 77}}, coded = {.rect = {7, 5, 3, 3}};
        read_both(path, true, &shown);
        read_both(path, false, &coded);
        check_part(&shown);
        check_part(&coded);
        int d = files[i].degrees;
        for (int y = 0; y < coded.h; y++)
            for (int x = 0; x < coded.w; x++) {
                int sx = d == 90 ? coded.h - 1 - y : d == 180 ? coded.w - 1 - x : d == 270 ? y : x;
                int sy = d == 90 ? x : d == 180 ? coded.h - 1 - y : d == 270 ? coded.w - 1 - x : y;
                assert_memory_equal(shown.whole + (sy * shown.w + sx) * 3, coded.whole + (y * coded.w + x) * 3, 3);
            }
        free(shown.whole);
        free(shown.part);
        free(coded.whole);
        free(coded.part);
    }
}

static int make_dir(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/reel_video_XXXXXX");
    if (mkdtemp(dir) == NULL)
        return 1;
    write_greys(in_dir("a.avi"), W, H, N, 25, 0);
    write_greys(in_dir("b.avi"), W, H, N, 25, 1);
    write_greys(in_dir("c.avi"), W, H, N, 30, 0);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    return reel_dir_remove(dir, NULL) != REEL_OK;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window), cmocka_unit_test(test_read), cmocka_unit_test(test_info), cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_pixels), cmocka_unit_test(test_limits), cmocka_unit_test(test_cancel), cmocka_unit_test(test_raw),
        cmocka_unit_test(test_no_memory), cmocka_unit_test(test_threads), cmocka_unit_test(test_rectangles),
    };
    return cmocka_run_group_tests_name("video", tests, make_dir, remove_dir);
}
