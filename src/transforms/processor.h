/* The image or video processor of a checkpoint: sizes, filter, mean and std, and its files in all their forms. */
#ifndef REEL_TRANSFORMS_PROCESSOR_H
#define REEL_TRANSFORMS_PROCESSOR_H

#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"
#include "transforms/processor_class.h"

/* Where it was read. transformers makes a video processor of the first of VIDEO_PART, VIDEO_FILE and IMAGE_FILE that is there, and
 * its pipeline takes that one; only IMAGE_PART makes an image processor alone. */
typedef enum reel_processor_place {
    REEL_PROCESSOR_NOWHERE,      /* no file: the class's defaults */
    REEL_PROCESSOR_VIDEO_PART,   /* processor_config.json, video_processor */
    REEL_PROCESSOR_VIDEO_FILE,   /* video_preprocessor_config.json */
    REEL_PROCESSOR_IMAGE_FILE,   /* preprocessor_config.json */
    REEL_PROCESSOR_IMAGE_PART    /* processor_config.json, image_processor */
} reel_processor_place;

/* What the guide's transforms take from an image processor that is stored beside the video processor, in a place of its own. */
typedef struct reel_processor_beside {
    double mean[3], std[3];
    reel_json *json;             /* as it was; owned */
} reel_processor_beside;

typedef struct reel_processor {
    bool do_resize, do_center_crop, do_rescale, do_normalize;
    bool offset;                 /* 1 is taken off after rescaling (ViViT) */
    bool pillow;                 /* Pillow's and NumPy's arithmetic, not torchvision's */
    /* size: shortest_edge > 0 (and longest_edge, or 0), or height and width > 0, or max_height and max_width > 0 */
    int shortest_edge, longest_edge, height, width, max_height, max_width;
    int crop_height, crop_width;
    int resample;                /* reel_filter */
    double rescale_factor;
    double mean[3], std[3];
    double fps;                  /* frames a second that a video is to be sampled with; 0: not said */
    reel_processor_place place;
    const reel_processor_class *of;  /* NULL: VideoMAE */
    reel_json *json;             /* the file, or the part of it, as it was (for saving), or NULL; owned */
    reel_processor_beside *image;    /* or NULL: this one is all there is; owned */
} reel_processor;

/* Reads the processor of a model folder as transformers' pipeline does (reel_processor_place); where there is none, the class's
 * defaults for the model's size. Every field that has an effect pixels is checked; the crop must give the model its size. */
reel_status reel_processor_read(const char *dir, const char *model_type, int image_height, int image_width,
                                reel_processor *out, reel_error *err);
/* `json` as it lies at `place`; `what` names it in messages. */
reel_status reel_processor_parse(const reel_json *json, reel_processor_place place, const char *what, const char *model_type,
                                 int image_height, int image_width, reel_processor *out, reel_error *err);
/* The mean and std of an image processor, and its text. */
reel_status reel_processor_parse_beside(const reel_json *json, const char *what, reel_processor_beside **out, reel_error *err);
/* The pipeline asks for a number of frames, and refuses a processor that samples by frames a second. */
reel_status reel_processor_check_pipeline(const reel_processor *p, const char *dir, reel_error *err);
void reel_processor_defaults(reel_processor *p, const reel_processor_class *of, int image_height, int image_width);
void reel_processor_free(reel_processor *p);

/* Its file's text as transformers writes it (keys sorted, two spaces, line end), keys of others kept. NULL: no memory. */
char *reel_processor_text(const reel_processor *p);
/* Whether that is a video processor's text; then the image processor's that lies beside it, or is made from it. */
bool reel_processor_is_video(const reel_processor *p);
char *reel_processor_image_text(const reel_processor *p);
/* Writes the files from which transformers makes the same processors: preprocessor_config.json, and video_preprocessor_config.json
 * for a video processor that is not read from it; processor_config.json for an image processor alone. */
reel_status reel_processor_save(const reel_processor *p, const char *dir, reel_error *err);

#endif
