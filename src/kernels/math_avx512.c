/* The AVX-512 rows of the math table. */
#include "kernels/simd_avx512.h"
#include "kernels/math_tmpl.h"
