#include "data/lens.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "hub/locate.h"

enum { DEFAULT_FRAMES = 16, DEFAULT_SIZE = 224, SIDE_LIMIT = 4096, FRAMES_LIMIT = 1024 };

/* What of config.json a clip depends on; checked here because layers below models may not ask them. */
typedef struct shape { char type[64]; int64_t frames, height, width; } shape;

static reel_status read_integer(const reel_json *j, const char *what, const char *key, int64_t most, int64_t *out,
                                reel_error *err)
{
    if (!reel_json_integer(j, out) || *out < 1 || *out > most)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: %s must be a whole number from 1 to %lld", what, key, (long long)most);
    return REEL_OK;
}

static reel_status read_shape(const char *dir, shape *out, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_json *j = NULL;
    char *path = reel_path_join(dir, "config.json");
    const reel_json *frames, *size;
    const char *type;
    *out = (shape){ .type = "" };
    if (path == NULL)
        REEL_TRY(reel_fail_nomem(err, dir));
    REEL_TRY(reel_json_read(path, REEL_JSON_LIMIT, false, &j, err));
    type = reel_json_string(reel_json_get(j, "model_type"));
    if (type == NULL || strlen(type) >= sizeof out->type)
        REEL_TRY(reel_fail(err, REEL_ERR_FORMAT, "%s: model_type is missing or no name", path));
    memcpy(out->type, type, strlen(type) + 1);
    frames = reel_json_get(j, "num_frames");
    size = reel_json_get(j, "image_size");
    out->frames = DEFAULT_FRAMES;
    out->height = out->width = DEFAULT_SIZE;
    if (!reel_json_is_null(frames))
        REEL_TRY(read_integer(frames, path, "num_frames", FRAMES_LIMIT, &out->frames, err));
    if (reel_json_is_array(size) && reel_json_size(size) == 2) {
        REEL_TRY(read_integer(reel_json_at(size, 0), path, "image_size", SIDE_LIMIT, &out->height, err));
        REEL_TRY(read_integer(reel_json_at(size, 1), path, "image_size", SIDE_LIMIT, &out->width, err));
    } else if (!reel_json_is_null(size)) {
        REEL_TRY(read_integer(size, path, "image_size", SIDE_LIMIT, &out->height, err));
        out->width = out->height;
    }
done:
    reel_json_free(j);
    reel_free(path);
    return status;
}

/* VideoMAE's processor with the mean and std of its released checkpoints. */
static void default_processor(reel_processor *p, int size)
{
    static const double mean[3] = { 0.485, 0.456, 0.406 }, std[3] = { 0.229, 0.224, 0.225 };
    reel_processor_defaults(p, reel_processor_class_of(NULL), size, size);
    memcpy(p->mean, mean, sizeof mean);
    memcpy(p->std, std, sizeof std);
}

/* Another size than the model's: the processor scales with it. */
static void resize_processor(reel_processor *p, int was, int size)
{
    if (p->shortest_edge > 0)
        p->shortest_edge = (int)((int64_t)p->shortest_edge * size / was);
    if (p->longest_edge > 0)
        p->longest_edge = (int)((int64_t)p->longest_edge * size / was);
    if (p->height > 0)
        p->height = p->width = size;
    if (p->max_height > 0) {
        p->max_height = (int)((int64_t)p->max_height * size / was);
        p->max_width = (int)((int64_t)p->max_width * size / was);
    }
    p->crop_height = p->crop_width = size;
}

static reel_status open_model(const char *dir, int64_t image_size, reel_lens *v, reel_error *err)
{
    shape s;
    reel_status status = read_shape(dir, &s, err);
    if (status == REEL_OK)
        status = reel_processor_read(dir, s.type, (int)s.height, (int)s.width, &v->processor, err);
    if (status != REEL_OK)
        return status;
    v->frames = (int)s.frames;
    v->height = (int)s.height;
    v->width = (int)s.width;
    if (image_size > 0 && (image_size != s.height || image_size != s.width)) {
        resize_processor(&v->processor, (int)s.height, (int)image_size);
        v->height = v->width = (int)image_size;
    }
    return REEL_OK;
}

static reel_transform_kind kind_of(const char *name)
{
    return strcmp(name, "train") == 0 ? REEL_TRANSFORM_TRAIN
         : strcmp(name, "processor") == 0 ? REEL_TRANSFORM_PROCESSOR : REEL_TRANSFORM_EVAL;
}

reel_frames_mode reel_view_mode(const char *sampling)
{
    return strcmp(sampling, "random") == 0 ? REEL_FRAMES_RANDOM
         : strcmp(sampling, "pipeline") == 0 ? REEL_FRAMES_WHOLE : REEL_FRAMES_WINDOW;
}

reel_status reel_lens_open(reel_context *ctx, const reel_lens_wish *wish, reel_lens *out, reel_error *err)
{
    reel_status status = REEL_OK;
    char *dir = NULL;
    *out = (reel_lens){ .frames = DEFAULT_FRAMES };
    if (wish->model[0] != 0) {
        REEL_TRY(reel_hub_locate_processor(ctx, wish->model, &dir, err));
        REEL_TRY(open_model(dir, wish->image_size, out, err));
    } else {
        out->height = out->width = wish->image_size > 0 ? (int)wish->image_size : DEFAULT_SIZE;
        default_processor(&out->processor, out->width);
        reel_log(ctx, REEL_LOG_NOTE, "data", "no --model: clips as VideoMAE takes them, with ImageNet's mean and std");
    }
    if (wish->num_frames > 0)
        out->frames = (int)wish->num_frames;
    out->seconds = wish->clip_duration > 0 ? wish->clip_duration : out->frames * wish->sample_rate / wish->fps;
    if (!(out->seconds > 0) || !isfinite(out->seconds))
        REEL_TRY(reel_fail(err, REEL_ERR_ARG, "a clip of %g seconds cannot be taken: see --fps, --sample_rate, --clip_duration",
                           out->seconds));
    if (!reel_mul(&out->clip_floats, (size_t)out->height * (size_t)out->width * 3, (size_t)out->frames))
        REEL_TRY(reel_fail_nomem(err, "a clip"));
    reel_pixel_kernels_select(&out->kernels, ctx != NULL ? ctx->cpu_flags : 0);
    out->transform = (reel_transform){ .kind = kind_of(wish->transform), .processor = &out->processor, .height = out->height,
                                       .width = out->width, .min_size = (int)wish->min_size, .max_size = (int)wish->max_size,
                                       .flip = wish->flip, .kernels = &out->kernels };
done:
    reel_free(dir);
    if (status != REEL_OK)
        reel_lens_close(out);
    return status;
}

void reel_lens_close(reel_lens *lens)
{
    reel_processor_free(&lens->processor);
    *lens = (reel_lens){ 0 };
}

reel_status reel_pick_split(const reel_dataset *ds, const char *name, int *split, reel_error *err)
{
    reel_text have = { 0 };
    reel_status status = REEL_OK;
    *split = ds->n_splits == 1 && strcmp(ds->splits[0], "all") == 0 ? 0 : reel_dataset_split(ds, name);
    if (*split >= 0)
        return REEL_OK;
    for (size_t i = 0; i < ds->n_splits; i++)
        reel_text_printf(&have, "%s%s", i > 0 ? ", " : "", ds->splits[i]);
    status = have.failed ? reel_fail_nomem(err, ds->path)
                         : reel_fail(err, REEL_ERR_NOT_FOUND, "%s: there is no split %s; --split takes %s", ds->path, name, have.s);
    reel_text_free(&have);
    return status;
}
