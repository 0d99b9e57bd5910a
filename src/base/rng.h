/* Random numbers. Philox (Salmon et al. 2011) for all that varies inside a run: a pure function of key and counter, so nothing
 * is saved and no order disturbs it. MT19937 exactly as torch uses it, for new weights and the order of an epoch. */
#ifndef REEL_BASE_RNG_H
#define REEL_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

typedef enum reel_purpose {  /* part of the Philox key; never renumber: runs must stay reproducible */
    REEL_PURPOSE_CLIP = 1, REEL_PURPOSE_DROPOUT = 2, REEL_PURPOSE_SYNTH = 3, REEL_PURPOSE_PREVIEW = 4
} reel_purpose;

/* Philox4x32-10: four words for (key, counter). */
void reel_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]);

/* Four words for draw number `draw` of sample `sample` in epoch `epoch`. */
void reel_draw(uint64_t seed, reel_purpose purpose, uint32_t epoch, uint64_t sample, uint32_t draw, uint32_t out[4]);

double reel_unit_double(uint32_t hi, uint32_t lo);  /* 53 bits, [0, 1) */
static inline float reel_unit_float(uint32_t u) { return (float)(u & 0xFFFFFFu) * 0x1p-24f; }  /* torch's rand */

typedef struct reel_mt { uint32_t state[624]; int at; double spare; int has_spare; } reel_mt;
void reel_mt_seed(reel_mt *mt, uint64_t seed);      /* init_genrand of the low 32 bits, as torch.manual_seed */
uint32_t reel_mt_u32(reel_mt *mt);
void reel_mt_uniform(reel_mt *mt, float *out, size_t n, float a, float b);  /* out may be NULL: draws are thrown away */
void reel_mt_normal(reel_mt *mt, float *out, size_t n, float std);          /* torch's normal_, its blocks of 16 and tail */
void reel_mt_permutation(reel_mt *mt, int64_t *out, size_t n);              /* torch's randperm */

#endif
