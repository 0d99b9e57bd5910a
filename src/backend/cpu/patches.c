/* Pixels of a clip (B, T, C, H, W) into one row a tubelet, in the order of a convolution's weight. */
#include <string.h>

#include "backend/cpu/cpu.h"

/* The patches of one band: clip b, time `time`, row `band` of patches. */
static void gather_band(const reel_cpu *c, reel_view rows, const float *pixels, const reel_patching *p, size_t b, size_t time, size_t band)
{
    const size_t across = p->width / p->pw, plane = p->height * p->width;
    const size_t token = ((b * (p->frames / p->t) + time) * (p->height / p->ph) + band) * across;
    for (size_t ch = 0; ch < p->channels; ch++)
        for (size_t dt = 0; dt < p->t; dt++)
            for (size_t dy = 0; dy < p->ph; dy++) {
                const size_t frame = b * p->frames + time * p->t + dt;
                const float *line = pixels + (frame * p->channels + ch) * plane + (band * p->ph + dy) * p->width;
                const size_t at = ((ch * p->t + dt) * p->ph + dy) * p->pw;
                for (size_t i = 0; i < across; i++)
                    if (rows.dtype == REEL_F32)
                        memcpy(reel_cpu_row(rows, token + i) + at, line + i * p->pw, p->pw * sizeof(float));
                    else
                        c->low.to_bf16(reel_cpu_half_row(rows, token + i) + at, line + i * p->pw, p->pw);
            }
}

void reel_cpu_patch_gather(reel_backend *be, reel_view rows, const float *pixels, const reel_patching *p)
{
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL || !reel_cpu_takes(c, "patch_gather", rows, rows) || be->planning)
        return;
    const size_t times = p->frames / p->t, bands = p->height / p->ph;
#pragma omp parallel for num_threads(c->threads) schedule(static) if (rows.rows * rows.cols >= REEL_CPU_SHARE)
    for (size_t job = 0; job < p->batch * times * bands; job++)
        gather_band(c, rows, pixels, p, job / (times * bands), job / bands % times, job % bands);
}
