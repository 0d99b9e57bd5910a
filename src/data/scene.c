#include "data/scene.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

static const double pi = 3.14159265358979323846;
/* Shapes stand in rows like bricks, so that every part of the frame that a random crop may take shows some, and none covers
 * another. Radius in cells of this pattern. */
enum { STREAM_SCENE = 1, WAVES = 4, COLUMNS = 3, ROWS = 2 };
_Static_assert(COLUMNS * ROWS == REEL_COPIES, "a size for each shape");
static const double smallest = 0.2, largest = 0.5;

/* Hue in turns, saturation and the largest component in [0, 1]. */
static void color_of(double hue, double saturation, double value, double rgb[3])
{
    for (int c = 0; c < 3; c++) {
        double k = fmod(c * 4 + 5 + hue * 6, 6), f = k < 4 - k ? k : 4 - k;
        rgb[c] = value - value * saturation * (f < 0 ? 0 : f > 1 ? 1 : f);
    }
}

static uint8_t to_byte(double v) { return (uint8_t)(v <= 0 ? 0 : v >= 1 ? 255 : v * 255 + 0.5); }

/* A few slow waves over one colour: something to look at, nothing that moves. */
static void paint_background(reel_scene *s, reel_stream *r)
{
    double base[3], kx[WAVES], ky[WAVES], phase[WAVES], depth[WAVES];
    color_of(reel_stream_next(r), reel_stream_between(r, 0.2, 0.6), reel_stream_between(r, 0.15, 0.35), base);
    for (int w = 0; w < WAVES; w++) {  /* whole waves: the joined edges show no seam */
        kx[w] = floor(reel_stream_between(r, 0, 4));
        ky[w] = floor(reel_stream_between(r, -3, 4));
        phase[w] = reel_stream_next(r);
        depth[w] = reel_stream_between(r, 0.01, 0.06);
    }
    uint8_t *out = s->background;
    for (int y = 0; y < s->height; y++)
        for (int x = 0; x < s->width; x++) {
            double light = 1;
            for (int w = 0; w < WAVES; w++)
                light += depth[w] * cos(2 * pi * (kx[w] * x / s->width + ky[w] * y / s->height + phase[w]));
            for (int c = 0; c < 3; c++)
                *out++ = to_byte(base[c] * light);
        }
}

reel_status reel_scene_make(uint64_t seed, int group, int width, int height, reel_scene *out, reel_error *err)
{
    reel_stream r = { .seed = seed, .sample = (uint64_t)group, .kind = STREAM_SCENE };
    reel_scene s = { .width = width, .height = height };
    double color[3];
    size_t pixels;
    *out = (reel_scene){ 0 };
    if (!reel_mul(&pixels, (size_t)width, (size_t)height) ||
        (s.background = reel_calloc(pixels, 3)) == NULL)
        return reel_fail_nomem(err, "a background");
    s.shape = (int)(reel_stream_next(&r) * REEL_SHAPES);
    s.angle = reel_stream_next(&r) * 2 * pi;
    color_of(reel_stream_next(&r), reel_stream_between(&r, 0.15, 0.7), reel_stream_between(&r, 0.85, 1.0), color);
    for (int c = 0; c < 3; c++)
        s.color[c] = to_byte(color[c]);
    paint_background(&s, &r);
    *out = s;
    return REEL_OK;
}

void reel_scene_free(reel_scene *scene)
{
    reel_free(scene->background);
    *scene = (reel_scene){ 0 };
}

static double box(double x, double y, double a, double b) { return fmax(fabs(x) - a, fabs(y) - b); }

static double polygon(double x, double y, int sides, double radius)
{
    double d = -INFINITY;
    for (int i = 0; i < sides; i++)
        d = fmax(d, x * cos(2 * pi * i / sides) + y * sin(2 * pi * i / sides));
    return d - radius * cos(pi / sides);
}

/* Distance to the edge in pixels, negative inside (exact near edges, which is where it is looked at). */
static double distance(int shape, double x, double y, double radius)
{
    switch (shape) {
    case 0: return hypot(x, y) - radius;
    case 1: return polygon(x, y, 4, radius);
    case 2: return polygon(x, y, 3, radius);
    case 3: return fabs(hypot(x, y) - 0.72 * radius) - 0.28 * radius;
    case 4: return fmin(box(x, y, 0.95 * radius, 0.33 * radius), box(x, y, 0.33 * radius, 0.95 * radius));
    default: return polygon(x, y, 6, radius);
    }
}

static int wrap_int(int v, int n) { return ((v % n) + n) % n; }

static void draw_shape(const reel_scene *s, double cx, double cy, double radius, uint8_t *rgb)
{
    double ca = cos(s->angle), sa = sin(s->angle);
    int x0 = (int)floor(cx - radius - 1), x1 = (int)ceil(cx + radius + 1);
    int y0 = (int)floor(cy - radius - 1), y1 = (int)ceil(cy + radius + 1);
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++) {
            double dx = x + 0.5 - cx, dy = y + 0.5 - cy;
            double cover = 0.5 - distance(s->shape, dx * ca + dy * sa, dy * ca - dx * sa, radius);
            if (cover <= 0)
                continue;
            uint8_t *p = rgb + ((size_t)wrap_int(y, s->height) * (size_t)s->width + (size_t)wrap_int(x, s->width)) * 3;
            for (int c = 0; c < 3; c++)
                p[c] = cover >= 1 ? s->color[c] : to_byte((p[c] + cover * (s->color[c] - p[c])) / 255);
        }
}

void reel_scene_render(const reel_scene *s, const reel_pose *pose, uint8_t *rgb)
{
    double cell_w = (double)s->width / COLUMNS, cell_h = (double)s->height / ROWS;
    double cell = cell_w < cell_h ? cell_w : cell_h;
    memcpy(rgb, s->background, (size_t)s->width * (size_t)s->height * 3);
    for (int row = 0; row < ROWS; row++)
        for (int column = 0; column < COLUMNS; column++) {
            double radius = cell * smallest * pow(largest / smallest, pose->size[row * COLUMNS + column]);
            draw_shape(s, pose->x * s->width + (column + 0.5 * row) * cell_w, pose->y * s->height + row * cell_h, radius, rgb);
        }
}
