#include "base/rng.h"

#include <math.h>
#include <string.h>

#ifndef M_PI
#define M_PI 3.14159265358979323846
#endif

/* Philox4x32-10: J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011. */
void reel_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4])
{
    uint32_t k0 = key[0], k1 = key[1];
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(b >> 32) ^ c1 ^ k0, n2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)b;
        c3 = (uint32_t)a;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void reel_draw(uint64_t seed, reel_purpose purpose, uint32_t epoch, uint64_t sample, uint32_t draw, uint32_t out[4])
{
    /* The purpose is mixed into the key by a multiplication that no seed of practical use undoes. */
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32) ^ (uint32_t)purpose * 0x9E3779B1u};
    const uint32_t counter[4] = {(uint32_t)sample, (uint32_t)(sample >> 32), epoch, draw};
    reel_philox(key, counter, out);
}

double reel_unit_double(uint32_t hi, uint32_t lo)
{
    uint64_t bits = ((uint64_t)hi << 32 | lo) & ((UINT64_C(1) << 53) - 1);
    return (double)bits * 0x1p-53;
}

/* MT19937: M. Matsumoto and T. Nishimura, 1998. */
void reel_mt_seed(reel_mt *mt, uint64_t seed)
{
    memset(mt, 0, sizeof *mt);
    mt->state[0] = (uint32_t)seed;
    for (uint32_t i = 1; i < 624; i++)
        mt->state[i] = 1812433253u * (mt->state[i - 1] ^ mt->state[i - 1] >> 30) + i;
    mt->at = 624;
}

static void mt_refill(reel_mt *mt)
{
    uint32_t *s = mt->state;
    for (int i = 0; i < 624; i++) {
        uint32_t y = (s[i] & 0x80000000u) | (s[(i + 1) % 624] & 0x7FFFFFFFu);
        s[i] = s[(i + 397) % 624] ^ y >> 1 ^ (y & 1 ? 0x9908B0DFu : 0);
    }
    mt->at = 0;
}

uint32_t reel_mt_u32(reel_mt *mt)
{
    if (mt->at >= 624)
        mt_refill(mt);
    uint32_t y = mt->state[mt->at++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9D2C5680u;
    y ^= y << 15 & 0xEFC60000u;
    return y ^ y >> 18;
}

void reel_mt_uniform(reel_mt *mt, float *out, size_t n, float a, float b)
{
    for (size_t i = 0; i < n; i++) {
        float u = reel_unit_float(reel_mt_u32(mt));
        if (out != NULL)
            out[i] = u * (b - a) + a;
    }
}

/* Box-Muller over a block of 16 uniforms: the first eight give the radii, the last eight the angles. */
static void normal_block(float *u, float std)
{
    for (int j = 0; j < 8; j++) {
        float radius = sqrtf(-2.0f * logf(1.0f - u[j]));
        float angle = (float)(2.0 * M_PI) * u[j + 8];
        u[j] = radius * cosf(angle) * std;
        u[j + 8] = radius * sinf(angle) * std;
    }
}

static double mt_unit_double(reel_mt *mt)
{
    uint32_t hi = reel_mt_u32(mt), lo = reel_mt_u32(mt);
    return reel_unit_double(hi, lo);
}

static double normal_one(reel_mt *mt)
{
    if (mt->has_spare) {
        mt->has_spare = 0;
        return mt->spare;
    }
    double u1 = mt_unit_double(mt), u2 = mt_unit_double(mt);
    double radius = sqrt(-2.0 * log1p(-u2)), angle = 2.0 * M_PI * u1;
    mt->spare = radius * sin(angle);
    mt->has_spare = 1;
    return radius * cos(angle);
}

void reel_mt_normal(reel_mt *mt, float *out, size_t n, float std)
{
    if (n < 16) {
        for (size_t i = 0; i < n; i++)
            out[i] = (float)(normal_one(mt) * (double)std);
        return;
    }
    reel_mt_uniform(mt, out, n, 0.0f, 1.0f);
    for (size_t i = 0; i + 16 <= n; i += 16)
        normal_block(out + i, std);
    if (n % 16 != 0) {
        reel_mt_uniform(mt, out + n - 16, 16, 0.0f, 1.0f);
        normal_block(out + n - 16, std);
    }
}

void reel_mt_permutation(reel_mt *mt, int64_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (int64_t)i;
    for (size_t i = 0; i + 1 < n; i++) {
        size_t j = i + reel_mt_u32(mt) % (n - i);
        int64_t kept = out[i];
        out[i] = out[j];
        out[j] = kept;
    }
}
