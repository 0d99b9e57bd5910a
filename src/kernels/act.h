/* Activations, by number: the order is that of reel_act in backend/backend.h. */
#ifndef REEL_KERNELS_ACT_H
#define REEL_KERNELS_ACT_H
enum { REEL_KACT_NONE, REEL_KACT_GELU, REEL_KACT_GELU_TANH, REEL_KACT_QUICK_GELU, REEL_KACT_RELU, REEL_KACT_SILU };
#endif
