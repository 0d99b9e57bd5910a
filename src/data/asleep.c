#include "data/parallel.h"

void reel_thread_decodes(const reel_context *ctx)
{
    if (ctx == NULL || ctx->threads < 2)
        return;
    #pragma omp parallel num_threads(2)
    { __asm__ volatile("" ::: "memory"); }
}
