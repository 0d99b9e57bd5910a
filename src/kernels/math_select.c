/* Which row of the math table runs: plain C first, each level overwrites. */
#include "kernels/math.h"

#include "base/cpu.h"
#include "kernels/math_rows.h"

void reel_math_kernels_select(reel_math_kernels *k, unsigned cpu_flags)
{
#define K(name, args) k->name = reel_##name##_c;
    REEL_MATH_KERNELS(K)
#undef K
    k->isa = "c";
#if defined(__x86_64__)
    if (!(cpu_flags & REEL_CPU_AVX2))
        return;
#define K(name, args) k->name = reel_##name##_avx2;
    REEL_MATH_KERNELS(K)
#undef K
    k->isa = "avx2";
    if (!(cpu_flags & REEL_CPU_AVX512))
        return;
#define K(name, args) k->name = reel_##name##_avx512;
    REEL_MATH_KERNELS(K)
#undef K
    k->isa = "avx512";
#else
    (void)cpu_flags;
#endif
}
