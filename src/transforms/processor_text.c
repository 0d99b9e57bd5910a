/* A processor's files as transformers writes them. What the file had besides is kept. */
#include <string.h>

#include "base/mem.h"
#include "transforms/processor.h"

static const reel_processor_class *class_of(const reel_processor *p)
{
    return p->of != NULL ? p->of : reel_processor_class_of(NULL);
}

bool reel_processor_is_video(const reel_processor *p)
{
    return p->place == REEL_PROCESSOR_VIDEO_PART || p->place == REEL_PROCESSOR_VIDEO_FILE || class_of(p)->image == NULL ||
           (p->place == REEL_PROCESSOR_IMAGE_FILE && p->image != NULL);
}

static bool set_two(reel_json *object, const char *key, const char *first, int a, const char *second, int b)
{
    reel_json *pair = reel_json_object();
    bool ok = pair != NULL && reel_json_set_int(pair, first, a) && (second == NULL || reel_json_set_int(pair, second, b));
    if (!ok) {
        reel_json_free(pair);
        return false;
    }
    return reel_json_set(object, key, pair);
}

static bool set_size(reel_json *object, const reel_processor *p)
{
    if (p->shortest_edge + p->max_height + p->height == 0)
        return true;  /* null in the file, and without an effect */
    if (p->shortest_edge > 0)
        return set_two(object, "size", "shortest_edge", p->shortest_edge, p->longest_edge > 0 ? "longest_edge" : NULL, p->longest_edge);
    if (p->max_height > 0)
        return set_two(object, "size", "max_height", p->max_height, "max_width", p->max_width);
    return set_two(object, "size", "height", p->height, "width", p->width);
}

static bool set_channels(reel_json *object, const char *key, const double value[3])
{
    reel_json *list = reel_json_array();
    bool ok = list != NULL;
    for (int i = 0; ok && i < 3; i++)
        ok = reel_json_push(list, reel_json_new_double(value[i]));
    if (!ok) {
        reel_json_free(list);
        return false;
    }
    return reel_json_set(object, key, list);
}

static bool fill(reel_json *object, const reel_processor *p)
{
    bool ok = reel_json_set_bool(object, "do_resize", p->do_resize);
    ok = ok && reel_json_set_bool(object, "do_center_crop", p->do_center_crop);
    ok = ok && reel_json_set_bool(object, "do_rescale", p->do_rescale);
    ok = ok && reel_json_set_bool(object, "do_normalize", p->do_normalize);
    ok = ok && set_size(object, p);
    if (p->crop_height > 0)
        ok = ok && set_two(object, "crop_size", "height", p->crop_height, "width", p->crop_width);
    if (p->do_resize || reel_json_get(object, "resample") == NULL)
        ok = ok && reel_json_set_int(object, "resample", p->resample);
    ok = ok && reel_json_set_double(object, "rescale_factor", p->rescale_factor);
    return ok && set_channels(object, "image_mean", p->mean) && set_channels(object, "image_std", p->std);
}

static void remove_keys(reel_json *object, const char *const *key, size_t n)
{
    for (size_t i = 0; i < n; i++)
        reel_json_remove(object, key[i]);
}

static bool set_type(reel_json *object, const char *key, const char *name)
{
    return reel_json_string(reel_json_get(object, key)) != NULL || reel_json_set_string(object, key, name);
}

/* {"image_processor": object}; takes the object. */
static reel_json *as_part(reel_json *object)
{
    reel_json *parts = reel_json_object();
    if (parts == NULL || object == NULL) {
        reel_json_free(parts);
        reel_json_free(object);
        return NULL;
    }
    if (!reel_json_set(parts, "image_processor", object)) {
        reel_json_free(parts);
        return NULL;
    }
    return parts;
}

static reel_json *copy_of(const reel_processor *p)
{
    return p->json != NULL ? reel_json_copy(p->json) : reel_json_object();
}

char *reel_processor_text(const reel_processor *p)
{
    static const char *const old[] = {"feature_extractor_type", "processor_class"}, *const other[] = {"image_processor_type"};
    const reel_processor_class *of = class_of(p);
    bool video = reel_processor_is_video(p), ok;
    reel_json *object = copy_of(p);
    if (object == NULL)
        return NULL;
    if (video) {
        remove_keys(object, other, 1);
        ok = set_type(object, "video_processor_type", of->video);
    } else
        ok = set_type(object, "image_processor_type", of->image);
    remove_keys(object, old, 2);
    if (!ok || !fill(object, p)) {
        reel_json_free(object);
        return NULL;
    }
    if (p->place == REEL_PROCESSOR_IMAGE_PART)
        object = as_part(object);
    char *text = reel_json_file_text(object, REEL_JSON_SORTED);
    reel_json_free(object);
    return text;
}

char *reel_processor_image_text(const reel_processor *p)
{
    static const char *const foreign[] = {"feature_extractor_type", "processor_class", "video_processor_type", "return_metadata",
                                          "do_sample_frames", "fps", "num_frames", "video_metadata", "image_processor_type"};
    if (p->image != NULL)
        return reel_json_file_text(p->image->json, REEL_JSON_SORTED);
    reel_json *object = copy_of(p);
    if (object == NULL)
        return NULL;
    remove_keys(object, foreign, sizeof foreign / sizeof *foreign);
    bool ok = reel_json_set_string(object, "image_processor_type", class_of(p)->image) && fill(object, p);
    if (ok && class_of(p)->offset && !p->do_rescale)
        ok = reel_json_set_bool(object, "offset", false);
    char *text = ok ? reel_json_file_text(object, REEL_JSON_SORTED) : NULL;
    reel_json_free(object);
    return text;
}
