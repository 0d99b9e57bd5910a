/* `reel preview`: one clip as the model sees it. */
#include <reel/data.h>

#include <string.h>

#include "args/args.h"
#include "args/jobs.h"
#include "base/mem.h"
#include "base/text.h"
#include "data/lens.h"
#include "hub/locate.h"
#include "video/encode.h"

enum { GAP = 4, PAPER = 255, FRAME_CENTISECONDS = 25 };

typedef struct preview {
    reel_preview_info shown;   /* first: what the caller gets */
    reel_context *ctx;
    const reel_preview_args *args;
    reel_dataset *ds;          /* NULL where a single video is shown */
    reel_item item;            /* that video */
    reel_lens view;
    double mean[3], std[3];    /* of the clip's numbers (reel_transform_levels) */
    float *clip;
    int64_t *index;
    double *time;
    char *output, *video, *label;
    char *path;                /* of the single video */
} preview;

static reel_status alloc_clip(preview *p, reel_error *err)
{
    size_t n = (size_t)p->view.frames;
    reel_status status = reel_memory_check(p->ctx, (uint64_t)p->view.clip_floats * 5, "a clip", NULL, err);
    if (status != REEL_OK)
        return status;
    p->clip = reel_alloc_aligned(p->view.clip_floats, sizeof(float));
    p->index = reel_calloc(n, sizeof *p->index);
    p->time = reel_calloc(n, sizeof *p->time);
    return p->clip != NULL && p->index != NULL && p->time != NULL ? REEL_OK : reel_fail_nomem(err, p->args->output);
}

/* Mean and std that a packed file was made with: three numbers in its metadata. */
static void read_three(const reel_tensors *st, const char *key, double out[3])
{
    reel_json *j = NULL;
    const char *text = reel_tensors_metadata(st, key);
    if (text == NULL || reel_json_parse(text, strlen(text), key, false, &j, NULL) != REEL_OK)
        return;
    for (size_t i = 0; reel_json_is_array(j) && reel_json_size(j) == 3 && i < 3; i++)
        if (reel_json_is_number(reel_json_at(j, i)))
            out[i] = reel_json_number(reel_json_at(j, i));
    reel_json_free(j);
}

static reel_status take_row(preview *p, const reel_item *item, reel_error *err)
{
    const reel_tensor *t = reel_tensors_find(&p->ds->packed, "pixel_values");
    reel_status status = REEL_OK;
    uint64_t floats = t->bytes / 4 / (uint64_t)t->shape.dim[0];
    if (t->shape.dim[2] != 3)
        return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: clips of %lld channels cannot be shown; 3 are wanted", p->ds->path,
                         (long long)t->shape.dim[2]);
    p->view.frames = (int)t->shape.dim[1];
    p->view.height = (int)t->shape.dim[3];
    p->view.width = (int)t->shape.dim[4];
    p->view.clip_floats = (size_t)floats;
    read_three(&p->ds->packed, "image_mean", p->mean);
    read_three(&p->ds->packed, "image_std", p->std);
    REEL_TRY(alloc_clip(p, err));
    memcpy(p->clip, t->data + (size_t)(item - p->ds->item) * p->view.clip_floats * 4, p->view.clip_floats * 4);
done:
    return status;
}

static reel_status take_clip(preview *p, const reel_item *item, reel_error *err)
{
    const reel_preview_args *a = p->args;
    reel_status status = REEL_OK;
    reel_plan_trace trace = { 0 };
    reel_plan plan = { .item = item, .label = item->label, .mode = reel_view_mode(a->sampling), .seconds = p->view.seconds,
                       .clip = (int)a->clip, .clips = 1 };
    if (p->ds != NULL && p->ds->is_packed)
        return take_row(p, item, err);
    REEL_TRY(alloc_clip(p, err));
    trace.index = p->index;
    trace.time = p->time;
    reel_plan_draw(&plan, (uint64_t)a->seed, (uint32_t)a->epoch, (uint64_t)a->index);  /* as train draws for this sample */
    REEL_TRY(reel_plan_carry_out(p->ctx, &plan, &p->view.transform, p->view.frames, a->autorotate, 0, p->clip, &trace, err));
    reel_plan_warn(p->ctx, &trace, item->shown);
    if (trace.repeated)
        reel_log(p->ctx, REEL_LOG_WARNING, "warning", "%s: fewer than %d frames; some repeat", item->shown, p->view.frames);
    p->shown.sampled = (size_t)p->view.frames;
    p->shown.index = p->index;
    p->shown.time = p->time;
done:
    return status;
}

static reel_status find_item(preview *p, const reel_item **item, reel_error *err)
{
    const reel_preview_args *a = p->args;
    reel_status status = REEL_OK;
    int split = 0;
    size_t first, n;
    if (a->video[0] != 0) {
        REEL_TRY(reel_hub_locate_data(p->ctx, a->video, &p->path, err));
        p->item = (reel_item){ .path = p->path, .shown = a->video, .label = -1, .group = -1, .duration = -1 };
        *item = &p->item;
        goto done;
    }
    REEL_TRY(reel_dataset_open(p->ctx, a->data, &p->ds, err));
    REEL_TRY(reel_pick_split(p->ds, a->split, &split, err));
    n = reel_dataset_items(p->ds, split, &first);
    if (a->index < 0 || (uint64_t)a->index >= n)
        REEL_TRY(reel_fail(err, REEL_ERR_ARG, "--index: %lld is not one of the %zu videos of %s (they count from 0)",
                           (long long)a->index, n, p->ds->splits[split]));
    *item = &p->ds->item[first + (size_t)a->index];
done:
    return status;
}

/* Frames row by row on one page, as near to a square as they go. */
static reel_status write_sheet(const preview *p, const uint8_t *rgb, const char *path, reel_error *err)
{
    const reel_lens *v = &p->view;
    int columns = 1, rows;
    while (columns * columns < v->frames)
        columns++;
    rows = (v->frames + columns - 1) / columns;
    size_t line = (size_t)v->width * 3;
    size_t page_w = (size_t)columns * (size_t)(v->width + GAP) + GAP, page_h = (size_t)rows * (size_t)(v->height + GAP) + GAP;
    uint8_t *page = page_w > 65535 || page_h > 65535 ? NULL : reel_alloc_aligned(page_w * page_h, 3);
    if (page == NULL)
        return reel_fail_nomem(err, path);
    memset(page, PAPER, page_w * page_h * 3);
    for (int f = 0; f < v->frames; f++)
        for (int y = 0; y < v->height; y++) {
            size_t top = (size_t)(f / columns) * (size_t)(v->height + GAP) + GAP + (size_t)y;
            size_t left = (size_t)(f % columns) * (size_t)(v->width + GAP) + GAP;
            memcpy(page + (top * page_w + left) * 3, rgb + ((size_t)f * (size_t)v->height + (size_t)y) * line, line);
        }
    reel_status status = reel_png_write(path, page, (int)page_w, (int)page_h, err);
    reel_free(page);
    return status;
}

static reel_status write_output(preview *p, reel_error *err)
{
    const reel_lens *v = &p->view;
    const char *path = p->args->output;
    if (reel_ends_with(path, ".safetensors")) {
        const reel_st_entry entry = { "pixel_values", REEL_F32, { 5, { 1, v->frames, 3, v->height, v->width } }, p->clip };
        return reel_st_write(path, &entry, 1, NULL, 0, err);
    }
    uint8_t *rgb = reel_alloc_aligned(v->clip_floats, 1);
    if (rgb == NULL)
        return reel_fail_nomem(err, path);
    reel_clip_to_rgb(p->mean, p->std, p->clip, v->frames, v->height, v->width, rgb);
    reel_status status = reel_ends_with(path, ".gif")
        ? reel_gif_write(path, rgb, (size_t)v->frames, v->width, v->height, FRAME_CENTISECONDS, err)
        : write_sheet(p, rgb, path, err);
    reel_free(rgb);
    return status;
}

static reel_status describe(preview *p, const reel_item *item, reel_error *err)
{
    p->output = reel_strdup(p->args->output);
    p->video = reel_strdup(item->shown);
    p->label = p->ds != NULL && item->label >= 0 ? reel_strdup(p->ds->classes[item->label]) : NULL;
    if (p->output == NULL || p->video == NULL)
        return reel_fail_nomem(err, p->args->output);
    p->shown.output = p->output;
    p->shown.video = p->video;
    p->shown.label = p->label;
    p->shown.frames = p->view.frames;
    p->shown.height = p->view.height;
    p->shown.width = p->view.width;
    return REEL_OK;
}

void reel_preview_info_close(reel_preview_info **out)
{
    preview *p = out != NULL ? (preview *)*out : NULL;
    if (p == NULL)
        return;
    reel_lens_close(&p->view);
    reel_dataset_close(&p->ds);
    reel_free(p->clip);
    reel_free(p->index);
    reel_free(p->time);
    reel_free(p->output);
    reel_free(p->video);
    reel_free(p->label);
    reel_free(p->path);
    reel_free(p);
    *out = NULL;
}

reel_status reel_preview(reel_context *ctx, const reel_args *args, reel_preview_info **out, reel_error *err)
{
    reel_status status = REEL_OK;
    const reel_preview_args *a = reel_args_values(args, REEL_JOB_PREVIEW);
    const reel_item *item = NULL;
    preview *p = NULL;
    *out = NULL;
    if (a == NULL)
        return reel_fail(err, REEL_ERR_ARG, "these are not the options of preview");
    const reel_lens_wish wish = { .model = a->model, .transform = a->transform, .num_frames = a->num_frames,
                                  .image_size = a->image_size, .min_size = a->min_size, .max_size = a->max_size,
                                  .flip = a->flip, .fps = a->fps, .sample_rate = a->sample_rate,
                                  .clip_duration = a->clip_duration };
    p = reel_calloc(1, sizeof *p);
    if (p == NULL)
        return reel_fail_nomem(err, a->output);
    p->ctx = ctx;
    p->args = a;
    REEL_TRY(reel_args_check(args, err));
    REEL_TRY(reel_output_check(a->output, a->data, a->model, err));
    REEL_TRY(find_item(p, &item, err));
    REEL_TRY(reel_output_check(a->output, item->path, a->model, err));
    REEL_TRY(reel_lens_open(ctx, &wish, &p->view, err));
    if (strcmp(a->sampling, "pipeline") == 0)
        REEL_TRY(reel_processor_check_pipeline(&p->view.processor, a->model, err));
    reel_transform_levels(&p->view.transform, p->mean, p->std);
    REEL_TRY(take_clip(p, item, err));
    REEL_TRY(write_output(p, err));
    REEL_TRY(describe(p, item, err));
    *out = &p->shown;
    p = NULL;
done:
    if (p != NULL) {
        reel_preview_info *partial = &p->shown;
        reel_preview_info_close(&partial);
    }
    return status;
}
