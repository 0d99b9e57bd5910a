/* What several tests compute in double. */
#ifndef REEL_TESTS_BACKEND_NAIVE_H
#define REEL_TESTS_BACKEND_NAIVE_H

#include <math.h>

#include "backend/backend.h"

static inline double naive_act(double x, reel_act act)
{
    switch (act) {
    case REEL_ACT_GELU: return 0.5 * x * (1 + erf(x * M_SQRT1_2));
    case REEL_ACT_GELU_TANH: return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    case REEL_ACT_QUICK_GELU: return x / (1 + exp(-1.702 * x));
    case REEL_ACT_RELU: return x > 0 ? x : 0;
    case REEL_ACT_SILU: return x / (1 + exp(-x));
    default: return x;
    }
}

/* By how much the table lets GELU be off where its result becomes bfloat16 (backend.h). */
static inline double naive_near_gelu(double x, reel_act act, reel_dtype y)
{
    return act != REEL_ACT_GELU || y != REEL_BF16 ? 0 : fabs(x) <= 4.2 ? 6e-5 : 2.2e-4;
}

#endif
