/* Every row of the math table against the plain C row, over odd sizes, special values, row strides, and guard bytes behind
 * every output; the plain C rows against closed forms in double. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../level.h"
#include "kernels/math.h"

enum { ROOM = 4096, GUARD = 64 };
static const size_t sizes[] = {0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 65, 768, 1023, 1568, 3072};
#define EACH_SIZE(n) for (size_t at_ = 0, n = sizes[0]; at_ < sizeof sizes / sizeof *sizes && (n = sizes[at_], 1); at_++)

static reel_math_kernels plain, fast;
static uint32_t seed;

static float random_unit(void)  /* -1 to 1 */
{
    seed = seed * 1664525u + 1013904223u;
    return (float)((int32_t)(seed >> 8) - (1 << 23)) / (float)(1 << 23);
}

static void fill(float *x, size_t n, float factor)
{
    for (size_t i = 0; i < n; i++)
        x[i] = random_unit() * factor;
}

/* Infinities, no number, denormals, both zeros, at places that move with n. */
static void sprinkle(float *x, size_t n)
{
    static const float odd[] = {INFINITY, -INFINITY, NAN, 1e-40f, -3e-45f, 0.0f, -0.0f, 88.5f, -87.5f, -103.0f, 1e30f, -1e30f};
    for (size_t i = 0; i < sizeof odd / sizeof *odd && n > 0; i++)
        x[(i * 7 + n) % n] = odd[i];
}

/* An output of n floats in each of two buffers, which start equal, with a pattern behind. */
static float want_[4][ROOM + GUARD], got_[4][ROOM + GUARD];
static void outputs_reset(void)
{
    memset(want_, 0x5a, sizeof want_);
    memset(got_, 0x5a, sizeof got_);
}
static void outputs_fill(int which, size_t n, float factor)
{
    fill(want_[which], n, factor);
    memcpy(got_[which], want_[which], n * sizeof(float));
}

static bool near_enough(float a, float b, double absolute, double relative)  /* b: reference; NaN only where NaN is wanted */
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    return a == b || fabs((double)a - (double)b) <= absolute + relative * fabs((double)b);
}

static void outputs_check(const char *kernel, int which, size_t n, double absolute, double relative)
{
    for (size_t i = 0; i < n; i++)
        if (!near_enough(got_[which][i], want_[which][i], absolute, relative))
            fail_msg("%s %s, n %zu, output %d, element %zu: %.9g, wanted %.9g", kernel, fast.isa, n, which, i,
                     (double)got_[which][i], (double)want_[which][i]);
    if (memcmp(got_[which] + n, want_[which] + n, (ROOM + GUARD - n) * sizeof(float)) != 0)
        fail_msg("%s %s, n %zu, output %d: wrote past the end", kernel, fast.isa, n, which);
}

static float x_[ROOM], y_[ROOM], z_[ROOM];

static void test_activations(void **state)
{
    (void)state;
    for (int act = REEL_KACT_NONE; act <= REEL_KACT_SILU; act++)
        for (int special = 0; special < 2; special++)
            EACH_SIZE(n) {
                fill(x_, n, special ? 6.0f : 3.0f);
                fill(y_, n, 2.0f);
                if (special)
                    sprinkle(x_, n);
                outputs_reset();
                plain.act_fwd(want_[0], x_, n, act);
                fast.act_fwd(got_[0], x_, n, act);
                outputs_check("act_fwd", 0, n, 2e-7, 3e-7);
                plain.act_bwd(want_[1], want_[2], y_, x_, n, act);
                fast.act_bwd(got_[1], got_[2], y_, x_, n, act);
                outputs_check("act_bwd", 1, n, 1e-6, 5e-7);
                outputs_check("act_bwd again", 2, n, 2e-7, 3e-7);
                fast.act_bwd(got_[1], NULL, y_, x_, n, act);
                outputs_check("act_bwd without again", 1, n, 1e-6, 5e-7);
                memcpy(got_[1], y_, n * sizeof(float));  /* dx over dy, again over x */
                memcpy(got_[2], x_, n * sizeof(float));
                fast.act_bwd(got_[1], got_[2], got_[1], got_[2], n, act);
                outputs_check("act_bwd in place", 1, n, 1e-6, 5e-7);
                outputs_check("act_bwd again in place", 2, n, 2e-7, 3e-7);
            }
}

/* models-and-training.md, section 8: values of transformers, whose 1 + erf(x) in float loses up to 6e-7 where erf is near -1. */
static void test_activation_values(void **state)
{
    (void)state;
    static const float x[7] = {-3, -1, -0.5f, 0, 0.25f, 1, 2.5f}, ones[7] = {1, 1, 1, 1, 1, 1, 1};
    static const float erf_form[7] = {-0.004050225f, -0.1586553f, -0.1542688f, 0, 0.1496766f, 0.8413447f, 2.484476f};
    static const float erf_slope[7] = {-0.01194561f, -0.08331543f, 0.1325049f, 0.5f, 0.6953733f, 1.083315f, 1.037611f};
    static const float tanh_form[7] = {-0.003637433f, -0.158808f, -0.154286f, 0, 0.1496754f, 0.841192f, 2.484916f};
    static const float tanh_slope[7] = {-0.0115843f, -0.08296411f, 0.1326301f, 0.5f, 0.6953541f, 1.082964f, 1.037952f};
    float y[7], d[7];
    const reel_math_kernels *both[2] = {&plain, &fast};
    for (int k = 0; k < 2; k++) {
        both[k]->act_bwd(d, y, ones, x, 7, REEL_KACT_GELU);
        for (int i = 0; i < 7; i++) {
            assert_true(near_enough(y[i], erf_form[i], 6e-7, 0));
            assert_true(near_enough(d[i], erf_slope[i], 6e-7, 0));
        }
        both[k]->act_bwd(d, y, ones, x, 7, REEL_KACT_GELU_TANH);
        for (int i = 0; i < 7; i++) {
            assert_true(near_enough(y[i], tanh_form[i], 6e-7, 0));
            assert_true(near_enough(d[i], tanh_slope[i], 6e-7, 0));
        }
    }
}

static void test_layernorm_fwd(void **state)
{
    (void)state;
    static const size_t shapes[][4] = {{0, 5, 5, 5}, {1, 1, 1, 1}, {3, 7, 7, 9}, {5, 16, 20, 16}, {2, 33, 40, 35}, {3, 768, 768, 800},
                                       {1, 1023, 1023, 1023}, {1, 3072, 3072, 3072}, {7, 384, 390, 384}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int shift = 0; shift < 2; shift++) {
            size_t rows = shapes[s][0], cols = shapes[s][1], ldx = shapes[s][2], ldy = shapes[s][3], n = rows * ldy;
            fill(x_, rows * ldx, 2.0f);
            if (shift)
                for (size_t i = 0; i < rows * ldx; i++)
                    x_[i] += 100.0f;  /* a mean large beside the spread: nothing may be lost beyond x itself */
            fill(y_, cols, 1.5f);
            fill(z_, cols, 1.0f);
            outputs_reset();
            plain.layernorm_fwd(want_[0], ldy, want_[1], want_[2], x_, ldx, y_, z_, 1e-6f, rows, cols);
            fast.layernorm_fwd(got_[0], ldy, got_[1], got_[2], x_, ldx, y_, z_, 1e-6f, rows, cols);
            outputs_check("layernorm_fwd", 0, n, shift ? 1.5e-5 : 2e-6, 1e-6);  /* 100 has steps of 7.6e-6 */
            outputs_check("layernorm_fwd mean", 1, rows, 1e-7, 3e-7);
            outputs_check("layernorm_fwd rstd", 2, rows, 1e-7, 5e-7);
            fast.layernorm_fwd(got_[0], ldy, NULL, NULL, x_, ldx, y_, z_, 1e-6f, rows, cols);
            outputs_check("layernorm_fwd without statistics", 0, n, shift ? 1.5e-5 : 2e-6, 1e-6);
        }
}

static void test_layernorm_bwd(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {{0, 5, 5}, {1, 1, 1}, {3, 7, 9}, {5, 16, 20}, {2, 33, 35}, {3, 768, 800}, {1, 3072, 3072}};
    static float mean[8], rstd[8], dy[ROOM];
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int accumulate = 0; accumulate < 2; accumulate++) {
            size_t rows = shapes[s][0], cols = shapes[s][1], ld = shapes[s][2], n = rows * ld;
            fill(x_, n, 2.0f);
            fill(dy, n, 1.0f);
            fill(z_, cols, 1.5f);
            plain.layernorm_fwd(y_, ld, mean, rstd, x_, ld, z_, z_, 1e-6f, rows, cols);
            outputs_reset();
            outputs_fill(0, n, 1.0f);
            outputs_fill(1, cols, 1.0f);
            outputs_fill(2, cols, 1.0f);
            plain.layernorm_bwd(want_[0], ld, accumulate, want_[1], want_[2], dy, ld, x_, ld, mean, rstd, z_, rows, cols);
            fast.layernorm_bwd(got_[0], ld, accumulate, got_[1], got_[2], dy, ld, x_, ld, mean, rstd, z_, rows, cols);
            /* One column: rstd is large (1/sqrt eps) and everything cancels. */
            outputs_check("layernorm_bwd", 0, n, cols == 1 ? 1e-3 : 4e-6, 1e-6);
            outputs_check("layernorm_bwd dgamma", 1, cols, 1e-6, 1e-6);
            outputs_check("layernorm_bwd dbeta", 2, cols, 1e-6, 1e-6);
            if (!accumulate) {  /* dx over dy */
                memcpy(got_[3], dy, n * sizeof(float));
                plain.layernorm_bwd(want_[3], ld, false, want_[1], want_[2], dy, ld, x_, ld, mean, rstd, z_, rows, cols);
                for (size_t r = 0; r < rows; r++)  /* what lies between the rows is not an output */
                    memcpy(want_[3] + r * ld + cols, got_[3] + r * ld + cols, (ld - cols) * sizeof(float));
                fast.layernorm_bwd(got_[3], ld, false, got_[1], got_[2], got_[3], ld, x_, ld, mean, rstd, z_, rows, cols);
                outputs_check("layernorm_bwd in place", 3, n, cols == 1 ? 1e-3 : 4e-6, 1e-6);
            }
        }
}

static void test_softmax(void **state)
{
    (void)state;
    for (int special = 0; special < 3; special++)
        EACH_SIZE(n) {
            outputs_reset();
            outputs_fill(0, n, 40.0f);
            if (special == 1 && n > 2)
                want_[0][n / 2] = got_[0][n / 2] = -INFINITY;  /* a masked place: exp is 0 */
            if (special == 2 && n > 2)
                want_[0][n - 1] = got_[0][n - 1] = NAN;
            plain.softmax_row(want_[0], n, 0.125f, &want_[1][0], &want_[2][0]);
            fast.softmax_row(got_[0], n, 0.125f, &got_[1][0], &got_[2][0]);
            outputs_check("softmax_row", 0, n, 0, 3e-7);
            outputs_check("softmax_row max", 1, 1, 0, 0);
            outputs_check("softmax_row sum", 2, 1, 0, 1e-6);

            outputs_reset();
            outputs_fill(0, n, 30.0f);
            outputs_fill(1, n, 1.0f);
            if (special == 1)
                sprinkle(want_[0], n), memcpy(got_[0], want_[0], n * sizeof(float));
            fill(x_, n, 4.0f);
            fill(y_, n, 0.5f);
            plain.softmax_bwd(want_[0], want_[1], n, 0.125f, x_, y_);
            fast.softmax_bwd(got_[0], got_[1], n, 0.125f, x_, y_);
            outputs_check("softmax_bwd p", 0, n, 0, 3e-7);
            outputs_check("softmax_bwd ds", 1, n, 0, 5e-7);
        }
}

/* exp alone (scale 1, lse 0), against double, over all that gives a float, denormals included. */
static void test_exp(void **state)
{
    (void)state;
    double worst = 0;
    for (float x = -104.5f; x < 88.7f; x += 0.00173f) {
        float p = x, d = 0, none = 0;
        fast.softmax_bwd(&p, &d, 1, 1.0f, &none, &none);
        double want = exp((double)x), error = fabs((double)p - want);
        assert_true(error <= 1.5e-7 * want + 0.51 * 0x1p-149);
        worst = want > 1e-37 && error / want > worst ? error / want : worst;
    }
    float over[2] = {89.0f, INFINITY}, d[2] = {0, 0}, none[2] = {0, 0};
    fast.softmax_bwd(over, d, 2, 1.0f, none, none);
    assert_true(isinf(over[0]) && isinf(over[1]));
    print_message("# exp %s: %.2e relative\n", fast.isa, worst);
}

/* The error of GELU itself, not of one row against another. */
static void test_gelu_exact(void **state)
{
    (void)state;
    double worst = 0, worst_slope = 0;
    for (float x = -12.0f; x < 12.0f; x += 0.000931f) {
        float y, d, one = 1;
        fast.act_bwd(&d, &y, &one, &x, 1, REEL_KACT_GELU);
        double area = 0.5 * erfc(-(double)x * M_SQRT1_2), slope = area + (double)x * exp(-0.5 * (double)x * (double)x) * 0.3989422804014327;
        worst = fmax(worst, fabs((double)y - (double)x * area) / fmax(1, fabs((double)x)));
        worst_slope = fmax(worst_slope, fabs((double)d - slope));
    }
    print_message("# gelu %s: %.2e, slope %.2e\n", fast.isa, worst, worst_slope);
    assert_true(worst < 1.2e-7);
    assert_true(worst_slope < 3e-7);
}

/* Right operands, which each table lays out as its own block likes: told by products with rows of the unit matrix. */
enum { DEPTH = 1100, PACKED = 2 * REEL_PANEL * DEPTH };
static float packed_[2][PACKED + GUARD], wide_x_[DEPTH * 40], wide_a_[48 * (DEPTH + 1)];

static void check_packed(const char *kernel, const reel_math_kernels *t, const float *b, const float *x, size_t row, size_t col, size_t k, size_t n)
{
    static float unit[DEPTH], got[3 * REEL_PANEL];
    for (size_t i = 0; i < k; i++) {
        unit[i] = 1;
        t->block(got, sizeof got / sizeof *got, unit, k, b, 1, n, k, false);
        unit[i] = 0;
        for (size_t j = 0; j < ((n + 15) & ~(size_t)15); j++)
            if (got[j] != (j < n ? x[i * row + j * col] : 0))
                fail_msg("%s %s, k %zu, n %zu: element %zu, %zu is %.9g", kernel, t->isa, k, n, i, j, (double)got[j]);
    }
    const float *end = b + reel_panel_columns(n) * k;
    for (size_t i = 0; i < GUARD; i++)
        if (end[i] != -7)
            fail_msg("%s %s, k %zu, n %zu: wrote past the end", kernel, t->isa, k, n);
}

static void test_packing(void **state)
{
    (void)state;
    static const size_t shapes[][2] = {{1, 1}, {2, 5}, {8, 16}, {9, 17}, {7, 100}, {24, 63}, {33, 64}, {8, 65}, {511, 3}, {512, 20}, {513, 17}, {1100, 33}};
    const reel_math_kernels *tables[] = {&plain, &fast};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (size_t t = 0; t < 2; t++) {
            const size_t k = shapes[s][0], n = shapes[s][1];
            assert_true(k * (n + 1) <= sizeof wide_x_ / sizeof *wide_x_ && n * (k + 2) <= sizeof wide_x_ / sizeof *wide_x_);
            fill(wide_x_, sizeof wide_x_ / sizeof *wide_x_, 1.0f);
            for (size_t i = 0; i < PACKED + GUARD; i++)
                packed_[0][i] = packed_[1][i] = -7;
            tables[t]->pack(packed_[0], wide_x_, n + 1, k, n);
            check_packed("pack", tables[t], packed_[0], wide_x_, n + 1, 1, k, n);
            tables[t]->pack_turned(packed_[1], wide_x_, k + 2, k, n);
            check_packed("pack_turned", tables[t], packed_[1], wide_x_, 1, k + 2, k, n);
        }
}

static void test_turning(void **state)
{
    (void)state;
    static const size_t shapes[][2] = {{1, 1}, {2, 5}, {16, 16}, {9, 17}, {8, 100}, {24, 63}, {7, 130}, {33, 1}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const size_t k = shapes[s][0], n = shapes[s][1];
        fill(x_, k * (n + 1), 1.0f);
        outputs_reset();
        plain.turn(want_[2], k + 1, x_, n + 1, k, n);
        fast.turn(got_[2], k + 1, x_, n + 1, k, n);
        outputs_check("turn", 2, n * (k + 1), 0, 0);
        for (size_t j = 0; j < n; j++)
            for (size_t i = 0; i < k; i++)
                assert_true(want_[2][j * (k + 1) + i] == x_[i * (n + 1) + j]);
    }
}

static void test_blocks(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {{1, 1, 1}, {3, 5, 2}, {6, 16, 20}, {7, 17, 9}, {13, 100, 8}, {20, 63, 24}, {9, 130, 7}, {48, 33, 1},
                                       {7, 33, 512}, {13, 20, 513}, {6, 33, 1100}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const size_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2], wide = (n + 15) & ~(size_t)15, ldc = wide + 3;
        if (m * ldc > ROOM)
            continue;
        fill(wide_x_, k * (n + 1), 1.0f);
        fill(wide_a_, m * (k + 1), 1.0f);
        plain.pack(packed_[0], wide_x_, n + 1, k, n);
        fast.pack(packed_[1], wide_x_, n + 1, k, n);
        for (int sum = 0; sum < 2; sum++) {
            outputs_reset();
            outputs_fill(3, m * ldc, 2.0f);
            memcpy(want_[2], got_[3], sizeof got_[3]);
            plain.block(want_[3], ldc, wide_a_, k + 1, packed_[0], m, n, k, sum);
            fast.block(got_[3], ldc, wide_a_, k + 1, packed_[1], m, n, k, sum);
            const double near = 2e-6 + 2e-8 * (double)k;  /* float32 sums wander with k */
            outputs_check("block", 3, m * ldc, near, 1e-6);
            for (size_t r = 0; r < m; r++)
                for (size_t j = 0; j < ldc; j++) {
                    double all = sum || j >= wide ? (double)want_[2][r * ldc + j] : 0;
                    for (size_t i = 0; i < k && j < n; i++)
                        all += (double)wide_a_[r * (k + 1) + i] * (double)wide_x_[i * (n + 1) + j];
                    assert_true(fabs((double)want_[3][r * ldc + j] - all) <= near + 1e-6 * fabs(all));
                }
        }
    }
}

static void test_elementwise(void **state)
{
    (void)state;
    EACH_SIZE(n) {
        fill(x_, n, 3.0f);
        fill(y_, n, 3.0f);
        sprinkle(x_, n);
        outputs_reset();
        plain.add(want_[0], x_, y_, n);
        fast.add(got_[0], x_, y_, n);
        outputs_check("add", 0, n, 0, 0);
        plain.scale(want_[1], x_, 0.37f, n);
        fast.scale(got_[1], x_, 0.37f, n);
        outputs_check("scale", 1, n, 0, 0);
        plain.add_bias(want_[0], y_, n);
        fast.add_bias(got_[0], y_, n);
        outputs_check("add_bias", 0, n, 0, 0);
    }
}

static void test_sums(void **state)
{
    (void)state;
    EACH_SIZE(n) {
        double want, got;
        fill(x_, n, 3.0f);
        fill(y_, n, 3.0f);
        plain.dot(&want, x_, y_, n);
        fast.dot(&got, x_, y_, n);
        assert_true(fabs(want - got) <= 1e-12 * (double)(n + 1));
        plain.sum_squares(&want, x_, n);
        fast.sum_squares(&got, x_, n);
        assert_true(fabs(want - got) <= 1e-14 * want);
        if (n > 0) {
            x_[n / 2] = 3e38f;  /* beyond float when squared */
            fast.sum_squares(&got, x_, n);
            assert_true(isfinite(got) && got > 8.9e76);
            x_[n / 2] = NAN;
            fast.sum_squares(&got, x_, n);
            assert_true(isnan(got));
        }
    }
}

static void adamw_scalars(float h[8], double lr, double decay, int step)
{
    h[0] = 1.0f;
    h[1] = (float)(1 - lr * decay);
    h[2] = (float)(1 - 0.9);
    h[3] = 0.999f;
    h[4] = (float)(1 - 0.999);
    h[5] = (float)(lr / (1 - pow(0.9, step)));
    h[6] = (float)sqrt(1 - pow(0.999, step));
    h[7] = 1e-8f;
}

static void test_adamw(void **state)
{
    (void)state;
    float h[8];
    EACH_SIZE(n) {  /* same bits in every row, over several steps */
        outputs_reset();
        for (int i = 0; i < 3; i++)
            outputs_fill(i, n, i == 2 ? 0.0f : 1.0f);
        for (int step = 1; step <= 3; step++) {
            fill(x_, n, 0.3f);
            adamw_scalars(h, 5e-4, 0.05, step);
            h[0] = 0.8125f;
            plain.adamw(want_[0], want_[1], want_[2], x_, n, h);
            fast.adamw(got_[0], got_[1], got_[2], x_, n, h);
            for (int i = 0; i < 3; i++)
                outputs_check("adamw", i, n, 0, 0);
        }
    }
    /* models-and-training.md 4.4 */
    static const float gradients[3][2] = {{0.1f, -0.2f}, {0.3f, 0.05f}, {-0.2f, 0}};
    static const float after[3][2] = {{0.489500016f, -0.239749998f}, {0.479832709f, -0.234815568f}, {0.476773858f, -0.230951756f}};
    const reel_math_kernels *both[2] = {&plain, &fast};
    for (int k = 0; k < 2; k++) {
        float p[2] = {0.5f, -0.25f}, m[2] = {0, 0}, v[2] = {0, 0};
        for (int step = 1; step <= 3; step++) {
            adamw_scalars(h, 0.01, 0.1, step);
            both[k]->adamw(p, m, v, gradients[step - 1], 2, h);
            assert_true(p[0] == after[step - 1][0] && p[1] == after[step - 1][1]);
        }
    }
}

static int run_level(const char *name, unsigned flags)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activations), cmocka_unit_test(test_activation_values), cmocka_unit_test(test_layernorm_fwd),
        cmocka_unit_test(test_layernorm_bwd), cmocka_unit_test(test_softmax), cmocka_unit_test(test_exp),
        cmocka_unit_test(test_gelu_exact), cmocka_unit_test(test_packing), cmocka_unit_test(test_turning), cmocka_unit_test(test_blocks), cmocka_unit_test(test_elementwise), cmocka_unit_test(test_sums),
        cmocka_unit_test(test_adamw),
    };
    reel_math_kernels_select(&plain, 0);
    reel_math_kernels_select(&fast, flags);
    seed = 12345;
    if (strcmp(fast.isa, name) != 0) {
        print_message("# the %s rows are not in this build\n", name);
        return 0;
    }
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    unsigned flags;
    return test_level(argc, argv, &flags) ? run_level(argc > 1 ? argv[1] : "c", flags) : 0;
}
