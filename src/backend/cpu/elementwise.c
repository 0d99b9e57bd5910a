/* Operations on one element at a time, shared over rows. */
#include <string.h>

#include "backend/cpu/cpu.h"
#include "base/rng.h"

void reel_cpu_act_fwd(reel_backend *be, reel_view y, reel_view x, reel_act act)
{
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL || !reel_cpu_takes(c, "act_fwd", y, x) || be->planning)
        return;
#pragma omp parallel for num_threads(c->threads) schedule(static) if (y.rows * y.cols >= REEL_CPU_SHARE)
    for (size_t r = 0; r < y.rows; r++)
        c->k.act_fwd(reel_cpu_row(y, r), reel_cpu_row(x, r), y.cols, (int)act);
}

void reel_cpu_act_bwd(reel_backend *be, reel_view dx, reel_view again, reel_view dy, reel_view x, reel_act act)
{
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL || !reel_cpu_takes(c, "act_bwd", dx, again) || !reel_cpu_takes(c, "act_bwd", dy, x) || be->planning)
        return;
#pragma omp parallel for num_threads(c->threads) schedule(static) if (dx.rows * dx.cols >= REEL_CPU_SHARE)
    for (size_t r = 0; r < dx.rows; r++)
        c->k.act_bwd(reel_cpu_row(dx, r), again.dev != NULL ? reel_cpu_row(again, r) : NULL, reel_cpu_row(dy, r),
                     reel_cpu_row(x, r), dx.cols, (int)act);
}

void reel_cpu_add(reel_backend *be, reel_view y, reel_view a, reel_view b)
{
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL || !reel_cpu_takes(c, "add", y, a) || !reel_cpu_takes(c, "add", b, b) || be->planning)
        return;
#pragma omp parallel for num_threads(c->threads) schedule(static) if (y.rows * y.cols >= REEL_CPU_SHARE)
    for (size_t r = 0; r < y.rows; r++)
        c->k.add(reel_cpu_row(y, r), reel_cpu_row(a, r), reel_cpu_row(b, r), y.cols);
}

void reel_cpu_add_table(reel_backend *be, reel_view y, reel_view x, const float *table, size_t period)
{
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL || !reel_cpu_takes(c, "add_table", y, x) || be->planning)
        return;
#pragma omp parallel for num_threads(c->threads) schedule(static) if (y.rows * y.cols >= REEL_CPU_SHARE)
    for (size_t r = 0; r < y.rows; r++)
        c->k.add(reel_cpu_row(y, r), reel_cpu_row(x, r), table + r % period * y.cols, y.cols);
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
        float *to = reel_cpu_row(y, r);
        const float *from = reel_cpu_row(x, r);
        for (size_t i = 0; i < y.cols; i += 4) {
            const uint32_t place[4] = {counter[0], counter[1], (uint32_t)r, (uint32_t)(i / 4)};
            uint32_t words[4];
            reel_philox(key, place, words);
            for (size_t j = i; j < y.cols && j < i + 4; j++)
                to[j] = reel_unit_float(words[j - i]) >= p ? from[j] * factor : 0.0f;
        }
    }
}

static uint16_t bf16_from_float(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    if ((u & 0x7FFFFFFFu) > 0x7F800000u)
        return (uint16_t)(u >> 16 | 0x40u);  /* stays not a number */
    return (uint16_t)((u + 0x7FFFu + (u >> 16 & 1u)) >> 16);
}

static void cast_row(reel_view y, reel_view x, size_t r)
{
    const size_t bytes = reel_dtype_size(x.dtype);
    const unsigned char *from = (const unsigned char *)x.dev + r * x.ld * bytes;
    unsigned char *to = (unsigned char *)y.dev + r * y.ld * reel_dtype_size(y.dtype);
    if (x.dtype == y.dtype) {
        memmove(to, from, y.cols * bytes);
    } else if (y.dtype == REEL_BF16) {
        for (size_t i = 0; i < y.cols; i++)
            ((uint16_t *)(void *)to)[i] = bf16_from_float(((const float *)(const void *)from)[i]);
    } else {
        for (size_t i = 0; i < y.cols; i++) {
            uint32_t u = (uint32_t)((const uint16_t *)(const void *)from)[i] << 16;
            memcpy((float *)(void *)to + i, &u, sizeof u);
        }
    }
}

void reel_cpu_cast(reel_backend *be, reel_view y, reel_view x)
{
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL)
        return;
    if ((y.dtype != REEL_F32 && y.dtype != REEL_BF16) || (x.dtype != REEL_F32 && x.dtype != REEL_BF16)) {
        reel_backend_fail(be, REEL_ERR_UNSUPPORTED, "cast: the cpu back end knows F32 and BF16, not %s to %s",
                          reel_dtype_name(x.dtype), reel_dtype_name(y.dtype));
        return;
    }
    if (be->planning)
        return;
#pragma omp parallel for num_threads(c->threads) schedule(static) if (y.rows * y.cols >= REEL_CPU_SHARE)
    for (size_t r = 0; r < y.rows; r++)
        cast_row(y, x, r);
}
