/* Geometry: how large the whole picture would become, and which part of it is wanted. */
#include <limits.h>
#include <math.h>

#include "transforms/clip.h"

/* Of a resampled picture, of which a part is computed. */
enum { MOST_SIDE = 1 << 16 };

/* Python's round(): ties to even. */
static double round_even(double x)
{
    double f = floor(x);
    if (x - f != 0.5)
        return floor(x + 0.5);
    return fmod(f, 2) == 0 ? f : f + 1;
}

static int bounded(double x)
{
    return x < 1 ? 0 : x > INT_MAX / 4 ? INT_MAX / 4 : (int)x;
}

/* PyTorchVideo's short_side_scale: the long side is floor(long / short * size), in that order. */
static void short_side(reel_geometry *p, int size)
{
    bool tall = p->in_w < p->in_h;
    p->mid_w = tall ? size : bounded((double)p->in_w / p->in_h * size);
    p->mid_h = tall ? bounded((double)p->in_h / p->in_w * size) : size;
}

static void set_short(reel_geometry *p, double small, double large)
{
    p->mid_w = bounded(p->in_w <= p->in_h ? small : large);
    p->mid_h = bounded(p->in_w <= p->in_h ? large : small);
}

/* int(size * long / short), an integer product; not beyond longest_edge. */
static void edges_size(reel_geometry *p, const reel_processor *proc)
{
    double least = p->in_h < p->in_w ? p->in_h : p->in_w, most = p->in_h < p->in_w ? p->in_w : p->in_h;
    double small = proc->shortest_edge, large = bounded((double)((int64_t)proc->shortest_edge * (int64_t)most) / least);
    if (proc->longest_edge > 0 && most / least * small > proc->longest_edge) {
        double raw = proc->longest_edge * least / most;
        small = round_even(raw);
        large = small == least ? most : bounded(raw * most / least);
    }
    set_short(p, small, large);
}

/* As large as fits into max_height x max_width. */
static void fitting_size(reel_geometry *p, const reel_processor *proc)
{
    double down = (double)proc->max_height / p->in_h, across = (double)proc->max_width / p->in_w, least = down < across ? down : across;
    p->mid_w = bounded(p->in_w * least);
    p->mid_h = bounded(p->in_h * least);
}

/* The processors' resize. */
static void processor_size(reel_geometry *p, const reel_processor *proc)
{
    p->mid_w = p->in_w;
    p->mid_h = p->in_h;
    if (!proc->do_resize)
        return;
    if (proc->shortest_edge > 0) {
        edges_size(p, proc);
    } else if (proc->max_height > 0) {
        fitting_size(p, proc);
    } else {
        p->mid_w = proc->width;
        p->mid_h = proc->height;
    }
}

/* Pillow (from version 13 on) takes the columns first where that is less work. */
static bool is_down_first(const reel_geometry *p)
{
    int less_h = p->in_h - p->mid_h, less_w = p->in_w - p->mid_w;
    return p->how.method == REEL_METHOD_WIDE && less_h > 0 && less_h > 2 * less_w;
}

/* The processors' centre crop along one axis; a smaller picture is padded, the odd pixel behind (torchvision) or before (NumPy). */
static void centre(int mid, int want, bool numpy, int *from, int *at, int *n)
{
    *from = mid > want ? (mid - want) / 2 : 0;
    *at = mid < want ? (want - mid + numpy) / 2 : 0;
    *n = mid < want ? mid : want;
}

static void default_sizes(const reel_transform *t, int *least, int *most)
{
    int crop = t->height > t->width ? t->height : t->width;
    *least = t->min_size > 0 ? t->min_size : (int)((crop * 256 + 112) / 224);
    *most = t->max_size > 0 ? t->max_size : (int)((crop * 320 + 112) / 224);
    if (*most < *least)
        *most = *least;
}

static reel_status train_plan(const reel_transform *t, const reel_transform_draws *d, reel_geometry *p, reel_error *err)
{
    int least, most;
    default_sizes(t, &least, &most);
    p->how.method = REEL_METHOD_LERP;
    short_side(p, least + (int)(d->size_u % (unsigned)(most - least + 1)));
    if (p->mid_w < t->width || p->mid_h < t->height)
        return reel_fail(err, REEL_ERR_ARG, "a picture of %dx%d becomes %dx%d, too small for a crop of %dx%d; raise min_size",
                         p->in_w, p->in_h, p->mid_w, p->mid_h, t->width, t->height);
    p->top = (int)(d->top_u % (unsigned)(p->mid_h - t->height + 1));
    p->left = (int)(d->left_u % (unsigned)(p->mid_w - t->width + 1));
    p->mirrored = (double)(d->flip_u & 0xFFFFFFu) * 0x1p-24 < t->flip;
    return REEL_OK;
}

/* Multi-view: short side as it must be, then one of `crops` places along the long side (PyTorchVideo's uniform_crop for 3). */
static reel_status view_plan(const reel_transform *t, reel_geometry *p, reel_error *err)
{
    int side = t->height > t->width ? t->height : t->width;
    p->how.method = REEL_METHOD_LERP;
    short_side(p, t->min_size > 0 ? t->min_size : side);
    if (p->mid_w < t->width || p->mid_h < t->height || t->crop < 0 || t->crop >= t->crops)
        return reel_fail(err, REEL_ERR_ARG, "crop %d of %d of %dx%d does not fit into a picture of %dx%d", t->crop, t->crops,
                         t->width, t->height, p->mid_w, p->mid_h);
    int spare_w = p->mid_w - t->width, spare_h = p->mid_h - t->height;
    int64_t steps = t->crops - 1;
    p->left = (spare_w + 1) / 2;
    p->top = (spare_h + 1) / 2;
    if (p->in_h > p->in_w)
        p->top = (int)(((int64_t)t->crop * spare_h + steps - 1) / steps);
    else
        p->left = (int)(((int64_t)t->crop * spare_w + steps - 1) / steps);
    return REEL_OK;
}

static reel_status processor_plan(const reel_transform *t, reel_geometry *p, reel_error *err)
{
    const reel_processor *proc = t->processor;
    processor_size(p, proc);
    p->how = (reel_resampling){proc->pillow ? REEL_METHOD_WIDE : REEL_METHOD_BYTES, (reel_filter)proc->resample,
                               p->mid_w + p->mid_h <= 128};
    if (!proc->do_resize)
        p->how.filter = REEL_FILTER_NEAREST;
    p->down_first = is_down_first(p);
    if (!proc->do_center_crop && (p->mid_w != t->width || p->mid_h != t->height))
        return reel_fail(err, REEL_ERR_MISMATCH, "the processor makes a picture of %dx%d out of one of %dx%d and does not crop "
                         "(do_center_crop is false), but the model wants %dx%d", p->mid_w, p->mid_h, p->in_w, p->in_h, t->width,
                         t->height);
    centre(p->mid_w, t->width, proc->pillow, &p->left, &p->x0, &p->cols);
    centre(p->mid_h, t->height, proc->pillow, &p->top, &p->y0, &p->rows);
    return REEL_OK;
}

reel_status reel_geometry_make(const reel_transform *t, const reel_transform_draws *d, int width, int height, reel_geometry *p,
                           reel_error *err)
{
    reel_status status = REEL_OK;
    *p = (reel_geometry){.in_w = width, .in_h = height, .cols = t->width, .rows = t->height};
    if (t->crops > 1) {
        status = view_plan(t, p, err);
    } else if (t->kind == REEL_TRANSFORM_TRAIN) {
        status = train_plan(t, d, p, err);
    } else if (t->kind == REEL_TRANSFORM_EVAL) {
        p->how.method = REEL_METHOD_AREA;
        p->mid_w = t->width;
        p->mid_h = t->height;
    } else {
        status = processor_plan(t, p, err);
    }
    if (status != REEL_OK)
        return status;
    if (p->mid_w < 1 || p->mid_h < 1 || p->mid_w > MOST_SIDE || p->mid_h > MOST_SIDE)
        return reel_fail(err, REEL_ERR_LIMIT, "a picture of %dx%d would be resized to %dx%d; 1 to %d pixels a side are possible",
                         width, height, p->mid_w, p->mid_h, MOST_SIDE);
    if (!reel_axis_make(&p->across, &p->how, width, p->mid_w, p->left, (size_t)p->cols, p->mirrored) ||
        !reel_axis_make(&p->down, &p->how, height, p->mid_h, p->top, (size_t)p->rows, false)) {
        reel_geometry_free(p);
        return reel_fail_nomem(err, "transform");
    }
    p->source = (reel_rect){p->across.first, p->down.first, p->across.used, p->down.used};
    return REEL_OK;
}

void reel_geometry_free(reel_geometry *p)
{
    reel_axis_free(&p->across);
    reel_axis_free(&p->down);
    *p = (reel_geometry){0};
}
