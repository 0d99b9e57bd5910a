/* Writing moving pictures: GIF, AVI (MPEG-4 part 2, as XviD marks it), PNG. encode.c alone knows the encoders. */
#ifndef REEL_VIDEO_ENCODE_H
#define REEL_VIDEO_ENCODE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* All take packed RGB and write atomically (an existing file is replaced). */

/* frames x height x width x 3; `centiseconds` a frame; loops for ever; one palette for all frames, dithered. */
reel_status reel_gif_write(const char *path, const uint8_t *rgb, size_t frames, int width, int height, int centiseconds,
                           reel_error *err);
reel_status reel_png_write(const char *path, const uint8_t *rgb, int width, int height, reel_error *err);
/* MPEG-4 ASP in AVI, yuv420p, constant quality `qscale` (2 best to 31), XVID tag, one key frame a second; the same bytes for
 * the same input. b_frames: 0 or 1 (as UCF101's originals have). */
reel_status reel_avi_write(const char *path, const uint8_t *rgb, size_t frames, int width, int height, int fps, int qscale,
                           int b_frames, reel_error *err);

#endif
