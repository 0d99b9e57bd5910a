/* 255 colours for true-colour pictures, and pictures in these colours. */
#ifndef REEL_VIDEO_PALETTE_H
#define REEL_VIDEO_PALETTE_H

#include <stddef.h>
#include <stdint.h>

enum { REEL_PALETTE_COLOURS = 255 };  /* one of a GIF's 256 is left for "unchanged" */

typedef struct reel_palette {
    int n;
    uint8_t colour[REEL_PALETTE_COLOURS][3];
    int16_t *nearest;       /* by 15-bit colour; -1: not looked up yet */
} reel_palette;

/* Median cut over all pixels. NULL: no memory. */
reel_palette *reel_palette_make(const uint8_t *rgb, size_t pixels);
void reel_palette_free(reel_palette *p);

/* Error diffusion (the light "sierra" filter). `error`: 6 (width + 2) ints of scratch. */
void reel_palette_apply(reel_palette *p, const uint8_t *rgb, int width, int height, uint8_t *out, size_t stride, int *error);

#endif
