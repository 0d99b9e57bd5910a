/* Operations on one element at a time, shared over rows. */
#include <string.h>

#include "backend/cpu/cpu.h"
#include "base/rng.h"

/* Rows are gone through in parts, so that bfloat16 passes through buffers in the first cache; float32 is read where it lies. */
#define EACH_PART(view, i, n) \
    for (size_t i = 0, n; i < (view).cols && (n = reel_cpu_min((view).cols - i, REEL_CPU_PART), true); i += n)

void reel_cpu_act_fwd(reel_backend *be, reel_view y, reel_view x, reel_act act)
{
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL || !reel_cpu_takes(c, "act_fwd", y, x) || be->planning)
        return;
#pragma omp parallel for num_threads(c->threads) schedule(static) if (y.rows * y.cols >= REEL_CPU_SHARE)
    for (size_t r = 0; r < y.rows; r++) {
        float in[REEL_CPU_PART], out[REEL_CPU_PART];
        EACH_PART(y, i, n) {
            float *to = reel_cpu_target(y, r, i, out);
            c->k.act_fwd(to, reel_cpu_load(c, x, r, i, n, in), n, (int)act);
            reel_cpu_store(c, y, r, i, n, to);
        }
    }
}

void reel_cpu_act_bwd(reel_backend *be, reel_view dx, reel_view again, reel_view dy, reel_view x, reel_act act)
{
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL || !reel_cpu_takes(c, "act_bwd", dx, again) || !reel_cpu_takes(c, "act_bwd", dy, x) || be->planning)
        return;
    const bool both = again.dev != NULL;
#pragma omp parallel for num_threads(c->threads) schedule(static) if (dx.rows * dx.cols >= REEL_CPU_SHARE)
    for (size_t r = 0; r < dx.rows; r++) {
        float in[REEL_CPU_PART], slope[REEL_CPU_PART], out[REEL_CPU_PART], value[REEL_CPU_PART];
        EACH_PART(dx, i, n) {
            float *to = reel_cpu_target(dx, r, i, out), *other = both ? reel_cpu_target(again, r, i, value) : NULL;
            c->k.act_bwd(to, other, reel_cpu_load(c, dy, r, i, n, slope), reel_cpu_load(c, x, r, i, n, in), n, (int)act);
            reel_cpu_store(c, dx, r, i, n, to);
            if (both)
                reel_cpu_store(c, again, r, i, n, other);
        }
    }
}

static void add_rows(const reel_cpu *c, reel_view y, reel_view a, size_t r, reel_view b, size_t row_of_b)
{
    float left[REEL_CPU_PART], right[REEL_CPU_PART], out[REEL_CPU_PART];
    EACH_PART(y, i, n) {
        float *to = reel_cpu_target(y, r, i, out);
        c->k.add(to, reel_cpu_load(c, a, r, i, n, left), reel_cpu_load(c, b, row_of_b, i, n, right), n);
        reel_cpu_store(c, y, r, i, n, to);
    }
}

void reel_cpu_add(reel_backend *be, reel_view y, reel_view a, reel_view b)
{
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL || !reel_cpu_takes(c, "add", y, a) || !reel_cpu_takes(c, "add", b, b) || be->planning)
        return;
#pragma omp parallel for num_threads(c->threads) schedule(static) if (y.rows * y.cols >= REEL_CPU_SHARE)
    for (size_t r = 0; r < y.rows; r++)
        add_rows(c, y, a, r, b, r);
}

void reel_cpu_add_table(reel_backend *be, reel_view y, reel_view x, const float *table, size_t period)
{
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL || !reel_cpu_takes(c, "add_table", y, x) || be->planning)
        return;
    union { const float *in; void *out; } address = {.in = table};  /* only read */
    const reel_view rows = {address.out, REEL_F32, period, y.cols, y.cols};
#pragma omp parallel for num_threads(c->threads) schedule(static) if (y.rows * y.cols >= REEL_CPU_SHARE)
    for (size_t r = 0; r < y.rows; r++)
        add_rows(c, y, x, r, rows, r % period);
}

/* Four neighbours of a row share one Philox block: counter (counter[0], counter[1], row, column / 4). */
void reel_cpu_dropout(reel_backend *be, reel_view y, reel_view x, float p, const uint32_t key[2], const uint32_t counter[2])
{
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL || !reel_cpu_takes(c, "dropout", y, x) || be->planning)
        return;
    const float factor = p < 1.0f ? 1.0f / (1.0f - p) : 0.0f;
#pragma omp parallel for num_threads(c->threads) schedule(static) if (y.rows * y.cols >= REEL_CPU_SHARE)
    for (size_t r = 0; r < y.rows; r++) {
        float in[REEL_CPU_PART], out[REEL_CPU_PART];
        EACH_PART(y, first, n) {
            float *to = reel_cpu_target(y, r, first, out);
            const float *from = reel_cpu_load(c, x, r, first, n, in);
            for (size_t i = 0; i < n; i += 4) {  /* a part begins at a multiple of four */
                const uint32_t place[4] = {counter[0], counter[1], (uint32_t)r, (uint32_t)((first + i) / 4)};
                uint32_t words[4];
                reel_philox(key, place, words);
                for (size_t j = i; j < n && j < i + 4; j++)
                    to[j] = reel_unit_float(words[j - i]) >= p ? from[j] * factor : 0.0f;
            }
            reel_cpu_store(c, y, r, first, n, to);
        }
    }
}

void reel_cpu_cast(reel_backend *be, reel_view y, reel_view x)
{
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL || !reel_cpu_takes(c, "cast", y, x) || be->planning)
        return;
#pragma omp parallel for num_threads(c->threads) schedule(static) if (y.rows * y.cols >= REEL_CPU_SHARE)
    for (size_t r = 0; r < y.rows; r++) {
        if (x.dtype == y.dtype)
            memmove(reel_dtype_size(y.dtype) == 2 ? (void *)reel_cpu_half_row(y, r) : (void *)reel_cpu_row(y, r),
                    reel_dtype_size(x.dtype) == 2 ? (void *)reel_cpu_half_row(x, r) : (void *)reel_cpu_row(x, r),
                    y.cols * reel_dtype_size(x.dtype));
        else if (y.dtype == REEL_BF16)
            c->low.to_bf16(reel_cpu_half_row(y, r), reel_cpu_row(x, r), y.cols);
        else
            c->low.from_bf16(reel_cpu_row(y, r), reel_cpu_half_row(x, r), y.cols);
    }
}
