/* The image processor of a checkpoint: which size, crop, mean and std, and its file. */
#ifndef REEL_TRANSFORMS_PROCESSOR_H
#define REEL_TRANSFORMS_PROCESSOR_H

#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"

typedef struct reel_processor {
    bool do_resize, do_center_crop, do_rescale, do_normalize;
    /* size: shortest_edge > 0, or height and width > 0 */
    int shortest_edge, longest_edge, height, width;
    int crop_height, crop_width;
    int resample;               /* Pillow's number; 2 bilinear, 3 bicubic is refused where not done */
    double rescale_factor;
    double mean[3], std[3];
    bool from_file;             /* false: the class's defaults */
    reel_json *json;            /* the file as it was (for saving), or NULL; owned */
} reel_processor;

/* Reads preprocessor_config.json (or the video forms: docs/design.md) of a model folder; where there is none, the class's
 * defaults for `image_size` (VideoMAE: mean and std 0.5). Every field is checked; the crop must give the model its size. */
reel_status reel_processor_read(const char *dir, const char *model_type, int image_height, int image_width,
                                reel_processor *out, reel_error *err);
reel_status reel_processor_parse(const reel_json *json, const char *what, const char *model_type, int image_height,
                                 int image_width, reel_processor *out, reel_error *err);
void reel_processor_free(reel_processor *p);

/* preprocessor_config.json's text as transformers writes it (keys sorted, two spaces, line end). NULL: no memory. */
char *reel_processor_text(const reel_processor *p);

#endif
