/* Layer norm, means over rows, and the sums over rows that they and the bias gradients need. */
#include <omp.h>
#include <string.h>

#include "backend/cpu/cpu.h"

reel_cpu_blocks reel_cpu_cut(size_t rows)
{
    enum { SMALLEST = 32, MOST = 64 };
    size_t size = (rows + MOST - 1) / MOST;
    size = size < SMALLEST ? SMALLEST : size;
    return (reel_cpu_blocks){size, (rows + size - 1) / size};
}

void reel_cpu_combine(reel_cpu *c, float *out, const float *partial, size_t count, size_t ld, size_t cols, bool accumulate)
{
#pragma omp parallel for num_threads(c->threads) schedule(static) if (count * cols >= REEL_CPU_SHARE)
    for (size_t i = 0; i < cols; i++) {
        double sum = 0;
        for (size_t b = 0; b < count; b++)
            sum += (double)partial[b * ld + i];
        out[i] = accumulate ? (float)((double)out[i] + sum) : (float)sum;
    }
}

void reel_cpu_column_sums(reel_cpu *c, float *out, reel_view x, bool accumulate)
{
    const reel_cpu_blocks cut = reel_cpu_cut(x.rows);
    float *partial = reel_cpu_scratch(c, cut.count * x.cols * sizeof(float));
    if (partial == NULL || reel_cpu_running(&c->base) == NULL)
        return;
#pragma omp parallel for num_threads(c->threads) schedule(static) if (x.rows * x.cols >= REEL_CPU_SHARE)
    for (size_t b = 0; b < cut.count; b++) {
        float *sum = partial + b * x.cols, part[REEL_CPU_PART];
        const size_t first = b * cut.rows, last = reel_cpu_min(first + cut.rows, x.rows);
        memset(sum, 0, x.cols * sizeof *sum);
        for (size_t r = first; r < last; r++)
            for (size_t i = 0, n; i < x.cols; i += n) {
                n = reel_cpu_min(x.cols - i, REEL_CPU_PART);
                c->k.add_bias(sum + i, reel_cpu_load(c, x, r, i, n, part), n);
            }
    }
    reel_cpu_combine(c, out, partial, cut.count, x.cols, x.cols, accumulate);
}

/* A thread's row of numbers; rows that are not float32 are computed one at a time in such. */
static float *row_of_thread(float *rows, size_t cols, size_t which, size_t of)
{
    return rows + ((size_t)omp_get_thread_num() * of + which) * cols;
}

void reel_cpu_layernorm_fwd(reel_backend *be, reel_view y, float *mean, float *rstd, reel_view x, const float *gamma,
                            const float *beta, float eps)
{
    enum { ROWS = 16 };
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL || !reel_cpu_takes(c, "layernorm_fwd", y, x))
        return;
    const bool plain = y.dtype == REEL_F32 && x.dtype == REEL_F32;
    const size_t step = plain ? ROWS : 1, cols = x.cols;
    float *rows = plain ? NULL : reel_cpu_scratch(c, (size_t)c->threads * 2 * cols * sizeof *rows);
    if (be->planning || (!plain && rows == NULL))
        return;
#pragma omp parallel for num_threads(c->threads) schedule(static) if (x.rows * x.cols >= REEL_CPU_SHARE)
    for (size_t r = 0; r < x.rows; r += step) {
        const float *from = reel_cpu_load(c, x, r, 0, cols, plain ? NULL : row_of_thread(rows, cols, 0, 2));
        float *to = reel_cpu_target(y, r, 0, plain ? NULL : row_of_thread(rows, cols, 1, 2));
        c->k.layernorm_fwd(to, y.ld, mean != NULL ? mean + r : NULL, rstd != NULL ? rstd + r : NULL, from, x.ld, gamma, beta, eps,
                           reel_cpu_min(step, x.rows - r), cols);
        reel_cpu_store(c, y, r, 0, cols, to);
    }
}

/* Rows one by one through the buffers of a thread. */
static void layernorm_bwd_rows(const reel_cpu *c, reel_view dx, bool accumulate, float *sums, reel_view dy, reel_view x,
                               const float *mean, const float *rstd, const float *gamma, size_t first, size_t last, float *rows)
{
    const size_t cols = x.cols;
    for (size_t r = first; r < last; r++) {
        const float *slope = reel_cpu_load(c, dy, r, 0, cols, row_of_thread(rows, cols, 0, 3));
        const float *in = reel_cpu_load(c, x, r, 0, cols, row_of_thread(rows, cols, 1, 3));
        float *to = reel_cpu_target(dx, r, 0, row_of_thread(rows, cols, 2, 3));
        if (accumulate && dx.dtype != REEL_F32)
            reel_cpu_load(c, dx, r, 0, cols, to);
        c->k.layernorm_bwd(to, cols, accumulate, sums, sums + cols, slope, cols, in, cols, mean + r, rstd + r, gamma, 1, cols);
        reel_cpu_store(c, dx, r, 0, cols, to);
    }
}

void reel_cpu_layernorm_bwd(reel_backend *be, reel_view dx, bool accumulate_dx, float *dgamma, float *dbeta,
                            bool accumulate_params, reel_view dy, reel_view x, const float *mean, const float *rstd,
                            const float *gamma)
{
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL || !reel_cpu_takes(c, "layernorm_bwd", dx, dy) || !reel_cpu_takes(c, "layernorm_bwd", x, x))
        return;
    const reel_cpu_blocks cut = reel_cpu_cut(x.rows);
    const size_t cols = x.cols, sum_floats = cut.count * 2 * cols;
    const bool plain = dx.dtype == REEL_F32 && dy.dtype == REEL_F32 && x.dtype == REEL_F32;
    float *partial = reel_cpu_scratch(c, (sum_floats + (plain ? 0 : (size_t)c->threads * 3 * cols)) * sizeof(float));
    if (partial == NULL || be->planning)
        return;
#pragma omp parallel for num_threads(c->threads) schedule(static) if (x.rows * cols >= REEL_CPU_SHARE)
    for (size_t b = 0; b < cut.count; b++) {
        const size_t r = b * cut.rows, count = reel_cpu_min(cut.rows, x.rows - r);
        float *sums = partial + b * 2 * cols;
        memset(sums, 0, 2 * cols * sizeof(float));
        if (plain)
            c->k.layernorm_bwd(reel_cpu_row(dx, r), dx.ld, accumulate_dx, sums, sums + cols, reel_cpu_row(dy, r), dy.ld,
                               reel_cpu_row(x, r), x.ld, mean + r, rstd + r, gamma, count, cols);
        else
            layernorm_bwd_rows(c, dx, accumulate_dx, sums, dy, x, mean, rstd, gamma, r, r + count, partial + sum_floats);
    }
    reel_cpu_combine(c, dgamma, partial, cut.count, 2 * cols, cols, accumulate_params);
    reel_cpu_combine(c, dbeta, partial + cols, cut.count, 2 * cols, cols, accumulate_params);
}

void reel_cpu_rows_mean(reel_backend *be, reel_view y, reel_view x)
{
    enum { COLS = 64 };
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL || !reel_cpu_takes_float(c, "rows_mean", y, x) || be->planning || y.rows == 0)
        return;
    const size_t n = x.rows / y.rows, strips = (x.cols + COLS - 1) / COLS;
#pragma omp parallel for num_threads(c->threads) schedule(static) if (x.rows * x.cols >= REEL_CPU_SHARE)
    for (size_t job = 0; job < y.rows * strips; job++) {
        const size_t b = job / strips, first = job % strips * COLS, count = reel_cpu_min(COLS, x.cols - first);
        double sum[COLS] = {0};
        for (size_t r = b * n; r < (b + 1) * n; r++)
            for (size_t i = 0; i < count; i++)
                sum[i] += (double)reel_cpu_row(x, r)[first + i];
        for (size_t i = 0; i < count; i++)
            reel_cpu_row(y, b)[first + i] = (float)(sum[i] / (double)n);
    }
}

void reel_cpu_rows_mean_bwd(reel_backend *be, reel_view dx, reel_view dy)
{
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL || !reel_cpu_takes_float(c, "rows_mean_bwd", dx, dy) || be->planning || dy.rows == 0)
        return;
    const size_t n = dx.rows / dy.rows;
#pragma omp parallel for num_threads(c->threads) schedule(static) if (dx.rows * dx.cols >= REEL_CPU_SHARE)
    for (size_t r = 0; r < dx.rows; r++)
        c->k.scale(reel_cpu_row(dx, r), reel_cpu_row(dy, r / n), 1.0f / (float)n, dx.cols);
}
