/* preprocessor_config.json and its relatives, old and new forms. Every field is checked before it is used. */
#include "transforms/processor.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

enum { MOST_SIDE = 16384 };

typedef struct field { const reel_json *json; const char *what; } field;  /* the object, and its file's name for messages */

static reel_status read_bool(const field *f, const char *key, bool *out, reel_error *err)
{
    const reel_json *j = reel_json_get(f->json, key);
    if (reel_json_is_null(j))
        return REEL_OK;
    if (!reel_json_is_bool(j))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: %s must be true or false", f->what, key);
    *out = reel_json_true(j);
    return REEL_OK;
}

/* A length in pixels, 1 to MOST_SIDE. */
static reel_status read_side(const field *f, const char *key, const char *part, const reel_json *j, int *out, reel_error *err)
{
    int64_t n;
    if (!reel_json_is_number(j) || !reel_json_integer(j, &n))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: %s%s must be a whole number of pixels", f->what, key, part);
    if (n < 1)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: %s%s is %lld; it must be at least 1", f->what, key, part, (long long)n);
    if (n > MOST_SIDE)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: %s%s is %lld, too large; the limit is %d pixels", f->what, key, part,
                         (long long)n, MOST_SIDE);
    *out = (int)n;
    return REEL_OK;
}

static reel_status read_pair(const field *f, const char *key, const reel_json *j, int *height, int *width, reel_error *err)
{
    reel_status status = REEL_OK;
    if (reel_json_is_array(j)) {
        if (reel_json_size(j) != 2)
            return reel_fail(err, REEL_ERR_FORMAT, "%s: %s must be two numbers, [height, width]", f->what, key);
        REEL_TRY(read_side(f, key, "[0]", reel_json_at(j, 0), height, err));
        REEL_TRY(read_side(f, key, "[1]", reel_json_at(j, 1), width, err));
        return REEL_OK;
    }
    REEL_TRY(read_side(f, key, ".height", reel_json_get(j, "height"), height, err));
    REEL_TRY(read_side(f, key, ".width", reel_json_get(j, "width"), width, err));
done:
    return status;
}

static reel_status read_size(const field *f, reel_processor *p, reel_error *err)
{
    reel_status status = REEL_OK;
    const reel_json *j = reel_json_get(f->json, "size");
    if (reel_json_is_null(j))
        return REEL_OK;
    p->shortest_edge = p->longest_edge = p->height = p->width = 0;
    if (reel_json_is_number(j))
        return read_side(f, "size", "", j, &p->shortest_edge, err);
    if (reel_json_is_array(j))
        return read_pair(f, "size", j, &p->height, &p->width, err);
    if (!reel_json_is_object(j))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: size must be a number, [height, width] or {\"shortest_edge\": …}", f->what);
    if (reel_json_get(j, "shortest_edge") != NULL) {
        REEL_TRY(read_side(f, "size", ".shortest_edge", reel_json_get(j, "shortest_edge"), &p->shortest_edge, err));
        if (!reel_json_is_null(reel_json_get(j, "longest_edge")))
            REEL_TRY(read_side(f, "size", ".longest_edge", reel_json_get(j, "longest_edge"), &p->longest_edge, err));
        return REEL_OK;
    }
    if (reel_json_get(j, "height") == NULL && reel_json_get(j, "width") == NULL)
        return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: size has neither shortest_edge nor height and width; other forms are not "
                         "supported", f->what);
    return read_pair(f, "size", j, &p->height, &p->width, err);
done:
    return status;
}

static reel_status read_crop(const field *f, reel_processor *p, reel_error *err)
{
    const reel_json *j = reel_json_get(f->json, "crop_size");
    if (reel_json_is_null(j))
        return REEL_OK;
    if (reel_json_is_number(j)) {
        reel_status status = read_side(f, "crop_size", "", j, &p->crop_height, err);
        p->crop_width = p->crop_height;
        return status;
    }
    if (!reel_json_is_array(j) && !reel_json_is_object(j))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: crop_size must be a number, [height, width] or {\"height\": …, \"width\": …}",
                         f->what);
    return read_pair(f, "crop_size", j, &p->crop_height, &p->crop_width, err);
}

static reel_status read_channels(const field *f, const char *key, double out[3], reel_error *err)
{
    const reel_json *j = reel_json_get(f->json, key);
    if (reel_json_is_null(j))
        return REEL_OK;
    bool one = reel_json_is_number(j);
    if (!one && (!reel_json_is_array(j) || reel_json_size(j) != 3))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: %s must be three numbers, one for each of red, green and blue", f->what, key);
    for (size_t i = 0; i < 3; i++) {
        const reel_json *item = one ? j : reel_json_at(j, i);
        double v = reel_json_is_number(item) ? reel_json_number(item) : NAN;
        if (!isfinite(v) || fabs(v) > 1e6)
            return reel_fail(err, REEL_ERR_FORMAT, "%s: %s holds something that is not a usable number", f->what, key);
        out[i] = v;
    }
    return REEL_OK;
}

static reel_status read_factor(const field *f, reel_processor *p, reel_error *err)
{
    const reel_json *j = reel_json_get(f->json, "rescale_factor");
    if (reel_json_is_null(j))
        return REEL_OK;
    double v = reel_json_is_number(j) ? reel_json_number(j) : NAN;
    if (!isfinite(v) || v < 1e-6 || v > 1e6)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: rescale_factor must be a positive number such as 1/255", f->what);
    p->rescale_factor = v;
    return REEL_OK;
}

static reel_status read_resample(const field *f, reel_processor *p, reel_error *err)
{
    static const char *const filter[] = {"nearest", "Lanczos", "bilinear", "bicubic", "box", "Hamming"};
    const reel_json *j = reel_json_get(f->json, "resample");
    int64_t n;
    if (reel_json_is_null(j))
        return REEL_OK;
    if (!reel_json_is_number(j) || !reel_json_integer(j, &n))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: resample must be the number of a filter (2: bilinear)", f->what);
    if (n < 0 || n > 5)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: resample is %lld, which is no filter; 0 to 5 are, and 2 (bilinear) is supported",
                         f->what, (long long)n);
    if (n != 2)
        return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: resample is %lld (%s); only 2 (bilinear) is supported", f->what,
                         (long long)n, filter[n]);
    p->resample = (int)n;
    return REEL_OK;
}

/* Relations between the fields, and with the model. */
static reel_status check(const field *f, const reel_processor *p, int image_height, int image_width, reel_error *err)
{
    for (int i = 0; i < 3 && p->do_normalize; i++)
        if (p->std[i] <= 0 || !((float)p->std[i] > 0))
            return reel_fail(err, REEL_ERR_FORMAT, "%s: image_std is %g for channel %d; dividing by zero or by less is impossible",
                             f->what, p->std[i], i);
    if (p->do_center_crop && (p->crop_height != image_height || p->crop_width != image_width))
        return reel_fail(err, REEL_ERR_MISMATCH, "%s: crop_size is %dx%d (height x width), but image_size of the model is %dx%d",
                         f->what, p->crop_height, p->crop_width, image_height, image_width);
    if (!p->do_center_crop && p->do_resize && p->shortest_edge == 0 && (p->height != image_height || p->width != image_width))
        return reel_fail(err, REEL_ERR_MISMATCH, "%s: size is %dx%d (height x width), but image_size of the model is %dx%d", f->what,
                         p->height, p->width, image_height, image_width);
    return REEL_OK;
}

static void defaults(reel_processor *p, const char *model_type, int image_height, int image_width)
{
    static const double imagenet_mean[3] = {0.485, 0.456, 0.406}, imagenet_std[3] = {0.229, 0.224, 0.225};
    *p = (reel_processor){.do_resize = true, .do_center_crop = true, .do_rescale = true, .do_normalize = true, .resample = 2,
                          .rescale_factor = 1.0 / 255};
    p->crop_height = image_height;
    p->crop_width = image_width;
    p->shortest_edge = image_height < image_width ? image_width : image_height;
    bool imagenet = model_type != NULL && (strcmp(model_type, "timesformer") == 0 || strcmp(model_type, "vjepa2") == 0);
    for (int i = 0; i < 3; i++) {
        p->mean[i] = imagenet ? imagenet_mean[i] : 0.5;
        p->std[i] = imagenet ? imagenet_std[i] : 0.5;
    }
}

reel_status reel_processor_parse(const reel_json *json, const char *what, const char *model_type, int image_height,
                                 int image_width, reel_processor *out, reel_error *err)
{
    reel_status status = REEL_OK;
    field f = {json, what};
    defaults(out, model_type, image_height, image_width);
    if (!reel_json_is_object(json))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: must hold a JSON object, {…}", what);
    REEL_TRY(read_bool(&f, "do_resize", &out->do_resize, err));
    REEL_TRY(read_bool(&f, "do_center_crop", &out->do_center_crop, err));
    REEL_TRY(read_bool(&f, "do_rescale", &out->do_rescale, err));
    REEL_TRY(read_bool(&f, "do_normalize", &out->do_normalize, err));
    REEL_TRY(read_size(&f, out, err));
    REEL_TRY(read_crop(&f, out, err));
    REEL_TRY(read_resample(&f, out, err));
    REEL_TRY(read_factor(&f, out, err));
    REEL_TRY(read_channels(&f, "image_mean", out->mean, err));
    REEL_TRY(read_channels(&f, "image_std", out->std, err));
    REEL_TRY(check(&f, out, image_height, image_width, err));
    out->json = reel_json_copy(json);
    if (out->json == NULL)
        status = reel_fail_nomem(err, what);
    out->from_file = true;
done:
    if (status != REEL_OK)
        reel_processor_free(out);
    return status;
}

void reel_processor_free(reel_processor *p)
{
    reel_json_free(p->json);
    *p = (reel_processor){0};
}

/* Where a processor may be described, in the order of transformers; `key` names a part of the file. */
static const struct { const char *file, *key; } places[] = {
    {"processor_config.json", "video_processor"},
    {"video_preprocessor_config.json", NULL},
    {"processor_config.json", "image_processor"},
    {"preprocessor_config.json", NULL},
};

static reel_status read_place(const char *path, const char *key, const char *model_type, int height, int width,
                              reel_processor *out, bool *found, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_json *json = NULL;
    const reel_json *part;
    *found = false;
    REEL_TRY(reel_json_read(path, REEL_JSON_LIMIT, false, &json, err));
    part = key != NULL ? reel_json_get(json, key) : json;
    if (key != NULL && reel_json_is_null(part))
        goto done;
    REEL_TRY(reel_processor_parse(part, path, model_type, height, width, out, err));
    *found = true;
done:
    reel_json_free(json);
    return status;
}

reel_status reel_processor_read(const char *dir, const char *model_type, int image_height, int image_width,
                                reel_processor *out, reel_error *err)
{
    defaults(out, model_type, image_height, image_width);
    for (size_t i = 0; dir != NULL && i < sizeof places / sizeof *places; i++) {
        char *path = reel_path_join(dir, places[i].file);
        if (path == NULL)
            return reel_fail_nomem(err, dir);
        bool found = false;
        reel_status status = REEL_OK;
        if (reel_exists(path))
            status = read_place(path, places[i].key, model_type, image_height, image_width, out, &found, err);
        reel_free(path);
        if (status != REEL_OK || found)
            return status;
        defaults(out, model_type, image_height, image_width);
    }
    return REEL_OK;
}
