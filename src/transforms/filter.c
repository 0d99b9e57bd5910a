#include "transforms/filter.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

const char *reel_filter_name(reel_filter f)
{
    static const char *const name[REEL_FILTERS] = {"nearest", "Lanczos", "bilinear", "bicubic", "box", "Hamming"};
    return name[f];
}

double reel_filter_support(reel_filter f)
{
    static const double support[REEL_FILTERS] = {0, 3, 1, 2, 0.5, 1};
    return support[f];
}

static double sinc(double x)
{
    return x == 0 ? 1 : sin(x * pi) / (x * pi);
}

static double bicubic(double x)  /* a = -1/2 */
{
    const double a = -0.5;
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static double hamming(double x)
{
    const double constant = 0.54f, wave = 0.46f;  /* float32 numbers, as Pillow has them */
    if (x == 0 || x >= 1)
        return x == 0;
    return sinc(x) * (constant + wave * cos(x * pi));
}

double reel_filter_at(reel_filter f, double x)
{
    double distance = x < 0 ? -x : x;
    switch (f) {
    case REEL_FILTER_LANCZOS:
        return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
    case REEL_FILTER_BILINEAR:
        return distance < 1 ? 1 - distance : 0;
    case REEL_FILTER_BICUBIC:
        return bicubic(distance);
    case REEL_FILTER_BOX:
        return x > -0.5 && x <= 0.5;
    case REEL_FILTER_HAMMING:
        return hamming(distance);
    case REEL_FILTER_NEAREST:
        break;
    }
    return 0;
}
