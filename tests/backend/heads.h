/* Attention by naive double arithmetic on the numbers that the operands hold, for either type. */
#ifndef REEL_TESTS_BACKEND_HEADS_H
#define REEL_TESTS_BACKEND_HEADS_H

#include "bed.h"

typedef struct heads_shape { size_t batch, heads, nq, nk, d, pad; } heads_shape;

/* q, k, v are columns of qkv where Nq = Nk, else k, v of kv; their gradients likewise. Scores have some spread. */
typedef struct heads {
    heads_shape s;
    float scale;
    mat qkv, kv, o, lse, do_, dqkv, dkv;
    reel_view q, k, v, dq, dk, dv;
} heads;

heads heads_new(heads_shape s, reel_dtype t);
void heads_free(heads *p);
void heads_run_forward(heads *p, bool with_lse);
void heads_run_backward(heads *p);

/* o (rows of q, heads d), lse. size (may be NULL): the same sum as o of magnitudes, for bounds. */
void heads_forward(const heads *p, double *o, double *lse, double *size);

/* From the output o that the backward is given. size (may be NULL): magnitudes. */
typedef struct heads_gradients { double *dq, *dk, *dv; } heads_gradients;
heads_gradients heads_gradients_new(const heads *p);
void heads_gradients_free(heads_gradients *g);
void heads_backward(const heads *p, const double *o, heads_gradients *out, heads_gradients *size);
/* Side by side, as they lie in dqkv (Nq = Nk), or dk and dv in dkv. To be freed. */
double *heads_joined(const heads *p, const heads_gradients *g);

#endif
