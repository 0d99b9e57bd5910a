/* The inside of a clip under construction. */
#ifndef REEL_TRANSFORMS_CLIP_H
#define REEL_TRANSFORMS_CLIP_H

#include "transforms/axis.h"
#include "transforms/transform.h"

/* What is done to frames of one size: resample the whole to mid_w x mid_h, of which only a window is computed, and put that
 * at (x0, y0) of the clip's picture. */
typedef struct reel_geometry {
    int in_w, in_h, mid_w, mid_h;
    int left, top;             /* of the window in the resampled picture */
    int x0, y0, cols, rows;    /* of the window in the clip's picture */
    bool mirrored;
    reel_resampling how;
    bool down_first;           /* the columns are resampled before the rows: WIDE only */
    reel_rect source;          /* pixels of the frame that are needed */
    reel_axis across, down;
} reel_geometry;

struct reel_clip {
    reel_transform t;
    reel_transform_draws draws;
    reel_pixel_kernels kernels;
    int frames;
    float *out;                /* (frames, 3, height, width), the caller's */
    float table[3][256];       /* what becomes of a byte */
    reel_byte_scale scale[3];  /* the same as a calculation; `scaled`: it gives the bits of the table */
    bool scaled;
    reel_geometry plan;
    uint8_t *rgb;              /* source rectangle */
    size_t rgb_size;
    float *planes;             /* (3, source.w) one row before resampling */
    void *ring;                /* (ring_rows, 3 cols) rows resampled across: float planes, or packed bytes */
    int ring_rows;
    int *ring_tag;             /* (ring_rows) which source row is in it; -1: none */
    const void **taps;         /* (ring_rows) */
    uint8_t *bytes;            /* (3 cols) */
    uint8_t *combined;         /* (3 source.w) a row resampled down, where that comes first */
};

/* What becomes of a byte (table.c). The scale does the same by calculation; false: not with the same bits. */
void reel_byte_table_make(const reel_transform *t, float table[3][256]);
bool reel_byte_scale_make(const reel_transform *t, const reel_pixel_kernels *kernels, const float table[3][256], reel_byte_scale scale[3]);

reel_status reel_geometry_make(const reel_transform *t, const reel_transform_draws *d, int width, int height, reel_geometry *plan,
                           reel_error *err);
void reel_geometry_free(reel_geometry *plan);

#endif
