/* Videos that tests make: the number of a frame can be read off its picture. */
#ifndef REEL_TEST_MADE_H
#define REEL_TEST_MADE_H

#include "../test.h"

#include <stdint.h>

#include "base/mem.h"
#include "transforms/transform.h"
#include "video/encode.h"

enum { MADE_W = 96, MADE_H = 48 };

/* Three bands side by side say hundreds, tens and ones: 20 steps of grey apart, so no codec can blur them. */
static inline void made_picture(uint8_t *rgb, int number)
{
    int digit[3] = { number / 100, number / 10 % 10, number % 10 };
    for (int y = 0; y < MADE_H; y++)
        for (int x = 0; x < MADE_W; x++)
            memset(rgb + (y * MADE_W + x) * 3, 30 + 20 * digit[x / (MADE_W / 3)], 3);
}

/* An AVI of `frames` frames, numbered from `first` on. */
static inline void made_video(const char *path, int frames, int first, int fps)
{
    size_t bytes = MADE_W * MADE_H * 3;
    uint8_t *rgb = reel_alloc_aligned((size_t)frames, bytes);
    assert_non_null(rgb);
    for (int i = 0; i < frames; i++)
        made_picture(rgb + (size_t)i * bytes, first + i);
    reel_error err;
    if (reel_avi_write(path, rgb, (size_t)frames, MADE_W, MADE_H, fps, 2, 0, &err) != REEL_OK)
        fail_msg("%s", err.message);
    reel_free(rgb);
}

/* Clips of 12 x 24 whole pictures, values 0 to 1. */
enum { CLIP_W = 24, CLIP_H = 12, CLIP_FRAME = 3 * CLIP_W * CLIP_H };
static inline void made_transform(reel_transform *t, reel_processor *p, reel_pixel_kernels *k)
{
    reel_pixel_kernels_select(k, 0);
    *p = (reel_processor){ .do_resize = true, .do_center_crop = true, .do_rescale = true, .do_normalize = true,
                           .height = CLIP_H, .width = CLIP_W, .crop_height = CLIP_H, .crop_width = CLIP_W, .resample = 2,
                           .rescale_factor = 1.0 / 255, .std = { 1, 1, 1 } };
    *t = (reel_transform){ .kind = REEL_TRANSFORM_EVAL, .processor = p, .height = CLIP_H, .width = CLIP_W, .kernels = k };
}

/* The number that frame k of a clip shows. */
static inline int made_number(const float *clip, int k)
{
    int number = 0;
    for (int band = 0; band < 3; band++) {
        float v = clip[k * CLIP_FRAME + CLIP_H / 2 * CLIP_W + band * CLIP_W / 3 + CLIP_W / 6] * 255;
        number = number * 10 + (int)((v - 30) / 20 + 0.5f);
    }
    return number;
}

#endif
