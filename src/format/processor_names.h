/* The files that hold a processor, as transformers calls them. */
#ifndef REEL_FORMAT_PROCESSOR_NAMES_H
#define REEL_FORMAT_PROCESSOR_NAMES_H

#define REEL_PROCESSOR_IMAGE_NAME "preprocessor_config.json"
#define REEL_PROCESSOR_VIDEO_NAME "video_preprocessor_config.json"
#define REEL_PROCESSOR_PARTS_NAME "processor_config.json"

/* All of them, for a list: a model's folder has some. */
#define REEL_PROCESSOR_NAMES REEL_PROCESSOR_IMAGE_NAME, REEL_PROCESSOR_VIDEO_NAME, REEL_PROCESSOR_PARTS_NAME

#endif
