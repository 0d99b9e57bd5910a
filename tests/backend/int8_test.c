/* The linear layer with INT8 weights against an exact model of the quantisation, written here again from its definition:
 *
 *   weights: a scale a row, s = max |w| / 127, q = w / s to the nearest (127 / max is rounded to float32 first);
 *   activations likewise a row, as numbers around zero; y = act(s_x s_w sum(q_x q_w) + bias) + residual.
 *
 * The sum is of whole numbers, hence exact: what is left is float32's rounding of the scales, of the sum and of the result
 * (4 steps of 2^-24), the activation's 5e-7, and once the rounding to the type of y. And the quantised product is near the
 * true one: half a step of a scale for each factor. */
#include "bed.h"

#include <stdlib.h>
#include <string.h>

#include "naive.h"

static const size_t shapes[][4] = {{1, 1, 1, 0}, {3, 5, 7, 2}, {17, 33, 31, 0}, {96, 48, 96, 0}, {97, 66, 80, 8}, {200, 77, 130, 1},
                                   {70, 768, 10, 16}, {2, 259, 65, 3}, {193, 130, 300, 4}, {5, 3072, 70, 0}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

typedef struct quantised { int *q; double scale; } quantised;

static quantised quantise(const float *x, size_t n)
{
    quantised row = {calloc(n, sizeof *row.q), 0};
    float most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(x[i]));
    const float factor = 127.0f / most;
    for (size_t i = 0; i < n && most > 0; i++)
        row.q[i] = (int)nearbyintf(x[i] * factor);
    row.scale = (double)most / 127;
    return row;
}

static void *in_type(const float *x, size_t n, reel_dtype t)
{
    unsigned char *out = malloc(n * reel_dtype_size(t) + 1);
    for (size_t i = 0; i < n; i++) {
        const uint16_t half = half_bits(x[i]);
        memcpy(out + i * reel_dtype_size(t), t == REEL_BF16 ? (const void *)&half : (const void *)&x[i], reel_dtype_size(t));
    }
    return out;
}

typedef struct int8_case { const size_t *shape; reel_dtype x, y, residual, numbers; reel_act act; bool keep, bias, add, same; } int8_case;

static void check(const int8_case *f)
{
    const size_t m = f->shape[0], in = f->shape[1], out = f->shape[2], pad = f->shape[3];
    mat x = mat_new_of(f->x, m, in, in + pad), w = mat_new_of(f->numbers, out, in, in), b = mat_row(out);
    mat residual = mat_new_of(f->residual, m, out, out + pad), y = f->same ? mat_new_of(f->y, m, out, out + 2 * pad) : mat_empty_of(f->y, m, out, out + 2 * pad);
    mat pre = f->keep ? mat_empty_of(REEL_BF16, m, out, out + pad) : mat_none();
    for (size_t r = 0; r < out; r++)  /* rows of different size */
        for (size_t i = 0; i < in; i++)
            w.host[r * in + i] *= 0.01f * (float)(1 + r % 37);
    mat_put(&w);
    reel_weight weight = {w.v, REEL_PACK_INT8, NULL};
    weight.plain.dev = NULL;
    weight.plain.dtype = REEL_F32;
    void *numbers = in_type(w.host, out * in, f->numbers);
    bed->ops->weight_load(bed, &weight, numbers, f->numbers);
    free(numbers);
    quantised *qw = calloc(out, sizeof *qw);
    for (size_t o = 0; o < out; o++)
        qw[o] = quantise(w.host + o * in, in);
    double *want = doubles(m * out), *slack = doubles(m * out), *want_pre = doubles(m * out), *slack_pre = doubles(m * out);
    for (size_t r = 0; r < m; r++) {
        quantised qx = quantise(x.host + r * x.v.ld, in);
        for (size_t o = 0; o < out; o++) {
            const size_t at = r * out + o;
            long long sum = 0;
            double exact = 0, apart = 0;
            for (size_t i = 0; i < in; i++) {
                sum += (long long)qx.q[i] * qw[o].q[i];
                exact += mat_at(&x, r, i) * mat_at(&w, o, i);
                apart += fabs(mat_at(&x, r, i)) * qw[o].scale / 2 + fabs(mat_at(&w, o, i)) * qx.scale / 2 + qx.scale * qw[o].scale / 4;
            }
            const double bias = f->bias ? mat_at(&b, 0, o) : 0, product = (double)sum * qx.scale * qw[o].scale;
            assert_true(fabs(product - exact) <= apart * (1 + 1e-5));  /* the model itself is one of this product */
            want_pre[at] = product + bias;
            slack_pre[at] = 4 * 0x1p-24 * (fabs(product) + fabs(bias));
            const double acted = naive_act(want_pre[at], f->act), more = !f->add ? 0 : f->same ? mat_at(&y, r, o) : mat_at(&residual, r, o);
            want[at] = acted + more;
            slack[at] = 1.13 * slack_pre[at] + (f->act == REEL_ACT_NONE ? 0 : 5e-7 * fmax(1, fabs(acted))) + 0x1p-24 * (fabs(acted) + fabs(more)) +
                        naive_near_gelu(want_pre[at], f->act, f->y);
        }
        free(qx.q);
    }
    bed->ops->linear_fwd(bed, y.v, pre.v, x.v, &weight, f->bias ? mat_dev(&b) : NULL, f->act, !f->add ? mat_none().v : f->same ? y.v : residual.v);
    mat_check_each("linear_fwd int8", &y, want, slack);
    if (f->keep)
        mat_check_each("linear_fwd int8 pre", &pre, want_pre, slack_pre);
    bed->ops->weight_unpack(bed, &weight);
    assert_null(weight.packed);
    for (size_t o = 0; o < out; o++)
        free(qw[o].q);
    free(qw);
    double *all[] = {want, slack, want_pre, slack_pre};
    mat *mats[] = {&x, &w, &b, &residual, &y, &pre};
    for (size_t i = 0; i < 4; i++)
        free(all[i]);
    for (size_t i = 0; i < 6; i++)
        mat_free(mats[i]);
}

static void test_shapes(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++)
        for (unsigned turn = 0; turn < 8; turn++) {
            int8_case f = {.shape = shapes[s], .x = turn % 2 ? REEL_BF16 : REEL_F32, .y = turn / 2 % 2 ? REEL_BF16 : REEL_F32,
                           .residual = turn % 3 ? REEL_F32 : REEL_BF16, .numbers = turn / 4 ? REEL_BF16 : REEL_F32,
                           .bias = turn != 3, .keep = turn == 5, .add = turn % 4 > 1, .same = turn > 4};
            check(&f);
        }
}

static void test_activations(void **state)
{
    (void)state;
    for (int act = REEL_ACT_GELU; act <= REEL_ACT_SILU; act++)
        for (unsigned turn = 0; turn < 4; turn++) {
            int8_case f = {.shape = shapes[5], .x = REEL_BF16, .y = turn % 2 ? REEL_BF16 : REEL_F32, .residual = REEL_F32,
                           .numbers = REEL_F32, .bias = true, .act = (reel_act)act, .add = turn / 2 != 0};
            check(&f);
        }
}

/* Rows of zeros, and of numbers so small that 127 / max would be infinite, are nothing; their neighbours are as ever. */
static void test_rows_of_nothing(void **state)
{
    (void)state;
    enum { M = 5, IN = 70, OUT = 20 };
    static const float sizes[] = {1, 0, 1e-38f, 1e-44f, 1e38f};
    mat x = mat_new(M, IN, IN), w = mat_new(OUT, IN, IN), b = mat_row(OUT), y = mat_empty(M, OUT, OUT);
    for (size_t i = 0; i < M * IN; i++)
        x.host[i] *= sizes[i / IN];
    for (size_t i = 0; i < OUT * IN; i++)
        w.host[i] *= i / IN < 3 ? sizes[1 + i / IN] : 1e-3f;
    mat_put(&x);
    reel_weight weight = {w.v, REEL_PACK_INT8, NULL};
    bed->ops->weight_load(bed, &weight, w.host, REEL_F32);
    bed->ops->linear_fwd(bed, y.v, mat_none().v, x.v, &weight, mat_dev(&b), REEL_ACT_NONE, mat_none().v);
    mat_get(&y);
    for (size_t r = 0; r < M; r++)
        for (size_t o = 0; o < OUT; o++) {
            double want = mat_at(&b, 0, o), size = 0;
            for (size_t i = 0; i < IN; i++) {
                want += mat_at(&x, r, i) * mat_at(&w, o, i);
                size += fabs(mat_at(&x, r, i) * mat_at(&w, o, i));
            }
            /* 1e38 times 1e-38 counts: the weights' rows 2 and 3 only where x is not huge */
            if (!(r == 4 && (o == 1 || o == 2)) && !(fabs(mat_at(&y, r, o) - want) <= 0.02 * size + 1e-6))
                fail_msg("row %zu, column %zu: %g, wanted %g", r, o, mat_at(&y, r, o), want);
            assert_true(isfinite(mat_at(&y, r, o)));
        }
    bed->ops->weight_unpack(bed, &weight);
    mat_free(&x);
    mat_free(&w);
    mat_free(&b);
    mat_free(&y);
}

/* The largest sum that there is: nothing wraps. */
static void test_extremes(void **state)
{
    (void)state;
    enum { IN = 3072, OUT = 4 };
    mat x = mat_new(2, IN, IN), w = mat_new(OUT, IN, IN), y = mat_empty(2, OUT, OUT);
    double want[2 * OUT], slack[2 * OUT];
    for (size_t i = 0; i < 2 * IN; i++)
        x.host[i] = i < IN ? 1.0f : -1.0f;
    for (size_t i = 0; i < OUT * IN; i++)
        w.host[i] = i / IN % 2 ? 1.0f : -1.0f;
    mat_put(&x);
    for (size_t i = 0; i < 2 * OUT; i++) {
        want[i] = (i / OUT == 0 ? 1 : -1) * (i % 2 ? 1 : -1) * IN;
        slack[i] = 4 * 0x1p-24 * IN;
    }
    reel_weight weight = {w.v, REEL_PACK_INT8, NULL};
    bed->ops->weight_load(bed, &weight, w.host, REEL_F32);
    bed->ops->linear_fwd(bed, y.v, mat_none().v, x.v, &weight, NULL, REEL_ACT_NONE, mat_none().v);
    mat_check_each("linear_fwd int8, extremes", &y, want, slack);
    bed->ops->weight_unpack(bed, &weight);
    mat_free(&x);
    mat_free(&w);
    mat_free(&y);
}

static void run_on(int threads, float *out)
{
    enum { M = 203, IN = 78, OUT = 130 };
    bed_close();
    bed_open(threads);
    bed_seed(3);
    mat x = mat_new_of(REEL_BF16, M, IN, IN), w = mat_new(OUT, IN, IN), y = mat_empty(M, OUT, OUT);
    reel_weight weight = {w.v, REEL_PACK_INT8, NULL};
    bed->ops->weight_load(bed, &weight, w.host, REEL_F32);
    bed->ops->linear_fwd(bed, y.v, mat_none().v, x.v, &weight, NULL, REEL_ACT_GELU, mat_none().v);
    mat_get(&y);
    memcpy(out, y.host, M * OUT * sizeof *out);
    bed->ops->weight_unpack(bed, &weight);
    mat_free(&x);
    mat_free(&w);
    mat_free(&y);
}

static void test_threads(void **state)
{
    (void)state;
    static const int threads[] = {2, 1, 3, 5};
    const size_t bytes = 203 * 130 * sizeof(float);
    float *first = malloc(bytes), *again = malloc(bytes);
    run_on(2, first);
    for (size_t t = 0; t < 4; t++) {
        run_on(threads[t], again);
        assert_memory_equal(first, again, bytes);
    }
    bed_close();
    bed_open(2);
    free(first);
    free(again);
}

BED_MAIN(cmocka_unit_test(test_shapes), cmocka_unit_test(test_activations), cmocka_unit_test(test_rows_of_nothing),
         cmocka_unit_test(test_extremes), cmocka_unit_test(test_threads))
