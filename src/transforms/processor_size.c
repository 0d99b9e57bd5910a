/* Sizes of a processor's file: what pictures are resized to and cropped to. */
#include <string.h>

#include "transforms/processor_fields.h"

enum { MOST_SIDE = 16384 };

/* A length in pixels, 1 to MOST_SIDE. */
static reel_status read_side(const reel_field *f, const char *key, const char *part, const reel_json *j, int *out, reel_error *err)
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

static reel_status read_pair(const reel_field *f, const char *key, const reel_json *j, int *height, int *width, reel_error *err)
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

/* Every key of `j` is `a` or `b`; *other: one that is neither. */
static bool only(const reel_json *j, const char *a, const char *b, const char **other)
{
    for (void *it = reel_json_first(j); it != NULL; it = reel_json_next(j, it)) {
        *other = reel_json_key(it);
        if (strcmp(*other, a) != 0 && strcmp(*other, b) != 0)
            return false;
    }
    return true;
}

static reel_status read_edges(const reel_field *f, reel_processor *p, const reel_json *j, reel_error *err)
{
    reel_status status = REEL_OK;
    REEL_TRY(read_side(f, "size", ".shortest_edge", reel_json_get(j, "shortest_edge"), &p->shortest_edge, err));
    if (!reel_json_is_null(reel_json_get(j, "longest_edge")))
        REEL_TRY(read_side(f, "size", ".longest_edge", reel_json_get(j, "longest_edge"), &p->longest_edge, err));
    if (p->pillow)
        p->longest_edge = 0;  /* ViViT's image processor does not look at it */
done:
    return status;
}

static reel_status read_size_object(const reel_field *f, reel_processor *p, const reel_json *j, reel_error *err)
{
    static const char forms[] = "{\"shortest_edge\": …}, with \"longest_edge\" or without, and {\"height\": …, \"width\": …} are "
                                "possible";
    const char *other = "";
    if (reel_json_get(j, "shortest_edge") != NULL && only(j, "shortest_edge", "longest_edge", &other))
        return read_edges(f, p, j, err);
    if ((reel_json_get(j, "height") != NULL || reel_json_get(j, "width") != NULL) && only(j, "height", "width", &other))
        return read_pair(f, "size", j, &p->height, &p->width, err);
    if (reel_json_get(j, "max_height") != NULL && !p->pillow && only(j, "max_height", "max_width", &other)) {
        reel_status status = read_side(f, "size", ".max_height", reel_json_get(j, "max_height"), &p->max_height, err);
        return status != REEL_OK ? status : read_side(f, "size", ".max_width", reel_json_get(j, "max_width"), &p->max_width, err);
    }
    if (*other == '\0' && reel_json_first(j) != NULL)
        other = reel_json_key(reel_json_first(j));
    return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: size is given by %.60s, and this processor cannot resize by that; %s", f->what,
                     *other != '\0' ? other : "nothing", forms);
}

static reel_status read_size(const reel_field *f, reel_processor *p, reel_error *err)
{
    bool square = false;
    const reel_json *j = reel_field_get(f, "size");
    if (j == NULL || (reel_json_is_null(j) && f->lenient))
        return REEL_OK;
    p->shortest_edge = p->longest_edge = p->height = p->width = 0;
    if (reel_json_is_null(j))
        return !p->do_resize ? REEL_OK : reel_fail(err, REEL_ERR_FORMAT, "%s: size is null, but do_resize is true; give a size, or "
                                                   "set do_resize to false", f->what);
    if (reel_json_is_array(j))
        return read_pair(f, "size", j, &p->height, &p->width, err);
    if (reel_json_is_object(j))
        return read_size_object(f, p, j, err);
    if (!reel_json_is_number(j))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: size must be a number, [height, width] or {\"shortest_edge\": …}", f->what);
    reel_status status = p->pillow ? REEL_OK : reel_field_bool(f, "default_to_square", &square, err);
    if (status == REEL_OK)
        status = read_side(f, "size", "", j, &p->shortest_edge, err);
    if (status == REEL_OK && square) {
        p->height = p->width = p->shortest_edge;
        p->shortest_edge = 0;
    }
    return status;
}

static reel_status read_crop(const reel_field *f, reel_processor *p, reel_error *err)
{
    const reel_json *j = reel_field_get(f, "crop_size");
    const char *other = "";
    if (j == NULL || (reel_json_is_null(j) && f->lenient))
        return REEL_OK;
    p->crop_height = p->crop_width = 0;
    if (reel_json_is_null(j)) {
        if (!p->do_center_crop && p->of->shortest_edge > 0)
            return REEL_OK;
        return reel_fail(err, REEL_ERR_FORMAT, "%s: crop_size is null, but %s; give the size of the model's pictures", f->what,
                         p->do_center_crop ? "do_center_crop is true" : "the size is made from it");
    }
    if (reel_json_is_number(j)) {
        reel_status status = read_side(f, "crop_size", "", j, &p->crop_height, err);
        p->crop_width = p->crop_height;
        return status;
    }
    if (!reel_json_is_array(j) && !reel_json_is_object(j))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: crop_size must be a number, [height, width] or {\"height\": …, \"width\": …}",
                         f->what);
    if (reel_json_is_object(j) && !only(j, "height", "width", &other))
        return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: crop_size has the key %.60s; {\"height\": …, \"width\": …} is wanted", f->what,
                         other);
    return read_pair(f, "crop_size", j, &p->crop_height, &p->crop_width, err);
}

/* What comes out is as large as the model takes it. */
static reel_status check_size(const reel_field *f, const reel_processor *p, int image_height, int image_width, reel_error *err)
{
    bool exact = p->height > 0;
    if (p->do_center_crop && (p->crop_height != image_height || p->crop_width != image_width))
        return reel_fail(err, REEL_ERR_MISMATCH, "%s: crop_size is %dx%d (height x width), but image_size of the model is %dx%d",
                         f->what, p->crop_height, p->crop_width, image_height, image_width);
    if (!p->do_center_crop && p->do_resize && exact && (p->height != image_height || p->width != image_width))
        return reel_fail(err, REEL_ERR_MISMATCH, "%s: size is %dx%d (height x width), but image_size of the model is %dx%d", f->what,
                         p->height, p->width, image_height, image_width);
    return REEL_OK;
}

/* A file that says the crop but not the size leaves that to its class; one that says neither, or the size alone, is made to fit the model. */
reel_status reel_processor_read_size(const reel_field *f, reel_processor *p, int image_height, int image_width, reel_error *err)
{
    reel_status status = REEL_OK;
    if (reel_field_get(f, "crop_size") != NULL && p->of->shortest_edge > 0)
        p->shortest_edge = p->of->shortest_edge;
    REEL_TRY(read_crop(f, p, err));
    if (p->of->shortest_edge > 0)
        REEL_TRY(read_size(f, p, err));
    else
        p->shortest_edge = (int)((int64_t)p->crop_height * 256 / 224);
    status = check_size(f, p, image_height, image_width, err);
done:
    return status;
}
