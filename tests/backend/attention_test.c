/* Attention against naive double arithmetic, over odd numbers of tokens and head sizes, Nq other than Nk, columns of a wider
 * matrix; the backward besides against finite differences. */
#include "bed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct shape { size_t batch, heads, nq, nk, d, pad; } shape;
static const shape shapes[] = {
    {1, 1, 1, 1, 6, 0}, {2, 3, 2, 2, 7, 0}, {1, 2, 17, 17, 14, 5}, {1, 2, 113, 113, 64, 0}, {1, 2, 224, 224, 64, 0},
    {2, 2, 225, 225, 32, 1}, {1, 3, 5, 40, 8, 0}, {1, 2, 120, 33, 6, 0}, {1, 1, 1, 256, 16, 0}, {1, 1, 112, 512, 24, 0},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

typedef struct problem {
    shape s;
    float scale;
    mat qkv, kv, o, lse, do_, dqkv, dkv;  /* q, k, v are columns of qkv where Nq = Nk, else k, v of kv */
    reel_view q, k, v, dq, dk, dv;
} problem;

static problem problem_new(shape s)
{
    problem p = {.s = s, .scale = (float)(1 / sqrt((double)s.d))};
    const size_t w = s.heads * s.d;
    const bool self = s.nq == s.nk;
    p.qkv = mat_new(s.batch * s.nq, self ? 3 * w : w, (self ? 3 * w : w) + s.pad);
    p.dqkv = mat_empty(p.qkv.v.rows, p.qkv.v.cols, p.qkv.v.ld);
    p.kv = mat_new(s.batch * s.nk, 2 * w, 2 * w + s.pad);
    p.dkv = mat_empty(p.kv.v.rows, p.kv.v.cols, p.kv.v.ld);
    p.o = mat_empty(s.batch * s.nq, w, w + 2 * s.pad);
    p.do_ = mat_new(s.batch * s.nq, w, w + s.pad);
    p.lse = mat_empty(1, s.batch * s.heads * s.nq, s.batch * s.heads * s.nq);
    for (size_t i = 0; i < p.qkv.v.rows; i++)  /* scores with some spread */
        for (size_t c = 0; c < p.qkv.v.cols; c++)
            p.qkv.host[i * p.qkv.v.ld + c] *= 3;
    mat_put(&p.qkv);
    p.q = reel_view_cols(p.qkv.v, 0, w);
    p.k = self ? reel_view_cols(p.qkv.v, w, w) : reel_view_cols(p.kv.v, 0, w);
    p.v = self ? reel_view_cols(p.qkv.v, 2 * w, w) : reel_view_cols(p.kv.v, w, w);
    p.dq = reel_view_cols(p.dqkv.v, 0, w);
    p.dk = self ? reel_view_cols(p.dqkv.v, w, w) : reel_view_cols(p.dkv.v, 0, w);
    p.dv = self ? reel_view_cols(p.dqkv.v, 2 * w, w) : reel_view_cols(p.dkv.v, w, w);
    return p;
}

static void problem_free(problem *p)
{
    mat_free(&p->qkv);
    mat_free(&p->kv);
    mat_free(&p->o);
    mat_free(&p->lse);
    mat_free(&p->do_);
    mat_free(&p->dqkv);
    mat_free(&p->dkv);
}

/* Where element c of head h of token t of clip b lies in a host copy. */
static double at(const mat *m, size_t col, const shape *s, size_t n, size_t b, size_t h, size_t t, size_t c)
{
    return mat_at(m, b * n + t, col + h * s->d + c);
}
static double q_at(const problem *p, size_t b, size_t h, size_t t, size_t c) { return at(&p->qkv, 0, &p->s, p->s.nq, b, h, t, c); }
static double k_at(const problem *p, size_t b, size_t h, size_t t, size_t c)
{
    const size_t w = p->s.heads * p->s.d;
    return p->s.nq == p->s.nk ? at(&p->qkv, w, &p->s, p->s.nk, b, h, t, c) : at(&p->kv, 0, &p->s, p->s.nk, b, h, t, c);
}
static double v_at(const problem *p, size_t b, size_t h, size_t t, size_t c)
{
    const size_t w = p->s.heads * p->s.d;
    return p->s.nq == p->s.nk ? at(&p->qkv, 2 * w, &p->s, p->s.nk, b, h, t, c) : at(&p->kv, w, &p->s, p->s.nk, b, h, t, c);
}

/* The probabilities of one row, and its log of the sum of exponentials. */
static double row_softmax(const problem *p, size_t b, size_t h, size_t t, double *out)
{
    double max = -INFINITY, sum = 0;
    for (size_t j = 0; j < p->s.nk; j++) {
        double dot = 0;
        for (size_t c = 0; c < p->s.d; c++)
            dot += q_at(p, b, h, t, c) * k_at(p, b, h, j, c);
        out[j] = dot * (double)p->scale;
        max = fmax(max, out[j]);
    }
    for (size_t j = 0; j < p->s.nk; j++)
        sum += out[j] = exp(out[j] - max);
    for (size_t j = 0; j < p->s.nk; j++)
        out[j] /= sum;
    return max + log(sum);
}

static void naive_forward(const problem *p, double *o, double *lse)
{
    const shape *s = &p->s;
    double *prob = doubles(s->nk);
    for (size_t b = 0; b < s->batch; b++)
        for (size_t h = 0; h < s->heads; h++)
            for (size_t t = 0; t < s->nq; t++) {
                lse[(b * s->heads + h) * s->nq + t] = row_softmax(p, b, h, t, prob);
                for (size_t j = 0; j < s->nk; j++)
                    for (size_t c = 0; c < s->d; c++)
                        o[(b * s->nq + t) * s->heads * s->d + h * s->d + c] += prob[j] * v_at(p, b, h, j, c);
            }
    free(prob);
}

static void naive_backward(const problem *p, const double *o, double *dq, double *dk, double *dv)
{
    const shape *s = &p->s;
    const size_t w = s->heads * s->d;
    double *prob = doubles(s->nk);
    for (size_t b = 0; b < s->batch; b++)
        for (size_t h = 0; h < s->heads; h++)
            for (size_t t = 0; t < s->nq; t++) {
                const size_t mine = (b * s->nq + t) * w + h * s->d;
                double delta = 0;
                row_softmax(p, b, h, t, prob);
                for (size_t c = 0; c < s->d; c++)
                    delta += mat_at(&p->do_, b * s->nq + t, h * s->d + c) * o[mine + c];
                for (size_t j = 0; j < s->nk; j++) {
                    const size_t other = (b * s->nk + j) * w + h * s->d;
                    double dp = 0;
                    for (size_t c = 0; c < s->d; c++)
                        dp += mat_at(&p->do_, b * s->nq + t, h * s->d + c) * v_at(p, b, h, j, c);
                    const double ds = prob[j] * (dp - delta) * (double)p->scale;
                    for (size_t c = 0; c < s->d; c++) {
                        dq[mine + c] += ds * k_at(p, b, h, j, c);
                        dk[other + c] += ds * q_at(p, b, h, t, c);
                        dv[other + c] += prob[j] * mat_at(&p->do_, b * s->nq + t, h * s->d + c);
                    }
                }
            }
    free(prob);
}

/* Joins dq, dk, dv into the layout of the matrices they are columns of. */
static double *joined(const problem *p, const double *a, const double *b, const double *c, size_t rows)
{
    const size_t w = p->s.heads * p->s.d, parts = c != NULL ? 3 : 2;
    double *out = doubles(rows * parts * w);
    const double *const from[3] = {a, b, c};
    for (size_t r = 0; r < rows; r++)
        for (size_t part = 0; part < parts; part++)
            memcpy(out + (r * parts + part) * w, from[part] + r * w, w * sizeof *out);
    return out;
}

static void run_both(problem *p)
{
    bed->ops->attention_fwd(bed, p->o.v, mat_dev(&p->lse), p->q, p->k, p->v, p->s.batch, p->s.heads, p->scale);
    bed->ops->attention_bwd(bed, p->dq, p->dk, p->dv, p->do_.v, p->o.v, mat_dev(&p->lse), p->q, p->k, p->v, p->s.batch,
                            p->s.heads, p->scale);
}

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) {
        problem p = problem_new(shapes[i]);
        const size_t w = p.s.heads * p.s.d, nq = p.s.batch * p.s.nq, nk = p.s.batch * p.s.nk;
        double *o = doubles(nq * w), *lse = doubles(p.s.batch * p.s.heads * p.s.nq);
        double *dq = doubles(nq * w), *dk = doubles(nk * w), *dv = doubles(nk * w);
        naive_forward(&p, o, lse);
        naive_backward(&p, o, dq, dk, dv);
        run_both(&p);
        mat_check("attention_fwd", &p.o, o, 2e-6);
        mat_check("attention_fwd lse", &p.lse, lse, 1e-6);
        if (p.s.nq == p.s.nk) {
            double *all = joined(&p, dq, dk, dv, nq);
            mat_check("attention_bwd", &p.dqkv, all, 5e-6);
            free(all);
        } else {
            double *rest = joined(&p, dk, dv, NULL, nk);
            mat_check("attention_bwd dq", &p.dqkv, dq, 5e-6);
            mat_check("attention_bwd dk, dv", &p.dkv, rest, 5e-6);
            free(rest);
        }
        bed->ops->attention_fwd(bed, p.o.v, NULL, p.q, p.k, p.v, p.s.batch, p.s.heads, p.scale);
        mat_check("attention_fwd without lse", &p.o, o, 2e-6);
        free(o);
        free(lse);
        free(dq);
        free(dk);
        free(dv);
        problem_free(&p);
    }
}

/* d(sum of do * o) by a small step of one input number; in double, on the naive forward, so that only the formulas of the
 * gradient are in question. */
static void test_finite_differences(void **state)
{
    (void)state;
    const shape s = {1, 2, 9, 9, 6, 3};
    problem p = problem_new(s);
    const size_t w = s.heads * s.d;
    run_both(&p);
    mat_get(&p.dqkv);
    double *o = doubles(s.nq * w), *lse = doubles(s.heads * s.nq);
    for (size_t trial = 0; trial < 40; trial++) {
        const size_t r = trial * 7 % s.nq, c = trial * 13 % (3 * w);
        float *number = &p.qkv.host[r * p.qkv.v.ld + c], kept = *number;
        double sides[2], step = 0;
        for (int side = 0; side < 2; side++) {
            *number = kept + (side == 0 ? -0.01f : 0.01f);
            step += (side == 0 ? -1.0 : 1.0) * (double)*number;
            memset(o, 0, s.nq * w * sizeof *o);
            naive_forward(&p, o, lse);
            sides[side] = 0;
            for (size_t i = 0; i < s.nq * w; i++)
                sides[side] += o[i] * mat_at(&p.do_, i / w, i % w);
        }
        *number = kept;
        const double slope = (sides[1] - sides[0]) / step, got = mat_at(&p.dqkv, r, c);
        if (!(fabs(slope - got) <= 2e-4 * (1 + fabs(slope))))  /* the step's own curvature: 0.01^2 */
            fail_msg("gradient of (%zu, %zu): %.6g by steps, got %.6g", r, c, slope, got);
    }
    free(o);
    free(lse);
    problem_free(&p);
}

/* Large scores: nothing may overflow, and one place takes all. */
static void test_large_scores(void **state)
{
    (void)state;
    const shape s = {1, 1, 20, 20, 8, 0};
    problem p = problem_new(s);
    for (size_t i = 0; i < 20 * 24; i++)
        p.qkv.host[i] *= 40;
    mat_put(&p.qkv);
    double *o = doubles(160), *lse = doubles(20);
    naive_forward(&p, o, lse);
    run_both(&p);
    mat_check("attention_fwd, large", &p.o, o, 2e-3);  /* exp turns the rounding of scores near 10^4 into 1e-3 */
    mat_get(&p.dqkv);
    for (size_t i = 0; i < 20 * 24; i++)
        assert_true(isfinite(p.dqkv.host[i]));
    free(o);
    free(lse);
    problem_free(&p);
}

BED_MAIN(cmocka_unit_test(test_values), cmocka_unit_test(test_finite_differences), cmocka_unit_test(test_large_scores))
