/* From a plan to pixels: which frames are taken is read off the pictures themselves. */
#include "made.h"

#include <math.h>

#include "base/context.h"
#include "base/file.h"
#include "base/rng.h"
#include "data/plan.h"

enum { MOST = 64 };
static const double guide = 16 * 4 / 30.0;  /* the guide's clip, a hair below 32/15 s */

static char *dir;
static reel_context *ctx;
static reel_transform transform;
static reel_processor processor;
static reel_pixel_kernels kernels;
static reel_error err;
static float clip[MOST * CLIP_FRAME];
static int64_t index_of[MOST];
static double time_of[MOST];
static reel_plan_trace trace;

static const char *in_dir(const char *name) { return test_path(dir, name); }

static reel_status carry(const char *name, reel_plan plan, int frames)
{
    reel_item item = { .path = (char *)(uintptr_t)in_dir(name), .shown = (char *)(uintptr_t)name };
    plan.item = &item;
    trace = (reel_plan_trace){ .index = index_of, .time = time_of };
    memset(clip, 0x7f, sizeof clip);
    err = (reel_error){ .status = REEL_OK };
    return reel_plan_carry_out(ctx, &plan, &transform, frames, true, 1, clip, &trace, &err);
}

static void expect_frames(const int *want, int n)
{
    for (int i = 0; i < n; i++) {
        if (made_number(clip, i) != want[i] || index_of[i] != want[i])
            fail_msg("place %d shows frame %d and says %d, wanted %d", i, made_number(clip, i), (int)index_of[i], want[i]);
        assert_true(fabs(time_of[i] - want[i] / 25.0) < 1e-9);
    }
}

static int setup(void **state)
{
    (void)state;
    dir = test_folder();
    if (dir == NULL || reel_context_open(&ctx, NULL) != REEL_OK)
        return 1;
    made_transform(&transform, &processor, &kernels);
    made_video(in_dir("long.avi"), 250, 0, 25);   /* 10 s */
    made_video(in_dir("short.avi"), 10, 0, 25);
    made_video(in_dir("one.avi"), 1, 0, 25);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    reel_context_close(&ctx);
    test_remove_folder(dir);
    return 0;
}

/* floor(i N / 16), as data-and-inference.md, 9.2 lists it for other N. */
static void whole_video(void **state)
{
    (void)state;
    int want[16];
    for (int i = 0; i < 16; i++)
        want[i] = i * 250 / 16;
    assert_int_equal(carry("long.avi", (reel_plan){ .mode = REEL_FRAMES_WHOLE }, 16), REEL_OK);
    expect_frames(want, 16);
    assert_false(trace.repeated);
    assert_int_equal(trace.sampled, 16);
    assert_int_equal(trace.frames, 250);
    assert_int_equal(trace.promised, 0);
    const int few[16] = { 0, 0, 1, 1, 2, 3, 3, 4, 5, 5, 6, 6, 7, 8, 8, 9 };
    assert_int_equal(carry("short.avi", (reel_plan){ .mode = REEL_FRAMES_WHOLE }, 16), REEL_OK);
    expect_frames(few, 16);
    assert_true(trace.repeated);
    assert_int_equal(trace.sampled, 10);
}

/* Section 6.1's indices for 54 and 53 frames, in the guide's windows at 25 frames a second. */
static void uniform_windows(void **state)
{
    (void)state;
    static const int of54[16] = { 0, 3, 7, 10, 14, 17, 21, 24, 28, 31, 35, 38, 42, 45, 49, 53 };
    static const int of53[16] = { 0, 3, 6, 10, 13, 17, 20, 24, 27, 31, 34, 38, 41, 45, 48, 52 };
    static const struct { int first; const int *of; } windows[] = { { 0, of54 }, { 54, of53 }, { 107, of53 }, { 160, of54 } };
    for (int k = 0; k < 4; k++) {
        int want[16];
        for (int i = 0; i < 16; i++)
            want[i] = windows[k].first + windows[k].of[i];
        assert_int_equal(carry("long.avi", (reel_plan){ .mode = REEL_FRAMES_WINDOW, .seconds = guide, .clip = k }, 16), REEL_OK);
        expect_frames(want, 16);
    }
}

static void random_window(void **state)
{
    (void)state;
    static const int of53[16] = { 0, 3, 6, 10, 13, 17, 20, 24, 27, 31, 34, 38, 41, 45, 48, 52 };
    reel_plan plan = { .mode = REEL_FRAMES_RANDOM, .seconds = guide, .start_u = 0.5 };
    int want[16];
    for (int i = 0; i < 16; i++)  /* starts at 3.9333 s: frame 98.33, so 99 to 151 */
        want[i] = 99 + of53[i];
    assert_int_equal(carry("long.avi", plan, 16), REEL_OK);
    expect_frames(want, 16);
    plan.start_u = 1 - 0x1p-53;
    assert_int_equal(carry("long.avi", plan, 16), REEL_OK);
    assert_int_equal(made_number(clip, 15), 249);
    assert_true(made_number(clip, 0) >= 196);
    static const int ten[16] = { 0, 0, 1, 1, 2, 3, 3, 4, 4, 5, 6, 6, 7, 7, 8, 9 };
    plan.start_u = 0.9;  /* shorter than the window: from the start, repeated */
    assert_int_equal(carry("short.avi", plan, 16), REEL_OK);
    expect_frames(ten, 16);
    assert_true(trace.repeated);
    assert_int_equal(carry("one.avi", plan, 16), REEL_OK);
    assert_int_equal(made_number(clip, 15), 0);
    assert_int_equal(trace.sampled, 1);
}

/* Views are spread evenly: the first begins at 0, the last ends with the video. */
static void views(void **state)
{
    (void)state;
    for (int k = 0; k < 5; k++) {
        double start = k * (10 - guide) / 4;
        assert_int_equal(carry("long.avi", (reel_plan){ .mode = REEL_FRAMES_VIEW, .seconds = guide, .clip = k, .clips = 5 }, 8),
                         REEL_OK);
        assert_int_equal(made_number(clip, 0), (int)ceil(start * 25));
    }
    assert_int_equal(made_number(clip, 7), 249);
    assert_int_equal(carry("long.avi", (reel_plan){ .mode = REEL_FRAMES_VIEW, .seconds = guide, .clips = 1 }, 8), REEL_OK);
    assert_int_equal(made_number(clip, 0), 0);
}

/* Three crops of a wide picture: left, centre, right. */
static void crops(void **state)
{
    (void)state;
    static float square[CLIP_H * CLIP_H * 3];
    reel_transform t = transform;
    reel_item item = { .path = (char *)(uintptr_t)in_dir("long.avi"), .shown = "long.avi" };
    t.width = CLIP_H;
    for (int c = 0; c < 3; c++) {
        reel_plan plan = { .item = &item, .mode = REEL_FRAMES_VIEW, .seconds = 0.04, .clip = 0, .clips = 1, .crop = c, .crops = 3 };
        plan.mode = REEL_FRAMES_RANDOM;
        plan.start_u = 123 / 249.0 - 1e-6;  /* frame 123 */
        assert_int_equal(reel_plan_carry_out(ctx, &plan, &t, 1, true, 1, square, NULL, &err), REEL_OK);
        /* bands are 8 pixels wide here: the crop of 12 holds one and a half of them, or the middle one and half of each other */
        float at = square[CLIP_H / 2 * CLIP_H + (c == 0 ? 2 : c == 1 ? 6 : 10)] * 255;
        assert_int_equal((int)((at - 30) / 20 + 0.5f), c + 1);
    }
}

static void counts_of_uniform_clips(void **state)
{
    (void)state;
    assert_int_equal(reel_uniform_clips(10, guide), 4);
    assert_int_equal(reel_uniform_clips(2, guide), 1);
    assert_int_equal(reel_uniform_clips(64 / 15.0, guide), 2);
    assert_int_equal(reel_uniform_clips(0, guide), 1);
    assert_int_equal(reel_uniform_clips(-1, guide), 1);
    assert_int_equal(reel_uniform_clips(NAN, guide), 1);
    assert_int_equal(reel_uniform_clips(INFINITY, guide), 1);
    assert_int_equal(reel_uniform_clips(5.12, 2.56), 2);
    assert_int_equal(reel_uniform_clips(6.56, guide), 3);  /* v_ApplyEyeMakeup_g01_c01.avi */
}

static void draws_are_a_function_of_seed_epoch_and_sample(void **state)
{
    (void)state;
    reel_plan a = { 0 }, b = { 0 };
    uint32_t u[4];
    reel_plan_draw(&a, 42, 3, 17);
    reel_plan_draw(&b, 42, 3, 17);
    assert_memory_equal(&a.draws, &b.draws, sizeof a.draws);
    assert_true(a.start_u == b.start_u && a.start_u >= 0 && a.start_u < 1);
    reel_draw(42, REEL_PURPOSE_CLIP, 3, 17, 0, u);
    assert_int_equal(a.draws.size_u, u[0]);
    assert_int_equal(a.draws.flip_u, u[3]);
    reel_plan_draw(&b, 42, 3, 18);
    assert_true(a.start_u != b.start_u);
    reel_plan_draw(&b, 42, 4, 17);
    assert_true(a.start_u != b.start_u);
    reel_plan_draw(&b, 43, 3, 17);
    assert_true(a.start_u != b.start_u);
}

static void what_cannot_be_read(void **state)
{
    (void)state;
    const reel_plan whole = { .mode = REEL_FRAMES_WHOLE };
    assert_int_equal(reel_file_write(in_dir("text.avi"), "a letter, not a film\n", 21, NULL), REEL_OK);
    assert_int_not_equal(carry("text.avi", whole, 4), REEL_OK);
    assert_non_null(strstr(err.message, "text.avi"));
    assert_int_not_equal(carry("absent.avi", whole, 4), REEL_OK);
    assert_non_null(strstr(err.message, "absent.avi"));
    assert_int_equal(carry("long.avi", (reel_plan){ .mode = REEL_FRAMES_WINDOW, .seconds = 2, .clip = 9 }, 4), REEL_ERR_FORMAT);
    assert_non_null(strstr(err.message, "no frame stands between 18.00 and 20.00 s"));
    assert_int_equal(carry("long.avi", (reel_plan){ .mode = REEL_FRAMES_RANDOM, .seconds = NAN }, 4), REEL_ERR_ARG);
}

/* Cut in the middle: the frames that are there are used, and what the header promised is told. */
static void truncated_video(void **state)
{
    (void)state;
    char *data;
    size_t n;
    assert_int_equal(reel_file_read(in_dir("long.avi"), 1 << 24, &data, &n, NULL), REEL_OK);
    assert_int_equal(reel_file_write(in_dir("cut.avi"), data, n / 2, NULL), REEL_OK);
    reel_free(data);
    assert_int_equal(carry("cut.avi", (reel_plan){ .mode = REEL_FRAMES_WHOLE }, 8), REEL_OK);
    assert_true(trace.frames > 50 && trace.frames < 200);
    assert_int_equal(trace.promised, 250);
    assert_int_equal(made_number(clip, 4), 4 * trace.frames / 8);
    assert_int_equal(carry("cut.avi", (reel_plan){ .mode = REEL_FRAMES_RANDOM, .seconds = guide, .start_u = 0.99 }, 8), REEL_OK);
    assert_true(made_number(clip, 7) < trace.frames);
}

static void probing(void **state)
{
    (void)state;
    reel_item item = { .path = (char *)(uintptr_t)in_dir("long.avi"), .duration = -1 };
    assert_int_equal(reel_item_probe(ctx, &item, true, &err), REEL_OK);
    assert_true(fabs(item.duration - 10) < 1e-9);
    item.path = (char *)(uintptr_t)in_dir("absent.avi");
    item.duration = -1;
    assert_int_not_equal(reel_item_probe(ctx, &item, true, &err), REEL_OK);
    assert_true(item.duration < 0);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    reel_status status = REEL_ERR_NOMEM;
    long k = 1;
    for (; status != REEL_OK && k < 3000; k++) {
        reel_mem_fail_at(k, false);
        status = carry("short.avi", (reel_plan){ .mode = REEL_FRAMES_WHOLE }, 4);
        reel_mem_fail_at(0, false);
        if (status != REEL_OK)
            assert_true(err.message[0] != 0);
    }
    assert_true(k > 5 && k < 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_video), cmocka_unit_test(uniform_windows), cmocka_unit_test(random_window),
        cmocka_unit_test(views), cmocka_unit_test(crops), cmocka_unit_test(counts_of_uniform_clips),
        cmocka_unit_test(draws_are_a_function_of_seed_epoch_and_sample), cmocka_unit_test(what_cannot_be_read),
        cmocka_unit_test(truncated_video), cmocka_unit_test(probing), cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
