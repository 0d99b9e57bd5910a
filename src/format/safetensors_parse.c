/* The header of a safetensors file, checked rule by rule before a byte of data is touched.
 *
 * The outer object is walked here and only one entry at a time becomes a tree: a header may be 100 MB, and a tree of it would
 * need some thirty times that. */
#include "format/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

enum { MAX_HEADER = 100000000, MAX_TENSORS = 1000000, MAX_ENTRY = 65536, MAX_METADATA = 16 << 20 };

typedef struct cursor {
    const char *s;
    size_t n, at;
    const char *what;
} cursor;

typedef struct slice { const char *s; size_t n; } slice;

static reel_status fail_json(const cursor *c, const char *wanted, reel_error *err)
{
    return reel_fail(err, REEL_ERR_FORMAT, "%s: the header is not JSON: %s wanted at byte %zu of it", c->what, wanted, c->at);
}

static void skip_blanks(cursor *c)
{
    while (c->at < c->n && (c->s[c->at] == ' ' || c->s[c->at] == '\t' || c->s[c->at] == '\n' || c->s[c->at] == '\r'))
        c->at++;
}

static bool take_char(cursor *c, char wanted)
{
    skip_blanks(c);
    if (c->at >= c->n || c->s[c->at] != wanted)
        return false;
    c->at++;
    return true;
}

/* Moves behind the closing quote of a string that starts at c->at; false where there is none. */
static bool skip_string(cursor *c)
{
    for (c->at++; c->at < c->n; c->at++) {
        if (c->s[c->at] == '\\')
            c->at++;
        else if (c->s[c->at] == '"') {
            c->at++;
            return true;
        }
    }
    return false;
}

static reel_status take_string(cursor *c, slice *out, reel_error *err)
{
    skip_blanks(c);
    size_t from = c->at;
    if (c->at >= c->n || c->s[c->at] != '"' || !skip_string(c))
        return fail_json(c, "a name in quotes", err);
    *out = (slice){c->s + from, c->at - from};
    return REEL_OK;
}

/* The text of one object, with its braces; what is inside is parsed by the caller. */
static reel_status take_object(cursor *c, slice *out, reel_error *err)
{
    int depth = 0;
    skip_blanks(c);
    size_t from = c->at;
    if (c->at >= c->n)
        return fail_json(c, "a value", err);
    do {
        char ch = c->s[c->at];
        if (ch == '"') {
            if (!skip_string(c))
                return fail_json(c, "a closing quote", err);
            continue;
        }
        if (ch == '{' || ch == '[')
            depth++;
        else if (ch == '}' || ch == ']')
            depth--;
        else if (depth == 0)
            return fail_json(c, "an object {...}", err);
        if (depth > REEL_JSON_DEPTH)
            return reel_fail(err, REEL_ERR_LIMIT, "%s: the header's JSON is nested deeper than %d levels (depth limit)", c->what,
                             REEL_JSON_DEPTH);
        c->at++;
    } while (depth > 0 && c->at < c->n);
    if (depth != 0)
        return fail_json(c, "a closing brace", err);
    *out = (slice){c->s + from, c->at - from};
    return REEL_OK;
}

/* serde reads 16.0 and -0 as no whole numbers, jansson does: looked at in the text. */
static bool has_fraction(slice v)
{
    bool in_string = false;
    for (size_t i = 0; i < v.n; i++) {
        char c = v.s[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && i > 0 && v.s[i - 1] >= '0' && v.s[i - 1] <= '9' && (c == '.' || c == 'e' || c == 'E'))
            return true;
    }
    return false;
}

static reel_status read_shape(const reel_json *j, const char *what, const char *name, reel_shape *out, reel_error *err)
{
    if (!reel_json_is_array(j))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: tensor %s: shape is missing or not a list of numbers", what, name);
    size_t rank = reel_json_size(j);
    if (rank > REEL_MAX_RANK)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: tensor %s: shape has %zu dimensions, the limit is %d", what, name, rank,
                         REEL_MAX_RANK);
    out->rank = (int)rank;
    for (size_t i = 0; i < rank; i++) {
        if (!reel_json_integer(reel_json_at(j, i), &out->dim[i]))
            return reel_fail(err, REEL_ERR_FORMAT, "%s: tensor %s: shape holds something that is no whole number", what, name);
        if (out->dim[i] < 0)
            return reel_fail(err, REEL_ERR_FORMAT, "%s: tensor %s: shape holds a negative number, %lld", what, name,
                             (long long)out->dim[i]);
    }
    return REEL_OK;
}

static reel_status read_offsets(const reel_json *j, const char *what, reel_tensor *t, reel_error *err)
{
    int64_t begin, end;
    if (!reel_json_is_array(j) || reel_json_size(j) != 2 || !reel_json_integer(reel_json_at(j, 0), &begin) ||
        !reel_json_integer(reel_json_at(j, 1), &end) || begin < 0 || end < 0)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: tensor %s: data_offsets are not two whole numbers from 0", what, t->name);
    if (end < begin)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: tensor %s: data_offsets end (%lld) before they begin (%lld)", what, t->name,
                         (long long)end, (long long)begin);
    t->offset = (uint64_t)begin;
    t->bytes = (uint64_t)(end - begin);
    return REEL_OK;
}

static reel_status check_bytes(const char *what, const reel_tensor *t, reel_error *err)
{
    uint64_t count, bytes;
    char shape[128];
    reel_shape_text(&t->shape, shape, sizeof shape);
    if (!reel_shape_count(&t->shape, &count) || __builtin_mul_overflow(count, (uint64_t)reel_dtype_size(t->dtype), &bytes))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: tensor %s: shape %s is too large, its size overflows 64 bits", what, t->name,
                         shape);
    if (bytes != t->bytes)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: tensor %s: shape %s of %s needs %llu bytes, data_offsets give %llu", what,
                         t->name, shape, reel_dtype_name(t->dtype), (unsigned long long)bytes, (unsigned long long)t->bytes);
    return REEL_OK;
}

/* Fills *t but for its name from the entry's text. */
static reel_status read_entry(const cursor *c, slice text, reel_tensor *t, reel_error *err)
{
    reel_json *j = NULL;
    reel_status status = REEL_OK;
    if (text.n > MAX_ENTRY)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: tensor %s: its header entry has %zu bytes, the limit is %d", c->what, t->name,
                         text.n, MAX_ENTRY);
    REEL_TRY(reel_json_parse(text.s, text.n, c->what, false, &j, err));
    if (!reel_json_is_object(j)) {
        status = reel_fail(err, REEL_ERR_FORMAT, "%s: tensor %s: its header entry is not an object", c->what, t->name);
        goto done;
    }
    const char *dtype = reel_json_string(reel_json_get(j, "dtype"));
    if (dtype == NULL || !reel_dtype_parse(dtype, &t->dtype)) {
        status = reel_fail(err, REEL_ERR_FORMAT, "%s: tensor %s: dtype %s is not one that safetensors knows", c->what, t->name,
                           dtype != NULL ? dtype : "(missing)");
        goto done;
    }
    REEL_TRY(read_shape(reel_json_get(j, "shape"), c->what, t->name, &t->shape, err));
    REEL_TRY(read_offsets(reel_json_get(j, "data_offsets"), c->what, t, err));
    if (has_fraction(text)) {
        status = reel_fail(err, REEL_ERR_FORMAT, "%s: tensor %s: shape or data_offsets hold a number that is not whole", c->what,
                           t->name);
        goto done;
    }
    status = check_bytes(c->what, t, err);
done:
    reel_json_free(j);
    return status;
}

static reel_status read_metadata(const cursor *c, slice text, reel_json **out, reel_error *err)
{
    reel_json *j = NULL;
    reel_status status = REEL_OK;
    if (*out != NULL)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: __metadata__ appears twice in the header", c->what);
    if (text.n > MAX_METADATA)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: __metadata__ has %zu bytes, the limit is %d", c->what, text.n, MAX_METADATA);
    REEL_TRY(reel_json_parse(text.s, text.n, c->what, false, &j, err));
    bool good = reel_json_is_object(j);
    for (void *it = good ? reel_json_first(j) : NULL; it != NULL && good; it = reel_json_next(j, it))
        good = reel_json_string(reel_json_value(it)) != NULL;
    if (!good) {
        status = reel_fail(err, REEL_ERR_FORMAT, "%s: __metadata__ must map strings to strings", c->what);
        goto done;
    }
    *out = j;
    j = NULL;
done:
    reel_json_free(j);
    return status;
}

static reel_status read_member(cursor *c, reel_tensors *st, size_t *capacity, reel_error *err)
{
    slice key = {0}, value = {0};
    reel_json *name = NULL;
    reel_status status;
    REEL_TRY(take_string(c, &key, err));
    if (!take_char(c, ':')) {
        status = fail_json(c, "':'", err);
        goto done;
    }
    REEL_TRY(reel_json_parse(key.s, key.n, c->what, false, &name, err));
    REEL_TRY(take_object(c, &value, err));
    const char *text = reel_json_string(name);
    if (text == NULL) {
        status = reel_fail(err, REEL_ERR_FORMAT, "%s: a tensor name in the header holds a NUL byte", c->what);
        goto done;
    }
    if (strcmp(text, "__metadata__") == 0) {
        status = read_metadata(c, value, &st->metadata, err);
        goto done;
    }
    REEL_TRY(reel_tensor_name_check(text, c->what, err));
    if (st->n >= MAX_TENSORS) {
        status = reel_fail(err, REEL_ERR_LIMIT, "%s: more than %d tensors (limit)", c->what, MAX_TENSORS);
        goto done;
    }
    void *items = st->tensor;
    if (!reel_grow(&items, capacity, st->n, sizeof *st->tensor)) {
        status = reel_fail_nomem(err, c->what);
        goto done;
    }
    st->tensor = items;
    reel_tensor *t = &st->tensor[st->n];
    *t = (reel_tensor){.name = reel_strdup(text)};
    if (t->name == NULL) {
        status = reel_fail_nomem(err, c->what);
        goto done;
    }
    st->n++;
    status = read_entry(c, value, t, err);
done:
    reel_json_free(name);
    return status;
}

static int compare_offsets(const void *a, const void *b)
{
    const reel_tensor *x = a, *y = b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Every byte of the data belongs to exactly one tensor. */
static reel_status check_cover(const reel_tensors *st, uint64_t data_bytes, const char *what, reel_error *err)
{
    uint64_t at = 0;
    for (size_t i = 0; i < st->n; i++) {
        const reel_tensor *t = &st->tensor[i];
        if (t->offset != at)
            return reel_fail(err, REEL_ERR_FORMAT, "%s: tensor %s: %s (data_offsets begin at %llu, the one before ends at %llu)",
                             what, t->name, t->offset < at ? "its bytes overlap another tensor's" : "a hole lies before its bytes",
                             (unsigned long long)t->offset, (unsigned long long)at);
        at += t->bytes;  /* cannot wrap: both numbers are below 2^63, and at <= data_bytes */
        if (at > data_bytes)
            return reel_fail(err, REEL_ERR_FORMAT, "%s: tensor %s ends at byte %llu of the data, beyond the %llu that the file "
                             "has; is the file truncated?", what, t->name, (unsigned long long)at,
                             (unsigned long long)data_bytes);
    }
    if (at != data_bytes)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: %llu trailing bytes at the end are not covered by any tensor", what,
                         (unsigned long long)(data_bytes - at));
    return REEL_OK;
}

static reel_status parse_members(cursor *c, reel_tensors *st, reel_error *err)
{
    size_t capacity = 0;
    c->at = 1;
    if (!take_char(c, '}'))
        do {
            reel_status status = read_member(c, st, &capacity, err);
            if (status != REEL_OK)
                return status;
            if (take_char(c, '}'))
                break;
            if (!take_char(c, ','))
                return fail_json(c, "',' or '}'", err);
        } while (true);
    for (; c->at < c->n; c->at++)
        if (c->s[c->at] != ' ')
            return fail_json(c, "nothing but blanks (or the end)", err);
    return REEL_OK;
}

reel_status reel_st_parse(const char *header, size_t n, uint64_t data_bytes, const char *what, reel_tensors *out, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_tensors st = {0};
    *out = (reel_tensors){0};
    if (n < 2 || n > MAX_HEADER)
        return reel_fail(err, n < 2 ? REEL_ERR_FORMAT : REEL_ERR_LIMIT, "%s: a header of %zu bytes is %s", what, n,
                         n < 2 ? "too short" : "too large (limit 100 000 000)");
    if (header[0] != '{')
        return reel_fail(err, REEL_ERR_FORMAT, "%s: the header is not a JSON object (it must begin with '{')", what);
    if (!reel_utf8_valid(header, n))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: the header is not valid UTF-8", what);
    cursor c = {header, n, 0, what};
    REEL_TRY(parse_members(&c, &st, err));
    REEL_TRY(reel_tensors_sort(&st, what, err));
    if (st.n > 0)
        qsort(st.tensor, st.n, sizeof *st.tensor, compare_offsets);
    REEL_TRY(check_cover(&st, data_bytes, what, err));
    REEL_TRY(reel_tensors_sort(&st, what, err));
    *out = st;
    st = (reel_tensors){0};
done:
    reel_tensors_close(&st);
    return status;
}
