/* Layer norm, activations, sums, means, tables, patches, dropout, casts: against naive double arithmetic. */
#include "bed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const size_t shapes[][3] = {{1, 1, 0}, {1, 8, 0}, {3, 7, 2}, {33, 6, 1}, {70, 130, 0}, {1568, 48, 0}, {129, 384, 16}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void norm_naive(const mat *x, const mat *gamma, const mat *beta, double eps, double *y, double *mean, double *rstd)
{
    const size_t n = x->v.cols;
    for (size_t r = 0; r < x->v.rows; r++) {
        double sum = 0, squares = 0;
        for (size_t c = 0; c < n; c++)
            sum += mat_at(x, r, c);
        mean[r] = sum / (double)n;
        for (size_t c = 0; c < n; c++)
            squares += pow(mat_at(x, r, c) - mean[r], 2);
        rstd[r] = 1 / sqrt(squares / (double)n + eps);
        for (size_t c = 0; c < n; c++)
            y[r * n + c] = (mat_at(x, r, c) - mean[r]) * rstd[r] * mat_at(gamma, 0, c) + mat_at(beta, 0, c);
    }
}

static void test_layernorm(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++)
        for (int accumulate = 0; accumulate < 2; accumulate++) {
            const size_t m = shapes[s][0], n = shapes[s][1], pad = shapes[s][2];
            const float eps = n == 1 ? 1e-2f : 1e-12f;
            mat x = mat_new(m, n, n + pad), y = mat_empty(m, n, n + 2 * pad), gamma = mat_row(n), beta = mat_row(n);
            mat mean = mat_empty(1, m, m), rstd = mat_empty(1, m, m), dy = mat_new(m, n, n + pad), dx = mat_new(m, n, n);
            mat dgamma = mat_row(n), dbeta = mat_row(n);
            double *wy = doubles(m * n), *wm = doubles(m), *wr = doubles(m), *wx = doubles(m * n), *wg = doubles(n), *wb = doubles(n);
            norm_naive(&x, &gamma, &beta, (double)eps, wy, wm, wr);
            bed->ops->layernorm_fwd(bed, y.v, mat_dev(&mean), mat_dev(&rstd), x.v, mat_dev(&gamma), mat_dev(&beta), eps);
            mat_check("layernorm_fwd", &y, wy, 1e-6);
            mat_check_absolute("layernorm_fwd mean", &mean, wm, 1e-7);
            mat_check("layernorm_fwd rstd", &rstd, wr, 1e-6);
            for (size_t c = 0; c < n; c++) {
                wg[c] = accumulate ? mat_at(&dgamma, 0, c) : 0;
                wb[c] = accumulate ? mat_at(&dbeta, 0, c) : 0;
            }
            for (size_t r = 0; r < m; r++) {
                double g1 = 0, g2 = 0;
                for (size_t c = 0; c < n; c++) {
                    const double d = mat_at(&dy, r, c), h = (mat_at(&x, r, c) - wm[r]) * wr[r];
                    g1 += d * mat_at(&gamma, 0, c) / (double)n;
                    g2 += d * mat_at(&gamma, 0, c) * h / (double)n;
                    wg[c] += d * h;
                    wb[c] += d;
                }
                for (size_t c = 0; c < n; c++) {
                    const double h = (mat_at(&x, r, c) - wm[r]) * wr[r];
                    wx[r * n + c] = (accumulate ? mat_at(&dx, r, c) : 0) + wr[r] * (mat_at(&dy, r, c) * mat_at(&gamma, 0, c) - g1 - h * g2);
                }
            }
            bed->ops->layernorm_bwd(bed, dx.v, accumulate, mat_dev(&dgamma), mat_dev(&dbeta), accumulate, dy.v, x.v,
                                    mat_dev(&mean), mat_dev(&rstd), mat_dev(&gamma));
            if (n > 1)  /* of one column the gradient is 0 and nothing but rounding */
                mat_check("layernorm_bwd", &dx, wx, 4e-6);
            mat_check("layernorm_bwd dgamma", &dgamma, wg, n > 1 ? 2e-6 : 1);
            mat_check("layernorm_bwd dbeta", &dbeta, wb, 1e-6);
            if (!accumulate && n > 1) {  /* in place: dx over dy, y over x */
                bed->ops->layernorm_bwd(bed, dy.v, false, mat_dev(&dgamma), mat_dev(&dbeta), false, dy.v, x.v, mat_dev(&mean),
                                        mat_dev(&rstd), mat_dev(&gamma));
                mat_check("layernorm_bwd in place", &dy, wx, 4e-6);
                bed->ops->layernorm_fwd(bed, x.v, NULL, NULL, x.v, mat_dev(&gamma), mat_dev(&beta), eps);
                mat_check("layernorm_fwd in place", &x, wy, 1e-6);
            }
            mat *all[] = {&x, &y, &gamma, &beta, &mean, &rstd, &dy, &dx, &dgamma, &dbeta};
            for (size_t i = 0; i < sizeof all / sizeof *all; i++)
                mat_free(all[i]);
            double *numbers[] = {wy, wm, wr, wx, wg, wb};
            for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
                free(numbers[i]);
        }
}

static double act_of(double x, int act)
{
    switch (act) {
    case REEL_ACT_GELU: return 0.5 * x * (1 + erf(x * M_SQRT1_2));
    case REEL_ACT_GELU_TANH: return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    case REEL_ACT_QUICK_GELU: return x / (1 + exp(-1.702 * x));
    case REEL_ACT_RELU: return x > 0 ? x : 0;
    case REEL_ACT_SILU: return x / (1 + exp(-x));
    default: return x;
    }
}

static void test_activations(void **state)
{
    (void)state;
    for (int act = REEL_ACT_NONE; act <= REEL_ACT_SILU; act++)
        for (size_t s = 0; s < SHAPES; s++) {
            const size_t m = shapes[s][0], n = shapes[s][1], pad = shapes[s][2];
            mat x = mat_new(m, n, n + pad), y = mat_empty(m, n, n), dy = mat_new(m, n, n + pad), dx = mat_empty(m, n, n + 3);
            for (size_t i = 0; i < m * x.v.ld; i++)
                x.host[i] = i % x.v.ld < n ? x.host[i] * 4 : x.host[i];
            mat_put(&x);
            double *wy = doubles(m * n), *wx = doubles(m * n);
            for (size_t i = 0; i < m * n; i++) {
                const double at = mat_at(&x, i / n, i % n), step = 1e-5;
                wy[i] = act_of(at, act);
                wx[i] = mat_at(&dy, i / n, i % n) * (act_of(at + step, act) - act_of(at - step, act)) / (2 * step);
            }
            bed->ops->act_fwd(bed, y.v, x.v, (reel_act)act);
            mat_check_absolute("act_fwd", &y, wy, 5e-7);
            bed->ops->act_bwd(bed, dx.v, y.v, dy.v, x.v, (reel_act)act);
            mat_check_absolute("act_bwd", &dx, wx, 1e-6);
            mat_check_absolute("act_bwd again", &y, wy, 5e-7);
            bed->ops->act_bwd(bed, dy.v, x.v, dy.v, x.v, (reel_act)act);
            mat_check_absolute("act_bwd in place", &dy, wx, 1e-6);
            mat_check_absolute("act_bwd again in place", &x, wy, 5e-7);
            mat_free(&x);
            mat_free(&y);
            mat_free(&dy);
            mat_free(&dx);
            free(wy);
            free(wx);
        }
}

static void test_sums_and_means(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        const size_t b = 3, per = shapes[s][0], m = b * per, n = shapes[s][1], pad = shapes[s][2];
        mat x = mat_new(m, n, n + pad), z = mat_new(m, n, n), y = mat_empty(m, n, n + 1), means = mat_empty(b, n, n + pad);
        mat table = mat_new(per, n, n), dx = mat_empty(m, n, n + pad);
        double *sum = doubles(m * n), *tabled = doubles(m * n), *mean = doubles(b * n), *spread = doubles(m * n);
        for (size_t i = 0; i < m * n; i++) {
            const size_t r = i / n, c = i % n;
            sum[i] = mat_at(&x, r, c) + mat_at(&z, r, c);
            tabled[i] = mat_at(&x, r, c) + mat_at(&table, r % per, c);
            mean[r / per * n + c] += mat_at(&x, r, c) / (double)per;
        }
        bed->ops->add(bed, y.v, x.v, z.v);
        mat_check("add", &y, sum, 1e-7);
        bed->ops->add(bed, z.v, x.v, z.v);
        mat_check("add in place", &z, sum, 1e-7);
        bed->ops->add_table(bed, y.v, x.v, mat_dev(&table), per);
        mat_check("add_table", &y, tabled, 1e-7);
        bed->ops->rows_mean(bed, means.v, x.v);
        mat_check("rows_mean", &means, mean, 2e-7);
        for (size_t i = 0; i < m * n; i++)
            spread[i] = mat_at(&means, i / n / per, i % n) / (double)per;
        bed->ops->rows_mean_bwd(bed, dx.v, means.v);
        mat_check("rows_mean_bwd", &dx, spread, 2e-7);
        mat *all[] = {&x, &z, &y, &means, &table, &dx};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            mat_free(all[i]);
        free(sum);
        free(tabled);
        free(mean);
        free(spread);
    }
}

/* Column (c, dt, dy, dx) of token (time, row, column): the order of models-and-training.md 1.2. */
static void test_patch_gather(void **state)
{
    (void)state;
    static const reel_patching cases[] = {{1, 2, 3, 4, 4, 2, 2, 2}, {2, 5, 3, 9, 14, 2, 3, 7}, {1, 4, 1, 6, 8, 1, 6, 4}, {2, 4, 3, 64, 48, 2, 16, 16}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const reel_patching p = cases[i];
        const size_t times = p.frames / p.t, down = p.height / p.ph, across = p.width / p.pw, width = p.channels * p.t * p.ph * p.pw;
        mat pixels = mat_row(p.batch * p.frames * p.channels * p.height * p.width);
        mat rows = mat_empty(p.batch * times * down * across, width, width + 5);
        double *want = doubles(rows.v.rows * width);
        size_t at = 0;
        for (size_t b = 0; b < p.batch; b++)
            for (size_t time = 0; time < times; time++)
                for (size_t row = 0; row < down; row++)
                    for (size_t col = 0; col < across; col++)
                        for (size_t c = 0; c < p.channels; c++)
                            for (size_t dt = 0; dt < p.t; dt++)
                                for (size_t dy = 0; dy < p.ph; dy++)
                                    for (size_t dx = 0; dx < p.pw; dx++)
                                        want[at++] = (double)pixels.host[(((b * p.frames + time * p.t + dt) * p.channels + c) * p.height +
                                                                           row * p.ph + dy) * p.width + col * p.pw + dx];
        bed->ops->patch_gather(bed, rows.v, mat_dev(&pixels), &p);
        mat_check("patch_gather", &rows, want, 0);
        free(want);
        mat_free(&pixels);
        mat_free(&rows);
    }
}

static void test_dropout(void **state)
{
    (void)state;
    const size_t m = 301, n = 203;
    const float rates[] = {0.0f, 0.1f, 0.5f, 1.0f};
    const uint32_t key[2] = {7, 9}, counter[2] = {3, 1}, other[2] = {3, 2};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        const float p = rates[i];
        mat x = mat_new(m, n, n + 2), y = mat_empty(m, n, n), ones = mat_new(m, n, n), z = mat_empty(m, n, n);
        for (size_t j = 0; j < m * n; j++)
            ones.host[j] = 1;
        mat_put(&ones);
        bed->ops->dropout(bed, ones.v, ones.v, p, key, counter);  /* as the backward: the same mask over the gradient */
        bed->ops->dropout(bed, y.v, x.v, p, key, counter);
        bed->ops->dropout(bed, z.v, x.v, p, key, other);
        mat_get(&ones);
        mat_get(&z);
        double *want = doubles(m * n), kept = 0, differ = 0, neighbours = 0;
        for (size_t j = 0; j < m * n; j++) {
            const double mask = mat_at(&ones, j / n, j % n);
            assert_true(mask == 0 || fabs(mask - 1 / (1 - (double)p)) < 1e-6);
            want[j] = mat_at(&x, j / n, j % n) * mask;
            kept += mask != 0;
            differ += (mask != 0) != (mat_at(&z, j / n, j % n) != 0);
            neighbours += j > 0 && (mask != 0) == (mat_at(&ones, (j - 1) / n, (j - 1) % n) != 0);
        }
        mat_check("dropout", &y, want, 1e-6);
        const double all = (double)(m * n), q = 1 - (double)p, spread = 5 * sqrt(q * (1 - q) / all) + 1e-9;
        assert_true(fabs(kept / all - q) <= spread);
        assert_true(fabs(differ / all - 2 * q * (1 - q)) <= 5 * sqrt(0.25 / all));  /* another counter: another mask */
        assert_true(fabs(neighbours / all - (q * q + (1 - q) * (1 - q))) <= 5 * sqrt(0.25 / all));
        free(want);
        mat_free(&x);
        mat_free(&y);
        mat_free(&ones);
        mat_free(&z);
    }
}

static void test_cast(void **state)
{
    (void)state;
    static const float in[] = {1.0f, -2.5f, 1.00390625f /* half way: even */, 1.01171875f /* half way: up */, 3.4028235e38f, 1e-40f, 0.0f, INFINITY};
    static const uint16_t bits[] = {0x3f80, 0xc020, 0x3f80, 0x3f82, 0x7f80, 0x0001, 0x0000, 0x7f80};
    enum { COUNT = sizeof in / sizeof *in };
    mat x = mat_row(COUNT + 1), back = mat_empty(1, COUNT + 1, COUNT + 1), half = mat_row(COUNT + 1);
    memcpy(x.host, in, sizeof in);
    x.host[COUNT] = NAN;
    mat_put(&x);
    reel_view bf16 = half.v;
    bf16.dtype = REEL_BF16;
    bed->ops->cast(bed, bf16, x.v);
    bed->ops->cast(bed, back.v, bf16);
    mat_get(&half);
    mat_get(&back);
    for (size_t i = 0; i < COUNT; i++) {
        uint16_t got;
        memcpy(&got, (unsigned char *)half.host + 2 * i, 2);
        if (in[i] == 1e-40f)
            assert_in_range(got, 0, 2);  /* a denormal: 1e-40 is 1.09 of the smallest bf16 step */
        else
            assert_int_equal(got, bits[i]);
        uint32_t wide = (uint32_t)got << 16;
        assert_memory_equal(&back.host[i], &wide, 4);
    }
    assert_true(isnan(back.host[COUNT]));
    mat_free(&x);
    mat_free(&back);
    mat_free(&half);
}

BED_MAIN(cmocka_unit_test(test_layernorm), cmocka_unit_test(test_activations), cmocka_unit_test(test_sums_and_means),
         cmocka_unit_test(test_patch_gather), cmocka_unit_test(test_dropout), cmocka_unit_test(test_cast))
