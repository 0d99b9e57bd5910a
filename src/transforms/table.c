/* What becomes of a byte of each channel, rounded as the Python it follows rounds; and the way back. */
#include <math.h>
#include <string.h>

#include "transforms/clip.h"

static bool is_guide(const reel_transform *t)
{
    return t->crops > 1 || t->kind != REEL_TRANSFORM_PROCESSOR;
}

/* The guide takes mean and std from the image processor. */
static void statistics(const reel_transform *t, const double **mean, const double **std)
{
    const reel_processor *p = t->processor;
    bool beside = is_guide(t) && p->image != NULL;
    *mean = beside ? p->image->mean : p->mean;
    *std = beside ? p->image->std : p->std;
}

static float guide_value(int byte, float mean, float std)
{
    return ((float)byte / 255.0f - mean) / std;
}

/* One step after the other: NumPy rescales in double, torch (ViViT's video processor) in float32. */
static float stepwise_value(const reel_processor *p, int byte, float mean, float std)
{
    float v = (float)byte;
    if (p->do_rescale)
        v = p->pillow ? (float)(byte * p->rescale_factor) : v * (float)p->rescale_factor;
    if (p->do_rescale && p->offset)
        v = v - 1;
    return p->do_normalize ? (v - mean) / std : v;
}

static float torch_value(const reel_processor *p, int byte, float mean, float std)
{
    float v = (float)byte, inverse = (float)(1.0 / p->rescale_factor);
    if (p->do_rescale && p->do_normalize)
        return (v - mean * inverse) / (std * inverse);  /* fused: the factor goes into mean and std */
    if (p->do_normalize)
        return (v - mean) / std;
    return p->do_rescale ? v * (float)p->rescale_factor : v;
}

void reel_byte_table_make(const reel_transform *t, float table[3][256])
{
    const reel_processor *p = t->processor;
    const double *mean, *std;
    bool guide = is_guide(t), stepwise = p->pillow || p->offset;
    statistics(t, &mean, &std);
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < 256; i++) {
            float m = (float)mean[k], s = (float)std[k];
            table[k][i] = guide ? guide_value(i, m, s) : stepwise ? stepwise_value(p, i, m, s) : torch_value(p, i, m, s);
        }
}

/* The table as two divisions, which are quicker than 256 places to look at; only if every value comes out the same. */
bool reel_byte_scale_make(const reel_transform *t, const reel_pixel_kernels *kernels, const float table[3][256], reel_byte_scale scale[3])
{
    const reel_processor *p = t->processor;
    const double *mean, *std;
    statistics(t, &mean, &std);
    for (int k = 0; k < 3; k++) {
        float m = (float)mean[k], d = (float)std[k], inverse = (float)(1.0 / p->rescale_factor);
        bool guide = is_guide(t), normal = guide || p->do_normalize, stepwise = !guide && (p->pillow || p->offset);
        bool fused = !guide && !stepwise && p->do_rescale && p->do_normalize;
        reel_byte_scale *s = &scale[k];
        s->d = guide ? 255.0f : p->do_rescale && !fused ? inverse : 1.0f;
        s->m = fused ? m * inverse : normal ? m : 0.0f;
        s->s = fused ? d * inverse : normal ? d : 1.0f;
        if (stepwise && p->offset && p->do_rescale)
            s->m += 1;
        s->dr = 1.0f / s->d;
        s->sr = 1.0f / s->s;
    }
    uint8_t grey[3 * 256];
    float v[3][256];
    for (size_t i = 0; i < sizeof grey; i++)
        grey[i] = (uint8_t)(i / 3);
    kernels->planes_scaled(v[0], v[1], v[2], grey, 256, scale);
    return memcmp(v, table, sizeof v) == 0;
}

void reel_transform_levels(const reel_transform *t, double mean[3], double std[3])
{
    const reel_processor *p = t->processor;
    const double *m, *s;
    bool guide = is_guide(t), normal = guide || p->do_normalize;
    double off = !guide && p->offset && p->do_rescale ? 1 : 0, range = guide ? 1 : (p->do_rescale ? p->rescale_factor : 1) * 255;
    if (fabs(range - 1) < 1e-9)
        range = 1;
    statistics(t, &m, &s);
    for (int k = 0; k < 3; k++) {
        mean[k] = ((normal ? m[k] : 0) + off) / range;
        std[k] = (normal ? s[k] : 1) / range;
    }
}

void reel_clip_to_rgb(const double mean[3], const double std[3], const float *clip, int frames, int height, int width, uint8_t *rgb)
{
    size_t plane = (size_t)height * (size_t)width;
    for (size_t t = 0; t < (size_t)frames; t++)
        for (size_t c = 0; c < 3; c++) {
            const float *in = clip + (t * 3 + c) * plane;
            uint8_t *out = rgb + t * 3 * plane + c;
            for (size_t i = 0; i < plane; i++) {
                double v = (in[i] * std[c] + mean[c]) * 255 + 0.5;
                out[3 * i] = !(v > 0) ? 0 : v > 255 ? 255 : (uint8_t)v;
            }
        }
}
