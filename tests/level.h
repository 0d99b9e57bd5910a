/* Tests that run once an instruction set: "c", "avx2" or "avx512" is their argument. */
#ifndef REEL_TESTS_LEVEL_H
#define REEL_TESTS_LEVEL_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"

/* *flags: what the level may use. false: this processor has it not, which is told. */
static inline bool test_level(int argc, char **argv, unsigned *flags)
{
    const char *level = argc > 1 ? argv[1] : "c";
    *flags = strcmp(level, "avx512") == 0 ? REEL_CPU_AVX2 | REEL_CPU_AVX512 : strcmp(level, "avx2") == 0 ? REEL_CPU_AVX2 : 0;
    if ((*flags & reel_cpu_flags()) == *flags)
        return true;
    printf("1..0 # SKIP this processor has no %s\n", level);
    return false;
}

#endif
