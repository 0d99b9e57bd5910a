/* Which of transformers' classes a processor is: its defaults, and its arithmetic. */
#ifndef REEL_TRANSFORMS_PROCESSOR_CLASS_H
#define REEL_TRANSFORMS_PROCESSOR_CLASS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"

typedef struct reel_processor_class {
    const char *model_type;
    const char *video, *image;  /* names; image NULL: a model with a video processor only */
    int shortest_edge;          /* of pictures cropped to 224; 0: always made from the crop (V-JEPA 2) */
    double mean[3], std[3];
    double rescale_factor;
    bool offset;                /* 1 is taken off after rescaling */
} reel_processor_class;

/* That of a model type; VideoMAE's for others and NULL. */
const reel_processor_class *reel_processor_class_of(const char *model_type);

/* The class of a video processor as AutoVideoProcessor finds it: by video_processor_type; by image_processor_type, where a video
 * class of that name exists; by the model's type. */
reel_status reel_processor_class_video(const reel_json *json, const char *what, const char *model_type,
                                       const reel_processor_class **out, reel_error *err);
/* The class of an image processor as AutoImageProcessor finds it: by image_processor_type or feature_extractor_type (in all their
 * forms), else by the model's type. *pillow: it works with Pillow and NumPy. */
reel_status reel_processor_class_image(const reel_json *json, const char *what, const char *model_type,
                                       const reel_processor_class **out, bool *pillow, reel_error *err);

#endif
