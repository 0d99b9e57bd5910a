/* Every file of the shared folder: the number of frames that its README measured, frames found by seeking equal those found by
 * decoding from the start, and one message for what is broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <cmocka.h>

#include "shared.h"
#include "video/media.h"

static shared_file files[SHARED_MOST];
static size_t files_n;

static bool broken(const shared_file *f)
{
    return strncmp(f->name, "broken/", 7) == 0;
}

/* The table has the first of two video streams; reel takes the better one. */
static long true_frames(const shared_file *f)
{
    return strcmp(f->name, "quirks/nasa_13013.mp4") == 0 ? 390 : f->frames;
}

static void test_counts(void **state)
{
    (void)state;
    size_t readable = 0;
    if (files_n == 0)
        skip();
    for (size_t i = 0; i < files_n; i++) {
        if (broken(&files[i]))
            continue;
        reel_error err = {0};
        reel_video *v = NULL;
        int64_t frames = -1;
        if (reel_video_open(NULL, shared_path(files[i].name), true, &v, &err) != REEL_OK ||
            reel_video_count(v, &frames, &err) != REEL_OK)
            fail_msg("%s", err.message);
        if (frames != true_frames(&files[i]))
            fail_msg("%s: %lld frames, the README says %ld", files[i].name, (long long)frames, true_frames(&files[i]));
        reel_video_close(&v);
        assert_null(v);
        readable++;
    }
    assert_int_equal(readable, 61);
}

static uint64_t hash(const uint8_t *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t x;
        memcpy(&x, p, 8);
        h = (h ^ x) * 0x9E3779B97F4A7C15u;
        h ^= h >> 29;
    }
    for (; n > 0; p++, n--)
        h = (h ^ *p) * 0x100000001b3u;
    return h;
}

typedef struct sums { uint64_t *hash; uint8_t *rgb; size_t room; } sums;

static reel_status add_hash(reel_frame *f, size_t k, void *user, reel_error *err)
{
    sums *s = user;
    size_t w = (size_t)reel_frame_width(f), h = (size_t)reel_frame_height(f);
    if (s->room < 3 * w * h) {
        s->room = 3 * w * h;
        s->rgb = realloc(s->rgb, s->room);
        assert_non_null(s->rgb);
    }
    reel_status status = reel_frame_rgb(f, &(reel_rect){0, 0, (int)w, (int)h}, s->rgb, 3 * w, err);
    if (status == REEL_OK)
        s->hash[k] = hash(s->rgb, 3 * w * h);
    return status;
}

static void must(reel_status status, const reel_error *err)
{
    if (status != REEL_OK)
        fail_msg("%s", err->message);
}

/* Damage inside: the container's count is found wrong when the frames are read, and then mended. */
static void read_damaged(reel_video *v, int64_t frames, const shared_file *file)
{
    reel_error err = {0};
    int64_t *numbers = calloc((size_t)frames, sizeof *numbers), again = 0;
    sums all = {.hash = calloc((size_t)frames, sizeof *all.hash)};
    for (int64_t i = 0; i < frames; i++)
        numbers[i] = i;
    must(reel_video_decode(v, numbers, (size_t)frames, add_hash, &all, &err), &err);
    must(reel_video_count(v, &again, &err), &err);
    assert_int_equal(again, file->frames);
    free(numbers);
    free(all.hash);
    free(all.rgb);
}

/* What cannot be read says so once, naming the file; what still gives frames gives those that decode. */
static void test_broken(void **state)
{
    (void)state;
    size_t seen = 0;
    if (files_n == 0)
        skip();
    for (size_t i = 0; i < files_n; i++) {
        if (!broken(&files[i]))
            continue;
        reel_error err = {0};
        reel_video *v = NULL;
        int64_t frames = -1;
        reel_status status = reel_video_open(NULL, shared_path(files[i].name), true, &v, &err);
        if (status == REEL_OK)
            status = reel_video_count(v, &frames, &err);
        if (status == REEL_OK) {
            if (files[i].frames <= 0)
                fail_msg("%s: was opened, and should not be", files[i].name);
            read_damaged(v, frames, &files[i]);
        } else {
            assert_non_null(strstr(err.message, strrchr(files[i].name, '/') + 1));
            assert_true(strlen(err.message) < 400 && strchr(err.message, '\n') == NULL);
            if (files[i].frames > 0)
                fail_msg("%s", err.message);
            print_message("# %s\n", strrchr(err.message, '/') + 1);
        }
        reel_video_close(&v);
        seen++;
    }
    assert_int_equal(seen, 9);
}

static void check_seeks(const char *name, uint32_t *seed)
{
    reel_error err = {0};
    reel_video *v = NULL;
    int64_t n = 0;
    sums all = {0}, some = {0};
    must(reel_video_open_with(NULL, shared_path(name), true, 1, NULL, &v, &err), &err);
    v->keep_limit = 0;
    must(reel_video_count(v, &n, &err), &err);
    int64_t *numbers = calloc((size_t)n, sizeof *numbers);
    all.hash = calloc((size_t)n, sizeof *all.hash);
    for (int64_t i = 0; i < n; i++)
        numbers[i] = i;
    v->no_seek = v->no_skip = true;  /* from the start, every frame */
    must(reel_video_decode(v, numbers, (size_t)n, add_hash, &all, &err), &err);
    v->no_seek = v->no_skip = false;
    for (int round = 0; round < 4; round++) {
        int64_t pick[6];
        uint64_t got[6];
        for (size_t i = 0; i < 6; i++) {
            *seed = *seed * 1664525u + 1013904223u;
            pick[i] = (int64_t)((*seed >> 8) % (uint64_t)n);
        }
        for (size_t i = 1; i < 6; i++)  /* rising */
            for (size_t j = i; j > 0 && pick[j - 1] > pick[j]; j--) {
                int64_t t = pick[j];
                pick[j] = pick[j - 1];
                pick[j - 1] = t;
            }
        some.hash = got;
        must(reel_video_decode(v, pick, 6, add_hash, &some, &err), &err);
        for (size_t i = 0; i < 6; i++)
            if (got[i] != all.hash[pick[i]])
                fail_msg("%s: frame %lld found by seeking is another one", name, (long long)pick[i]);
    }
    if (v->no_seek || v->no_skip)
        fail_msg("%s: frames did not come by seeking and leaving out, but by decoding from the start", name);
    free(numbers);
    free(all.hash);
    free(all.rgb);
    free(some.rgb);
    reel_video_close(&v);
}

static void test_seeks(void **state)
{
    (void)state;
    uint32_t seed = 7;
    if (files_n == 0)
        skip();
    for (size_t i = 0; i < files_n; i++)
        if (!broken(&files[i]))
            check_seeks(files[i].name, &seed);
}

int main(void)
{
    files_n = shared_list(files);
    if (files_n == 0)
        print_message("# skipped: no videos at %s\n", shared_root());
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_counts), cmocka_unit_test(test_broken), cmocka_unit_test(test_seeks)};
    return cmocka_run_group_tests_name("video files", tests, NULL, NULL);
}
