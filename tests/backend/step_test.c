/* The optimizer's operations, memory, planning, failures, and that results do not depend on chance or threads. */
#include "bed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void test_sum_squares(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 17, 65536, 65537, 300001};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        mat x = mat_row(sizes[i]), out = mat_row(8);
        double want = 0, got;
        for (size_t j = 0; j < sizes[i]; j++)
            want += mat_at(&x, 0, j) * mat_at(&x, 0, j);
        bed->ops->sum_squares(bed, (double *)(void *)mat_dev(&out), mat_dev(&x), sizes[i]);
        mat_get(&out);
        memcpy(&got, out.host, sizeof got);
        assert_true(fabs(got - want) <= 1e-12 * want);
        mat_free(&x);
        mat_free(&out);
    }
}

static reel_adamw scalars(double lr, double decay, int step)
{
    return (reel_adamw){.grad_scale = 1, .decay = (float)(1 - lr * decay), .one_minus_beta1 = (float)(1 - 0.9), .beta2 = 0.999f,
                        .one_minus_beta2 = (float)(1 - 0.999), .step_size = (float)(lr / (1 - pow(0.9, step))),
                        .bias2_root = (float)sqrt(1 - pow(0.999, step)), .eps = 1e-8f};
}

/* The vector of models-and-training.md 4.4. */
static void test_adamw_vector(void **state)
{
    (void)state;
    static const float gradients[3][2] = {{0.1f, -0.2f}, {0.3f, 0.05f}, {-0.2f, 0}};
    static const float after[3][2] = {{0.489500016f, -0.239749998f}, {0.479832709f, -0.234815568f}, {0.476773858f, -0.230951756f}};
    mat p = mat_row(2), m = mat_row(2), v = mat_row(2), g = mat_row(2);
    p.host[0] = 0.5f;
    p.host[1] = -0.25f;
    mat_put(&p);
    bed->ops->zero(bed, m.v.dev, 2 * sizeof(float));
    bed->ops->zero(bed, v.v.dev, 2 * sizeof(float));
    for (int step = 1; step <= 3; step++) {
        memcpy(g.host, gradients[step - 1], sizeof gradients[0]);
        mat_put(&g);
        const reel_adamw h = scalars(0.01, 0.1, step);
        bed->ops->adamw(bed, mat_dev(&p), mat_dev(&m), mat_dev(&v), mat_dev(&g), 2, &h);
        mat_get(&p);
        assert_true(p.host[0] == after[step - 1][0] && p.host[1] == after[step - 1][1]);
    }
    mat_free(&p);
    mat_free(&m);
    mat_free(&v);
    mat_free(&g);
}

static void test_adamw_long(void **state)
{
    (void)state;
    const size_t n = 200003;
    mat p = mat_row(n), m = mat_row(n), v = mat_row(n), g = mat_row(n);
    double *wp = doubles(n);
    for (size_t i = 0; i < n; i++)
        v.host[i] = fabsf(v.host[i]);
    mat_put(&v);
    reel_adamw h = scalars(1e-3, 0.05, 7);
    h.grad_scale = 0.25f;
    for (size_t i = 0; i < n; i++) {
        const double d = mat_at(&g, 0, i) * 0.25, wm = mat_at(&m, 0, i) + 0.1 * (d - mat_at(&m, 0, i));
        const double wv = 0.999 * mat_at(&v, 0, i) + 0.001 * d * d;
        wp[i] = mat_at(&p, 0, i) * (1 - 1e-3 * 0.05) - 1e-3 / (1 - pow(0.9, 7)) * wm / (sqrt(wv) / sqrt(1 - pow(0.999, 7)) + 1e-8);
    }
    bed->ops->adamw(bed, mat_dev(&p), mat_dev(&m), mat_dev(&v), mat_dev(&g), n, &h);
    mat_check("adamw", &p, wp, 5e-7);
    free(wp);
    mat_free(&p);
    mat_free(&m);
    mat_free(&v);
    mat_free(&g);
}

static void test_memory(void **state)
{
    (void)state;
    void *a, *b;
    char text[100] = "what is written can be read", back[100];
    reel_error err;
    assert_int_equal(bed->ops->mem_alloc(bed, 100, &a, &err), REEL_OK);
    assert_int_equal(bed->ops->mem_alloc(bed, 100, &b, &err), REEL_OK);
    bed->ops->upload(bed, a, text, 100);
    bed->ops->copy(bed, b, a, 100);
    bed->ops->zero(bed, a, 100);
    bed->ops->download(bed, back, b, 100);
    assert_int_equal(bed->ops->sync(bed, &err), REEL_OK);
    assert_memory_equal(back, text, 100);
    bed->ops->download(bed, back, a, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(back[i], 0);
    bed->ops->mem_free(bed, a);
    bed->ops->mem_free(bed, b);
    assert_int_equal(bed->ops->mem_alloc(bed, SIZE_MAX - 10, &a, &err), REEL_ERR_NOMEM);
    assert_null(a);
    assert_true(err.message[0] != '\0');
}

/* All of a training step's operations on matrices at `at`, or at addresses that nobody may touch. */
enum { TOKENS = 130, WIDTH = 96, HEADS = 3 };
typedef struct step { float *x, *y, *pre, *qkv, *o, *do_, *dqkv, *w, *b, *dw, *db, *lse, *mean, *rstd, *pixels, *table; double *sum; } step;
static size_t step_floats(void) { return 40 * (size_t)TOKENS * WIDTH; }

static step step_at(float *base)
{
    const size_t n = (size_t)TOKENS * WIDTH;
    return (step){base, base + n, base + 2 * n, base + 3 * n, base + 6 * n, base + 7 * n, base + 8 * n, base + 11 * n, base + 14 * n,
                  base + 15 * n, base + 18 * n, base + 19 * n, base + 20 * n, base + 21 * n, base + 22 * n, base + 38 * n,
                  (double *)(void *)(base + 39 * n)};
}

static void step_run(reel_backend *be, const step *s)
{
    const reel_view x = {s->x, REEL_F32, TOKENS, WIDTH, WIDTH}, y = {s->y, REEL_F32, TOKENS, WIDTH, WIDTH}, none = {.dtype = REEL_F32};
    const reel_view qkv = {s->qkv, REEL_F32, TOKENS, 3 * WIDTH, 3 * WIDTH}, dqkv = {s->dqkv, REEL_F32, TOKENS, 3 * WIDTH, 3 * WIDTH};
    const reel_view pre = {s->pre, REEL_F32, TOKENS, WIDTH, WIDTH}, o = {s->o, REEL_F32, TOKENS, WIDTH, WIDTH};
    const reel_view do_ = {s->do_, REEL_F32, TOKENS, WIDTH, WIDTH}, dw = {s->dw, REEL_F32, 3 * WIDTH, WIDTH, WIDTH};
    const reel_view mean = {s->mean, REEL_F32, 2, WIDTH, WIDTH};
    const reel_weight w = {{s->w, REEL_F32, 3 * WIDTH, WIDTH, WIDTH}, REEL_PACK_F32, NULL}, w1 = {{s->w, REEL_F32, WIDTH, WIDTH, WIDTH}, REEL_PACK_F32, NULL};
    const reel_patching patching = {.batch = 1, .frames = 4, .channels = 2, .height = 26, .width = 60, .t = 2, .ph = 2, .pw = 12};
    const reel_adamw h = scalars(1e-3, 0.05, 3);
    const uint32_t key[2] = {1, 2};
    const reel_view p2 = reel_view_cols(qkv, WIDTH, WIDTH), p3 = reel_view_cols(qkv, 2 * (size_t)WIDTH, WIDTH);
    be->ops->patch_gather(be, x, s->pixels, &patching);
    be->ops->add_table(be, x, x, s->table, 65);
    be->ops->layernorm_fwd(be, y, s->mean, s->rstd, x, s->b, s->b, 1e-6f);
    be->ops->linear_fwd(be, qkv, none, y, &w, s->b, REEL_ACT_NONE, none);
    be->ops->attention_fwd(be, o, s->lse, reel_view_cols(qkv, 0, WIDTH), p2, p3, 2, HEADS, 0.2f);
    be->ops->linear_fwd(be, y, pre, o, &w1, s->b, REEL_ACT_GELU, x);
    be->ops->linear_fwd(be, y, none, o, &w1, s->b, REEL_ACT_GELU, y);
    be->ops->dropout(be, y, y, 0.1f, key, key);
    be->ops->act_bwd(be, do_, y, y, pre, REEL_ACT_GELU);
    be->ops->attention_bwd(be, reel_view_cols(dqkv, 0, WIDTH), reel_view_cols(dqkv, WIDTH, WIDTH), reel_view_cols(dqkv, 2 * (size_t)WIDTH, WIDTH),
                           do_, o, s->lse, reel_view_cols(qkv, 0, WIDTH), p2, p3, 2, HEADS, 0.2f);
    be->ops->linear_bwd_weight(be, dw, s->db, dqkv, o, false);
    be->ops->linear_bwd_weight(be, dw, s->db, dqkv, y, true);
    be->ops->linear_bwd_input(be, o, dqkv, &w, true);
    be->ops->layernorm_bwd(be, o, true, s->db, s->db + WIDTH, false, y, x, s->mean, s->rstd, s->b);
    be->ops->rows_mean(be, mean, o);
    be->ops->rows_mean_bwd(be, o, mean);
    be->ops->add(be, o, o, y);
    be->ops->act_fwd(be, y, o, REEL_ACT_SILU);
    be->ops->sum_squares(be, s->sum, s->qkv, 3 * (size_t)TOKENS * WIDTH);
    be->ops->adamw(be, s->w, s->pixels, s->table, s->dw, WIDTH, &h);
}

/* A step from the same start; out: the whole memory afterwards. */
static void step_from_start(float *out)
{
    const size_t n = step_floats();
    void *dev;
    reel_error err = {0};
    bed_seed(99);
    for (size_t i = 0; i < n; i++)
        out[i] = i >= 38 * (size_t)TOKENS * WIDTH ? 0.5f + 0.1f * bed_random() : bed_random();
    assert_int_equal(bed->ops->mem_alloc(bed, n * sizeof(float), &dev, &err), REEL_OK);
    bed->ops->upload(bed, dev, out, n * sizeof(float));
    step s = step_at(dev);
    step_run(bed, &s);
    bed->ops->download(bed, out, dev, n * sizeof(float));
    if (bed->ops->sync(bed, &err) != REEL_OK)
        fail_msg("%s", err.message);
    bed->ops->mem_free(bed, dev);
}

static void test_same_bits(void **state)
{
    (void)state;
    const size_t bytes = step_floats() * sizeof(float);
    float *first = malloc(bytes), *again = malloc(bytes);
    step_from_start(first);
    step_from_start(again);
    assert_memory_equal(first, again, bytes);
    for (int threads = 1; threads <= 5; threads += 2) {
        bed_close();
        bed_open(threads);
        step_from_start(again);
        assert_memory_equal(first, again, bytes);
    }
    bed_close();
    bed_open(2);
    free(first);
    free(again);
}

/* Planning touches no operand, makes all that is needed, and the run then asks for no memory. */
static void test_planning(void **state)
{
    (void)state;
    float *memory = malloc(step_floats() * sizeof(float));
    reel_error err = {0};
    bed_close();
    bed_open(2);
    step s = step_at((float *)(uintptr_t)4096);
    bed->planning = true;
    step_run(bed, &s);
    bed->planning = false;
    assert_int_equal(bed->ops->sync(bed, &err), REEL_OK);
    reel_mem_fail_at(1L << 40, false);  /* counts */
    const long before = reel_mem_calls();
    step_from_start(memory);
    const long calls = reel_mem_calls() - before;
    reel_mem_fail_at(0, false);
    free(memory);
    assert_in_range(calls, 0, 1);  /* the block that this test allocates */
}

/* Each allocation fails once: opening and planning say so and leave nothing behind (the sanitizers look). */
static void test_no_memory(void **state)
{
    (void)state;
    reel_error err;
    long n = 1;
    bed_close();
    for (;; n++) {
        reel_context *ctx;
        reel_backend *be;
        assert_int_equal(reel_context_open(&ctx, &err), REEL_OK);
        assert_int_equal(reel_context_set(ctx, "threads", "2", &err), REEL_OK);
        err = (reel_error){0};
        reel_mem_fail_at(n, false);
        reel_status status = strcmp(bed_kind, "fence") == 0 ? reel_backend_fence_open(ctx, &be, &err) : reel_backend_open(ctx, &be, &err);
        if (status == REEL_OK) {
            step s = step_at((float *)(uintptr_t)4096);
            be->planning = true;
            step_run(be, &s);
            status = be->ops->sync(be, &err);
        }
        const bool reached = reel_mem_calls() >= n;
        reel_mem_fail_at(0, false);
        reel_backend_close(&be);
        reel_context_close(&ctx);
        if (!reached)
            break;
        assert_int_equal(status, REEL_ERR_NOMEM);
        assert_true(err.message[0] != '\0');
    }
    assert_true(n > 2);
    bed_open(2);
}

/* The first failure is told, and nothing is done after it. */
static void test_first_failure(void **state)
{
    (void)state;
    mat x = mat_row(4);
    reel_error err = {0};
    reel_backend_fail(bed, REEL_ERR_BACKEND, "the %s failure", "first");
    reel_backend_fail(bed, REEL_ERR_NOMEM, "the second");
    bed->ops->zero(bed, x.v.dev, 4 * sizeof(float));
    assert_int_equal(bed->ops->sync(bed, &err), REEL_ERR_BACKEND);
    assert_string_equal(err.message, "the first failure");
    const float kept = x.host[0];
    mat_get(&x);
    assert_true(x.host[0] == kept);
    mat_free(&x);
}

BED_MAIN(cmocka_unit_test(test_sum_squares), cmocka_unit_test(test_adamw_vector), cmocka_unit_test(test_adamw_long),
         cmocka_unit_test(test_memory), cmocka_unit_test(test_same_bits), cmocka_unit_test(test_planning),
         cmocka_unit_test(test_no_memory), cmocka_unit_test(test_first_failure))
