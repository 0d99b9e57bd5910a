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

/* To the nearest step of which `most` takes 127. */
static double stepped(double x, double most)
{
    return most > 0 ? nearbyint(x * (double)(127.0f / (float)most)) * most / 127 : 0;
}

static double head_at(const heads *p, reel_view v, const mat *m, size_t n, size_t b, size_t h, size_t t, size_t c)
{
    const size_t col = (size_t)((uint16_t *)v.dev - (uint16_t *)m->v.dev) + h * p->s.d + c;
    return mat_at(m, b * n + t, col);
}

/* One head as the table describes it: rows of q by themselves, keys less their mean in panels of 64, columns of v, probabilities
 * in groups of 128 keys. q, k, v: (n, d) of the head. */
static void int8_head(const heads *p, double *q, double *k, double *v, double *o)
{
    const size_t nq = p->s.nq, nk = p->s.nk, d = p->s.d;
    double *s = doubles(nk);
    for (size_t i = 0; i < d; i++) {
        double mean = 0, most = 0;
        for (size_t t = 0; t < nk; t++) {
            mean += k[t * d + i] / (double)nk;
            most = fmax(most, fabs(v[t * d + i]));
        }
        for (size_t t = 0; t < nk; t++) {
            k[t * d + i] -= mean;
            v[t * d + i] = stepped(v[t * d + i], most);
        }
    }
    for (size_t t = 0; t < nk; t += 64) {
        const size_t n = (nk - t < 64 ? nk - t : 64) * d;
        double most = 0;
        for (size_t i = 0; i < n; i++)
            most = fmax(most, fabs(k[t * d + i]));
        for (size_t i = 0; i < n; i++)
            k[t * d + i] = stepped(k[t * d + i], most);
    }
    for (size_t r = 0; r < nq; r++) {
        double most = 0, top = -INFINITY, sum = 0;
        for (size_t i = 0; i < d; i++)
            most = fmax(most, fabs(q[r * d + i]));
        for (size_t t = 0; t < nk; t++) {
            s[t] = 0;
            for (size_t i = 0; i < d; i++)
                s[t] += (double)p->scale * stepped(q[r * d + i], most) * k[t * d + i];
            top = fmax(top, s[t]);
        }
        for (size_t i = 0; i < d; i++)
            o[r * d + i] = 0;
        for (size_t g = 0; g < nk; g += 128) {
            double here = -INFINITY;
            for (size_t t = g; t < nk && t < g + 128; t++)
                here = fmax(here, s[t]);
            for (size_t t = g; t < nk && t < g + 128; t++) {
                const double w = nearbyint(255 * exp(s[t] - here)) * exp(here - top);
                sum += w;
                for (size_t i = 0; i < d; i++)
                    o[r * d + i] += w * v[t * d + i];
            }
        }
        for (size_t i = 0; i < d; i++)
            o[r * d + i] /= sum;
    }
    free(s);
}

/* Against that model, in which a number near the middle of two steps may fall on the other side; and, where there are keys enough
 * for errors to cancel, against attention itself. */
static void test_int8(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) {
        heads p = heads_new(shapes[i], REEL_BF16);
        const size_t d = p.s.d, w = p.s.heads * d, n = p.o.v.rows * w;
        const mat *keys = p.s.nq == p.s.nk ? &p.qkv : &p.kv;
        double *o = doubles(n), *lse = doubles(p.lse.v.cols), *model = doubles(n), *head = doubles((2 * p.s.nq + 2 * p.s.nk) * d);
        double *q = head, *k = q + p.s.nq * d, *v = k + p.s.nk * d, *out = v + p.s.nk * d;
        heads_forward(&p, o, lse, NULL);
        for (size_t b = 0; b < p.s.batch; b++)
            for (size_t h = 0; h < p.s.heads; h++) {
                for (size_t t = 0; t < p.s.nq * d; t++)
                    q[t] = head_at(&p, p.q, &p.qkv, p.s.nq, b, h, t / d, t % d);
                for (size_t t = 0; t < p.s.nk * d; t++) {
                    k[t] = head_at(&p, p.k, keys, p.s.nk, b, h, t / d, t % d);
                    v[t] = head_at(&p, p.v, keys, p.s.nk, b, h, t / d, t % d);
                }
                int8_head(&p, q, k, v, out);
                for (size_t t = 0; t < p.s.nq * d; t++)
                    model[(b * p.s.nq + t / d) * w + h * d + t % d] = out[t];
            }
        bed->ops->attention_int8(bed, p.o.v, p.q, p.k, p.v, p.s.batch, p.s.heads, p.scale);
        mat_check_rms("attention_int8, model", &p.o, model, 0x1p-8);
        if (p.s.nk >= 49)
            mat_check_rms("attention_int8", &p.o, o, 0.03);
        free(o);
        free(lse);
        free(model);
        free(head);
        heads_free(&p);
    }
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

BED_MAIN(cmocka_unit_test(test_values), cmocka_unit_test(test_large_scores), cmocka_unit_test(test_int8), cmocka_unit_test(test_threads))
