/* Which stored tensor belongs to which parameter of a model. */
#ifndef REEL_MODELS_TENSORS_H
#define REEL_MODELS_TENSORS_H

#include "format/safetensors.h"
#include "models/arch.h"

/* source[i]: the tensor of parameter i, or NULL; used[t]: tensor t belongs to one. */
typedef struct reel_matching { const reel_st_tensor **source; bool *used; } reel_matching;

reel_status reel_match(const reel_st *st, const reel_arch *arch, const reel_params *params, const char *what, reel_matching *out,
                       reel_error *err);
void reel_matching_free(reel_matching *m);

/* REEL_ERR_MISMATCH where the shape is not the parameter's, REEL_ERR_UNSUPPORTED where the type is no floating one. */
reel_status reel_tensor_check(const reel_st_tensor *t, const reel_param *p, const char *what, reel_error *err);
/* REEL_ERR_NUMERIC where a number is not finite as float32. */
reel_status reel_tensor_check_finite(const reel_st_tensor *t, const char *what, reel_error *err);
/* The numbers as float32, checked likewise. */
reel_status reel_tensor_read(float *out, const reel_st_tensor *t, const char *what, reel_error *err);

#endif
