/* The rows of the math table by instruction set; for math_select.c and the tests. */
#ifndef REEL_KERNELS_MATH_ROWS_H
#define REEL_KERNELS_MATH_ROWS_H

#include "kernels/math.h"

#define K(name, args) void reel_##name##_c args; void reel_##name##_avx2 args; void reel_##name##_avx512 args;
REEL_MATH_KERNELS(K)
#undef K

#endif
