#include "transforms/axis.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "kernels/pixel.h"

void reel_axis_free(reel_axis *a)
{
    reel_free(a->lo);
    reel_free(a->count);
    reel_free(a->hi);
    reel_free(a->l0);
    reel_free(a->l1);
    reel_free(a->weight);
    reel_free(a->weight_by_tap);
    reel_free(a->q);
    reel_free(a->wide);
    *a = (reel_axis){0};
}

/* The bounds of output i in the antialiased kernels, in double (uint8) or in float with double between (float32). */
typedef struct bounds { int lo, hi; double centre, inverse; } bounds;

static int at_least_0(double x) { return x > 0 ? (int)x : 0; }
static int at_most(double x, int in) { return x < in ? (int)x : in; }

static bounds bounds_bytes(reel_filter filter, int in, int out, int i)
{
    double scale = (double)in / out, stretch = scale > 1 ? scale : 1, support = reel_filter_support(filter) * stretch;
    double centre = (i + 0.5) * scale;
    return (bounds){at_least_0(centre - support + 0.5), at_most(centre + support + 0.5, in), centre, 1 / stretch};
}

static bounds bounds_area(int in, int out, int i)
{
    float scale = (float)in / (float)out, support = scale >= 1 ? scale : 1, inverse = scale >= 1 ? 1 / scale : 1;
    float centre = (float)((double)scale * (i + 0.5));
    return (bounds){at_least_0((double)(centre - support) + 0.5), at_most((double)(centre + support) + 0.5, in), centre, inverse};
}

/* Weights of output i in double, summing to 1. */
static void weights_bytes(reel_filter filter, double *w, const bounds *b)
{
    double sum = 0;
    int n = b->hi - b->lo;
    for (int k = 0; k < n; k++) {
        w[k] = reel_filter_at(filter, (k + b->lo - b->centre + 0.5) * b->inverse);
        sum += w[k];
    }
    for (int k = 0; k < n; k++)
        w[k] /= sum;
}

static void weights_area(float *w, const bounds *b)
{
    float sum = 0, centre = (float)b->centre;
    int n = b->hi - b->lo;
    for (int k = 0; k < n; k++) {
        float x = (float)(((double)((float)(k + b->lo) - centre) + 0.5) * b->inverse);
        x = x < 0 ? -x : x;
        w[k] = x < 1 ? 1 - x : 0;
        sum += w[k];
    }
    for (int k = 0; k < n; k++)
        w[k] /= sum;
}

/* The finest fixed point that keeps the largest weight of the whole axis in 16 bits. */
static int shift_of(double largest)
{
    int shift = 0;
    while (shift < 22 && (int)(0.5 + largest * (double)(1 << (shift + 1))) < 32768)
        shift++;
    return shift;
}

/* To the nearest whole number, halves away from 0. */
static int fixed(double w, int shift)
{
    return (int)(w * (double)(1 << shift) + (w < 0 ? -0.5 : 0.5));
}

static bool room(reel_axis *a, reel_method method)
{
    size_t cells;
    a->lo = reel_calloc(a->n, sizeof *a->lo);
    a->count = reel_calloc(a->n, sizeof *a->count);
    if (a->lo == NULL || a->count == NULL || !reel_mul(&cells, a->n, a->stride))
        return false;
    switch (method) {
    case REEL_METHOD_LERP:
        a->hi = reel_calloc(a->n, sizeof *a->hi);
        a->l0 = reel_calloc(a->n, sizeof *a->l0);
        a->l1 = reel_calloc(a->n, sizeof *a->l1);
        return a->hi != NULL && a->l0 != NULL && a->l1 != NULL;
    case REEL_METHOD_AREA:
        a->weight = reel_calloc(cells, sizeof *a->weight);
        a->weight_by_tap = reel_calloc(cells, sizeof *a->weight_by_tap);
        return a->weight != NULL && a->weight_by_tap != NULL;
    case REEL_METHOD_BYTES:
        a->q = reel_calloc(cells, sizeof *a->q);
        return a->q != NULL;
    case REEL_METHOD_WIDE:
        a->wide = reel_calloc(cells, sizeof *a->wide);
        return a->wide != NULL;
    }
    return false;
}

static void fill_lerp(reel_axis *a, size_t place, int in, int out, int i)
{
    float scale = (float)in / (float)out;
    float s = scale * ((float)i + 0.5f) - 0.5f;
    if (s < 0)
        s = 0;
    int i0 = (int)s < in - 1 ? (int)s : in - 1;
    float l1 = s - (float)i0;
    l1 = l1 < 0 ? 0 : l1 > 1 ? 1 : l1;
    a->lo[place] = i0;
    a->hi[place] = i0 < in - 1 ? i0 + 1 : i0;
    a->count[place] = a->hi[place] - i0 + 1;
    a->l1[place] = l1;
    a->l0[place] = 1 - l1;
}

static void fill_area(reel_axis *a, size_t place, int in, int out, int i)
{
    bounds b = bounds_area(in, out, i);
    float *w = a->weight + place * a->stride;
    weights_area(w, &b);
    a->lo[place] = b.lo;
    a->count[place] = b.hi - b.lo;
    for (int k = 0; k < b.hi - b.lo; k++)
        a->weight_by_tap[(size_t)k * a->n + place] = w[k];
}

static double largest_weight(reel_filter filter, int in, int out, double *w)
{
    double largest = 0;
    for (int i = 0; i < out; i++) {
        bounds b = bounds_bytes(filter, in, out, i);
        weights_bytes(filter, w, &b);
        for (int k = 0; k < b.hi - b.lo; k++)
            largest = w[k] > largest ? w[k] : largest;
    }
    return largest;
}

static bool fill_bytes(reel_axis *a, const reel_resampling *how, int in, int out, int from, bool mirrored)
{
    bool wide = how->method == REEL_METHOD_WIDE;
    double *w = reel_calloc(a->stride, sizeof *w);
    if (w == NULL)
        return false;
    a->shift = wide ? REEL_WIDE_SHIFT : shift_of(largest_weight(how->filter, in, out, w));
    for (size_t j = 0; j < a->n; j++) {
        size_t place = mirrored ? a->n - 1 - j : j;
        bounds b = bounds_bytes(how->filter, in, out, from + (int)j);
        weights_bytes(how->filter, w, &b);
        a->lo[place] = b.lo;
        a->count[place] = b.hi - b.lo;
        for (size_t k = 0; k < (size_t)(b.hi - b.lo); k++)
            if (wide)
                a->wide[place * a->stride + k] = fixed(w[k], a->shift);
            else
                a->q[place * a->stride + k] = (int16_t)fixed(w[k], a->shift);
    }
    reel_free(w);
    return true;
}

/* The input nearest to output i, as torch finds it ("nearest-exact"): in float32, in one way for small pictures and in another
 * for others. They differ where the exact place is a whole number. */
static int nearest_torch(int in, int out, int i, bool small)
{
    float scale = (float)in / (float)out;
    if (small)
        return (int)floorf((float)((i + 0.5) * (double)scale));
    float x = fmaf(scale, (float)i + 0.5f, -0.5f);
    return (int)floorf((float)((double)(x < 0 ? 0 : x) + 0.5));
}

/* One input an output, of weight 1. Pillow walks along the axis and adds up its steps in double. */
static void fill_nearest(reel_axis *a, const reel_resampling *how, int in, int out, int from, bool mirrored)
{
    bool wide = how->method == REEL_METHOD_WIDE;
    double step = (double)in / out, at = step * 0.5;
    a->shift = wide ? REEL_WIDE_SHIFT : 14;
    for (int i = 0; i < from + (int)a->n; i++, at += step) {
        if (i < from)
            continue;
        size_t j = (size_t)(i - from), place = mirrored ? a->n - 1 - j : j;
        int nearest = wide ? (int)at : nearest_torch(in, out, i, how->small);
        a->lo[place] = nearest < in ? nearest : in - 1;
        a->count[place] = 1;
        if (wide)
            a->wide[place * a->stride] = 1 << a->shift;
        else
            a->q[place * a->stride] = (int16_t)(1 << a->shift);
    }
}

/* Counts indices from the first input that is used. */
static void rebase(reel_axis *a, bool lerp)
{
    int32_t first = INT32_MAX, end = 0;
    for (size_t i = 0; i < a->n; i++) {
        first = a->lo[i] < first ? a->lo[i] : first;
        end = a->lo[i] + a->count[i] > end ? a->lo[i] + a->count[i] : end;
        a->most = a->count[i] > a->most ? a->count[i] : a->most;
    }
    a->first = first;
    a->used = end - first;
    for (size_t i = 0; i < a->n; i++) {
        a->lo[i] -= first;
        if (lerp)
            a->hi[i] -= first;
    }
}

bool reel_axis_make(reel_axis *a, const reel_resampling *how, int in, int out, int from, size_t n, bool mirrored)
{
    *a = (reel_axis){.n = n};
    bool lerp = how->method == REEL_METHOD_LERP, bytes = how->method == REEL_METHOD_BYTES || how->method == REEL_METHOD_WIDE;
    double scale = (double)in / out, support = bytes ? reel_filter_support(how->filter) : 1;
    size_t taps = lerp ? 2 : (size_t)(2 * support * (scale > 1 ? scale : 1)) + 3;
    a->stride = (taps + 3) / 4 * 4;
    bool ok = room(a, how->method);
    if (ok && bytes && how->filter == REEL_FILTER_NEAREST)
        fill_nearest(a, how, in, out, from, mirrored);
    else if (ok && bytes)
        ok = fill_bytes(a, how, in, out, from, mirrored);
    for (size_t j = 0; ok && !bytes && j < n; j++) {
        size_t place = mirrored ? n - 1 - j : j;
        if (lerp)
            fill_lerp(a, place, in, out, from + (int)j);
        else
            fill_area(a, place, in, out, from + (int)j);
    }
    if (ok)
        rebase(a, lerp);
    else
        reel_axis_free(a);
    return ok;
}
