#include "transforms/processor_class.h"

#include <string.h>

#include "base/text.h"
#include "format/processor_names.h"

#define HALF {0.5, 0.5, 0.5}
#define IMAGENET_MEAN {0.485, 0.456, 0.406}
#define IMAGENET_STD {0.229, 0.224, 0.225}

enum { VIDEOMAE, TIMESFORMER, VIVIT, VJEPA2, CLASSES };

static const reel_processor_class class_of[CLASSES] = {
    {"videomae", "VideoMAEVideoProcessor", "VideoMAEImageProcessor", 224, HALF, HALF, 1.0 / 255, false},
    {"timesformer", "TimesformerVideoProcessor", "VideoMAEImageProcessor", 224, IMAGENET_MEAN, IMAGENET_STD, 1.0 / 255, false},
    {"vivit", "VivitVideoProcessor", "VivitImageProcessor", 256, HALF, HALF, 1 / 127.5, true},
    {"vjepa2", "VJEPA2VideoProcessor", NULL, 0, IMAGENET_MEAN, IMAGENET_STD, 1.0 / 255, false},
};

/* Other video processors of transformers 5.24, without the ending: an image processor's name that leads to one of them makes one. */
static const char *const foreign[] = {
    "Base", "CohereCompass", "Cosmos3Edge", "EmbeddingGemma2", "Ernie4_5_VLMoe", "Gemma4Unified", "Gemma4", "Glm46V", "Glm4v", "Glm5Next",
    "Glmga", "HYV4VL", "InstructBlipVideo", "InternVL", "Kimi_K25", "LlavaNextVideo", "LlavaOnevision", "MiniCPMOcr", "MiniCPMV4_6",
    "MiniMaxM3VL", "Molmo2", "MuseGlimmer", "NemotronH_Omni_Reasoning_V3", "PeVideo", "PerceptionLM", "Qwen2VL", "Qwen3VL", "Sam2Video",
    "SmolVLM", "VideoLlama3", "VideoLlava", "Videomt",
};

static const char known[] = "VideoMAE, TimeSformer, ViViT and V-JEPA 2";

const reel_processor_class *reel_processor_class_of(const char *model_type)
{
    for (size_t i = 0; model_type != NULL && i < CLASSES; i++)
        if (strcmp(class_of[i].model_type, model_type) == 0)
            return &class_of[i];
    return &class_of[VIDEOMAE];
}

static const reel_processor_class *find_video(const char *stem, size_t n)
{
    for (size_t i = 0; i < CLASSES; i++)
        if (strlen(class_of[i].video) == n + strlen("VideoProcessor") && strncmp(class_of[i].video, stem, n) == 0)
            return &class_of[i];
    return NULL;
}

static bool is_foreign(const char *stem, size_t n)
{
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (strlen(foreign[i]) == n && strncmp(foreign[i], stem, n) == 0)
            return true;
    return false;
}

/* A text, or NULL where there is none or null. */
static reel_status read_name(const reel_json *json, const char *what, const char *key, const char **out, reel_error *err)
{
    const reel_json *j = reel_json_get(json, key);
    *out = reel_json_string(j);
    if (*out == NULL && !reel_json_is_null(j))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: %s must be the name of a class, in quotes", what, key);
    return REEL_OK;
}

static reel_status fail_class(const char *what, const char *key, const char *name, reel_error *err)
{
    return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: %s is %.80s, which works in other ways than those of %s; remove the key where the "
                     "model takes its frames as these do", what, key, name, known);
}

reel_status reel_processor_class_video(const reel_json *json, const char *what, const char *model_type,
                                       const reel_processor_class **out, reel_error *err)
{
    static const char video[] = "VideoProcessor", image[] = "ImageProcessor";
    const char *name;
    *out = reel_processor_class_of(model_type);
    reel_status status = read_name(json, what, "video_processor_type", &name, err);
    if (status != REEL_OK)
        return status;
    if (name != NULL) {
        *out = reel_ends_with(name, video) ? find_video(name, strlen(name) - strlen(video)) : NULL;
        return *out != NULL ? REEL_OK : fail_class(what, "video_processor_type", name, err);
    }
    status = read_name(json, what, "image_processor_type", &name, err);
    if (status != REEL_OK || name == NULL || !reel_ends_with(name, image))
        return status;
    size_t n = strlen(name) - strlen(image);
    if (is_foreign(name, n))
        return fail_class(what, "image_processor_type", name, err);
    const reel_processor_class *found = find_video(name, n);
    if (found != NULL)
        *out = found;
    return REEL_OK;
}

/* An image processor's class by its name without "ImageProcessor" or "FeatureExtractor". */
static bool image_named(const char *name, const char *ending, const char *stem)
{
    size_t n = strlen(stem);
    if (strncmp(name, stem, n) != 0 || strncmp(name + n, ending, strlen(ending)) != 0)
        return false;
    const char *rest = name + n + strlen(ending);
    return *rest == '\0' || strcmp(rest, "Fast") == 0 || strcmp(rest, "Pil") == 0;
}

reel_status reel_processor_class_image(const reel_json *json, const char *what, const char *model_type,
                                       const reel_processor_class **out, bool *pillow, reel_error *err)
{
    const reel_processor_class *of = reel_processor_class_of(model_type);
    const char *name, *key = "image_processor_type", *ending = "ImageProcessor";
    reel_status status = read_name(json, what, key, &name, err);
    if (status == REEL_OK && name == NULL) {
        key = "feature_extractor_type";
        ending = "FeatureExtractor";
        status = read_name(json, what, key, &name, err);
    }
    if (status != REEL_OK)
        return status;
    if (name == NULL && of->image == NULL)
        return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: models of type %s have a video processor only, and none is stored; give "
                         REEL_PROCESSOR_VIDEO_NAME, what, of->model_type);
    if (name != NULL && !image_named(name, ending, "VideoMAE") && !image_named(name, ending, "Vivit"))
        return fail_class(what, key, name, err);
    *pillow = name != NULL ? image_named(name, ending, "Vivit") : strcmp(of->image, class_of[VIVIT].image) == 0;
    *out = &class_of[*pillow ? VIVIT : VIDEOMAE];
    return REEL_OK;
}
