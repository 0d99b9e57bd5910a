/* The names of the pixel kernels of every instruction set: reel_<row>_<isa>. */
#ifndef REEL_KERNELS_PIXEL_ROWS_H
#define REEL_KERNELS_PIXEL_ROWS_H

#include "kernels/pixel.h"

#define K(name, args) void reel_##name##_c args;
REEL_PIXEL_KERNELS(K)
#undef K

/* Rows that a faster form was worth writing for. */
#define REEL_PIXEL_KERNELS_AVX2(F) F(yuv_row) F(resize_row_u8) F(resize_col_u8) F(planes_scaled) F(lerp_row) F(lerp_col) F(area_row) F(area_col)
#define REEL_PIXEL_KERNELS_AVX512(F) F(resize_row_u8) F(resize_col_u8) F(planes_scaled) F(lerp_row) F(lerp_col) F(area_row) F(area_col)

#define K(name, args) void reel_##name##_avx2 args; void reel_##name##_avx512 args;
REEL_PIXEL_KERNELS(K)
#undef K

#endif
