/* `path label` or `path,label`, split once from the right, as PyTorchVideo's LabeledVideoPaths.from_csv does. */
#include "format/csv.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"

enum { LINE_LIMIT = 8192, LABEL_LIMIT = 1024 };

void reel_csv_free(reel_csv *csv)
{
    for (size_t i = 0; i < csv->n; i++) {
        reel_free(csv->row[i].path);
        reel_free(csv->row[i].label);
    }
    reel_free(csv->row);
    *csv = (reel_csv){ 0 };
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }

static reel_status add_row(reel_csv *csv, size_t *capacity, const char *line, size_t n, size_t number, const char *what,
                           reel_error *err)
{
    size_t at = n, path_n;
    while (at > 0 && !is_blank(line[at - 1]) && line[at - 1] != ',')
        at--;
    for (path_n = at; path_n > 0 && is_blank(line[path_n - 1]); path_n--) {}
    if (path_n > 0 && line[path_n - 1] == ',')  /* "path, label": both separators in one place */
        for (path_n--; path_n > 0 && is_blank(line[path_n - 1]); path_n--) {}
    if (path_n == 0 || at == n)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: line %zu has no label. A line is `path label` or `path,label`.", what,
                         number);
    if (n - at > LABEL_LIMIT)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: line %zu: the label is longer than %d bytes", what, number, LABEL_LIMIT);
    if (!reel_utf8_valid(line + at, n - at))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: line %zu: the label is not UTF-8 text", what, number);
    void *rows = csv->row;
    bool room = reel_grow(&rows, capacity, csv->n, sizeof *csv->row);
    csv->row = rows;
    if (!room)
        return reel_fail_nomem(err, what);
    reel_csv_row row = { reel_strndup(line, path_n), reel_strndup(line + at, n - at), number };
    csv->row[csv->n++] = row;
    return row.path != NULL && row.label != NULL ? REEL_OK : reel_fail_nomem(err, what);
}

static reel_status check_line(const char *line, size_t n, size_t number, const char *what, reel_error *err)
{
    if (memchr(line, 0, n < LINE_LIMIT ? n : LINE_LIMIT) != NULL)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: line %zu holds a NUL byte. Is it a text file in UTF-8?", what, number);
    if (n > LINE_LIMIT)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: line %zu is too long: %zu bytes, %d are allowed", what, number, n,
                         LINE_LIMIT);
    return REEL_OK;
}

reel_status reel_csv_parse(const char *text, size_t n, const char *what, reel_csv *out, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_csv csv = { 0 };
    size_t capacity = 0, number = 0;
    const char *p = text, *end = text + n;
    *out = csv;
    if (n >= 2 && (memcmp(p, "\xff\xfe", 2) == 0 || memcmp(p, "\xfe\xff", 2) == 0))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: the list is in UTF-16 encoding; save it as UTF-8", what);
    if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
        p += 3;
    while (p < end) {
        const char *stop = memchr(p, '\n', (size_t)(end - p)), *next;
        next = stop == NULL ? end : stop + 1;
        if (stop == NULL)
            stop = end;
        number++;
        REEL_TRY(check_line(p, (size_t)(stop - p), number, what, err));
        while (p < stop && is_blank(*p))
            p++;
        while (p < stop && is_blank(stop[-1]))
            stop--;
        if (p < stop)
            REEL_TRY(add_row(&csv, &capacity, p, (size_t)(stop - p), number, what, err));
        p = next;
    }
    if (csv.n == 0)
        REEL_TRY(reel_fail(err, REEL_ERR_FORMAT, "%s: the list is empty: no video stands in it", what));
    *out = csv;
    csv = (reel_csv){ 0 };
done:
    reel_csv_free(&csv);
    return status;
}
