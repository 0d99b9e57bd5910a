/* preprocessor_config.json as transformers writes it. */
#include <string.h>

#include "base/mem.h"
#include "transforms/processor.h"

static bool set_pair(reel_json *object, const char *key, int height, int width)
{
    reel_json *pair = reel_json_object();
    bool ok = pair != NULL && reel_json_set_int(pair, "height", height) && reel_json_set_int(pair, "width", width);
    if (!ok) {
        reel_json_free(pair);
        return false;
    }
    return reel_json_set(object, key, pair);
}

static bool set_size(reel_json *object, const reel_processor *p)
{
    if (p->shortest_edge <= 0)
        return set_pair(object, "size", p->height, p->width);
    reel_json *size = reel_json_object();
    bool ok = size != NULL && reel_json_set_int(size, "shortest_edge", p->shortest_edge);
    if (ok && p->longest_edge > 0)
        ok = reel_json_set_int(size, "longest_edge", p->longest_edge);
    if (!ok) {
        reel_json_free(size);
        return false;
    }
    return reel_json_set(object, "size", size);
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

/* Keys that the image processor's file does not have: older names, and those of the video processor. */
static void remove_foreign(reel_json *object)
{
    static const char *const keys[] = {"feature_extractor_type", "processor_class", "video_processor_type", "return_metadata"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (reel_json_get(object, keys[i]) != NULL)
            reel_json_remove(object, keys[i]);
}

char *reel_processor_text(const reel_processor *p)
{
    char *text = NULL, *out = NULL;
    reel_json *object = p->json != NULL ? reel_json_copy(p->json) : reel_json_object();
    if (object == NULL)
        return NULL;
    remove_foreign(object);
    const char *type = reel_json_string(reel_json_get(object, "image_processor_type"));
    bool ok = type != NULL || reel_json_set_string(object, "image_processor_type", "VideoMAEImageProcessor");
    ok = ok && reel_json_set_bool(object, "do_resize", p->do_resize);
    ok = ok && reel_json_set_bool(object, "do_center_crop", p->do_center_crop);
    ok = ok && reel_json_set_bool(object, "do_rescale", p->do_rescale);
    ok = ok && reel_json_set_bool(object, "do_normalize", p->do_normalize);
    ok = ok && set_size(object, p) && set_pair(object, "crop_size", p->crop_height, p->crop_width);
    ok = ok && reel_json_set_int(object, "resample", p->resample);
    ok = ok && reel_json_set_double(object, "rescale_factor", p->rescale_factor);
    ok = ok && set_channels(object, "image_mean", p->mean) && set_channels(object, "image_std", p->std);
    if (ok)
        text = reel_json_dump(object, 2, REEL_JSON_SORTED);
    if (text != NULL)
        out = reel_format("%s\n", text);
    reel_free(text);
    reel_json_free(object);
    return out;
}
