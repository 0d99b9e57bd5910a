/* A small JSON emitter: one value on one line, ", " and ": " between, numbers as Python's json module writes them. */
#include "cli.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static void text(FILE *out, const char *s)
{
    fputc('"', out);
    for (const unsigned char *c = (const unsigned char *)s; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\')
            fprintf(out, "\\%c", *c);
        else if (*c < 0x20 || *c == 0x7F)
            fprintf(out, "\\u%04x", *c);
        else
            fputc(*c, out);
    }
    fputc('"', out);
}

static bool valid_utf8(const unsigned char *s)
{
    while (*s != '\0') {
        size_t n = *s < 0x80 ? 1 : *s >= 0xC2 && *s < 0xE0 ? 2 : *s >= 0xE0 && *s < 0xF0 ? 3 : *s >= 0xF0 && *s < 0xF5 ? 4 : 0;
        if (n == 0 || (*s == 0xE0 && s[1] < 0xA0) || (*s == 0xED && s[1] > 0x9F) || (*s == 0xF0 && s[1] < 0x90)
            || (*s == 0xF4 && s[1] > 0x8F))
            return false;
        for (s++; n > 1; n--, s++)
            if ((*s & 0xC0) != 0x80)
                return false;
    }
    return true;
}

static void begin(cli_json *j, const char *key)
{
    if (j->more[j->depth])
        fputs(", ", j->out);
    j->more[j->depth] = true;
    if (key != NULL) {
        text(j->out, key);
        fputs(": ", j->out);
    }
}

void cli_json_open(cli_json *j, const char *key, char bracket)
{
    begin(j, key);
    fputc(bracket, j->out);
    if (j->depth + 1 < CLI_JSON_DEPTH)
        j->depth++;
    j->more[j->depth] = false;
}

void cli_json_close(cli_json *j, char bracket)
{
    fputc(bracket, j->out);
    if (j->depth > 0)
        j->depth--;
}

void cli_json_string(cli_json *j, const char *key, const char *value)
{
    begin(j, key);
    if (value == NULL) {
        fputs("null", j->out);
    } else if (valid_utf8((const unsigned char *)value)) {
        text(j->out, value);
    } else {  /* a file name that is no text: as messages show it, so that the line stays JSON */
        char shown[CLI_TEXT];
        text(j->out, cli_show(shown, value));
    }
}

void cli_json_int(cli_json *j, const char *key, int64_t value)
{
    begin(j, key);
    fprintf(j->out, "%" PRId64, value);
}

void cli_json_double(cli_json *j, const char *key, double value)
{
    char number[32];
    begin(j, key);
    cli_repr(number, value);
    fputs(isfinite(value) ? number : "null", j->out);
}

void cli_json_bool(cli_json *j, const char *key, bool value)
{
    begin(j, key);
    fputs(value ? "true" : "false", j->out);
}

void cli_json_end(cli_json *j)
{
    fputc('\n', j->out);
    fflush(j->out);
    j->more[0] = false;
}
