/* The low table's rows for int8 weights in AVX-512, for processors that have VNNI but no bfloat16. */
#include "kernels/simd_avx512.h"
#include "kernels/low_tmpl.h"
