/* A cache of decoded frames changes nothing but the work: the same bits with and without, over epochs and threads, within its limit. */
#include "made.h"

#include <pthread.h>

#include "base/context.h"
#include "base/file.h"
#include "data/cache.h"
#include "data/loader.h"

enum { VIDEOS = 9, T = 4, BAD_ONE = 4, CLIP_FLOATS = T * CLIP_FRAME, EPOCHS = 3, PLANS = 4 * VIDEOS };

static char *dir;
static reel_context *ctx;
static reel_transform transform;
static reel_processor processor;
static reel_pixel_kernels kernels;
static reel_item item[VIDEOS];
static reel_plan plan[EPOCHS][PLANS];
static reel_error err;

static int setup(void **state)
{
    (void)state;
    dir = test_folder();
    if (dir == NULL || reel_context_open(&ctx, NULL) != REEL_OK)
        return 1;
    made_transform(&transform, &processor, &kernels);
    for (int i = 0; i < VIDEOS; i++) {
        item[i] = (reel_item){ .path = reel_format("%s/v%02d.avi", dir, i), .label = i % 3 };
        if (i == BAD_ONE)
            assert_int_equal(reel_file_write(item[i].path, "no film\n", 8, NULL), REEL_OK);
        else
            made_video(item[i].path, 20 + i % 3, 50 * i, 25);
    }
    for (int e = 0; e < EPOCHS; e++)
        for (int i = 0; i < PLANS; i++) {
            static const reel_frames_mode mode[] = { REEL_FRAMES_RANDOM, REEL_FRAMES_WINDOW, REEL_FRAMES_WHOLE, REEL_FRAMES_VIEW };
            reel_plan *p = &plan[e][i];
            *p = (reel_plan){ .item = &item[i * 7 % VIDEOS], .label = i, .mode = mode[i % 4], .seconds = 0.2, .clip = i % 3, .clips = 3 };
            reel_plan_draw(p, 1, (uint32_t)e, (uint64_t)i);
        }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < VIDEOS; i++)
        reel_free(item[i].path);
    reel_context_close(&ctx);
    test_remove_folder(dir);
    return 0;
}

/* All epochs one after the other: pixels, labels and places of every batch. */
static size_t load(int threads, reel_cache *cache, float *out)
{
    size_t total = 0;
    for (int e = 0; e < EPOCHS; e++) {
        reel_loader *l = NULL;
        const reel_batch *b;
        reel_loader_config c = { .plan = plan[e], .plans = PLANS, .batch = 5, .transform = &transform, .frames = T, .clip_floats = CLIP_FLOATS,
                                 .threads = threads, .ahead = 2, .autorotate = true, .skip_truncated = true, .cache = cache };
        assert_int_equal(reel_loader_open(ctx, &c, &l, &err), REEL_OK);
        for (;;) {
            assert_int_equal(reel_loader_next(l, &b, &err), REEL_OK);
            if (b == NULL)
                break;
            memcpy(out + total * CLIP_FLOATS, b->pixels, b->n * CLIP_FLOATS * sizeof(float));
            total += b->n;
        }
        reel_loader_close(&l);
    }
    return total;
}

static void the_same_bits(void **state)
{
    (void)state;
    static const size_t limit[] = { 1, 300000, 1000000, 64 << 20 };
    size_t room = (size_t)EPOCHS * PLANS * CLIP_FLOATS * sizeof(float), last_hits = 0;
    float *want = reel_calloc(1, room), *got = reel_calloc(1, room);
    size_t clips = load(1, NULL, want);
    assert_int_equal(clips, EPOCHS * (PLANS - 4));
    for (size_t i = 0; i < sizeof limit / sizeof *limit; i++)
        for (int threads = 1; threads <= 4; threads += 3) {
            reel_cache *cache = NULL;
            assert_int_equal(reel_cache_open(ctx, limit[i], &cache, &err), REEL_OK);
            memset(got, 0, room);
            assert_int_equal(load(threads, cache, got), clips);
            assert_memory_equal(got, want, room);
            reel_cache_figures told = reel_cache_tell(cache);
            assert_true(told.bytes <= limit[i]);
            assert_int_equal(told.hits + told.misses, EPOCHS * PLANS);
            if (threads == 1) {  /* more room, more hits */
                assert_true(told.hits >= last_hits);
                last_hits = told.hits;
            }
            if (i == 3)  /* all but the bad one's, from the second epoch on */
                assert_true(told.hits >= (EPOCHS - 1) * (PLANS - 4) && told.kept > VIDEOS);
            reel_cache_close(&cache);
            assert_null(cache);
        }
    assert_true(last_hits > 0);
    reel_free(want);
    reel_free(got);
}

/* What is in the cache needs the file no more: proof that nothing is decoded again. */
static void files_are_not_read_again(void **state)
{
    (void)state;
    reel_cache *cache = NULL;
    reel_item gone = { .path = reel_format("%s/gone.avi", dir) };
    float first[CLIP_FLOATS], again[CLIP_FLOATS];
    made_video(gone.path, 30, 7, 25);
    assert_int_equal(reel_cache_open(ctx, 64 << 20, &cache, &err), REEL_OK);
    reel_plan p = { .item = &gone, .mode = REEL_FRAMES_WINDOW, .seconds = 0.2, .clip = 1, .clips = 6 };
    reel_plan r = { .item = &gone, .mode = REEL_FRAMES_RANDOM, .seconds = 0.2, .start_u = 0.3 };
    reel_plan_trace before = { 0 }, after = { 0 };
    assert_int_equal(reel_plan_carry_out_cached(ctx, &p, &transform, T, true, 1, cache, first, &before, &err), REEL_OK);
    assert_int_equal(reel_plan_carry_out_cached(ctx, &r, &transform, T, true, 1, cache, again, NULL, &err), REEL_OK);
    static float windows[5][CLIP_FLOATS];
    for (int i = 0; i < 5; i++) {
        r.start_u = i / 5.0;
        assert_int_equal(reel_plan_carry_out(ctx, &r, &transform, T, true, 1, windows[i], NULL, &err), REEL_OK);
        assert_true(i == 0 || memcmp(windows[i], windows[i - 1], sizeof windows[i]) != 0);
    }
    assert_int_equal(remove(gone.path), 0);
    assert_int_equal(reel_plan_carry_out_cached(ctx, &p, &transform, T, true, 1, cache, again, &after, &err), REEL_OK);
    assert_memory_equal(first, again, sizeof first);
    assert_true(before.frames == 30 && after.frames == 30 && before.sampled == after.sampled && after.duration == before.duration &&
                after.promised == before.promised);
    for (int i = 0; i < 5; i++) {  /* any window of it */
        r.start_u = i / 5.0;
        assert_int_equal(reel_plan_carry_out_cached(ctx, &r, &transform, T, true, 1, cache, again, NULL, &err), REEL_OK);
        assert_memory_equal(again, windows[i], sizeof again);
    }
    p.clip = 2;  /* another clip was not asked for before */
    assert_int_not_equal(reel_plan_carry_out_cached(ctx, &p, &transform, T, true, 1, cache, again, NULL, &err), REEL_OK);
    reel_cache_close(&cache);
    reel_free(gone.path);
}

static void no_cache(void **state)
{
    (void)state;
    reel_cache *cache = (reel_cache *)&err;
    assert_int_equal(reel_cache_open(ctx, 0, &cache, &err), REEL_OK);
    assert_null(cache);
    reel_cache_close(&cache);
    reel_cache_close(NULL);
}

/* Every allocation fails once: an error or the same clip, and the cache can be closed. */
static void no_memory(void **state)
{
    (void)state;
    float want[CLIP_FLOATS], got[CLIP_FLOATS];
    reel_plan p = plan[0][0];
    assert_int_equal(reel_plan_carry_out(ctx, &p, &transform, T, true, 1, want, NULL, &err), REEL_OK);
    for (long k = 1;; k++) {
        reel_cache *cache = NULL;
        reel_mem_fail_at(k, false);
        reel_status status = reel_cache_open(ctx, 1 << 24, &cache, &err);
        for (int i = 0; status == REEL_OK && i < 2; i++)
            status = reel_plan_carry_out_cached(ctx, &p, &transform, T, true, 1, cache, got, NULL, &err);
        bool failed = reel_mem_calls() >= k;
        reel_mem_fail_at(0, false);
        reel_cache_close(&cache);
        if (status == REEL_OK)
            assert_memory_equal(got, want, sizeof want);
        else
            assert_int_equal(status, REEL_ERR_NOMEM);
        if (!failed)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(the_same_bits), cmocka_unit_test(files_are_not_read_again), cmocka_unit_test(no_cache),
                                        cmocka_unit_test(no_memory) };
    return cmocka_run_group_tests_name("cache", tests, setup, teardown);
}
