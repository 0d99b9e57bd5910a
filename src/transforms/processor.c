/* The fields of a processor's file, old and new forms. What has an effect on pixels is checked before it is used, and refused by name
 * where it cannot be followed; the rest is kept. */
#include "transforms/processor_fields.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "transforms/filter.h"

const reel_json *reel_field_get(const reel_field *f, const char *key)
{
    return reel_json_get(f->json, key);
}

reel_status reel_field_bool(const reel_field *f, const char *key, bool *out, reel_error *err)
{
    const reel_json *j = reel_field_get(f, key);
    if (j == NULL)
        return REEL_OK;
    if (!reel_json_is_bool(j) && !reel_json_is_null(j))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: %s must be true or false", f->what, key);
    *out = reel_json_is_bool(j) && reel_json_true(j);
    return REEL_OK;
}

static reel_status read_channels(const reel_field *f, const char *key, bool needed, double out[3], reel_error *err)
{
    const reel_json *j = reel_field_get(f, key);
    if (j == NULL || (reel_json_is_null(j) && (f->lenient || !needed)))
        return REEL_OK;
    if (reel_json_is_null(j))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: %s is null, but do_normalize is true; give three numbers, or set do_normalize to "
                         "false", f->what, key);
    bool one = reel_json_is_number(j) || (!f->lenient && reel_json_is_array(j) && reel_json_size(j) == 1);
    if (!one && (!reel_json_is_array(j) || reel_json_size(j) != 3))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: %s must be three numbers, one for each of red, green and blue", f->what, key);
    for (size_t i = 0; i < 3; i++) {
        const reel_json *item = reel_json_is_array(j) ? reel_json_at(j, one ? 0 : i) : j;
        double v = reel_json_is_number(item) ? reel_json_number(item) : NAN;
        if (!isfinite(v) || fabs(v) > 1e6)
            return reel_fail(err, REEL_ERR_FORMAT, "%s: %s holds something that is not a usable number", f->what, key);
        out[i] = v;
    }
    return REEL_OK;
}

static reel_status read_factor(const reel_field *f, reel_processor *p, reel_error *err)
{
    const reel_json *j = reel_field_get(f, "rescale_factor");
    if (j == NULL || (reel_json_is_null(j) && !p->do_rescale))
        return REEL_OK;
    double v = reel_json_is_number(j) ? reel_json_number(j) : NAN;
    if (!isfinite(v) || v < 1e-6 || v > 1e6)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: rescale_factor must be a positive number such as 1/255", f->what);
    p->rescale_factor = v;
    return REEL_OK;
}

static reel_status read_resample(const reel_field *f, reel_processor *p, reel_error *err)
{
    const reel_json *j = reel_field_get(f, "resample");
    int64_t n;
    if (j == NULL || !p->do_resize)
        return REEL_OK;
    if (!reel_json_is_number(j) || !reel_json_integer(j, &n))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: resample must be the number of a filter (2: bilinear)", f->what);
    if (n < 0 || n >= REEL_FILTERS)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: resample is %lld, which is no filter; 0 to 5 are, and 2 is bilinear", f->what,
                         (long long)n);
    p->resample = (int)n;
    if (!p->pillow && (n == REEL_FILTER_BOX || n == REEL_FILTER_HAMMING))
        return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: resample is %lld (%s), which torchvision, and so transformers' %s, cannot do; "
                         "0 (nearest), 1 (Lanczos), 2 (bilinear) and 3 (bicubic) are possible", f->what, (long long)n,
                         reel_filter_name((reel_filter)n), p->of->video);
    return REEL_OK;
}

/* ViViT's image processor can leave the 1 where it is; its video processor cannot. */
static reel_status read_offset(const reel_field *f, reel_processor *p, reel_error *err)
{
    reel_status status = p->pillow ? reel_field_bool(f, "offset", &p->offset, err) : REEL_OK;
    if (status == REEL_OK && p->pillow && p->offset && !p->do_rescale)
        status = reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: do_rescale is false, but offset is not; set offset to false too", f->what);
    return status;
}

static reel_status read_fps(const reel_field *f, reel_processor *p, reel_error *err)
{
    const reel_json *j = reel_field_get(f, "fps");
    if (reel_json_is_null(j))
        return REEL_OK;
    double v = reel_json_is_number(j) ? reel_json_number(j) : NAN;
    if (!isfinite(v) || v <= 0)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: fps must be a positive number, or null", f->what);
    p->fps = v;
    return REEL_OK;
}

/* Frames come with their channels last. */
static reel_status check_layout(const reel_field *f, const reel_processor *p, reel_error *err)
{
    const char *layout = reel_json_string(reel_field_get(f, "input_data_format"));
    if (reel_json_is_null(reel_field_get(f, "input_data_format")) || p->pillow)
        return REEL_OK;
    if (layout == NULL || strcmp(layout, "channels_last") != 0)
        return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: input_data_format is %.40s, but decoded frames are channels_last; remove the key",
                         f->what, layout != NULL ? layout : "no text");
    return REEL_OK;
}

static reel_status check_std(const reel_field *f, const reel_processor *p, reel_error *err)
{
    for (int i = 0; i < 3 && p->do_normalize; i++)
        if (p->std[i] <= 0 || !((float)p->std[i] > 0))
            return reel_fail(err, REEL_ERR_FORMAT, "%s: image_std is %g for channel %d; dividing by zero or by less is impossible",
                             f->what, p->std[i], i);
    return REEL_OK;
}

void reel_processor_defaults(reel_processor *p, const reel_processor_class *of, int image_height, int image_width)
{
    int side = image_height < image_width ? image_width : image_height;
    *p = (reel_processor){.do_resize = true, .do_center_crop = true, .do_rescale = true, .do_normalize = true, .of = of,
                          .resample = REEL_FILTER_BILINEAR, .rescale_factor = of->rescale_factor, .offset = of->offset};
    p->crop_height = image_height;
    p->crop_width = image_width;
    p->shortest_edge = of->shortest_edge == 224 ? side : (int)((int64_t)side * 256 / 224);
    memcpy(p->mean, of->mean, sizeof p->mean);
    memcpy(p->std, of->std, sizeof p->std);
}

static reel_status read_flags(const reel_field *f, reel_processor *p, reel_error *err)
{
    reel_status status;
    REEL_TRY(reel_field_bool(f, "do_resize", &p->do_resize, err));
    REEL_TRY(reel_field_bool(f, "do_center_crop", &p->do_center_crop, err));
    REEL_TRY(reel_field_bool(f, "do_rescale", &p->do_rescale, err));
    status = reel_field_bool(f, "do_normalize", &p->do_normalize, err);
done:
    return status;
}

static reel_status read_values(const reel_field *f, reel_processor *p, reel_error *err)
{
    reel_status status;
    REEL_TRY(read_factor(f, p, err));
    REEL_TRY(read_offset(f, p, err));
    REEL_TRY(read_channels(f, "image_mean", p->do_normalize, p->mean, err));
    REEL_TRY(read_channels(f, "image_std", p->do_normalize, p->std, err));
    REEL_TRY(check_std(f, p, err));
    REEL_TRY(read_fps(f, p, err));
    status = check_layout(f, p, err);
done:
    return status;
}

reel_status reel_processor_parse(const reel_json *json, reel_processor_place place, const char *what, const char *model_type,
                                 int image_height, int image_width, reel_processor *out, reel_error *err)
{
    reel_status status = REEL_OK;
    const reel_processor_class *of = NULL;
    bool pillow = false;
    *out = (reel_processor){0};
    if (!reel_json_is_object(json))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: must hold a JSON object, {…}", what);
    if (place == REEL_PROCESSOR_IMAGE_PART)
        REEL_TRY(reel_processor_class_image(json, what, model_type, &of, &pillow, err));
    else
        REEL_TRY(reel_processor_class_video(json, what, model_type, &of, err));
    reel_field f = {json, what, pillow};
    reel_processor_defaults(out, of, image_height, image_width);
    out->pillow = pillow;
    out->place = place;
    REEL_TRY(read_flags(&f, out, err));
    REEL_TRY(reel_processor_read_size(&f, out, image_height, image_width, err));
    REEL_TRY(read_resample(&f, out, err));
    REEL_TRY(read_values(&f, out, err));
    out->json = reel_json_copy(json);
    if (out->json == NULL)
        status = reel_fail_nomem(err, what);
done:
    if (status != REEL_OK)
        reel_processor_free(out);
    return status;
}

reel_status reel_processor_parse_beside(const reel_json *json, const char *what, reel_processor_beside **out, reel_error *err)
{
    reel_status status = REEL_OK;
    const reel_processor_class *of = reel_processor_class_of(NULL);  /* all image processors have the same mean and std by default */
    reel_field f = {json, what, true};
    *out = NULL;
    if (!reel_json_is_object(json))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: must hold a JSON object, {…}", what);
    reel_processor p = {.do_normalize = true};
    memcpy(p.mean, of->mean, sizeof p.mean);
    memcpy(p.std, of->std, sizeof p.std);
    REEL_TRY(read_channels(&f, "image_mean", false, p.mean, err));
    REEL_TRY(read_channels(&f, "image_std", false, p.std, err));
    REEL_TRY(check_std(&f, &p, err));
    *out = reel_calloc(1, sizeof **out);
    if (*out != NULL)
        (*out)->json = reel_json_copy(json);
    if (*out == NULL || (*out)->json == NULL) {
        reel_free(*out);
        *out = NULL;
        return reel_fail_nomem(err, what);
    }
    memcpy((*out)->mean, p.mean, sizeof p.mean);
    memcpy((*out)->std, p.std, sizeof p.std);
done:
    return status;
}

reel_status reel_processor_check_pipeline(const reel_processor *p, const char *dir, reel_error *err)
{
    if (p->fps > 0)
        return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: the processor's fps is %g, but a model takes a fixed number of frames, and "
                         "the pipeline cannot follow both; set fps to null in its file, or sample in another way than as the pipeline",
                         dir, p->fps);
    return REEL_OK;
}

void reel_processor_free(reel_processor *p)
{
    reel_json_free(p->json);
    if (p->image != NULL)
        reel_json_free(p->image->json);
    reel_free(p->image);
    *p = (reel_processor){0};
}
