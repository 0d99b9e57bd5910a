/* The linear layer in bfloat16 against naive sums in double of the rounded operands.
 *
 * Bounds. Products of two bfloat16 numbers are exact in float32, so only the sums round: 1e-6 of the sum of the terms' magnitudes
 * (16 steps of float32). The activation adds 5e-7 (GELU that becomes bfloat16: 6e-5) and has a slope of at most 1.13. A result is rounded once, when it is stored:
 * 2^-8 of it in bfloat16 (mat_check_each adds that). */
#include "bed.h"

#include <stdlib.h>
#include <string.h>

#include "naive.h"

static const double SUM = 1e-6;

/* Rows, in, out, padding of rows: odd depths, edges of panels (64) and groups (256), of blocks of 96 rows, one row. */
static const size_t shapes[][4] = {{1, 1, 1, 0}, {3, 5, 7, 2}, {17, 33, 31, 0}, {96, 48, 96, 0}, {97, 64, 80, 8}, {200, 77, 130, 1},
                                   {70, 768, 10, 16}, {2, 257, 65, 3}, {193, 130, 300, 4}, {200, 514, 272, 0}, {1, 300, 513, 0}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

typedef enum source { PLAIN, FROM_F32, FROM_BF16, FROM_F16, FROM_F64, UNALIGNED_F32, UNALIGNED_BF16, SOURCES } source;
typedef enum residual_kind { NO_RESIDUAL, OTHER_F32, OTHER_BF16, SAME, RESIDUALS } residual_kind;

/* Exact for k / 1024, |k| <= 1024. */
static uint16_t f16_bits(float x)
{
    int exponent;
    const float fraction = frexpf(fabsf(x), &exponent);
    const unsigned sign = x < 0 ? 0x8000u : 0;
    return (uint16_t)(x == 0 ? 0 : sign | ((unsigned)(exponent + 14) << 10) | ((unsigned)(fraction * 2048) - 1024));
}

/* w's numbers, dense, in the type that a file would have them in; w keeps what is then to be expected, rounded to bfloat16. */
static void *numbers_of(mat *w, source from, reel_dtype *type, void **block)
{
    const size_t n = w->v.rows * w->v.cols;
    const bool unaligned = from == UNALIGNED_F32 || from == UNALIGNED_BF16;
    *type = from == FROM_BF16 || from == UNALIGNED_BF16 ? REEL_BF16 : from == FROM_F16 ? REEL_F16 : from == FROM_F64 ? REEL_F64 : REEL_F32;
    const size_t size = reel_dtype_size(*type);
    *block = malloc(n * size + 1);
    unsigned char *to = (unsigned char *)*block + (unaligned ? 1 : 0);
    for (size_t i = 0; i < n; i++) {
        float *x = &w->host[i];
        *x = from == FROM_F16 ? nearbyintf(*x * 1024) / 1024 : *x;
        const uint16_t half = *type == REEL_F16 ? f16_bits(*x) : half_bits(*x);
        const double wide = (double)*x;
        memcpy(to + i * size, *type == REEL_F64 ? (const void *)&wide : *type == REEL_F32 ? (const void *)x : (const void *)&half, size);
        *x = half_round(*x);
    }
    return to;
}

/* A weight of kind BF16 for w, whose host numbers become the rounded ones. */
static reel_weight weight_of(mat *w, source from)
{
    reel_weight weight = {w->v, REEL_PACK_BF16, NULL};
    reel_dtype type;
    void *block;
    const void *numbers = numbers_of(w, from, &type, &block);
    if (from != PLAIN) {
        weight.plain.dev = NULL;
        bed->ops->weight_load(bed, &weight, numbers, type);
        assert_non_null(weight.packed);
    }
    memset(block, 0xff, 1);
    free(block);
    return weight;
}

typedef struct forward_case { const size_t *shape; reel_act act; residual_kind residual; reel_dtype y, pre; bool keep, bias; source from; } forward_case;

static void check_forward(const forward_case *f)
{
    const size_t m = f->shape[0], in = f->shape[1], out = f->shape[2], pad = f->shape[3];
    const reel_dtype rest = f->residual == OTHER_BF16 ? REEL_BF16 : REEL_F32;
    mat x = mat_new_of(REEL_BF16, m, in, in + pad), w = mat_new(out, in, in), b = mat_row(out), residual = mat_new_of(rest, m, out, out + 3 * pad);
    mat y = f->residual == SAME ? mat_new_of(f->y, m, out, out + pad) : mat_empty_of(f->y, m, out, out + pad);
    mat pre = f->keep ? mat_empty_of(f->pre, m, out, out + 2 * pad) : mat_none();
    reel_weight weight = weight_of(&w, f->from);
    double *want_pre = doubles(m * out), *slack_pre = doubles(m * out), *want = doubles(m * out), *slack = doubles(m * out);
    for (size_t r = 0; r < m; r++)
        for (size_t o = 0; o < out; o++) {
            double sum = f->bias ? mat_at(&b, 0, o) : 0, size = fabs(sum);
            for (size_t i = 0; i < in; i++) {
                const double term = mat_at(&x, r, i) * mat_at(&w, o, i);
                sum += term;
                size += fabs(term);
            }
            const mat *from = f->residual == SAME ? &y : &residual;
            const double acted = naive_act(sum, f->act), more = f->residual == NO_RESIDUAL ? 0 : mat_at(from, r, o);
            want_pre[r * out + o] = sum;
            slack_pre[r * out + o] = SUM * size;
            want[r * out + o] = acted + more;
            slack[r * out + o] = 1.13 * SUM * size + (f->act == REEL_ACT_NONE ? 0 : 5e-7 * fmax(1, fabs(acted))) +
                                 0x1p-24 * (fabs(acted) + fabs(more)) + naive_near_gelu(sum, f->act, f->y);
        }
    bed->ops->linear_fwd(bed, y.v, pre.v, x.v, &weight, f->bias ? mat_dev(&b) : NULL, f->act,
                         f->residual == NO_RESIDUAL ? mat_none().v : f->residual == SAME ? y.v : residual.v);
    mat_check_each("linear_fwd", &y, want, slack);
    if (f->keep)
        mat_check_each("linear_fwd pre", &pre, want_pre, slack_pre);
    bed->ops->weight_unpack(bed, &weight);
    assert_null(weight.packed);
    double *numbers[] = {want_pre, slack_pre, want, slack};
    mat *mats[] = {&x, &w, &b, &y, &pre, &residual};
    for (size_t i = 0; i < 4; i++)
        free(numbers[i]);
    for (size_t i = 0; i < 6; i++)
        mat_free(mats[i]);
}

static void test_forward(void **state)
{
    (void)state;
    static const reel_dtype types[] = {REEL_F32, REEL_BF16};
    int turn = 0;
    for (size_t s = 0; s < SHAPES; s++)
        for (int residual = NO_RESIDUAL; residual < RESIDUALS; residual++)
            for (int y = 0; y < 2; y++)
                for (int keep = 0; keep < 2; keep++) {
                    forward_case f = {shapes[s], REEL_ACT_NONE, (residual_kind)residual, types[y], types[turn % 3 > 0], keep != 0,
                                      turn % 4 != 3, (source)(turn % SOURCES)};
                    check_forward(&f);
                    turn++;
                }
}

static void test_activations(void **state)
{
    (void)state;
    static const reel_dtype types[] = {REEL_F32, REEL_BF16};
    int turn = 0;
    for (int act = REEL_ACT_GELU; act <= REEL_ACT_SILU; act++)
        for (int residual = NO_RESIDUAL; residual < RESIDUALS; residual++)
            for (int y = 0; y < 2; y++)
                for (int keep = 0; keep < 2; keep++) {
                    forward_case f = {shapes[keep ? 5 : 2], (reel_act)act, (residual_kind)residual, types[y], REEL_BF16, keep != 0, true,
                                      turn++ % 2 == 0 ? PLAIN : FROM_F32};
                    check_forward(&f);
                }
}

static void test_sources(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++)
        for (int from = PLAIN; from < SOURCES; from++) {
            forward_case f = {shapes[s], REEL_ACT_NONE, NO_RESIDUAL, REEL_BF16, REEL_BF16, false, true, (source)from};
            check_forward(&f);
        }
}

/* act NONE: the kept product may be the result itself. */
static void test_pre_is_result(void **state)
{
    (void)state;
    mat x = mat_new_of(REEL_BF16, 9, 6, 6), w = mat_new(5, 6, 6), y = mat_empty_of(REEL_BF16, 9, 5, 7);
    reel_weight weight = weight_of(&w, PLAIN);
    double want[45] = {0}, slack[45];
    for (size_t i = 0; i < 45; i++) {
        for (size_t k = 0; k < 6; k++)
            want[i] += mat_at(&x, i / 5, k) * mat_at(&w, i % 5, k);
        slack[i] = 6 * SUM;
    }
    bed->ops->linear_fwd(bed, y.v, y.v, x.v, &weight, NULL, REEL_ACT_NONE, mat_none().v);
    mat_check_each("linear_fwd in pre", &y, want, slack);
    mat_free(&x);
    mat_free(&w);
    mat_free(&y);
}

/* A weight is renewed in place: the numbers of the last load count. x: columns of a wider matrix, at an odd place. */
static void test_load_renews(void **state)
{
    (void)state;
    mat wide = mat_new_of(REEL_BF16, 40, 71, 73), y = mat_empty(40, 48, 48);
    mat first = mat_new(48, 66, 66), second = mat_new(48, 66, 66);
    const reel_view x = reel_view_cols(wide.v, 3, 66);
    reel_weight weight = weight_of(&first, FROM_F32);
    void *packed = weight.packed;
    bed->ops->weight_load(bed, &weight, second.host, REEL_F32);
    assert_ptr_equal(weight.packed, packed);
    double *want = doubles(40 * 48), *slack = doubles(40 * 48);
    for (size_t i = 0; i < 40 * 48; i++)
        for (size_t k = 0; k < 66; k++) {
            const double term = mat_at(&wide, i / 48, k + 3) * (double)half_round(second.host[i % 48 * 66 + k]);
            want[i] += term;
            slack[i] += SUM * fabs(term);
        }
    bed->ops->linear_fwd(bed, y.v, mat_none().v, x, &weight, NULL, REEL_ACT_NONE, mat_none().v);
    mat_check_each("linear_fwd loaded again", &y, want, slack);
    bed->ops->weight_unpack(bed, &weight);
    free(want);
    free(slack);
    mat_free(&wide);
    mat_free(&first);
    mat_free(&second);
    mat_free(&y);
}

static void check_bwd_input(const size_t *shape, reel_dtype t, bool accumulate)
{
    const size_t m = shape[0], in = shape[1], out = shape[2], pad = shape[3];
    mat dy = mat_new_of(REEL_BF16, m, out, out + pad), w = mat_new(out, in, in);
    mat dx = accumulate ? mat_new_of(t, m, in, in + 2 * pad) : mat_empty_of(t, m, in, in + 2 * pad);
    double *want = doubles(m * in), *slack = doubles(m * in);
    reel_weight weight = weight_of(&w, PLAIN);
    for (size_t r = 0; r < m; r++)
        for (size_t i = 0; i < in; i++) {
            double sum = accumulate ? mat_at(&dx, r, i) : 0, size = fabs(sum);
            for (size_t o = 0; o < out; o++) {
                const double term = mat_at(&dy, r, o) * mat_at(&w, o, i);
                sum += term;
                size += fabs(term);
            }
            want[r * in + i] = sum;
            slack[r * in + i] = SUM * size;
        }
    bed->ops->linear_bwd_input(bed, dx.v, dy.v, &weight, accumulate);
    mat_check_each("linear_bwd_input", &dx, want, slack);
    free(want);
    free(slack);
    mat_free(&dy);
    mat_free(&w);
    mat_free(&dx);
}

static void test_bwd_input(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++)
        for (int accumulate = 0; accumulate < 2; accumulate++) {
            check_bwd_input(shapes[s], REEL_BF16, accumulate != 0);
            check_bwd_input(shapes[s], REEL_F32, accumulate != 0);
        }
}

static void check_bwd_weight(const size_t *shape, bool accumulate)
{
    const size_t m = shape[0], in = shape[1], out = shape[2], pad = shape[3];
    mat dy = mat_new_of(REEL_BF16, m, out, out + pad), x = mat_new_of(REEL_BF16, m, in, in + 2 * pad);
    mat dw = accumulate ? mat_new(out, in, in) : mat_empty(out, in, in), db = accumulate ? mat_row(out) : mat_empty(1, out, out);
    double *want = doubles(out * in), *slack = doubles(out * in), *want_db = doubles(out), *slack_db = doubles(out);
    for (size_t o = 0; o < out; o++) {
        want_db[o] = accumulate ? mat_at(&db, 0, o) : 0;
        for (size_t r = 0; r < m; r++) {
            want_db[o] += mat_at(&dy, r, o);
            slack_db[o] += SUM * fabs(mat_at(&dy, r, o));
        }
        for (size_t i = 0; i < in; i++) {
            double sum = accumulate ? mat_at(&dw, o, i) : 0, size = fabs(sum);
            for (size_t r = 0; r < m; r++) {
                const double term = mat_at(&dy, r, o) * mat_at(&x, r, i);
                sum += term;
                size += fabs(term);
            }
            want[o * in + i] = sum;
            slack[o * in + i] = SUM * size;
        }
    }
    bed->ops->linear_bwd_weight(bed, dw.v, mat_dev(&db), dy.v, x.v, accumulate);
    mat_check_each("linear_bwd_weight", &dw, want, slack);
    mat_check_each("linear_bwd_weight db", &db, want_db, slack_db);
    free(want);
    free(slack);
    free(want_db);
    free(slack_db);
    mat_free(&dy);
    mat_free(&x);
    mat_free(&dw);
    mat_free(&db);
}

static void test_bwd_weight(void **state)
{
    (void)state;
    static const size_t long_one[4] = {1569, 35, 97, 1}, blocks[4] = {130, 64, 330, 0}, wide[4] = {37, 3, 2051, 1};
    for (int accumulate = 0; accumulate < 2; accumulate++) {
        for (size_t s = 0; s < SHAPES; s++)
            check_bwd_weight(shapes[s], accumulate != 0);
        check_bwd_weight(long_one, accumulate != 0);
        check_bwd_weight(blocks, accumulate != 0);
        check_bwd_weight(wide, accumulate != 0);  /* sums of columns go by parts of 1024 */
    }
}

/* All three products of numbers that are none: what is left in the back end's scratch. */
static void poison(void)
{
    mat x = mat_empty_of(REEL_BF16, 203, 331, 331), w = mat_empty(331, 331, 331), y = mat_empty_of(REEL_BF16, 203, 331, 331);
    const reel_weight weight = {w.v, REEL_PACK_BF16, NULL};
    bed->ops->linear_fwd(bed, y.v, mat_none().v, x.v, &weight, NULL, REEL_ACT_NONE, mat_none().v);
    bed->ops->linear_bwd_input(bed, x.v, y.v, &weight, false);
    bed->ops->linear_bwd_weight(bed, w.v, NULL, y.v, x.v, false);
    mat_free(&x);
    mat_free(&w);
    mat_free(&y);
}

/* All three products with so many threads; the bytes of the results in out. */
static size_t run_on(int threads, const size_t *shape, bool load, bool poisoned, unsigned char *out)
{
    const size_t m = shape[0], in = shape[1], n = shape[2];
    size_t at = 0;
    bed_close();
    bed_open(threads);
    if (poisoned)
        poison();
    bed_seed(11);
    mat x = mat_new_of(REEL_BF16, m, in, in), w = mat_new(n, in, in), b = mat_row(n), y = mat_new_of(REEL_BF16, m, n, n), pre = mat_new_of(REEL_BF16, m, n, n);
    mat dx = mat_new_of(REEL_BF16, m, in, in), dw = mat_new(n, in, in), db = mat_row(n), sum = mat_new(m, n, n);
    const reel_weight plain = {w.v, REEL_PACK_BF16, NULL};
    reel_weight weight = weight_of(&w, load ? FROM_F32 : PLAIN);
    bed->ops->linear_fwd(bed, y.v, pre.v, x.v, &weight, mat_dev(&b), REEL_ACT_GELU, mat_none().v);
    bed->ops->linear_fwd(bed, sum.v, mat_none().v, x.v, &weight, mat_dev(&b), REEL_ACT_NONE, sum.v);
    bed->ops->linear_bwd_input(bed, dx.v, y.v, &plain, false);
    bed->ops->linear_bwd_weight(bed, dw.v, mat_dev(&db), pre.v, x.v, true);
    bed->ops->weight_unpack(bed, &weight);
    mat *results[] = {&y, &pre, &sum, &dx, &dw, &db, &x, &w, &b};
    for (size_t i = 0; i < 9; i++) {
        mat_get(results[i]);
        if (i < 6) {
            memcpy(out + at, results[i]->raw, results[i]->bytes);
            at += results[i]->bytes;
        }
        mat_free(results[i]);
    }
    return at;
}

/* Bits do not depend on the number of threads, nor on whether the weight was packed beforehand, nor on what was computed before:
 * what fills up odd rows must be zeros. */
static void test_threads(void **state)
{
    (void)state;
    static const size_t cases[][4] = {{200, 77, 130, 0}, {131, 96, 271, 0}};
    unsigned char *first = malloc(1 << 20), *again = malloc(1 << 20);
    for (size_t i = 0; i < 2; i++) {
        const size_t n = run_on(2, cases[i], false, false, first);
        static const int threads[] = {2, 1, 3, 7};
        for (size_t t = 0; t < 8; t++) {
            assert_int_equal(run_on(threads[t / 2], cases[i], t % 2 == 1, t % 3 == 2, again), n);
            assert_memory_equal(first, again, n);
        }
    }
    bed_close();
    bed_open(2);
    free(first);
    free(again);
}

BED_MAIN(cmocka_unit_test(test_forward), cmocka_unit_test(test_activations), cmocka_unit_test(test_sources),
         cmocka_unit_test(test_pre_is_result), cmocka_unit_test(test_load_renews), cmocka_unit_test(test_bwd_input),
         cmocka_unit_test(test_bwd_weight), cmocka_unit_test(test_threads))
