/* The picture of the test vectors. */
#ifndef REEL_TESTS_PATTERN_H
#define REEL_TESTS_PATTERN_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "../crc32.h"

/* The pattern of the test vectors, interleaved. */
static inline uint8_t *pattern(size_t h, size_t w)
{
    uint8_t *rgb = malloc(h * w * 3), *p = rgb;
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++)
            for (size_t c = 0; c < 3; c++)
                *p++ = (uint8_t)(7 * x + 13 * y + 29 * c + 3 * ((x * y) & 15));
    return rgb;
}

#endif
