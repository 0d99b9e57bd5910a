/* pixel_values float32 (N, T, C, H, W) and labels int64 (N) of one safetensors file; class names from its metadata. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "data/build.h"

/* Names from `id2label`, a JSON object {"0": name, …} in the metadata. */
static reel_status read_names(reel_builder *b, const char *text, const char *path, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_json *j = NULL;
    char what[300];
    snprintf(what, sizeof what, "%.250s: id2label in the metadata", path);
    REEL_TRY(reel_json_parse(text, strlen(text), what, false, &j, err));
    size_t n = reel_json_is_object(j) ? reel_json_size(j) : 0;
    if (n == 0 || n > REEL_LABEL_LIMIT + 1)
        REEL_TRY(reel_fail(err, REEL_ERR_FORMAT, "%s must be an object of 1 to %d names", what, REEL_LABEL_LIMIT + 1));
    for (size_t k = 0; k < n; k++) {
        char key[24];
        snprintf(key, sizeof key, "%zu", k);
        const char *name = reel_json_string(reel_json_get(j, key));
        if (name == NULL)
            REEL_TRY(reel_fail(err, REEL_ERR_FORMAT, "%s has no name for label %zu", what, k));
        REEL_TRY(reel_build_class(b, name, err));
    }
done:
    reel_json_free(j);
    return status;
}

static reel_status number_names(reel_builder *b, int64_t n, reel_error *err)
{
    for (int64_t k = 0; k < n; k++) {
        char name[24];
        snprintf(name, sizeof name, "%lld", (long long)k);
        reel_status status = reel_build_class(b, name, err);
        if (status != REEL_OK)
            return status;
    }
    return REEL_OK;
}

static int64_t label_at(const reel_tensor *labels, int64_t i)
{
    int64_t value;
    memcpy(&value, labels->data + 8 * (size_t)i, 8);  /* data may be unaligned */
    return value;
}

static reel_status check_tensors(const reel_tensor *pixels, const reel_tensor *labels, const char *path,
                                 reel_error *err)
{
    char shape[128], other[128];
    if (pixels == NULL || labels == NULL)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: not a packed data set: it has no tensor %s (pixel_values (N,T,C,H,W) float32 "
                         "and labels (N) int64 are wanted)", path, pixels == NULL ? "pixel_values" : "labels");
    reel_shape_text(&pixels->shape, shape, sizeof shape);
    reel_shape_text(&labels->shape, other, sizeof other);
    if (pixels->dtype != REEL_F32 || pixels->shape.rank != 5)
        return reel_fail(err, REEL_ERR_MISMATCH, "%s: pixel_values is %s %s, float32 (N,T,C,H,W) is wanted", path,
                         reel_dtype_name(pixels->dtype), shape);
    if (labels->dtype != REEL_I64 || labels->shape.rank != 1 || labels->shape.dim[0] != pixels->shape.dim[0])
        return reel_fail(err, REEL_ERR_MISMATCH, "%s: labels is %s %s beside pixel_values %s; int64 (N) is wanted", path,
                         reel_dtype_name(labels->dtype), other, shape);
    for (int i = 0; i < 5; i++)
        if (pixels->shape.dim[i] < 1 || pixels->shape.dim[i] > INT32_MAX)
            return reel_fail(err, REEL_ERR_FORMAT, "%s: pixel_values is %s: no clip in it", path, shape);
    return REEL_OK;
}

reel_status reel_open_packed(reel_builder *b, const char *path, reel_error *err)
{
    reel_status status = REEL_OK;
    const reel_tensor *pixels, *labels;
    const char *names;
    int64_t highest = 0;
    REEL_TRY(reel_st_open(path, &b->ds->packed, err));
    b->ds->is_packed = true;
    pixels = reel_tensors_find(&b->ds->packed, "pixel_values");
    labels = reel_tensors_find(&b->ds->packed, "labels");
    REEL_TRY(check_tensors(pixels, labels, path, err));
    names = reel_tensors_metadata(&b->ds->packed, "id2label");
    for (int64_t i = 0; i < labels->shape.dim[0]; i++) {
        int64_t k = label_at(labels, i);
        if (k < 0 || k > REEL_LABEL_LIMIT)
            REEL_TRY(reel_fail(err, REEL_ERR_FORMAT, "%s: label %lld of row %lld is out of range; labels go from 0 to %d", path,
                               (long long)k, (long long)i, REEL_LABEL_LIMIT));
        if (k > highest)
            highest = k;
    }
    REEL_TRY(names != NULL ? read_names(b, names, path, err) : number_names(b, highest + 1, err));
    if (highest >= (int64_t)b->ds->n_classes)
        REEL_TRY(reel_fail(err, REEL_ERR_MISMATCH, "%s: labels go up to %lld, id2label names only %zu", path, (long long)highest,
                           b->ds->n_classes));
    REEL_TRY(reel_build_split(b, "all", err));
    for (int64_t i = 0; i < labels->shape.dim[0]; i++) {
        char shown[32];
        snprintf(shown, sizeof shown, "row %lld", (long long)i);
        REEL_TRY(reel_build_item(b, NULL, shown, (int)label_at(labels, i), 0, err));
    }
done:
    return status;
}
