/* The linear layer against naive sums in double: every activation, residual, stride; both gradients. */
#include "bed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* rows, in, out, padding of rows. The last three are those where the right operand is packed. */
static const size_t shapes[][4] = {{1, 1, 1, 0}, {3, 5, 7, 2}, {17, 33, 31, 0}, {2, 768, 10, 16}, {70, 48, 96, 0},
                                   {1100, 24, 40, 8}, {140, 1024, 40, 0}, {140, 40, 1040, 1}};
enum { SHAPES = sizeof shapes / sizeof *shapes };
static const double tolerance = 2e-6;  /* sums of up to 1100 products of floats */

static double act_of(double x, reel_act act)
{
    double u = 0.7978845608028654 * (x + 0.044715 * x * x * x);
    switch (act) {
    case REEL_ACT_GELU: return 0.5 * x * (1 + erf(x * M_SQRT1_2));
    case REEL_ACT_GELU_TANH: return 0.5 * x * (1 + tanh(u));
    case REEL_ACT_QUICK_GELU: return x / (1 + exp(-1.702 * x));
    case REEL_ACT_RELU: return x > 0 ? x : 0;
    case REEL_ACT_SILU: return x / (1 + exp(-x));
    default: return x;
    }
}

/* x W^T + b */
static double *product(const mat *x, const mat *w, const mat *b)
{
    const size_t m = x->v.rows, n = w->v.rows;
    double *y = doubles(m * n);
    for (size_t r = 0; r < m; r++)
        for (size_t o = 0; o < n; o++) {
            double sum = b != NULL ? mat_at(b, 0, o) : 0;
            for (size_t i = 0; i < w->v.cols; i++)
                sum += mat_at(x, r, i) * mat_at(w, o, i);
            y[r * n + o] = sum;
        }
    return y;
}

typedef enum residual_kind { NO_RESIDUAL, OTHER, SAME } residual_kind;

static void check_forward(const size_t *shape, reel_act act, residual_kind kind, bool keep, bool with_bias, bool packed)
{
    const size_t m = shape[0], in = shape[1], out = shape[2], pad = shape[3];
    mat x = mat_new(m, in, in + pad), w = mat_new(out, in, in), b = mat_row(out), y = mat_new(m, out, out + pad);
    mat pre = keep ? mat_empty(m, out, out + 2 * pad) : mat_none(), residual = mat_new(m, out, out + 3 * pad);
    reel_weight weight = {w.v, REEL_PACK_F32, NULL};
    if (kind != SAME) {
        mat_free(&y);
        y = mat_empty(m, out, out + pad);
    }
    double *want_pre = product(&x, &w, with_bias ? &b : NULL), *want = doubles(m * out);
    for (size_t i = 0; i < m * out; i++) {
        const mat *from = kind == SAME ? &y : &residual;
        want[i] = act_of(want_pre[i], act) + (kind == NO_RESIDUAL ? 0 : mat_at(from, i / out, i % out));
    }
    if (packed)
        bed->ops->weight_load(bed, &weight, w.host, REEL_F32);
    bed->ops->linear_fwd(bed, y.v, pre.v, x.v, &weight, with_bias ? mat_dev(&b) : NULL, act,
                         kind == NO_RESIDUAL ? mat_none().v : kind == SAME ? y.v : residual.v);
    mat_check("linear_fwd", &y, want, tolerance);
    if (keep)
        mat_check("linear_fwd pre", &pre, want_pre, tolerance);
    if (packed)
        bed->ops->weight_unpack(bed, &weight);
    assert_null(weight.packed);
    free(want);
    free(want_pre);
    mat_free(&x);
    mat_free(&w);
    mat_free(&b);
    mat_free(&y);
    mat_free(&pre);
    mat_free(&residual);
}

static void test_forward(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++)
        for (int keep = 0; keep < 2; keep++)
            for (int kind = NO_RESIDUAL; kind <= SAME; kind++)
                check_forward(shapes[s], REEL_ACT_NONE, (residual_kind)kind, keep, kind != OTHER, kind == OTHER);
    for (int act = REEL_ACT_NONE; act <= REEL_ACT_SILU; act++)
        for (int keep = 0; keep < 2; keep++)
            for (int kind = NO_RESIDUAL; kind <= SAME; kind++) {
                check_forward(shapes[2], (reel_act)act, (residual_kind)kind, keep, true, false);
                check_forward(shapes[5], (reel_act)act, (residual_kind)kind, keep, true, true);
            }
}

/* act NONE: the kept product may be the result itself. */
static void test_pre_is_result(void **state)
{
    (void)state;
    for (int kind = NO_RESIDUAL; kind <= OTHER; kind++) {
        mat x = mat_new(9, 6, 6), w = mat_new(5, 6, 6), y = mat_empty(9, 5, 7), residual = mat_new(9, 5, 5);
        reel_weight weight = {w.v, REEL_PACK_F32, NULL};
        double *want = product(&x, &w, NULL);
        for (size_t i = 0; kind == OTHER && i < 45; i++)
            want[i] += mat_at(&residual, i / 5, i % 5);
        bed->ops->linear_fwd(bed, y.v, y.v, x.v, &weight, NULL, REEL_ACT_NONE, kind == OTHER ? residual.v : mat_none().v);
        mat_check("linear_fwd in pre", &y, want, tolerance);
        free(want);
        mat_free(&x);
        mat_free(&w);
        mat_free(&y);
        mat_free(&residual);
    }
}

/* The packed copy follows the numbers only when it is renewed. */
static void test_pack_renews(void **state)
{
    (void)state;
    mat x = mat_new(40, 64, 64), w = mat_new(48, 64, 64), y = mat_empty(40, 48, 48);
    reel_weight weight = {w.v, REEL_PACK_F32, NULL};
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 48 * 64; i++)
            w.host[i] = bed_random();
        mat_put(&w);
        bed->ops->weight_load(bed, &weight, w.host, REEL_F32);
        double *want = product(&x, &w, NULL);
        bed->ops->linear_fwd(bed, y.v, mat_none().v, x.v, &weight, NULL, REEL_ACT_NONE, mat_none().v);
        mat_check("linear_fwd packed again", &y, want, tolerance);
        free(want);
    }
    bed->ops->weight_unpack(bed, &weight);
    mat_free(&x);
    mat_free(&w);
    mat_free(&y);
}

static void test_bwd_input(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++)
        for (int accumulate = 0; accumulate < 2; accumulate++) {
            const size_t m = shapes[s][0], in = shapes[s][1], out = shapes[s][2], pad = shapes[s][3];
            mat dy = mat_new(m, out, out + pad), w = mat_new(out, in, in), dx = mat_new(m, in, in + 2 * pad);
            reel_weight weight = {w.v, REEL_PACK_F32, NULL};
            double *want = doubles(m * in);
            for (size_t r = 0; r < m; r++)
                for (size_t i = 0; i < in; i++) {
                    double sum = accumulate ? mat_at(&dx, r, i) : 0;
                    for (size_t o = 0; o < out; o++)
                        sum += mat_at(&dy, r, o) * mat_at(&w, o, i);
                    want[r * in + i] = sum;
                }
            bed->ops->linear_bwd_input(bed, dx.v, dy.v, &weight, accumulate);
            mat_check("linear_bwd_input", &dx, want, tolerance);
            free(want);
            mat_free(&dy);
            mat_free(&w);
            mat_free(&dx);
        }
}

static void test_bwd_weight(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++)
        for (int accumulate = 0; accumulate < 2; accumulate++) {
            const size_t m = shapes[s][0], in = shapes[s][1], out = shapes[s][2], pad = shapes[s][3];
            mat dy = mat_new(m, out, out + pad), x = mat_new(m, in, in + 2 * pad), dw = mat_new(out, in, in), db = mat_row(out);
            double *want = doubles(out * in), *want_db = doubles(out);
            for (size_t o = 0; o < out; o++) {
                want_db[o] = accumulate ? mat_at(&db, 0, o) : 0;
                for (size_t r = 0; r < m; r++)
                    want_db[o] += mat_at(&dy, r, o);
                for (size_t i = 0; i < in; i++) {
                    double sum = accumulate ? mat_at(&dw, o, i) : 0;
                    for (size_t r = 0; r < m; r++)
                        sum += mat_at(&dy, r, o) * mat_at(&x, r, i);
                    want[o * in + i] = sum;
                }
            }
            bed->ops->linear_bwd_weight(bed, dw.v, mat_dev(&db), dy.v, x.v, accumulate);
            mat_check("linear_bwd_weight", &dw, want, tolerance);
            mat_check("linear_bwd_weight db", &db, want_db, 1e-6);
            memset(want_db, 0, out * sizeof *want_db);
            for (size_t o = 0; o < out; o++)
                want_db[o] = mat_at(&db, 0, o);
            bed->ops->linear_bwd_weight(bed, dw.v, NULL, dy.v, x.v, false);
            mat_check("linear_bwd_weight without db", &db, want_db, 0);
            free(want);
            free(want_db);
            mat_free(&dy);
            mat_free(&x);
            mat_free(&dw);
            mat_free(&db);
        }
}

static void test_refuses_other_types(void **state)
{
    (void)state;
    reel_view bf16 = {.dev = NULL, .dtype = REEL_BF16, .rows = 4, .cols = 4, .ld = 4}, none = {.dtype = REEL_F32};
    reel_weight w = {bf16, REEL_PACK_F32, NULL};
    reel_error err = {0};
    bed->planning = true;
    bed->ops->linear_fwd(bed, bf16, none, bf16, &w, NULL, REEL_ACT_NONE, none);
    bed->planning = false;
    assert_int_equal(bed->ops->sync(bed, &err), REEL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "BF16"));
    assert_int_equal(bed->ops->sync(bed, &err), REEL_OK);  /* told once */
}

BED_MAIN(cmocka_unit_test(test_forward), cmocka_unit_test(test_pre_is_result), cmocka_unit_test(test_pack_renews),
         cmocka_unit_test(test_bwd_input), cmocka_unit_test(test_bwd_weight), cmocka_unit_test(test_refuses_other_types))
