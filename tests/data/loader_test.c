/* Loader threads: batches in the order of the plans, the same bytes whatever their number, and an end at any time. */
#include "made.h"

#include <pthread.h>

#include "base/context.h"
#include "base/file.h"
#include "data/loader.h"

enum { VIDEOS = 11, T = 4, BAD_ONE = 4, CLIP_FLOATS = T * CLIP_FRAME };

static char *dir;
static reel_context *ctx;
static reel_transform transform;
static reel_processor processor;
static reel_pixel_kernels kernels;
static reel_item item[VIDEOS];
static reel_plan plan[2 * VIDEOS];
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
            made_video(item[i].path, 8 + i % 3, 50 * i, 25);
    }
    for (int i = 0; i < 2 * VIDEOS; i++) {  /* out of the order of the files */
        const reel_item *v = &item[i * 7 % VIDEOS];
        plan[i] = (reel_plan){ .item = v, .label = v->label, .mode = i < VIDEOS ? REEL_FRAMES_WHOLE : REEL_FRAMES_RANDOM,
                               .seconds = 0.2 };
        reel_plan_draw(&plan[i], 1, 0, (uint64_t)i);
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

static reel_loader_config config_of(int threads, int ahead, size_t batch)
{
    return (reel_loader_config){ .plan = plan, .plans = 2 * VIDEOS, .batch = batch, .transform = &transform, .frames = T,
                                 .clip_floats = CLIP_FLOATS, .threads = threads, .ahead = ahead, .autorotate = true };
}

/* All clips one after the other into out; what each batch says is checked on the way. */
static size_t load_all(const reel_loader_config *c, float *out)
{
    reel_loader *l = NULL;
    const reel_batch *b = NULL;
    size_t total = 0, planned = 0;
    assert_int_equal(reel_loader_open(ctx, c, &l, &err), REEL_OK);
    for (;;) {
        assert_int_equal(reel_loader_next(l, &b, &err), REEL_OK);
        if (b == NULL)
            break;
        size_t want = c->plans - planned < c->batch ? c->plans - planned : c->batch, at = planned;
        assert_int_equal(b->planned, want);
        assert_int_equal(b->n + b->bads, want);
        for (size_t i = 0; i < b->bads; i++) {
            assert_ptr_equal(c->plan[b->bad[i].plan].item, &item[BAD_ONE]);
            assert_non_null(strstr(b->bad[i].reason, "v04.avi"));
        }
        for (size_t i = 0; i < b->n; i++) {
            if (c->plan[at].item == &item[BAD_ONE])
                at++;  /* the gap is closed, the order kept */
            assert_int_equal(b->plan[i], at);
            assert_int_equal(b->label[i], c->plan[at].label);
            int video = (int)(c->plan[at].item - item), shown = made_number(b->pixels + i * CLIP_FLOATS, 0);
            assert_true(shown >= 50 * video && shown < 50 * video + 10);
            at++;
        }
        memcpy(out + total * CLIP_FLOATS, b->pixels, b->n * CLIP_FLOATS * sizeof(float));
        total += b->n;
        planned += want;
        assert_true(b->waited >= 0);
    }
    assert_int_equal(planned, c->plans);
    assert_int_equal(reel_loader_next(l, &b, &err), REEL_OK);  /* the end stays the end */
    assert_null(b);
    reel_loader_close(&l);
    assert_null(l);
    return total;
}

static void results_do_not_depend_on_threads(void **state)
{
    (void)state;
    static const int threads[] = { 1, 2, 5, 16 }, ahead[] = { 1, 3, 100, 1 };
    size_t room = 2 * VIDEOS * CLIP_FLOATS * sizeof(float);
    float *want = reel_calloc(1, room), *got = reel_calloc(1, room);
    for (int i = 0; i < 4; i++) {
        reel_loader_config c = config_of(threads[i], ahead[i], i == 3 ? 22 : 4);
        memset(got, 0, room);
        assert_int_equal(load_all(&c, i == 0 ? want : got), 2 * VIDEOS - 2);
        if (i > 0)
            assert_memory_equal(got, want, room);
    }
    reel_free(want);
    reel_free(got);
}

/* One clip a batch, the unreadable among them: a batch may be empty. */
static void a_batch_may_be_empty(void **state)
{
    (void)state;
    float *out = reel_calloc(2 * VIDEOS, CLIP_FLOATS * sizeof(float));
    reel_loader_config c = config_of(2, 2, 1);
    assert_int_equal(load_all(&c, out), 2 * VIDEOS - 2);
    reel_free(out);
}

static void nothing_planned(void **state)
{
    (void)state;
    reel_loader_config c = config_of(2, 2, 4);
    reel_loader *l = NULL;
    const reel_batch *b = NULL;
    c.plans = 0;
    assert_int_equal(reel_loader_open(ctx, &c, &l, &err), REEL_OK);
    assert_int_equal(reel_loader_next(l, &b, &err), REEL_OK);
    assert_null(b);
    reel_loader_close(&l);
    c.batch = 0;
    assert_int_equal(reel_loader_open(ctx, &c, &l, &err), REEL_ERR_ARG);
    assert_null(l);
    reel_loader_close(&l);
    reel_loader_close(NULL);
}

static void may_be_closed_at_any_time(void **state)
{
    (void)state;
    for (int taken = 0; taken < 6; taken++) {
        reel_loader_config c = config_of(3, 2, 4);
        reel_loader *l = NULL;
        const reel_batch *b = NULL;
        assert_int_equal(reel_loader_open(ctx, &c, &l, &err), REEL_OK);
        for (int i = 0; i < taken; i++)
            assert_int_equal(reel_loader_next(l, &b, &err), REEL_OK);
        reel_loader_close(&l);
    }
}

static int asked;
static bool after_a_while(void *user) { (void)user; return __atomic_add_fetch(&asked, 1, __ATOMIC_RELAXED) > 40; }

static void stops_when_cancelled(void **state)
{
    (void)state;
    reel_loader_config c = config_of(2, 1, 2);
    reel_loader *l = NULL;
    const reel_batch *b = NULL;
    reel_status status;
    asked = 0;
    reel_context_set_cancel(ctx, after_a_while, NULL);
    assert_int_equal(reel_loader_open(ctx, &c, &l, &err), REEL_OK);
    while ((status = reel_loader_next(l, &b, &err)) == REEL_OK && b != NULL) {}
    assert_int_equal(status, REEL_ERR_CANCELLED);
    assert_null(b);
    reel_loader_close(&l);
    reel_context_set_cancel(ctx, NULL, NULL);
}

/* Nothing is loaded further ahead than asked: a batch in hand, `ahead` ready. */
static int decoded;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool count_calls(void *user)
{
    (void)user;
    pthread_mutex_lock(&lock);
    decoded++;
    pthread_mutex_unlock(&lock);
    return false;
}

static void memory_is_bounded(void **state)
{
    (void)state;
    reel_loader_config c = config_of(4, 1, 2);
    reel_loader *l = NULL;
    const reel_batch *b = NULL;
    reel_context_set_cancel(ctx, count_calls, NULL);
    assert_int_equal(reel_loader_open(ctx, &c, &l, &err), REEL_OK);
    assert_int_equal(reel_loader_next(l, &b, &err), REEL_OK);
    const float first = b->pixels[0];
    int before, after = -1;
    do {  /* until the threads have nothing to do any more */
        before = after;
        usleep(100000);
        pthread_mutex_lock(&lock);
        after = decoded;
        pthread_mutex_unlock(&lock);
    } while (before != after);
    assert_true(b->pixels[0] == first);  /* still ours */
    for (size_t n = 1; n < VIDEOS; n++) {
        assert_int_equal(reel_loader_next(l, &b, &err), REEL_OK);
        assert_non_null(b);
    }
    pthread_mutex_lock(&lock);
    assert_true(decoded > after);  /* the rest came only when asked for */
    pthread_mutex_unlock(&lock);
    reel_loader_close(&l);
    reel_context_set_cancel(ctx, NULL, NULL);
}

static void packed_rows_come_as_they_are(void **state)
{
    (void)state;
    enum { ROWS = 5 };
    static float pixels[ROWS * CLIP_FLOATS];
    static const int64_t labels[ROWS] = { 0, 1, 0, 2, 1 };
    const reel_st_entry entry[2] = { { "pixel_values", REEL_F32, { 5, { ROWS, T, 3, CLIP_H, CLIP_W } }, pixels },
                                     { "labels", REEL_I64, { 1, { ROWS } }, labels } };
    char *path = reel_format("%s/p.safetensors", dir);
    reel_dataset *ds = NULL;
    reel_loader *l = NULL;
    const reel_batch *b = NULL;
    for (int i = 0; i < ROWS * CLIP_FLOATS; i++)
        pixels[i] = (float)i * 0.25f;
    assert_int_equal(reel_st_write(path, entry, 2, NULL, 0, &err), REEL_OK);
    assert_int_equal(reel_dataset_open(ctx, path, &ds, &err), REEL_OK);
    static const size_t order[4] = { 3, 0, 4, 3 };
    reel_plan rows[4];
    for (int i = 0; i < 4; i++)
        rows[i] = (reel_plan){ .row = order[i], .label = (int)labels[order[i]] };
    reel_loader_config c = { .dataset = ds, .plan = rows, .plans = 4, .batch = 3, .frames = T, .clip_floats = CLIP_FLOATS,
                             .threads = 2, .ahead = 1 };
    assert_int_equal(reel_loader_open(ctx, &c, &l, &err), REEL_OK);
    for (int i = 0; i < 4; i++) {
        if (i % 3 == 0)
            assert_int_equal(reel_loader_next(l, &b, &err), REEL_OK);
        assert_memory_equal(b->pixels + i % 3 * CLIP_FLOATS, pixels + order[i] * CLIP_FLOATS, CLIP_FLOATS * sizeof(float));
        assert_int_equal(b->label[i % 3], labels[order[i]]);
    }
    assert_int_equal(b->n, 1);
    reel_loader_close(&l);
    c.frames = T / 2;
    assert_int_equal(reel_loader_open(ctx, &c, &l, &err), REEL_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "(5, 4, 3, 12, 24)"));
    c.frames = T;
    c.clip_floats--;
    assert_int_equal(reel_loader_open(ctx, &c, &l, &err), REEL_ERR_MISMATCH);
    c.clip_floats++;
    rows[2].row = ROWS;
    assert_int_equal(reel_loader_open(ctx, &c, &l, &err), REEL_ERR_ARG);
    assert_null(l);
    reel_dataset_close(&ds);
    reel_free(path);
}

/* A file that breaks off: what is there is used, or the clip is left out, as asked. */
static void truncated_videos(void **state)
{
    (void)state;
    char *path = reel_format("%s/cut.avi", dir), *data;
    size_t n;
    made_video(path, 100, 0, 25);
    assert_int_equal(reel_file_read(path, 1 << 24, &data, &n, NULL), REEL_OK);
    assert_int_equal(reel_file_write(path, data, n / 2, NULL), REEL_OK);
    reel_free(data);
    const reel_item cut = { .path = path };
    const reel_plan one = { .item = &cut, .mode = REEL_FRAMES_WHOLE };
    reel_loader_config c = config_of(1, 1, 1);
    c.plan = &one;
    c.plans = 1;
    for (int skip = 0; skip < 2; skip++) {
        reel_loader *l = NULL;
        const reel_batch *b = NULL;
        c.skip_truncated = skip;
        assert_int_equal(reel_loader_open(ctx, &c, &l, &err), REEL_OK);
        assert_int_equal(reel_loader_next(l, &b, &err), REEL_OK);
        assert_int_equal(b->n, skip ? 0 : 1);
        if (skip)
            assert_non_null(strstr(b->bad[0].reason, "cut.avi: truncated after frame"));
        reel_loader_close(&l);
    }
    reel_free(path);
}

static void every_allocation_of_opening_may_fail(void **state)
{
    (void)state;
    reel_loader_config c = config_of(1, 1, 4);
    reel_status status = REEL_ERR_NOMEM;
    c.plans = 0;  /* the hook counts without a lock: no thread may allocate beside it */
    long k = 1;
    for (; status != REEL_OK && k < 100; k++) {
        reel_loader *l = NULL;
        reel_mem_fail_at(k, false);
        status = reel_loader_open(ctx, &c, &l, &err);
        reel_mem_fail_at(0, false);
        assert_true((status == REEL_OK) == (l != NULL));
        reel_loader_close(&l);
    }
    assert_true(k > 5 && k < 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_do_not_depend_on_threads), cmocka_unit_test(a_batch_may_be_empty),
        cmocka_unit_test(nothing_planned), cmocka_unit_test(may_be_closed_at_any_time), cmocka_unit_test(stops_when_cancelled),
        cmocka_unit_test(memory_is_bounded), cmocka_unit_test(packed_rows_come_as_they_are),
        cmocka_unit_test(truncated_videos), cmocka_unit_test(every_allocation_of_opening_may_fail),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
