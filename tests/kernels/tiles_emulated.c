/* low_amx.c over tiles in plain C, so that its arithmetic of places is tested on every machine: the tile instructions as Intel's
 * manual defines them (SDM 2, TILELOADD, TDPBF16PS), with the sizes of the tiles taken from the configuration. */
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef struct emulated { uint8_t palette, start, reserved[14]; uint16_t bytes[16]; uint8_t rows[16]; } emulated;
static emulated shape;
static unsigned char tiles[8][16][64];

static void load_config(const void *config) { memcpy(&shape, config, sizeof shape); }
static void release(void) { memset(&shape, 0, sizeof shape); }
static void zero(int t) { memset(tiles[t], 0, sizeof tiles[t]); }

static void load(int t, const void *from, size_t stride)
{
    zero(t);
    for (int r = 0; r < shape.rows[t]; r++)
        memcpy(tiles[t][r], (const unsigned char *)from + (size_t)r * stride, shape.bytes[t]);
}

static void store(int t, void *to, size_t stride)
{
    for (int r = 0; r < shape.rows[t]; r++)
        memcpy((unsigned char *)to + (size_t)r * stride, tiles[t][r], shape.bytes[t]);
}

static float half(int t, int row, int at)
{
    uint16_t h;
    float f;
    memcpy(&h, tiles[t][row] + 2 * at, sizeof h);
    uint32_t u = (uint32_t)h << 16;
    memcpy(&f, &u, sizeof f);
    return f;
}

static void multiply(int c, int a, int b)
{
    for (int r = 0; r < shape.rows[c]; r++)
        for (int k = 0; k < shape.bytes[a] / 4; k++)
            for (int j = 0; j < shape.bytes[c] / 4; j++) {
                float sum;
                memcpy(&sum, tiles[c][r] + 4 * j, sizeof sum);
                sum = fmaf(half(a, r, 2 * k), half(b, k, 2 * j), sum);
                sum = fmaf(half(a, r, 2 * k + 1), half(b, k, 2 * j + 1), sum);
                memcpy(tiles[c][r] + 4 * j, &sum, sizeof sum);
            }
}

static void multiply_bytes(int c, int a, int b)
{
    for (int r = 0; r < shape.rows[c]; r++)
        for (int j = 0; j < shape.bytes[c] / 4; j++) {
            int32_t sum;
            memcpy(&sum, tiles[c][r] + 4 * j, sizeof sum);
            for (int k = 0; k < shape.bytes[a]; k++)
                sum += (int32_t)tiles[a][r][k] * (int32_t)(int8_t)tiles[b][k / 4][4 * j + k % 4];
            memcpy(tiles[c][r] + 4 * j, &sum, sizeof sum);
        }
}

#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbf16ps
#undef _tile_dpbusd
#undef _tile_loadconfig
#undef _tile_release
#define _tile_loadconfig(p) load_config(p)
#define _tile_release() release()
#define _tile_zero(t) zero(t)
#define _tile_loadd(t, p, s) load(t, p, s)
#define _tile_stored(t, p, s) store(t, p, s)
#define _tile_dpbf16ps(c, a, b) multiply(c, a, b)
#define _tile_dpbusd(c, a, b) multiply_bytes(c, a, b)
#define reel_int8_block_amx reel_int8_block_emulated
#define reel_bf16_block_amx reel_bf16_block_emulated

#include "kernels/low_amx.c"
