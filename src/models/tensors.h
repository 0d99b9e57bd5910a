/* Which stored tensor belongs to which parameter of a model. */
#ifndef REEL_MODELS_TENSORS_H
#define REEL_MODELS_TENSORS_H

#include "format/weights.h"
#include "models/arch.h"

/* source[i]: the tensor of parameter i, or NULL; used[t]: tensor t belongs to one. */
typedef struct reel_matching { const reel_tensor **source; bool *used; } reel_matching;

/* Exact names win; then other spellings (reel_tensor_plain_name), with and without the architecture's prefix. REEL_ERR_NOT_FOUND
 * where an index of shards names a tensor of the model that is in none of them. */
reel_status reel_match(const reel_tensors *st, const reel_arch *arch, const reel_params *params, const char *what, reel_matching *out,
                       reel_error *err);
void reel_matching_free(reel_matching *m);

/* The name as a current transformers saves it: without what wraps a model ("module."), gamma and beta of norms as weight and
 * bias, the architecture's own older or other spellings. `name` itself where it is that already, or in buf, or static. */
enum { REEL_TENSOR_NAME = 512 };
const char *reel_tensor_plain_name(const reel_arch *arch, const char *name, char buf[REEL_TENSOR_NAME]);

/* REEL_ERR_UNSUPPORTED where the type is no floating one. */
reel_status reel_tensor_check_type(const reel_tensor *t, const char *what, reel_error *err);
/* The same, and REEL_ERR_MISMATCH where the shape is not the parameter's. */
reel_status reel_tensor_check(const reel_tensor *t, const reel_param *p, const char *what, reel_error *err);
/* REEL_ERR_NUMERIC where a number is not finite as float32. */
reel_status reel_tensor_check_finite(const reel_tensor *t, const char *what, reel_error *err);
/* The numbers as float32, checked likewise. */
reel_status reel_tensor_read(float *out, const reel_tensor *t, const char *what, reel_error *err);

#endif
