/* Reading the fields of a processor's file. */
#ifndef REEL_TRANSFORMS_PROCESSOR_FIELDS_H
#define REEL_TRANSFORMS_PROCESSOR_FIELDS_H

#include "transforms/processor.h"

typedef struct reel_field {
    const reel_json *json;
    const char *what;  /* its name in messages */
    bool lenient;      /* ViViT's image processor takes null for a size, mean or std as the default */
} reel_field;

const reel_json *reel_field_get(const reel_field *f, const char *key);
/* null is false, as it is in Python; only a key that is not there leaves the default. */
reel_status reel_field_bool(const reel_field *f, const char *key, bool *out, reel_error *err);
/* size and crop_size, once the flags are known; what comes out must be as large as the model takes it. */
reel_status reel_processor_read_size(const reel_field *f, reel_processor *p, int image_height, int image_width, reel_error *err);

#endif
