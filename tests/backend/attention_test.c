/* Attention in float32 against naive double arithmetic, over odd numbers of tokens and head sizes, Nq other than Nk, columns of a
 * wider matrix; the backward besides against finite differences. */
#include "heads.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const heads_shape shapes[] = {
    {1, 1, 1, 1, 6, 0}, {2, 3, 2, 2, 7, 0}, {1, 2, 17, 17, 14, 5}, {1, 2, 113, 113, 64, 0}, {1, 2, 224, 224, 64, 0},
    {2, 2, 225, 225, 32, 1}, {1, 3, 5, 40, 8, 0}, {1, 2, 120, 33, 6, 0}, {1, 1, 1, 256, 16, 0}, {1, 1, 112, 512, 24, 0},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) {
        heads p = heads_new(shapes[i], REEL_F32);
        double *o = doubles(p.o.v.rows * p.o.v.cols), *lse = doubles(p.lse.v.cols);
        heads_gradients g = heads_gradients_new(&p);
        heads_forward(&p, o, lse, NULL);
        heads_backward(&p, o, &g, NULL);
        heads_run_forward(&p, true);
        heads_run_backward(&p);
        mat_check("attention_fwd", &p.o, o, 2e-6);
        mat_check("attention_fwd lse", &p.lse, lse, 1e-6);
        double *all = heads_joined(&p, &g);
        if (p.s.nq == p.s.nk) {
            mat_check("attention_bwd", &p.dqkv, all, 5e-6);
        } else {
            mat_check("attention_bwd dq", &p.dqkv, g.dq, 5e-6);
            mat_check("attention_bwd dk, dv", &p.dkv, all, 5e-6);
        }
        heads_run_forward(&p, false);
        mat_check("attention_fwd without lse", &p.o, o, 2e-6);
        free(o);
        free(lse);
        free(all);
        heads_gradients_free(&g);
        heads_free(&p);
    }
}

/* d(sum of do * o) by a small step of one input number; in double, on the naive forward, so that only the formulas of the
 * gradient are in question. */
static void test_finite_differences(void **state)
{
    (void)state;
    const heads_shape s = {1, 2, 9, 9, 6, 3};
    heads p = heads_new(s, REEL_F32);
    const size_t w = s.heads * s.d;
    heads_run_forward(&p, true);
    heads_run_backward(&p);
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
            heads_forward(&p, o, lse, NULL);
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
    heads_free(&p);
}

/* Large scores: nothing may overflow, and one place takes all. */
static void test_large_scores(void **state)
{
    (void)state;
    const heads_shape s = {1, 1, 20, 20, 8, 0};
    heads p = heads_new(s, REEL_F32);
    for (size_t i = 0; i < 20 * 24; i++)
        p.qkv.host[i] *= 40;
    mat_put(&p.qkv);
    double *o = doubles(160), *lse = doubles(20);
    heads_forward(&p, o, lse, NULL);
    heads_run_forward(&p, true);
    heads_run_backward(&p);
    mat_check("attention_fwd, large", &p.o, o, 2e-3);  /* exp turns the rounding of scores near 10^4 into 1e-3 */
    mat_get(&p.dqkv);
    for (size_t i = 0; i < 20 * 24; i++)
        assert_true(isfinite(p.dqkv.host[i]));
    free(o);
    free(lse);
    heads_free(&p);
}

BED_MAIN(cmocka_unit_test(test_values), cmocka_unit_test(test_finite_differences), cmocka_unit_test(test_large_scores))
