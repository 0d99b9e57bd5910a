/* A fuzz target is one function over bytes: libFuzzer calls it (scripts/fuzz), and replay.c with the files of a corpus. */
#ifndef REEL_FUZZ_TARGET_H
#define REEL_FUZZ_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise that no input may break. */
#define HOLDS(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

/* Reads from all that a table of tensors points to. */
static inline void read_all(const reel_tensors *all)
{
    volatile unsigned sum = 0;
    for (size_t i = 0; i < all->n; i++)
        for (uint64_t b = 0; b < all->tensor[i].bytes; b += 1 + all->tensor[i].bytes / 256)
            sum = sum + all->tensor[i].data[b];
}

#endif
