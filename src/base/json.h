/* JSON, read strictly (no duplicate names, limited depth and size, errors with line and column) and written as Python's json
 * module writes it. json.c alone knows the library behind it. */
#ifndef REEL_BASE_JSON_H
#define REEL_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct reel_json reel_json;  /* a value; counted references */

enum { REEL_JSON_LIMIT = 1 << 20, REEL_JSON_DEPTH = 64 };

/* `what` names the text in messages (a file name). nan_is_null: Python's NaN, Infinity read as null (state files only). */
reel_status reel_json_parse(const char *text, size_t n, const char *what, bool nan_is_null, reel_json **out, reel_error *err);
reel_status reel_json_read(const char *path, size_t limit, bool nan_is_null, reel_json **out, reel_error *err);
void reel_json_free(reel_json *j);   /* drops one reference; NULL is fine */

reel_json *reel_json_object(void);
reel_json *reel_json_array(void);
reel_json *reel_json_copy(const reel_json *j);  /* deep */

bool reel_json_is_object(const reel_json *j);
bool reel_json_is_array(const reel_json *j);
bool reel_json_is_string(const reel_json *j);
bool reel_json_is_null(const reel_json *j);     /* JSON null or NULL */
bool reel_json_is_number(const reel_json *j);
bool reel_json_is_bool(const reel_json *j);
const char *reel_json_string(const reel_json *j);   /* NULL if not a string (or holds a NUL byte) */
double reel_json_number(const reel_json *j);
bool reel_json_true(const reel_json *j);
/* A whole number, also written 16.0; false if it is none or beyond 2^53. */
bool reel_json_integer(const reel_json *j, int64_t *out);

/* Borrowed values. */
const reel_json *reel_json_get(const reel_json *object, const char *key);
size_t reel_json_size(const reel_json *j);
const reel_json *reel_json_at(const reel_json *array, size_t i);
/* Members in the order of the text: for (it = first; it; it = next) */
void *reel_json_first(const reel_json *object);
void *reel_json_next(const reel_json *object, void *it);
const char *reel_json_key(void *it);
const reel_json *reel_json_value(void *it);

/* Setting: false means no memory (the value is dropped). A member that is there is replaced. */
bool reel_json_set(reel_json *object, const char *key, reel_json *value_taken);
bool reel_json_set_string(reel_json *object, const char *key, const char *value);  /* NULL gives null */
bool reel_json_set_int(reel_json *object, const char *key, int64_t value);
bool reel_json_set_double(reel_json *object, const char *key, double value);       /* NaN and Infinity as Python writes them */
bool reel_json_set_known(reel_json *object, const char *key, double value);        /* NaN: the member is left out */
bool reel_json_set_bool(reel_json *object, const char *key, bool value);
bool reel_json_remove(reel_json *object, const char *key);
bool reel_json_push(reel_json *array, reel_json *value_taken);
reel_json *reel_json_new_string(const char *value);
reel_json *reel_json_new_int(int64_t value);
reel_json *reel_json_new_double(double value);
reel_json *reel_json_new_bool(bool value);

typedef enum reel_json_style { REEL_JSON_KEEP = 0, REEL_JSON_SORTED = 1 } reel_json_style;
/* indent 0: one line with ", " and ": ". No line end behind. Numeric keys of id2label are sorted as numbers by the caller's
 * order (use KEEP). NULL: no memory. Free with reel_free. */
char *reel_json_dump(const reel_json *j, int indent, reel_json_style style);
/* The same with two spaces and a line end, as a file has it; NULL also for j NULL. */
char *reel_json_file_text(const reel_json *j, reel_json_style style);

#endif
