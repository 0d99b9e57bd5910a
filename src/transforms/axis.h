/* Resampling along one axis: which inputs make each output, and with which weights. */
#ifndef REEL_TRANSFORMS_AXIS_H
#define REEL_TRANSFORMS_AXIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transforms/filter.h"

typedef enum reel_method {
    REEL_METHOD_LERP,    /* torch, float32, bilinear without antialias */
    REEL_METHOD_AREA,    /* torch, float32, bilinear, antialiased */
    REEL_METHOD_BYTES,   /* torchvision, uint8, antialiased: weights of 16 bits */
    REEL_METHOD_WIDE     /* Pillow, uint8, antialiased: weights of 32 bits */
} reel_method;

typedef struct reel_resampling {
    reel_method method;
    reel_filter filter;  /* BYTES, WIDE */
    bool small;          /* BYTES, NEAREST: of a picture whose new height and width are 128 together at most; torch rounds differently */
} reel_resampling;

/* Outputs [from, from + n) of an axis of `in` values resampled to `out`. Indices count from `first`, the first input used. */
typedef struct reel_axis {
    size_t n;
    int first, used;          /* inputs first … first + used - 1 are read */
    int most;                 /* inputs of one output, at most */
    int32_t *lo, *count;      /* (n) */
    int32_t *hi;              /* (n) LERP: the second input */
    float *l0, *l1;           /* (n) LERP: their weights */
    float *weight;            /* AREA: (n, stride), an output's weights together */
    float *weight_by_tap;     /* AREA: (stride, n), the same turned, for area_row */
    int16_t *q;               /* BYTES: (n, stride), zeros behind count */
    int shift;                /* BYTES */
    int32_t *wide;            /* WIDE: (n, stride), zeros behind count */
    size_t stride;
} reel_axis;

/* `mirrored`: the outputs in falling order. false: no memory. */
bool reel_axis_make(reel_axis *a, const reel_resampling *how, int in, int out, int from, size_t n, bool mirrored);
void reel_axis_free(reel_axis *a);

#endif
