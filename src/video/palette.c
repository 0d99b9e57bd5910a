#include "video/palette.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { BINS = 1 << 15 };

/* All pixels whose upper five bits agree. */
typedef struct bin { int64_t count; int64_t sum[3]; } bin;

/* A box of colours: bins [from, from + n) of the order. */
typedef struct box { size_t from, n; int axis; double spread; } box;

static size_t bin_of(int r, int g, int b)
{
    return (size_t)(r >> 3 << 10 | g >> 3 << 5 | b >> 3);
}

/* How badly one colour stands for the box, and the axis on which it is worst. */
static void measure(box *b, const bin *bins)
{
    double count = 0, sum[3] = {0}, square[3] = {0};
    for (size_t i = b->from; i < b->from + b->n; i++) {
        double c = (double)bins[i].count;
        count += c;
        for (int k = 0; k < 3; k++) {
            double mean = (double)bins[i].sum[k] / c;
            sum[k] += mean * c;
            square[k] += mean * mean * c;
        }
    }
    b->axis = 0;
    b->spread = 0;
    for (int k = 0; k < 3; k++) {
        double spread = square[k] - sum[k] * sum[k] / count;
        if (spread > b->spread) {
            b->spread = spread;
            b->axis = k;
        }
    }
    if (b->n < 2)
        b->spread = 0;
}

static int compare_axis(const bin *x, const bin *y, int axis)
{
    double a = (double)x->sum[axis] / (double)x->count, b = (double)y->sum[axis] / (double)y->count;
    return (a > b) - (a < b);
}

static int compare_r(const void *a, const void *b) { return compare_axis(a, b, 0); }
static int compare_g(const void *a, const void *b) { return compare_axis(a, b, 1); }
static int compare_b(const void *a, const void *b) { return compare_axis(a, b, 2); }

/* Cuts where half of the pixels lie on each side. */
static box cut(box *b, bin *bins)
{
    static int (*const compare[3])(const void *, const void *) = {compare_r, compare_g, compare_b};
    qsort(bins + b->from, b->n, sizeof *bins, compare[b->axis]);
    int64_t total = 0, half = 0;
    for (size_t i = 0; i < b->n; i++)
        total += bins[b->from + i].count;
    size_t left = 0;
    while (left + 1 < b->n && (left == 0 || 2 * half < total))
        half += bins[b->from + left++].count;
    box right = {.from = b->from + left, .n = b->n - left};
    b->n = left;
    measure(b, bins);
    measure(&right, bins);
    return right;
}

static void average(uint8_t colour[3], const box *b, const bin *bins)
{
    int64_t count = 0, sum[3] = {0};
    for (size_t i = b->from; i < b->from + b->n; i++) {
        count += bins[i].count;
        for (int k = 0; k < 3; k++)
            sum[k] += bins[i].sum[k];
    }
    for (int k = 0; k < 3; k++)
        colour[k] = (uint8_t)((sum[k] + count / 2) / count);
}

static size_t count_colours(bin *bins, const uint8_t *rgb, size_t pixels)
{
    for (size_t i = 0; i < pixels; i++) {
        const uint8_t *p = rgb + 3 * i;
        bin *b = &bins[bin_of(p[0], p[1], p[2])];
        b->count++;
        for (int k = 0; k < 3; k++)
            b->sum[k] += p[k];
    }
    size_t n = 0;
    for (size_t i = 0; i < BINS; i++)
        if (bins[i].count > 0)
            bins[n++] = bins[i];
    return n;
}

reel_palette *reel_palette_make(const uint8_t *rgb, size_t pixels)
{
    reel_palette *p = reel_calloc(1, sizeof *p);
    bin *bins = reel_calloc(BINS, sizeof *bins);
    if (p != NULL)
        p->nearest = reel_calloc(BINS, sizeof *p->nearest);
    if (p == NULL || bins == NULL || p->nearest == NULL || pixels == 0) {
        reel_palette_free(p);
        reel_free(bins);
        return NULL;
    }
    memset(p->nearest, 0xff, BINS * sizeof *p->nearest);
    box boxes[REEL_PALETTE_COLOURS] = {{.from = 0, .n = count_colours(bins, rgb, pixels)}};
    measure(&boxes[0], bins);
    int n = 1;
    while (n < REEL_PALETTE_COLOURS) {
        int worst = 0;
        for (int i = 1; i < n; i++)
            if (boxes[i].spread > boxes[worst].spread)
                worst = i;
        if (boxes[worst].spread <= 0)
            break;
        boxes[n] = cut(&boxes[worst], bins);
        n++;
    }
    for (int i = 0; i < n; i++)
        average(p->colour[i], &boxes[i], bins);
    p->n = n;
    reel_free(bins);
    return p;
}

void reel_palette_free(reel_palette *p)
{
    if (p != NULL)
        reel_free(p->nearest);
    reel_free(p);
}

static int nearest(reel_palette *p, int r, int g, int b)
{
    int16_t *known = &p->nearest[bin_of(r, g, b)];
    if (*known >= 0)
        return *known;
    int best = 0, least = INT32_MAX;
    r = (r & ~7) + 4;
    g = (g & ~7) + 4;
    b = (b & ~7) + 4;
    for (int i = 0; i < p->n; i++) {
        int dr = r - p->colour[i][0], dg = g - p->colour[i][1], db = b - p->colour[i][2];
        int distance = dr * dr + dg * dg + db * db;
        if (distance < least) {
            least = distance;
            best = i;
        }
    }
    *known = (int16_t)best;
    return best;
}

static int clamp8(int v)
{
    return v < 0 ? 0 : v > 255 ? 255 : v;
}

/* The error of a pixel goes half to the right, a quarter each below left and below. */
void reel_palette_apply(reel_palette *p, const uint8_t *rgb, int width, int height, uint8_t *out, size_t stride, int *error)
{
    size_t row = 3 * ((size_t)width + 2);
    int *here = error, *below = error + row;
    memset(error, 0, 2 * row * sizeof *error);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            const uint8_t *px = rgb + 3 * ((size_t)y * (size_t)width + (size_t)x);
            int *e = here + 3 * (x + 1), *d = below + 3 * (x + 1), v[3];
            for (int k = 0; k < 3; k++)
                v[k] = clamp8(px[k] + e[k] / 4);
            int i = nearest(p, v[0], v[1], v[2]);
            out[(size_t)y * stride + (size_t)x] = (uint8_t)i;
            for (int k = 0; k < 3; k++) {
                int wrong = v[k] - p->colour[i][k];
                e[k + 3] += 2 * wrong;
                d[k - 3] += wrong;
                d[k] += wrong;
            }
        }
        int *swap = here;
        here = below;
        below = swap;
        memset(below, 0, row * sizeof *below);
    }
}
