/* pytorch_model.bin: the zip that torch.save writes since 1.6, with a pickle of the state dict and a record a storage. Tensors are
 * used where they lie in the mapped file; those that are views of another order are copied. The form before is recognised. */
#ifndef REEL_FORMAT_TORCH_H
#define REEL_FORMAT_TORCH_H

#include "format/tensors.h"

/* The bytes of a whole file; the tensors point into them. `what` names them in messages. */
reel_status reel_torch_read(const uint8_t *file, size_t size, const char *what, reel_tensors *out, reel_error *err);
reel_status reel_torch_open(const char *path, reel_tensors *out, reel_error *err);  /* one file, mapped */

#endif
