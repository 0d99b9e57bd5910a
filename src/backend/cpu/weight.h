/* What linear.c keeps of a weight beside its plain numbers: W^T as a right operand (kernels/panel.h). */
#ifndef REEL_BACKEND_CPU_WEIGHT_H
#define REEL_BACKEND_CPU_WEIGHT_H

#include "backend/cpu/type.h"

/* What reel_weight.packed points to. */
typedef struct reel_cpu_weight {
    void *panels;     /* float32, bfloat16 or int8, by the weight's kind */
    float *column;    /* INT8: scale of each row of W */
    int32_t *start;   /* INT8: what its sums begin with, -128 times the row's sum, for x is stored around 128; whole panels */
} reel_cpu_weight;

static inline const reel_cpu_type *reel_cpu_type_of_pack(reel_pack kind)
{
    return kind == REEL_PACK_F32 ? &reel_cpu_f32 : &reel_cpu_bf16;
}

#endif
