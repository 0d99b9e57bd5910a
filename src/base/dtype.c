#include "base/dtype.h"

#include <stdio.h>
#include <string.h>

static const struct { const char *name; size_t size; } dtypes[REEL_DTYPE_COUNT] = {
    [REEL_BOOL] = {"BOOL", 1}, [REEL_U8] = {"U8", 1},     [REEL_I8] = {"I8", 1},   [REEL_I16] = {"I16", 2},
    [REEL_U16] = {"U16", 2},   [REEL_I32] = {"I32", 4},   [REEL_U32] = {"U32", 4}, [REEL_I64] = {"I64", 8},
    [REEL_U64] = {"U64", 8},   [REEL_F16] = {"F16", 2},   [REEL_BF16] = {"BF16", 2}, [REEL_F32] = {"F32", 4},
    [REEL_F64] = {"F64", 8},   [REEL_F8_E5M2] = {"F8_E5M2", 1}, [REEL_F8_E4M3] = {"F8_E4M3", 1},
    [REEL_C64] = {"C64", 8}, [REEL_F8_E8M0] = {"F8_E8M0", 1}, [REEL_F8_E5M2FNUZ] = {"F8_E5M2FNUZ", 1},
    [REEL_F8_E4M3FNUZ] = {"F8_E4M3FNUZ", 1}, [REEL_C32] = {"complex32", 4}, [REEL_C128] = {"complex128", 16},
};

const char *reel_dtype_name(reel_dtype t)
{
    return (unsigned)t < REEL_DTYPE_COUNT ? dtypes[t].name : "?";
}

size_t reel_dtype_size(reel_dtype t)
{
    return (unsigned)t < REEL_DTYPE_COUNT ? dtypes[t].size : 0;
}

bool reel_dtype_parse(const char *name, reel_dtype *out)
{
    for (int t = 0; t < REEL_DTYPE_STORED; t++)
        if (strcmp(name, dtypes[t].name) == 0) {
            *out = (reel_dtype)t;
            return true;
        }
    return false;
}

static float half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = h >> 10 & 0x1Fu, fraction = h & 0x3FFu, bits;
    float out;
    if (exponent == 0) {  /* zero and subnormal: fraction * 2^-24 is exact */
        out = (float)fraction * 0x1p-24f;
        memcpy(&bits, &out, sizeof bits);
        bits |= sign;
    } else if (exponent == 31)
        bits = sign | 0x7F800000u | fraction << 13;
    else
        bits = sign | (exponent + 112) << 23 | fraction << 13;
    memcpy(&out, &bits, sizeof out);
    return out;
}

static float bfloat_to_float(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

/* E5M2 is the upper half of a half. */
static float e5m2_to_float(uint8_t b)
{
    return half_to_float((uint16_t)(b << 8));
}

/* E4M3FN: no infinity; all ones but the sign is NaN. */
static float e4m3_to_float(uint8_t b)
{
    const uint32_t sign = (uint32_t)(b & 0x80u) << 24, exponent = b >> 3 & 15u, fraction = b & 7u;
    uint32_t bits = sign | (exponent + 120) << 23 | fraction << 20;
    float out;
    if (exponent == 0) {  /* zero and subnormal: fraction * 2^-9 is exact */
        out = (float)fraction * 0x1p-9f;
        memcpy(&bits, &out, sizeof bits);
        bits |= sign;
    } else if ((b & 0x7F) == 0x7F)
        bits = sign | 0x7FC00000u;
    memcpy(&out, &bits, sizeof out);
    return out;
}

bool reel_dtype_is_float(reel_dtype t)
{
    return t == REEL_F32 || t == REEL_F64 || t == REEL_F16 || t == REEL_BF16 || t == REEL_F8_E4M3 || t == REEL_F8_E5M2;
}

bool reel_dtype_to_float(float *out, const void *in, reel_dtype t, size_t n)
{
    const unsigned char *p = in;
    switch (t) {
    case REEL_F32:
        if (n > 0)
            memcpy(out, p, n * sizeof *out);
        return true;
    case REEL_F64:
        for (size_t i = 0; i < n; i++) {
            double v;
            memcpy(&v, p + i * sizeof v, sizeof v);
            out[i] = (float)v;
        }
        return true;
    case REEL_F16:
    case REEL_BF16:
        for (size_t i = 0; i < n; i++) {
            uint16_t v;
            memcpy(&v, p + i * sizeof v, sizeof v);
            out[i] = t == REEL_F16 ? half_to_float(v) : bfloat_to_float(v);
        }
        return true;
    case REEL_F8_E4M3:
    case REEL_F8_E5M2:
        for (size_t i = 0; i < n; i++)
            out[i] = t == REEL_F8_E4M3 ? e4m3_to_float(p[i]) : e5m2_to_float(p[i]);
        return true;
    default:
        return false;
    }
}

bool reel_shape_count(const reel_shape *s, uint64_t *out)
{
    uint64_t product = 1, check = 1;
    for (int i = 0; i < s->rank; i++) {
        if (s->dim[i] < 0)
            return false;
        uint64_t d = (uint64_t)s->dim[i];
        product *= d;
        if (d > 0 && __builtin_mul_overflow(check, d, &check))
            return false;  /* a zero beside huge factors is refused too: the order of factors must not matter */
    }
    *out = product;
    return true;
}

bool reel_shape_equal(const reel_shape *a, const reel_shape *b)
{
    return a->rank == b->rank && memcmp(a->dim, b->dim, (size_t)a->rank * sizeof a->dim[0]) == 0;
}

void reel_shape_text(const reel_shape *s, char *out, size_t size)
{
    size_t at = 0;
    if (size == 0)
        return;
    out[0] = '\0';
    for (int i = -1; i <= s->rank; i++) {
        const char *tail = i == s->rank ? (s->rank == 1 ? ",)" : ")") : "";
        int n = i < 0 ? snprintf(out + at, size - at, "(")
              : i < s->rank ? snprintf(out + at, size - at, "%s%lld", i > 0 ? ", " : "", (long long)s->dim[i])
              : snprintf(out + at, size - at, "%s", tail);
        if (n < 0 || (size_t)n >= size - at)
            return;
        at += (size_t)n;
    }
}
