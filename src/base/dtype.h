/* Element types and shapes. */
#ifndef REEL_BASE_DTYPE_H
#define REEL_BASE_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum reel_dtype {
    REEL_BOOL, REEL_U8, REEL_I8, REEL_I16, REEL_U16, REEL_I32, REEL_U32, REEL_I64, REEL_U64,
    REEL_F16, REEL_BF16, REEL_F32, REEL_F64, REEL_F8_E5M2, REEL_F8_E4M3, REEL_C64, REEL_F8_E8M0, REEL_F8_E5M2FNUZ,
    REEL_F8_E4M3FNUZ, REEL_DTYPE_STORED,  /* from here on: torch's alone, no safetensors file can hold them */
    REEL_C32 = REEL_DTYPE_STORED, REEL_C128, REEL_DTYPE_COUNT
} reel_dtype;

const char *reel_dtype_name(reel_dtype t);            /* safetensors' name: "F32"; torch's where that has none: "complex128" */
bool reel_dtype_parse(const char *name, reel_dtype *out);  /* safetensors' names, exact case */
size_t reel_dtype_size(reel_dtype t);
bool reel_dtype_is_float(reel_dtype t);               /* reel_dtype_to_float reads it */

/* n numbers of a floating type (F32, F64, F16, BF16, F8_E4M3, F8_E5M2) as float; false for other types. Source may be
 * unaligned. */
bool reel_dtype_to_float(float *out, const void *in, reel_dtype t, size_t n);

enum { REEL_MAX_RANK = 8 };
typedef struct reel_shape { int rank; int64_t dim[REEL_MAX_RANK]; } reel_shape;
bool reel_shape_count(const reel_shape *s, uint64_t *out);      /* product, checked also where a factor is 0 */
bool reel_shape_equal(const reel_shape *a, const reel_shape *b);
void reel_shape_text(const reel_shape *s, char *out, size_t size);  /* "(768, 3, 2, 16, 16)" */

#endif
