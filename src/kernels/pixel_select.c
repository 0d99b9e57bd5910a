/* Which row of the pixel table runs: plain C first, each level overwrites the rows it has. */
#include "base/cpu.h"
#include "kernels/pixel_rows.h"

void reel_pixel_kernels_select(reel_pixel_kernels *k, unsigned cpu_flags)
{
#define K(name, args) k->name = reel_##name##_c;
    REEL_PIXEL_KERNELS(K)
#undef K
    k->isa = "c";
#if defined(__x86_64__)
    if (!(cpu_flags & REEL_CPU_AVX2))
        return;
#define F(name) k->name = reel_##name##_avx2;
    REEL_PIXEL_KERNELS_AVX2(F)
#undef F
    k->isa = "avx2";
    if (!(cpu_flags & REEL_CPU_AVX512))
        return;
#define F(name) k->name = reel_##name##_avx512;
    REEL_PIXEL_KERNELS_AVX512(F)
#undef F
    k->isa = "avx512";
#else
    (void)cpu_flags;
#endif
}
