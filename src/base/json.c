#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

/* reel_json is json_t under another name, so that no other file sees jansson. */
static json_t *jt(const reel_json *j)
{
    union { const reel_json *in; json_t *out; } u = {.in = j};
    return u.out;
}

static reel_json *rj(json_t *j)
{
    return (reel_json *)(void *)j;
}

/* jansson's own limit of depth is 2048 levels, which recursion of ours should not meet. */
static reel_status check_depth(const char *text, size_t n, const char *what, reel_error *err)
{
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"')
            in_string = true;
        else if (c == '{' || c == '[') {
            if (++depth > REEL_JSON_DEPTH)
                return reel_fail(err, REEL_ERR_LIMIT, "%s: JSON is nested deeper than %d levels (depth limit)", what,
                                 REEL_JSON_DEPTH);
        } else if (c == '}' || c == ']')
            depth--;
    }
    return REEL_OK;
}

/* Python writes NaN and Infinity, which JSON has not: outside strings they become null. */
static char *without_nan(const char *text, size_t n)
{
    static const char *const words[] = {"-Infinity", "Infinity", "NaN"};
    reel_text out = {0};
    bool in_string = false;
    for (size_t i = 0; i < n;) {
        size_t take = 1;
        const char *put = NULL;
        if (in_string && text[i] == '\\' && i + 1 < n)
            take = 2;
        else if (text[i] == '"')
            in_string = !in_string;
        else if (!in_string)
            for (size_t w = 0; w < sizeof words / sizeof *words && put == NULL; w++)
                if (n - i >= strlen(words[w]) && memcmp(text + i, words[w], strlen(words[w])) == 0) {
                    take = strlen(words[w]);
                    put = "null";
                }
        reel_text_add(&out, put != NULL ? put : text + i, put != NULL ? strlen(put) : take);
        i += take;
    }
    return reel_text_take(&out);
}

reel_status reel_json_parse(const char *text, size_t n, const char *what, bool nan_is_null, reel_json **out, reel_error *err)
{
    json_error_t why;
    *out = NULL;
    reel_status status = check_depth(text, n, what, err);
    if (status != REEL_OK)
        return status;
    if (!reel_utf8_valid(text, n))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: not valid JSON: it has bytes that are not UTF-8", what);
    char *clean = NULL;
    if (nan_is_null) {
        clean = without_nan(text, n);
        if (clean == NULL)
            return reel_fail_nomem(err, what);
        text = clean;
        n = strlen(clean);
    }
    json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    reel_free(clean);
    if (j == NULL)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: not valid JSON at line %d, column %d: %s", what, why.line, why.column,
                         why.text);
    *out = rj(j);
    return REEL_OK;
}

reel_status reel_json_read(const char *path, size_t limit, bool nan_is_null, reel_json **out, reel_error *err)
{
    char *text;
    size_t n;
    *out = NULL;
    reel_status status = reel_file_read(path, limit, &text, &n, err);
    if (status != REEL_OK)
        return status;
    status = reel_file_check_pointer(text, n, path, err);
    if (status == REEL_OK)
        status = reel_json_parse(text, n, path, nan_is_null, out, err);
    reel_free(text);
    return status;
}

void reel_json_free(reel_json *j)
{
    json_decref(jt(j));
}

reel_json *reel_json_object(void) { return rj(json_object()); }
reel_json *reel_json_array(void) { return rj(json_array()); }
reel_json *reel_json_copy(const reel_json *j) { return rj(json_deep_copy(jt(j))); }
reel_json *reel_json_new_string(const char *value) { return rj(json_string(value)); }
reel_json *reel_json_new_int(int64_t value) { return rj(json_integer(value)); }
reel_json *reel_json_new_bool(bool value) { return rj(json_boolean(value)); }

/* jansson has no NaN or infinity; a string that no text can hold (it is not UTF-8) stands for each, and the writer below knows it. */
static const char *const not_finite[] = {"\xff" "NaN", "\xff" "Infinity", "\xff" "-Infinity"};

reel_json *reel_json_new_double(double value)
{
    if (isfinite(value))
        return rj(json_real(value));
    return rj(json_string_nocheck(not_finite[isnan(value) ? 0 : value > 0 ? 1 : 2]));
}

bool reel_json_is_object(const reel_json *j) { return json_is_object(jt(j)); }
bool reel_json_is_array(const reel_json *j) { return json_is_array(jt(j)); }
bool reel_json_is_string(const reel_json *j) { return json_is_string(jt(j)); }
bool reel_json_is_null(const reel_json *j) { return j == NULL || json_is_null(jt(j)); }
bool reel_json_is_number(const reel_json *j) { return json_is_number(jt(j)); }
bool reel_json_is_bool(const reel_json *j) { return json_is_boolean(jt(j)); }
double reel_json_number(const reel_json *j) { return json_number_value(jt(j)); }
bool reel_json_true(const reel_json *j) { return json_is_true(jt(j)); }

const char *reel_json_string(const reel_json *j)
{
    const char *s = json_string_value(jt(j));
    return s != NULL && strlen(s) == json_string_length(jt(j)) ? s : NULL;
}

bool reel_json_integer(const reel_json *j, int64_t *out)
{
    if (json_is_integer(jt(j))) {
        *out = json_integer_value(jt(j));
        return true;
    }
    if (!json_is_real(jt(j)))
        return false;
    double v = json_real_value(jt(j));
    if (!(fabs(v) <= 0x1p53) || v != floor(v))
        return false;
    *out = (int64_t)v;
    return true;
}

const reel_json *reel_json_get(const reel_json *object, const char *key) { return rj(json_object_get(jt(object), key)); }

size_t reel_json_size(const reel_json *j)
{
    return json_is_object(jt(j)) ? json_object_size(jt(j)) : json_array_size(jt(j));
}

const reel_json *reel_json_at(const reel_json *array, size_t i) { return rj(json_array_get(jt(array), i)); }
void *reel_json_first(const reel_json *object) { return json_object_iter(jt(object)); }
void *reel_json_next(const reel_json *object, void *it) { return json_object_iter_next(jt(object), it); }
const char *reel_json_key(void *it) { return json_object_iter_key(it); }
const reel_json *reel_json_value(void *it) { return rj(json_object_iter_value(it)); }

bool reel_json_set(reel_json *object, const char *key, reel_json *value_taken)
{
    return json_object_set_new(jt(object), key, jt(value_taken)) == 0;
}

bool reel_json_set_string(reel_json *object, const char *key, const char *value)
{
    return json_object_set_new(jt(object), key, value != NULL ? json_string(value) : json_null()) == 0;
}

bool reel_json_set_int(reel_json *object, const char *key, int64_t value)
{
    return reel_json_set(object, key, reel_json_new_int(value));
}

bool reel_json_set_double(reel_json *object, const char *key, double value)
{
    return reel_json_set(object, key, reel_json_new_double(value));
}

bool reel_json_set_known(reel_json *object, const char *key, double value)
{
    return isnan(value) || reel_json_set_double(object, key, value);
}

bool reel_json_set_bool(reel_json *object, const char *key, bool value)
{
    return reel_json_set(object, key, reel_json_new_bool(value));
}

bool reel_json_remove(reel_json *object, const char *key) { return json_object_del(jt(object), key) == 0; }
bool reel_json_push(reel_json *array, reel_json *value_taken) { return json_array_append_new(jt(array), jt(value_taken)) == 0; }

/* --- writing --- */

static void write_string(reel_text *t, const char *s, size_t n)
{
    reel_text_puts(t, "\"");
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        switch (c) {
        case '"': reel_text_puts(t, "\\\""); break;
        case '\\': reel_text_puts(t, "\\\\"); break;
        case '\n': reel_text_puts(t, "\\n"); break;
        case '\r': reel_text_puts(t, "\\r"); break;
        case '\t': reel_text_puts(t, "\\t"); break;
        case '\b': reel_text_puts(t, "\\b"); break;
        case '\f': reel_text_puts(t, "\\f"); break;
        default:
            if (c < 0x20 || c == 0x7F)
                reel_text_printf(t, "\\u%04x", c);
            else
                reel_text_add(t, s + i, 1);
        }
    }
    reel_text_puts(t, "\"");
}

static void line_break(reel_text *t, int indent, int level)
{
    if (indent > 0)
        reel_text_printf(t, "\n%*s", indent * level, "");
}

static void write_value(reel_text *t, json_t *j, int indent, reel_json_style style, int level);

static void write_member(reel_text *t, json_t *object, const char *key, int indent, reel_json_style style, int level)
{
    line_break(t, indent, level);
    write_string(t, key, strlen(key));
    reel_text_puts(t, ": ");
    write_value(t, json_object_get(object, key), indent, style, level);
}

static void write_object(reel_text *t, json_t *j, int indent, reel_json_style style, int level)
{
    size_t n = json_object_size(j), k = 0;
    if (n == 0) {
        reel_text_puts(t, "{}");
        return;
    }
    const char **keys = reel_calloc(n, sizeof *keys);
    if (keys == NULL) {
        t->failed = true;
        return;
    }
    for (void *it = json_object_iter(j); it != NULL && k < n; it = json_object_iter_next(j, it))
        keys[k++] = json_object_iter_key(it);
    if (style == REEL_JSON_SORTED)
        qsort(keys, k, sizeof *keys, reel_compare_text);
    reel_text_puts(t, "{");
    for (size_t i = 0; i < k; i++) {
        if (i > 0)
            reel_text_puts(t, indent > 0 ? "," : ", ");
        write_member(t, j, keys[i], indent, style, level + 1);
    }
    line_break(t, indent, level);
    reel_text_puts(t, "}");
    reel_free(keys);
}

static void write_array(reel_text *t, json_t *j, int indent, reel_json_style style, int level)
{
    size_t n = json_array_size(j);
    if (n == 0) {
        reel_text_puts(t, "[]");
        return;
    }
    reel_text_puts(t, "[");
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            reel_text_puts(t, indent > 0 ? "," : ", ");
        line_break(t, indent, level + 1);
        write_value(t, json_array_get(j, i), indent, style, level + 1);
    }
    line_break(t, indent, level);
    reel_text_puts(t, "]");
}

static void write_value(reel_text *t, json_t *j, int indent, reel_json_style style, int level)
{
    char number[32];
    switch (json_typeof(j)) {
    case JSON_OBJECT: write_object(t, j, indent, style, level); return;
    case JSON_ARRAY: write_array(t, j, indent, style, level); return;
    case JSON_STRING:
        for (size_t i = 0; i < sizeof not_finite / sizeof *not_finite; i++)
            if (strcmp(json_string_value(j), not_finite[i]) == 0) {
                reel_text_puts(t, not_finite[i] + 1);
                return;
            }
        write_string(t, json_string_value(j), json_string_length(j));
        return;
    case JSON_INTEGER: reel_text_printf(t, "%" JSON_INTEGER_FORMAT, json_integer_value(j)); return;
    case JSON_REAL:
        reel_format_double(number, json_real_value(j));
        reel_text_puts(t, number);
        return;
    case JSON_TRUE: reel_text_puts(t, "true"); return;
    case JSON_FALSE: reel_text_puts(t, "false"); return;
    case JSON_NULL: reel_text_puts(t, "null"); return;
    }
}

char *reel_json_dump(const reel_json *j, int indent, reel_json_style style)
{
    reel_text t = {0};
    write_value(&t, jt(j), indent, style, 0);
    return reel_text_take(&t);
}

char *reel_json_file_text(const reel_json *j, reel_json_style style)
{
    char *text = j != NULL ? reel_json_dump(j, 2, style) : NULL, *line = text != NULL ? reel_format("%s\n", text) : NULL;
    reel_free(text);
    return line;
}
