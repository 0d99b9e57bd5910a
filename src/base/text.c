#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static bool text_reserve(reel_text *t, size_t more)
{
    size_t need;
    if (t->failed)
        return false;
    if (!reel_add(&need, t->len, more) || !reel_add(&need, need, 1)) {
        t->failed = true;
        return false;
    }
    if (need <= t->cap)
        return true;
    size_t cap = t->cap < 64 ? 64 : t->cap;
    while (cap < need)
        if (!reel_mul(&cap, cap, 2)) {
            t->failed = true;
            return false;
        }
    char *s = reel_realloc(t->s, cap, 1);
    if (s == NULL) {
        t->failed = true;
        return false;
    }
    t->s = s;
    t->cap = cap;
    return true;
}

void reel_text_add(reel_text *t, const char *s, size_t n)
{
    if (!text_reserve(t, n))
        return;
    memcpy(t->s + t->len, s, n);
    t->len += n;
    t->s[t->len] = '\0';
}

void reel_text_puts(reel_text *t, const char *s)
{
    reel_text_add(t, s, strlen(s));
}

void reel_text_printf(reel_text *t, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        t->failed = true;
    else if (text_reserve(t, (size_t)n)) {
        vsnprintf(t->s + t->len, (size_t)n + 1, format, again);
        t->len += (size_t)n;
    }
    va_end(again);
}

void reel_text_base64(reel_text *t, const void *data, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = data;
    for (size_t i = 0; i < n; i += 3) {
        const size_t left = n - i;
        const unsigned bits = (unsigned)in[i] << 16 | (left > 1 ? (unsigned)in[i + 1] << 8 : 0) | (left > 2 ? in[i + 2] : 0);
        const char four[4] = {digits[bits >> 18], digits[bits >> 12 & 63], left > 1 ? digits[bits >> 6 & 63] : '=',
                              left > 2 ? digits[bits & 63] : '='};
        reel_text_add(t, four, 4);
    }
}

char *reel_text_take(reel_text *t)
{
    char *s = NULL;
    if (!t->failed && text_reserve(t, 0)) {
        s = t->s;
        s[t->len] = '\0';
        t->s = NULL;
    }
    reel_text_free(t);
    return s;
}

void reel_text_free(reel_text *t)
{
    reel_free(t->s);
    *t = (reel_text){0};
}

/* Length of the valid UTF-8 sequence at s (at most n bytes), or 0. */
static size_t utf8_sequence(const unsigned char *s, size_t n)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = s[0] < 0x80 ? 1 : (s[0] & 0xE0) == 0xC0 ? 2 : (s[0] & 0xF0) == 0xE0 ? 3 : (s[0] & 0xF8) == 0xF0 ? 4 : 0;
    if (len == 0 || len > n)
        return 0;
    if (len == 1)
        return 1;
    uint32_t code = s[0] & (0xFFu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (s[i] & 0x3F);
    }
    bool bad = code < least[len] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF);
    return bad ? 0 : len;
}

bool reel_utf8_valid(const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s;
    for (size_t i = 0; i < n;) {
        size_t len = utf8_sequence(p + i, n - i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

/* Length of what is at p, of n bytes: a character, or a byte that belongs to none. *raw: people may see it as it is. */
static size_t character_at(const unsigned char *p, size_t n, bool *raw)
{
    const size_t len = utf8_sequence(p, n);
    /* C1 controls (U+0080 to U+009F) start a sequence on some terminals just as ESC does. */
    const bool control = len == 1 ? p[0] < 0x20 || p[0] == 0x7F : len == 2 && p[0] == 0xC2 && p[1] < 0xA0;
    *raw = len > 0 && !control;
    return len > 0 ? len : 1;
}

void reel_escape(char *out, size_t size, const char *in)
{
    const unsigned char *p = (const unsigned char *)in;
    size_t n = strlen(in), at = 0;
    for (size_t i = 0; i < n;) {
        bool raw;
        size_t take = character_at(p + i, n - i, &raw), need = raw ? take : 4 * take;
        if (at + need >= size)
            break;
        for (size_t k = 0; k < take; k++) {
            if (raw)
                out[at++] = (char)p[i + k];
            else
                at += (size_t)snprintf(out + at, 5, "\\x%02x", p[i + k]);
        }
        i += take;
    }
    if (size > 0)
        out[at] = '\0';
}

static bool is_plain(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    bool raw = true;
    for (size_t left = strlen(text), n; left > 0 && raw; p += n, left -= n)
        n = character_at(p, left, &raw);
    return raw;
}

void reel_text_shell(reel_text *t, const char *argument)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:,+@%-";
    const bool plain = is_plain(argument);
    if (argument[0] != '\0' && strspn(argument, safe) == strlen(argument)) {
        reel_text_puts(t, argument);
        return;
    }
    reel_text_puts(t, plain ? "'" : "$'");
    for (const char *c = argument; *c != '\0'; c++) {
        if (!plain && (*c < 0x20 || *c > 0x7e))
            reel_text_printf(t, "\\%03o", (unsigned)(unsigned char)*c);
        else if (*c == '\'' || (!plain && *c == '\\'))
            reel_text_puts(t, plain ? "'\\''" : *c == '\'' ? "\\'" : "\\\\");
        else
            reel_text_add(t, c, 1);
    }
    reel_text_puts(t, "'");
}

size_t reel_edit_distance(const char *a, const char *b)
{
    enum { MOST = 64 };
    size_t n = strlen(a), m = strlen(b);
    size_t row[3][MOST + 1];
    if (n > MOST || m > MOST)
        return n > m ? n : m;
    for (size_t j = 0; j <= m; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = row[i % 3], *before = row[(i + 2) % 3], *two = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = before[j - 1] + (a[i - 1] != b[j - 1]);
            if (before[j] + 1 < best)
                best = before[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && two[j - 2] + 1 < best)
                best = two[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[n % 3][m];
}

bool reel_parse_int(const char *s, int64_t *out)
{
    char *end;
    if (*s == '\0' || isspace((unsigned char)*s))
        return false;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    if (*end != '\0' || errno != 0)
        return false;
    *out = v;
    return true;
}

bool reel_parse_float(const char *s, double *out)
{
    char *end;
    if (*s == '\0' || isspace((unsigned char)*s))
        return false;
    errno = 0;
    double v = strtod(s, &end);
    if (*end != '\0' || !isfinite(v))
        return false;
    *out = v;
    return true;
}

bool reel_parse_bool(const char *s, bool *out)
{
    static const char *const words[2][4] = {{"false", "0", "no", "False"}, {"true", "1", "yes", "True"}};
    for (int v = 0; v < 2; v++)
        for (int k = 0; k < 4; k++)
            if (strcmp(s, words[v][k]) == 0) {
                *out = v == 1;
                return true;
            }
    return false;
}

bool reel_parse_bytes(const char *s, uint64_t *out)
{
    char *end;
    if (*s < '0' || *s > '9')
        return false;
    errno = 0;
    double v = strtod(s, &end);
    if (errno != 0 || !isfinite(v))
        return false;
    static const char units[] = "KMGT";
    if (*end != '\0') {
        const char *unit = strchr(units, toupper((unsigned char)*end));
        if (unit == NULL || (end[1] != '\0' && strcmp(end + 1, "B") != 0 && strcmp(end + 1, "iB") != 0))
            return false;
        for (const char *u = units; u <= unit; u++)
            v *= 1024;
    }
    if (!(v < 0x1p63))
        return false;
    *out = (uint64_t)v;
    return true;
}

void reel_format_double(char out[32], double value)
{
    if (isnan(value)) {
        strcpy(out, "NaN");
        return;
    }
    if (isinf(value)) {
        strcpy(out, value > 0 ? "Infinity" : "-Infinity");
        return;
    }
    char digits[32];
    int precision = 0;
    do
        snprintf(digits, sizeof digits, "%.*e", precision, value);
    while (strtod(digits, NULL) != value && ++precision < 17);
    int exponent = (int)strtol(strchr(digits, 'e') + 1, NULL, 10);
    /* Python writes plain decimals for exponents from -4 to 15. */
    if (exponent < -4 || exponent > 15) {
        snprintf(out, 32, "%.*e", precision, value);
        return;
    }
    int decimals = precision - exponent;
    snprintf(out, 32, "%.*f", decimals > 1 ? decimals : 1, value);
}

int reel_compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool reel_ends_with(const char *name, const char *suffix)
{
    size_t n = strlen(name), m = strlen(suffix);
    return n >= m && strcasecmp(name + n - m, suffix) == 0;
}

size_t reel_line_length(const char *s)
{
    const size_t n = strcspn(s, "\n");
    return n + (s[n] == '\n');
}
