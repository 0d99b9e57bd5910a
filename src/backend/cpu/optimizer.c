/* Operations over a whole block of parameters. */
#include "backend/cpu/cpu.h"

enum { CHUNK = 1 << 16 };  /* fixed, so that sums do not depend on the number of threads */

void reel_cpu_sum_squares(reel_backend *be, double *out, const float *x, size_t n)
{
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL)
        return;
    const size_t count = (n + CHUNK - 1) / CHUNK;
    double *partial = reel_cpu_scratch(c, (count + 1) * sizeof *partial);
    if (partial == NULL || be->planning)
        return;
#pragma omp parallel for num_threads(c->threads) schedule(static) if (n >= REEL_CPU_SHARE)
    for (size_t i = 0; i < count; i++)
        c->k.sum_squares(&partial[i], x + i * CHUNK, reel_cpu_min(CHUNK, n - i * CHUNK));
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += partial[i];
    *out = sum;
}

void reel_cpu_adamw(reel_backend *be, float *p, float *m, float *v, const float *g, size_t n, const reel_adamw *h)
{
    reel_cpu *c = reel_cpu_running(be);
    if (c == NULL)
        return;
    const float scalars[8] = {h->grad_scale, h->decay, h->one_minus_beta1, h->beta2, h->one_minus_beta2, h->step_size,
                              h->bias2_root, h->eps};
#pragma omp parallel for num_threads(c->threads) schedule(static) if (n >= REEL_CPU_SHARE)
    for (size_t i = 0; i < n; i += CHUNK)
        c->k.adamw(p + i, m + i, v + i, g + i, reel_cpu_min(CHUNK, n - i), scalars);
}
