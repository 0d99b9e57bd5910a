/* Text: a growing buffer, escaping for people, distances between names, numbers from and to text. */
#ifndef REEL_BASE_TEXT_H
#define REEL_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct reel_text {
    char *s;            /* always ends with NUL once something was added */
    size_t len, cap;
    bool failed;        /* an allocation failed; everything added since is lost */
} reel_text;

void reel_text_add(reel_text *t, const char *s, size_t n);
void reel_text_puts(reel_text *t, const char *s);
void reel_text_printf(reel_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void reel_text_base64(reel_text *t, const void *data, size_t n);  /* with '=' at the end */
char *reel_text_take(reel_text *t);  /* hands the buffer over (NULL when failed) and empties t */
void reel_text_free(reel_text *t);

/* Copies `in` to out (size bytes), with bytes < 0x20, 0x7f and invalid UTF-8 as \xNN; always ends with NUL. */
void reel_escape(char *out, size_t size, const char *in);

/* An argument as a shell takes it back, and on one line: 'it'\''s' in quotes, $'a\nb' for what a terminal must not see. */
void reel_text_shell(reel_text *t, const char *argument);

bool reel_utf8_valid(const char *s, size_t n);

/* Number of single letter edits (insert, delete, replace, swap of neighbours) from a to b. */
size_t reel_edit_distance(const char *a, const char *b);

/* The whole of `s` as a number; false where it is none, is out of range, or not finite. */
bool reel_parse_int(const char *s, int64_t *out);
bool reel_parse_float(const char *s, double *out);
bool reel_parse_bool(const char *s, bool *out);      /* true false 1 0 yes no */
bool reel_parse_bytes(const char *s, uint64_t *out); /* 123, 4K, 4M, 4G (powers of 1024) */

/* The shortest decimal form that reads back as the same double, in the form that Python's repr gives (1.0, 5e-05). */
void reel_format_double(char out[32], double value);

/* strcmp for qsort of char * arrays: code point order of UTF-8, no locale. */
int reel_compare_text(const void *a, const void *b);

/* Bytes of the line that begins at s, its line end included. */
size_t reel_line_length(const char *s);

/* Does `name` end with `suffix`, letters of ASCII compared without case? */
bool reel_ends_with(const char *name, const char *suffix);

#endif
