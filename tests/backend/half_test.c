/* Norms, activations, sums, tables, patches, dropout and casts where views are float32 or bfloat16 in every mixture, against naive
 * double arithmetic on the numbers that the operands hold. A result is computed in float32 as ever (the bounds of rows_test) and
 * rounded once, when it is stored: by at most 2^-8 of it in bfloat16, which mat_check_each adds. Then planning and what is refused. */
#include "bed.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "naive.h"

/* Rows, columns, padding; more than 1024 columns: rows of bfloat16 go through buffers of that many. */
static const size_t shapes[][3] = {{1, 1, 0}, {1, 8, 0}, {3, 7, 2}, {33, 6, 1}, {70, 130, 0}, {1568, 48, 0}, {129, 385, 15}, {5, 2051, 1}};
enum { SHAPES = sizeof shapes / sizeof *shapes };
static const reel_dtype types[] = {REEL_F32, REEL_BF16};

static double *constants(size_t n, double value)
{
    double *d = doubles(n);
    for (size_t i = 0; i < n; i++)
        d[i] = value;
    return d;
}

/* Bounds of a norm: 1e-6 of a normed number and of beta. */
static void check_norm_forward(const size_t *shape, reel_dtype tx, reel_dtype ty)
{
    const size_t m = shape[0], n = shape[1], pad = shape[2];
    const float eps = n == 1 ? 1e-2f : 1e-12f;
    mat x = mat_new_of(tx, m, n, n + pad), y = mat_empty_of(ty, m, n, n + 2 * pad), gamma = mat_row(n), beta = mat_row(n);
    mat mean = mat_empty(1, m, m), rstd = mat_empty(1, m, m);
    double *want = doubles(m * n), *slack = doubles(m * n), *wm = doubles(m), *wr = doubles(m);
    for (size_t r = 0; r < m; r++) {
        double squares = 0;
        for (size_t c = 0; c < n; c++)
            wm[r] += mat_at(&x, r, c) / (double)n;
        for (size_t c = 0; c < n; c++)
            squares += pow(mat_at(&x, r, c) - wm[r], 2);
        wr[r] = 1 / sqrt(squares / (double)n + (double)eps);
        for (size_t c = 0; c < n; c++) {
            const double normed = (mat_at(&x, r, c) - wm[r]) * wr[r] * mat_at(&gamma, 0, c);
            want[r * n + c] = normed + mat_at(&beta, 0, c);
            slack[r * n + c] = 1e-6 * (2 + fabs(normed));
        }
    }
    bed->ops->layernorm_fwd(bed, y.v, mat_dev(&mean), mat_dev(&rstd), x.v, mat_dev(&gamma), mat_dev(&beta), eps);
    mat_check_each("layernorm_fwd", &y, want, slack);
    mat_check_absolute("layernorm_fwd mean", &mean, wm, 1e-7);
    mat_check("layernorm_fwd rstd", &rstd, wr, 1e-6);
    bed->ops->layernorm_fwd(bed, x.v, NULL, NULL, x.v, mat_dev(&gamma), mat_dev(&beta), eps);
    mat_check_each("layernorm_fwd in place", &x, want, slack);
    mat *mats[] = {&x, &y, &gamma, &beta, &mean, &rstd};
    double *numbers[] = {want, slack, wm, wr};
    for (size_t i = 0; i < 6; i++)
        mat_free(mats[i]);
    for (size_t i = 0; i < 4; i++)
        free(numbers[i]);
}

typedef struct norm_case { reel_dtype dx, dy, x; bool add_dx, add_params; } norm_case;

static void check_norm_backward(const size_t *shape, const norm_case *f)
{
    const size_t m = shape[0], n = shape[1], pad = shape[2];
    mat x = mat_new_of(f->x, m, n, n + pad), dy = mat_new_of(f->dy, m, n, n + 2 * pad), gamma = mat_row(n), mean = mat_row(m), rstd = mat_row(m);
    mat dx = f->add_dx ? mat_new_of(f->dx, m, n, n + pad) : mat_empty_of(f->dx, m, n, n + pad);
    mat dgamma = f->add_params ? mat_row(n) : mat_empty(1, n, n), dbeta = f->add_params ? mat_row(n) : mat_empty(1, n, n);
    double *want = doubles(m * n), *slack = doubles(m * n), *wg = doubles(n), *wb = doubles(n), *sg = doubles(n), *sb = doubles(n);
    for (size_t c = 0; c < n; c++) {
        wg[c] = f->add_params ? mat_at(&dgamma, 0, c) : 0;
        wb[c] = f->add_params ? mat_at(&dbeta, 0, c) : 0;
    }
    for (size_t r = 0; r < m; r++) {  /* the formula holds for any mean and rstd */
        const double mu = mat_at(&mean, 0, r), s = mat_at(&rstd, 0, r);
        double g1 = 0, g2 = 0, size1 = 0, size2 = 0;
        for (size_t c = 0; c < n; c++) {
            const double d = mat_at(&dy, r, c), h = (mat_at(&x, r, c) - mu) * s, g = d * mat_at(&gamma, 0, c);
            g1 += g / (double)n;
            g2 += g * h / (double)n;
            size1 += fabs(g) / (double)n;
            size2 += fabs(g * h) / (double)n;
            wg[c] += d * h;
            wb[c] += d;
            sg[c] += 1e-6 * fabs(d * h);
            sb[c] += 1e-6 * fabs(d);
        }
        for (size_t c = 0; c < n; c++) {
            const double h = (mat_at(&x, r, c) - mu) * s, g = mat_at(&dy, r, c) * mat_at(&gamma, 0, c), old = f->add_dx ? mat_at(&dx, r, c) : 0;
            want[r * n + c] = old + s * (g - g1 - h * g2);
            slack[r * n + c] = 1e-6 * (fabs(old) + fabs(s) * (fabs(g) + size1 + fabs(h) * size2)) + 1e-30;
        }
    }
    bed->ops->layernorm_bwd(bed, dx.v, f->add_dx, mat_dev(&dgamma), mat_dev(&dbeta), f->add_params, dy.v, x.v, mat_dev(&mean), mat_dev(&rstd),
                            mat_dev(&gamma));
    mat_check_each("layernorm_bwd", &dx, want, slack);
    mat_check_each("layernorm_bwd dgamma", &dgamma, wg, sg);
    mat_check_each("layernorm_bwd dbeta", &dbeta, wb, sb);
    if (!f->add_dx) {
        bed->ops->layernorm_bwd(bed, dy.v, false, mat_dev(&dgamma), mat_dev(&dbeta), false, dy.v, x.v, mat_dev(&mean), mat_dev(&rstd), mat_dev(&gamma));
        mat_check_each("layernorm_bwd in place", &dy, want, slack);
    }
    mat *mats[] = {&x, &dy, &gamma, &mean, &rstd, &dx, &dgamma, &dbeta};
    double *numbers[] = {want, slack, wg, wb, sg, sb};
    for (size_t i = 0; i < 8; i++)
        mat_free(mats[i]);
    for (size_t i = 0; i < 6; i++)
        free(numbers[i]);
}

static void test_layernorm(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++)
        for (unsigned mixture = 0; mixture < 8; mixture++) {
            const reel_dtype a = types[mixture % 2], b = types[mixture / 2 % 2], c = types[mixture / 4];
            if (c == REEL_F32)
                check_norm_forward(shapes[s], a, b);
            const norm_case kinds[] = {{a, b, c, false, false}, {a, b, c, true, false}, {a, b, c, true, true}};
            for (size_t k = 0; k < 3; k++)
                check_norm_backward(shapes[s], &kinds[k]);
        }
}

static void check_act(const size_t *shape, reel_act act, const reel_dtype t[4])
{
    const size_t m = shape[0], n = shape[1], pad = shape[2];
    mat x = mat_new_of(t[0], m, n, n + pad), dy = mat_new_of(t[1], m, n, n + pad), y = mat_empty_of(t[2], m, n, n), dx = mat_empty_of(t[3], m, n, n + 3);
    for (size_t i = 0; i < m * n; i++)
        x.host[i / n * x.v.ld + i % n] *= 4;
    mat_put(&x);
    double *wy = doubles(m * n), *wx = doubles(m * n), *sy = constants(m * n, 5e-7), *sx = constants(m * n, 1e-6);
    for (size_t i = 0; i < m * n; i++) {
        const double at = mat_at(&x, i / n, i % n), step = 1e-5;
        wy[i] = naive_act(at, act);
        wx[i] = mat_at(&dy, i / n, i % n) * (naive_act(at + step, act) - naive_act(at - step, act)) / (2 * step);
        if (act == REEL_ACT_RELU && fabs(at) <= step)  /* the corner has no slope by differences */
            wx[i] = at > 0 ? mat_at(&dy, i / n, i % n) : 0;
    }
    bed->ops->act_fwd(bed, y.v, x.v, act);
    mat_check_each("act_fwd", &y, wy, sy);
    bed->ops->zero(bed, y.v.dev, y.v.rows * y.v.ld * reel_dtype_size(t[2]));
    bed->ops->act_bwd(bed, dx.v, y.v, dy.v, x.v, act);
    mat_check_each("act_bwd", &dx, wx, sx);
    mat_check_each("act_bwd again", &y, wy, sy);
    bed->ops->act_bwd(bed, dx.v, mat_none().v, dy.v, x.v, act);
    mat_check_each("act_bwd without again", &dx, wx, sx);
    bed->ops->act_bwd(bed, dy.v, x.v, dy.v, x.v, act);
    mat_check_each("act_bwd in place", &dy, wx, sx);
    mat_check_each("act_bwd again in place", &x, wy, sy);
    mat *mats[] = {&x, &dy, &y, &dx};
    double *numbers[] = {wy, wx, sy, sx};
    for (size_t i = 0; i < 4; i++) {
        mat_free(mats[i]);
        free(numbers[i]);
    }
}

static void test_activations(void **state)
{
    (void)state;
    for (int act = REEL_ACT_NONE; act <= REEL_ACT_SILU; act++)
        for (size_t s = 0; s < SHAPES; s++)
            for (unsigned mixture = s == 4 ? 0 : 15; mixture < 16; mixture++) {
                const reel_dtype t[4] = {types[mixture % 2], types[mixture / 2 % 2], types[mixture / 4 % 2], types[mixture / 8]};
                check_act(shapes[s], (reel_act)act, t);
            }
}

static void check_add(const size_t *shape, reel_dtype ty, reel_dtype ta, reel_dtype tb)
{
    const size_t m = 2 * shape[0], n = shape[1], pad = shape[2], period = shape[0];
    mat y = mat_empty_of(ty, m, n, n + 1), a = mat_new_of(ta, m, n, n + pad), b = mat_new_of(tb, m, n, n + 2 * pad), table = mat_new(period, n, n);
    double *sum = doubles(m * n), *tabled = doubles(m * n), *slack = constants(m * n, 2 * 0x1p-24);
    for (size_t i = 0; i < m * n; i++) {
        sum[i] = mat_at(&a, i / n, i % n) + mat_at(&b, i / n, i % n);
        tabled[i] = mat_at(&a, i / n, i % n) + mat_at(&table, i / n % period, i % n);
    }
    bed->ops->add(bed, y.v, a.v, b.v);
    mat_check_each("add", &y, sum, slack);
    bed->ops->add(bed, b.v, a.v, b.v);
    mat_check_each("add in place", &b, sum, slack);
    bed->ops->add_table(bed, y.v, a.v, mat_dev(&table), period);
    mat_check_each("add_table", &y, tabled, slack);
    bed->ops->add_table(bed, a.v, a.v, mat_dev(&table), period);
    mat_check_each("add_table in place", &a, tabled, slack);
    free(sum);
    free(tabled);
    free(slack);
    mat *mats[] = {&y, &a, &b, &table};
    for (size_t i = 0; i < 4; i++)
        mat_free(mats[i]);
}

static void test_sums(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++)
        for (unsigned mixture = 0; mixture < 8; mixture++)
            check_add(shapes[s], types[mixture % 2], types[mixture / 2 % 2], types[mixture / 4]);
}

/* Element by element the very pixels, rounded: float32's gather is tested in rows_test. */
static void test_patch_gather(void **state)
{
    (void)state;
    static const reel_patching cases[] = {{1, 2, 3, 4, 4, 2, 2, 2}, {2, 5, 3, 9, 14, 2, 3, 7}, {1, 4, 1, 6, 8, 1, 6, 4}, {2, 4, 3, 64, 48, 2, 16, 16}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const reel_patching p = cases[i];
        const size_t rows = p.batch * (p.frames / p.t) * (p.height / p.ph) * (p.width / p.pw), width = p.channels * p.t * p.ph * p.pw;
        mat pixels = mat_row(p.batch * p.frames * p.channels * p.height * p.width), exact = mat_empty(rows, width, width);
        mat half = mat_empty_of(REEL_BF16, rows, width, width + 5);
        double *want = doubles(rows * width);
        bed->ops->patch_gather(bed, exact.v, mat_dev(&pixels), &p);
        mat_get(&exact);
        for (size_t j = 0; j < rows * width; j++)
            want[j] = (double)half_round(exact.host[j]);
        bed->ops->patch_gather(bed, half.v, mat_dev(&pixels), &p);
        mat_check("patch_gather", &half, want, 0);
        free(want);
        mat_free(&pixels);
        mat_free(&exact);
        mat_free(&half);
    }
}

/* The mask is that of float32 (tested in rows_test), whatever the types. */
static void test_dropout(void **state)
{
    (void)state;
    const uint32_t key[2] = {7, 9}, counter[2] = {3, 1};
    const size_t m = 61, n = 1203;
    mat ones = mat_new(m, n, n);
    for (size_t i = 0; i < m * n; i++)
        ones.host[i] = 1;
    mat_put(&ones);
    bed->ops->dropout(bed, ones.v, ones.v, 0.25f, key, counter);
    mat_get(&ones);
    double same = 0, pairs = 0;
    for (size_t r = 0; r < m; r++)
        for (size_t c = 0; c + 1024 < n; c++, pairs++)
            same += (mat_at(&ones, r, c) != 0) == (mat_at(&ones, r, c + 1024) != 0);
    assert_true(fabs(same / pairs - (0.75 * 0.75 + 0.25 * 0.25)) <= 5 * sqrt(0.25 / pairs));  /* each part has draws of its own */
    for (unsigned mixture = 0; mixture < 4; mixture++) {
        mat x = mat_new_of(types[mixture % 2], m, n, n + 2), y = mat_empty_of(types[mixture / 2], m, n, n + 1);
        double *want = doubles(m * n), *slack = constants(m * n, 2 * 0x1p-24);
        for (size_t i = 0; i < m * n; i++)
            want[i] = mat_at(&x, i / n, i % n) * mat_at(&ones, i / n, i % n);
        bed->ops->dropout(bed, y.v, x.v, 0.25f, key, counter);
        mat_check_each("dropout", &y, want, slack);
        bed->ops->dropout(bed, x.v, x.v, 0.25f, key, counter);
        mat_check_each("dropout in place", &x, want, slack);
        free(want);
        free(slack);
        mat_free(&x);
        mat_free(&y);
    }
    mat_free(&ones);
}

/* Exact: half_round is written without reel. Over and under half, ties, both signs, rows with padding, whole buffers. */
static void test_cast(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        const size_t m = shapes[s][0], n = shapes[s][1], pad = shapes[s][2];
        mat x = mat_new(m, n, n + pad), half = mat_empty_of(REEL_BF16, m, n, n + 2 * pad), back = mat_empty(m, n, n), copy = mat_empty_of(REEL_BF16, m, n, n + 1);
        for (size_t i = 0; i < m * n; i++) {
            uint32_t bits;
            float *at = &x.host[i / n * x.v.ld + i % n];
            memcpy(&bits, at, 4);
            static const uint32_t ends[] = {0x8000, 0x7fff, 0x8001, 0xffff, 0x0001};
            bits = i % 2 ? (bits & 0xffff0000u) | ends[i / 2 % 5] : bits;
            memcpy(at, &bits, 4);
        }
        mat_put(&x);
        double *want = doubles(m * n), *exact = doubles(m * n);
        for (size_t i = 0; i < m * n; i++) {
            exact[i] = mat_at(&x, i / n, i % n);
            want[i] = (double)half_round((float)exact[i]);
        }
        bed->ops->cast(bed, half.v, x.v);
        mat_check("cast to bf16", &half, want, 0);
        bed->ops->cast(bed, copy.v, half.v);
        mat_check("cast from bf16 to bf16", &copy, want, 0);
        bed->ops->cast(bed, back.v, half.v);
        mat_check("cast from bf16", &back, want, 0);
        bed->ops->cast(bed, back.v, x.v);
        mat_check("cast of float32", &back, exact, 0);
        free(want);
        free(exact);
        mat *mats[] = {&x, &half, &back, &copy};
        for (size_t i = 0; i < 4; i++)
            mat_free(mats[i]);
    }
}

/* ---- planning ---- */

enum { TOKENS = 130, WIDTH = 96, HEADS = 3 };

/* A block's operations in bfloat16, forward and backward, on memory at `base`; `loaded` may be a packed weight of (3 WIDTH, WIDTH). */
static void step_run(reel_backend *be, unsigned char *base, const reel_weight *loaded)
{
    const size_t n = (size_t)TOKENS * WIDTH * sizeof(float), w = WIDTH;
    const reel_view none = {.dtype = REEL_F32}, x = {base, REEL_F32, TOKENS, w, w}, narrow = {base + n, REEL_BF16, TOKENS, w, w};
    const reel_view qkv = {base + 2 * n, REEL_BF16, TOKENS, 3 * w, 3 * w}, dqkv = {base + 4 * n, REEL_BF16, TOKENS, 3 * w, 3 * w};
    const reel_view o = {base + 6 * n, REEL_BF16, TOKENS, w, w}, d = {base + 7 * n, REEL_BF16, TOKENS, w, w}, pre = {base + 8 * n, REEL_BF16, TOKENS, w, w};
    const reel_view dw = {base + 9 * n, REEL_F32, 3 * w, w, w};
    float *b = (float *)(void *)(base + 12 * n), *lse = b + 1024, *mean = b + 2048, *rstd = b + 3072, *db = b + 4096, *pixels = b + 5120;
    const reel_weight w3 = {{base + 16 * n, REEL_F32, 3 * w, w, w}, REEL_PACK_BF16, NULL}, w1 = {{base + 16 * n, REEL_F32, w, w, w}, REEL_PACK_BF16, NULL};
    const reel_patching patching = {.batch = 1, .frames = 4, .channels = 2, .height = 26, .width = 60, .t = 2, .ph = 2, .pw = 12};
    const uint32_t key[2] = {1, 2};
    be->ops->patch_gather(be, narrow, pixels, &patching);
    be->ops->linear_fwd(be, x, none, narrow, &w1, b, REEL_ACT_NONE, none);
    be->ops->add_table(be, x, x, b, 10);
    be->ops->layernorm_fwd(be, narrow, mean, rstd, x, b, b, 1e-6f);
    be->ops->linear_fwd(be, qkv, none, narrow, loaded, b, REEL_ACT_NONE, none);
    be->ops->attention_fwd(be, o, lse, reel_view_cols(qkv, 0, w), reel_view_cols(qkv, w, w), reel_view_cols(qkv, 2 * w, w), 2, HEADS, 0.2f);
    be->ops->linear_fwd(be, x, none, o, &w1, b, REEL_ACT_NONE, x);
    be->ops->linear_fwd(be, narrow, pre, o, &w1, b, REEL_ACT_GELU, none);
    be->ops->dropout(be, narrow, narrow, 0.1f, key, key);
    be->ops->cast(be, d, x);
    be->ops->act_bwd(be, d, pre, d, pre, REEL_ACT_GELU);
    be->ops->linear_bwd_input(be, o, qkv, &w3, false);
    be->ops->attention_bwd(be, reel_view_cols(dqkv, 0, w), reel_view_cols(dqkv, w, w), reel_view_cols(dqkv, 2 * w, w), d, o, lse, reel_view_cols(qkv, 0, w),
                           reel_view_cols(qkv, w, w), reel_view_cols(qkv, 2 * w, w), 2, HEADS, 0.2f);
    be->ops->linear_bwd_weight(be, dw, db, dqkv, narrow, false);
    be->ops->linear_bwd_weight(be, dw, db, dqkv, narrow, true);
    be->ops->layernorm_bwd(be, x, true, db, db + w, false, o, x, mean, rstd, b);
    be->ops->add(be, x, narrow, x);
    be->ops->act_fwd(be, narrow, o, REEL_ACT_SILU);
}

/* Planning touches no operand (on the fence a touch would crash; elsewhere the address is nobody's), makes all that is needed, and
 * the run then asks for no memory. */
static void test_planning(void **state)
{
    (void)state;
    const size_t bytes = 20 * sizeof(float) * TOKENS * WIDTH;
    static const reel_pack kinds[] = {REEL_PACK_BF16, REEL_PACK_INT8};
    for (size_t k = 0; k < 2; k++) {
        reel_error err = {0};
        void *dev;
        bed_close();
        bed_open(2);
        mat w = mat_new(3 * WIDTH, WIDTH, WIDTH);
        reel_weight loaded = {{NULL, REEL_F32, 3 * WIDTH, WIDTH, WIDTH}, kinds[k], NULL};
        bed->ops->weight_load(bed, &loaded, w.host, REEL_F32);
        bed->planning = true;
        step_run(bed, (unsigned char *)(uintptr_t)4096, &loaded);
        bed->planning = false;
        assert_int_equal(bed->ops->sync(bed, &err), REEL_OK);
        assert_int_equal(bed->ops->mem_alloc(bed, bytes, &dev, &err), REEL_OK);
        bed->ops->zero(bed, dev, bytes);
        reel_mem_fail_at(1L << 40, false);  /* counts */
        const long before = reel_mem_calls();
        step_run(bed, dev, &loaded);
        const long calls = reel_mem_calls() - before;
        reel_mem_fail_at(0, false);
        assert_int_equal(bed->ops->sync(bed, &err), REEL_OK);
        assert_int_equal(calls, 0);
        bed->ops->weight_unpack(bed, &loaded);
        bed->ops->mem_free(bed, dev);
        mat_free(&w);
    }
}

/* Each allocation of loading and planning fails once; that is told, and nothing is left behind (the sanitizers look). */
static void test_no_memory(void **state)
{
    (void)state;
    static const reel_pack kinds[] = {REEL_PACK_BF16, REEL_PACK_INT8};
    float *numbers = calloc(3 * (size_t)WIDTH * WIDTH, sizeof *numbers);
    for (size_t k = 0; k < 2; k++)
        for (long n = 1;; n++) {
            reel_error err = {0};
            bed_close();
            bed_open(2);
            reel_weight loaded = {{NULL, REEL_F32, 3 * WIDTH, WIDTH, WIDTH}, kinds[k], NULL};
            reel_mem_fail_at(n, false);
            bed->ops->weight_load(bed, &loaded, numbers, REEL_F32);
            bed->planning = true;
            step_run(bed, (unsigned char *)(uintptr_t)4096, &loaded);
            bed->planning = false;
            const bool reached = reel_mem_calls() >= n;
            reel_mem_fail_at(0, false);
            const reel_status status = bed->ops->sync(bed, &err);
            bed->ops->weight_unpack(bed, &loaded);
            assert_null(loaded.packed);
            assert_int_equal(status, reached ? REEL_ERR_NOMEM : REEL_OK);
            assert_true(reached == (err.message[0] != '\0'));
            if (!reached) {
                assert_true(n > 4);
                break;
            }
        }
    free(numbers);
}

/* ---- what is refused, before anything is computed ---- */

enum { REFUSALS = 10 };

static void refused_op(int which)
{
    float address[64];
    const reel_view f = {address, REEL_F32, 4, 4, 4}, h = {address, REEL_BF16, 4, 4, 4}, i = {address, REEL_I32, 4, 4, 4}, none = {.dtype = REEL_F32};
    const reel_weight bf16 = {f, REEL_PACK_BF16, NULL}, other = {i, REEL_PACK_BF16, NULL}, narrow = {h, REEL_PACK_BF16, NULL};
    switch (which) {
    case 0: bed->ops->linear_fwd(bed, f, none, i, &bf16, NULL, REEL_ACT_NONE, none); break;
    case 1: bed->ops->linear_fwd(bed, f, none, h, &other, NULL, REEL_ACT_NONE, none); break;
    case 2: bed->ops->linear_fwd(bed, f, none, h, &narrow, NULL, REEL_ACT_NONE, none); break;    /* plain weights are float32 */
    case 3: bed->ops->linear_bwd_weight(bed, f, NULL, f, h, false); break;                       /* one type for both */
    case 4: bed->ops->linear_bwd_weight(bed, f, NULL, h, f, false); break;
    case 5: bed->ops->linear_bwd_weight(bed, h, NULL, h, h, false); break;                       /* gradients of weights are float32 */
    case 6: bed->ops->attention_fwd(bed, h, NULL, h, f, h, 1, 1, 1); break;                      /* one type for all */
    case 7: bed->ops->attention_fwd(bed, f, NULL, h, h, h, 1, 1, 1); break;
    case 8: bed->ops->attention_bwd(bed, h, h, f, h, h, address, h, h, h, 1, 1, 1); break;
    default: bed->ops->cast(bed, i, h);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    for (int which = 0; which < REFUSALS; which++)
        for (int planning = 0; planning < 2; planning++) {
            reel_error err = {0};
            bed->planning = planning != 0;
            refused_op(which);
            bed->planning = false;
            if (bed->ops->sync(bed, &err) != REEL_ERR_UNSUPPORTED)
                fail_msg("refusal %d, planning %d: not refused (%s)", which, planning, err.message);
            assert_int_equal(bed->ops->sync(bed, &err), REEL_OK);
        }
}

BED_MAIN(cmocka_unit_test(test_layernorm), cmocka_unit_test(test_activations), cmocka_unit_test(test_sums),
         cmocka_unit_test(test_patch_gather), cmocka_unit_test(test_dropout), cmocka_unit_test(test_cast), cmocka_unit_test(test_planning),
         cmocka_unit_test(test_no_memory), cmocka_unit_test(test_refusals))
