/* The AVX2 rows of the math table. */
#include "kernels/simd_avx2.h"
#include "kernels/math_tmpl.h"
