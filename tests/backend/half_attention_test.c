/* Attention in bfloat16 against naive double arithmetic on the rounded inputs.
 *
 * Bounds. Rounding to bfloat16 changes a number by at most 2^-8 of it. Forward: each probability is rounded once (the sum that
 * divides them is not), so o is off by at most 2^-8 of the sum of |p v|, and is then rounded itself. Backward, from the o that it
 * was given: P and dS are rounded once each, so dV, dQ and dK are off by at most 2^-8 of the sums of their terms' magnitudes, and
 * are rounded once. 2 % on top is for float32's exponentials and sums. The errors of many terms cancel: the root mean square
 * over a tensor has a bound of its own, which a missing or doubled key would break. */
#include "heads.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const heads_shape shapes[] = {
    {1, 1, 1, 1, 8, 0}, {2, 3, 2, 2, 5, 0}, {2, 2, 17, 17, 5, 3}, {1, 2, 49, 49, 8, 0}, {1, 2, 113, 113, 64, 0}, {2, 1, 97, 97, 80, 8},
    {1, 2, 225, 225, 16, 1}, {1, 3, 5, 40, 8, 0}, {2, 2, 120, 33, 5, 1}, {1, 1, 1, 256, 16, 0}, {1, 1, 50, 512, 64, 0},
    {1, 1, 65, 241, 16, 2}, {1, 1, 37, 1568, 64, 0}, {1, 1, 70, 1569, 8, 0}, {1, 1, 240, 240, 80, 0},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void scale(double *x, size_t n, double by)
{
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] * by + 1e-30;
}

static void check_gradients(heads *p)
{
    const size_t n = p->o.v.rows * p->o.v.cols, w = p->o.v.cols;
    double *o = doubles(n);
    heads_gradients want = heads_gradients_new(p), size = heads_gradients_new(p);
    for (size_t i = 0; i < n; i++)
        o[i] = mat_at(&p->o, i / w, i % w);
    heads_backward(p, o, &want, &size);
    scale(size.dq, n, 1.02 * 0x1p-8);
    scale(size.dk, p->s.batch * p->s.nk * w, 1.02 * 0x1p-8);
    scale(size.dv, p->s.batch * p->s.nk * w, 1.02 * 0x1p-8);
    double *all = heads_joined(p, &want), *slack = heads_joined(p, &size);
    heads_run_backward(p);
    if (p->s.nq != p->s.nk) {
        mat_check_each("attention_bwd dq", &p->dqkv, want.dq, size.dq);
        mat_check_each("attention_bwd dk, dv", &p->dkv, all, slack);
    } else {
        mat_check_each("attention_bwd", &p->dqkv, all, slack);
    }
    if (p->s.nk > 1)  /* of one key dq and dk are 0 and nothing but rounding */
        mat_check_rms("attention_bwd dk, dv", p->s.nq == p->s.nk ? &p->dqkv : &p->dkv, all, 0x1p-8);
    free(o);
    free(all);
    free(slack);
    heads_gradients_free(&want);
    heads_gradients_free(&size);
}

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) {
        heads p = heads_new(shapes[i], REEL_BF16);
        const size_t n = p.o.v.rows * p.o.v.cols;
        double *o = doubles(n), *size = doubles(n), *lse = doubles(p.lse.v.cols);
        heads_forward(&p, o, lse, size);
        scale(size, n, 1.02 * 0x1p-8);
        heads_run_forward(&p, false);
        mat_check_each("attention_fwd without lse", &p.o, o, size);
        heads_run_forward(&p, true);
        mat_check_each("attention_fwd", &p.o, o, size);
        mat_check_rms("attention_fwd", &p.o, o, 0.8 * 0x1p-8);
        mat_check_absolute("attention_fwd lse", &p.lse, lse, 4e-6);  /* of unrounded scores and exponentials, up to 20 */
        check_gradients(&p);
        free(o);
        free(size);
        free(lse);
        heads_free(&p);
    }
}

/* Scores of some thousands: one key takes all, nothing overflows. */
static void test_large_scores(void **state)
{
    (void)state;
    heads p = heads_new((heads_shape){1, 1, 20, 20, 8, 0}, REEL_BF16);
    for (size_t i = 0; i < 20 * 24; i++)
        p.qkv.host[i] *= 40;
    mat_put(&p.qkv);
    double *o = doubles(160), *lse = doubles(20), *size = doubles(160);
    heads_forward(&p, o, lse, size);
    scale(size, 160, 0x1p-8 + 2e-3);  /* exp turns float32's rounding of scores near 10^4 into 1e-3 */
    heads_run_forward(&p, true);
    heads_run_backward(&p);
    mat_check_each("attention_fwd, large", &p.o, o, size);
    mat_get(&p.dqkv);
    for (size_t i = 0; i < 20 * 24; i++)
        assert_true(isfinite(p.dqkv.host[i]));
    free(o);
    free(size);
    free(lse);
    heads_free(&p);
}

/* A forward and a backward of numbers that are none: what is left in the back end's scratch. */
static void poison(void)
{
    heads p = heads_new((heads_shape){2, 3, 257, 257, 40, 0}, REEL_BF16);
    for (size_t i = 0; i < p.qkv.v.rows * p.qkv.v.ld; i++)
        p.qkv.host[i] = NAN;
    mat_put(&p.qkv);
    heads_run_forward(&p, true);
    heads_run_backward(&p);
    heads_free(&p);
}

/* The numbers of a forward and a backward, in out. */
static size_t run_on(int threads, heads_shape s, bool poisoned, unsigned char *out)
{
    size_t n = 0;
    bed_close();
    bed_open(threads);
    if (poisoned)
        poison();
    bed_seed(5);
    heads p = heads_new(s, REEL_BF16);
    heads_run_forward(&p, true);
    heads_run_backward(&p);
    mat *results[] = {&p.o, &p.lse, &p.dqkv, &p.dkv};
    for (size_t i = 0; i < 4; i++) {
        mat_get(results[i]);
        memcpy(out + n, results[i]->raw, results[i]->bytes);
        n += results[i]->bytes;
    }
    heads_free(&p);
    return n;
}

/* Nor does it matter what was computed before: what fills up odd rows must be zeros. */
static void test_threads(void **state)
{
    (void)state;
    static const heads_shape cases[] = {{2, 3, 130, 130, 16, 0}, {1, 1, 101, 77, 5, 1}, {1, 2, 63, 63, 7, 0}};
    unsigned char *first = malloc(1 << 20), *again = malloc(1 << 20);
    for (size_t i = 0; i < 3; i++) {
        const size_t n = run_on(2, cases[i], false, first);
        static const int threads[] = {2, 1, 3, 5};
        for (size_t t = 0; t < 4; t++) {
            assert_int_equal(run_on(threads[t], cases[i], t > 0, again), n);
            assert_memory_equal(first, again, n);
        }
    }
    bed_close();
    bed_open(2);
    free(first);
    free(again);
}

BED_MAIN(cmocka_unit_test(test_values), cmocka_unit_test(test_large_scores), cmocka_unit_test(test_threads))
