/* The rows of the low table by instruction set; for low_select.c and the tests. */
#ifndef REEL_KERNELS_LOW_ROWS_H
#define REEL_KERNELS_LOW_ROWS_H

#include "kernels/low.h"

#define K(name, args) void reel_##name##_c args; void reel_##name##_avx2 args; void reel_##name##_avx512bf16 args;
REEL_LOW_KERNELS(K)
#undef K
/* What int8 inference needs on processors that have VNNI but no bfloat16. */
void reel_gelu_near_avx512(float *y, const float *x, size_t n);
void reel_quantise_row_avx512(uint8_t *q, const float *x, size_t n, float *scale);
void reel_dequantise_row_avx512(float *y, const int32_t *acc, size_t n, float row, const float *column, const float *bias);
void reel_int8_block_avx512vnni(int32_t *c, size_t ldc, const uint8_t *a, size_t lda, const int8_t *b, const int32_t *start, size_t m, size_t n,
                                size_t k);
void reel_int8_block_amx(int32_t *c, size_t ldc, const uint8_t *a, size_t lda, const int8_t *b, const int32_t *start, size_t m, size_t n,
                                size_t k);
void reel_bf16_block_amx(float *c, size_t ldc, const uint16_t *a, size_t lda, const uint16_t *b, size_t m, size_t n, size_t k,
                         bool sum);

#endif
