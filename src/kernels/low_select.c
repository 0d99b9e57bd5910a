/* Which row of the low table runs. */
#include "base/cpu.h"
#include "kernels/low_rows.h"

void reel_low_kernels_select(reel_low_kernels *k, unsigned cpu_flags)
{
#define K(name, args) k->name = reel_##name##_c;
    REEL_LOW_KERNELS(K)
#undef K
    k->tile_rows = 6;
    k->isa = "c";
#if defined(__x86_64__)
    if (!(cpu_flags & REEL_CPU_AVX2))
        return;
#define K(name, args) k->name = reel_##name##_avx2;
    REEL_LOW_KERNELS(K)
#undef K
    k->isa = "avx2";
    if (!(cpu_flags & REEL_CPU_AVX512))
        return;
    k->gelu_near = reel_gelu_near_avx512;
    k->quantise_row = reel_quantise_row_avx512;
    k->dequantise_row = reel_dequantise_row_avx512;
    if (cpu_flags & REEL_CPU_AVX512_VNNI)
        k->int8_block = reel_int8_block_avx512vnni;
    if (!(cpu_flags & REEL_CPU_AVX512_BF16))
        return;
    const reel_low_kernels before = *k;
#define K(name, args) k->name = reel_##name##_avx512bf16;
    REEL_LOW_KERNELS(K)
#undef K
    k->int8_block = before.int8_block;
    k->isa = "avx512bf16";
    if (cpu_flags & REEL_CPU_AMX_INT8)
        k->int8_block = reel_int8_block_amx;
    if (!(cpu_flags & REEL_CPU_AMX_BF16))
        return;
    k->bf16_block = reel_bf16_block_amx;
    k->tile_rows = 32;
    k->isa = "amx";
#else
    (void)cpu_flags;
#endif
}
