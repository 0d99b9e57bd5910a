/* The checksum of test vectors: CRC-32 of ISO 3309, as zlib and Python have it. */
#ifndef REEL_TESTS_CRC32_H
#define REEL_TESTS_CRC32_H

#include <stddef.h>
#include <stdint.h>

static inline uint32_t crc32(const void *data, size_t n)
{
    const uint8_t *p = data;
    uint32_t c = 0xFFFFFFFFu;
    for (size_t i = 0; i < n; i++) {
        c ^= p[i];
        for (int k = 0; k < 8; k++)
            c = c >> 1 ^ (c & 1 ? 0xEDB88320u : 0);
    }
    return ~c;
}

#endif
