/* Text for people: escaping, quoting, sizes and times, numbers as Python writes them. */
#include "cli.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Length of the valid UTF-8 character at s, 0 where there is none. */
static size_t character(const unsigned char *s)
{
    if (s[0] < 0x80)
        return 1;
    const size_t n = s[0] >= 0xF0 && s[0] < 0xF5 ? 4 : s[0] >= 0xE0 && s[0] < 0xF0 ? 3 : s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) || (s[0] == 0xF0 && s[1] < 0x90)
        || (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;  /* too long a form, surrogates, beyond U+10FFFF */
    return n == 2 && s[0] == 0xC2 && s[1] < 0xA0 ? 0 : n;  /* C1 control characters move a terminal's cursor too */
}

const char *cli_show(char out[CLI_TEXT], const char *text)
{
    size_t used = 0;
    for (const unsigned char *s = (const unsigned char *)text; *s != '\0' && used + 5 < CLI_TEXT;) {
        const size_t n = *s < 0x20 || *s == 0x7F ? 0 : character(s);
        if (n == 0) {
            used += (size_t)snprintf(out + used, 5, "\\x%02x", *s++);
        } else {
            memcpy(out + used, s, n);
            used += n;
            s += n;
        }
    }
    out[used] = '\0';
    return out;
}

const char *cli_quote(char out[CLI_TEXT], const char *text)
{
    char shown[CLI_TEXT];
    cli_show(shown, text);
    if (text[0] != '\0' && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:,+@%-") == strlen(text))
        return strcpy(out, shown);
    size_t used = 0;
    out[used++] = '\'';
    for (const char *s = shown; *s != '\0' && used + 6 < CLI_TEXT; s++) {
        if (*s == '\'') {
            memcpy(out + used, "'\\''", 4);
            used += 4;
        } else {
            out[used++] = *s;
        }
    }
    out[used++] = '\'';
    out[used] = '\0';
    return out;
}

void cli_clock(char out[32], double seconds)
{
    const long s = seconds >= 0 && seconds < 1e9 ? lround(seconds) : 0;
    if (s >= 3600)
        snprintf(out, 32, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, 32, "%ld:%02ld", s / 60, s % 60);
}

void cli_duration(char out[32], double seconds)
{
    const long s = seconds >= 0 && seconds < 1e9 ? lround(seconds) : 0;
    if (s >= 3600)
        snprintf(out, 32, "%ld h %ld min", s / 3600, s / 60 % 60);
    else if (s >= 60)
        snprintf(out, 32, "%ld min %ld s", s / 60, s % 60);
    else
        snprintf(out, 32, seconds < 10 ? "%.1f s" : "%.0f s", seconds);
}

static void scaled(char out[32], double value, const char *const *unit, size_t units)
{
    size_t i = 0;
    while (value >= 999.5 && i + 1 < units) {
        value /= 1000;
        i++;
    }
    snprintf(out, 32, i == 0 || value >= 99.95 ? "%.0f%s" : "%.1f%s", value, unit[i]);
}

void cli_size(char out[32], double bytes)
{
    static const char *const unit[] = { " bytes", " kB", " MB", " GB", " TB" };
    scaled(out, bytes, unit, 5);
}

void cli_count(char out[32], double number)
{
    static const char *const unit[] = { "", " k", " M", " G" };
    scaled(out, number, unit, 4);
}

void cli_repr(char out[32], double value)
{
    char digits[32];
    if (!isfinite(value)) {
        snprintf(out, 32, "%s", isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
        return;
    }
    for (int n = 0; n < 17; n++) {  /* n + 1 digits: the fewest that read back as the same double */
        snprintf(digits, sizeof digits, "%.*e", n, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    char *e = strchr(digits, 'e');
    const int exponent = atoi(e + 1), count = (int)strspn(strchr(digits, '.') != NULL ? strchr(digits, '.') + 1 : "", "0123456789");
    if (exponent >= -4 && exponent < 16) {
        snprintf(out, 32, "%.*f", count > exponent ? count - exponent : 1, value);
    } else {
        *e = '\0';
        snprintf(out, 32, "%.22se%c%02d", digits, exponent < 0 ? '-' : '+', abs(exponent) % 1000);
    }
}

void cli_short(char out[32], double value)
{
    char four[32];
    snprintf(four, sizeof four, "%.4g", value);
    cli_repr(out, strtod(four, NULL));
}

/* Single letter edits from a to b (swap of neighbours is one), for names of at most 63 letters. */
size_t cli_distance(const char *a, const char *b)
{
    enum { MOST = 64 };
    size_t d[MOST][MOST], m = strlen(a), n = strlen(b);
    if (m >= MOST || n >= MOST)
        return MOST;
    for (size_t i = 0; i <= m; i++)
        for (size_t k = 0; k <= n; k++) {
            if (i == 0 || k == 0) {
                d[i][k] = i + k;
                continue;
            }
            size_t best = d[i - 1][k - 1] + (a[i - 1] != b[k - 1]);
            best = d[i - 1][k] + 1 < best ? d[i - 1][k] + 1 : best;
            best = d[i][k - 1] + 1 < best ? d[i][k - 1] + 1 : best;
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] && d[i - 2][k - 2] + 1 < best)
                best = d[i - 2][k - 2] + 1;
            d[i][k] = best;
        }
    return d[m][n];
}

reel_status cli_fail(reel_error *err, reel_status status, const char *format, ...)
{
    char text[CLI_TEXT];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    err->status = status;
    _Static_assert((int)REEL_ERROR_SIZE >= (int)CLI_TEXT, "a message fits");
    cli_show(err->message, text);
    return status;
}
