/* A list of clips: labels are numbers from 0 without gaps, used as they stand, or names, sorted by code point. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "data/build.h"
#include "format/csv.h"
#include "video/decode.h"

enum { LIST_LIMIT = 256 << 20 };

static bool is_number(const char *s)
{
    s += *s == '-' || *s == '+';
    return *s != 0 && s[strspn(s, "0123456789")] == 0;
}

/* Labels are all numbers or all names; a name that ends like a video is a path with a blank in it and no label. */
static reel_status check_labels(const reel_csv *csv, const char *path, bool *numbers, reel_error *err)
{
    bool differ = false;
    *numbers = is_number(csv->row[0].label);
    for (size_t i = 0; i < csv->n; i++) {
        const reel_csv_row *row = &csv->row[i];
        if (is_number(row->label) != *numbers)
            return reel_fail(err, REEL_ERR_FORMAT, "%s: line %zu: the label %s is %s, that of line %zu is %s. Use one kind.", path,
                             row->line, row->label, *numbers ? "a name" : "a number", csv->row[0].line,
                             *numbers ? "a number" : "a name");
        if (reel_video_name(row->label))
            return reel_fail(err, REEL_ERR_FORMAT, "%s: line %zu has no label: it ends with %s. A line is `path label` or "
                             "`path,label`.", path, row->line, row->label);
        differ = differ || strcmp(row->label, csv->row[0].label) != 0;
    }
    if (!*numbers && !differ)  /* as likely a mistake as a wish: nothing could be told apart */
        return reel_fail(err, REEL_ERR_FORMAT, "%s: line %zu: the label %s is not a number and the only label of the list. "
                         "Labels are numbers from 0, or at least two names.", path, csv->row[0].line, csv->row[0].label);
    return REEL_OK;
}

static reel_status read_number(const reel_csv_row *row, const char *path, int *label, reel_error *err)
{
    int64_t value;
    if (!reel_parse_int(row->label[0] == '+' ? row->label + 1 : row->label, &value) || value < 0 || value > REEL_LABEL_LIMIT)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: line %zu: the label %s is out of range; numbers go from 0 to %d", path,
                         row->line, row->label, REEL_LABEL_LIMIT);
    *label = (int)value;
    return REEL_OK;
}

static reel_status number_classes(reel_builder *b, const reel_csv *csv, const char *path, int *label, reel_error *err)
{
    reel_status status = REEL_OK;
    int highest = 0;
    bool *seen = NULL;
    for (size_t i = 0; i < csv->n; i++) {
        REEL_TRY(read_number(&csv->row[i], path, &label[i], err));
        if (label[i] > highest)
            highest = label[i];
    }
    seen = reel_calloc((size_t)highest + 1, sizeof *seen);
    if (seen == NULL)
        REEL_TRY(reel_fail_nomem(err, path));
    for (size_t i = 0; i < csv->n; i++)
        seen[label[i]] = true;
    for (int k = 0; k <= highest; k++) {
        char name[16], *end = name + sizeof name;
        if (!seen[k])
            REEL_TRY(reel_fail(err, REEL_ERR_FORMAT, "%s: labels go up to %d, but no line has the label %d; number the classes "
                               "from 0 without gaps", path, highest, k));
        *--end = 0;
        for (int rest = k; end == name + sizeof name - 1 || rest > 0; rest /= 10)
            *--end = (char)('0' + rest % 10);
        REEL_TRY(reel_build_class(b, end, err));
    }
done:
    reel_free(seen);
    return status;
}

static reel_status name_classes(reel_builder *b, const reel_csv *csv, const char *path, int *label, reel_error *err)
{
    for (size_t i = 0; i < csv->n; i++) {
        reel_status status = reel_build_class(b, csv->row[i].label, err);
        if (status != REEL_OK)
            return status;
    }
    reel_build_sort_classes(b->ds);
    if (b->ds->n_classes > REEL_LABEL_LIMIT + 1)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: %zu labels, at most %d are allowed", path, b->ds->n_classes,
                         REEL_LABEL_LIMIT + 1);
    for (size_t i = 0; i < csv->n; i++)
        label[i] = reel_build_class_of(b->ds, csv->row[i].label);
    return REEL_OK;
}

/* Files that are not there: one line, three examples, a count. */
static reel_status tell_missing(reel_builder *b, const char *path, reel_error *err)
{
    reel_text examples = { 0 };
    size_t missing = 0;
    reel_status status = REEL_OK;
    for (size_t i = 0; i < b->ds->n_items; i++)
        if (!reel_exists(b->ds->item[i].path) && missing++ < 3)
            reel_text_printf(&examples, "%s%.160s", missing > 1 ? ", " : "", b->ds->item[i].shown);
    if (examples.failed)
        REEL_TRY(reel_fail_nomem(err, path));
    if (missing == b->ds->n_items)
        REEL_TRY(reel_fail(err, REEL_ERR_NOT_FOUND, "%s: none of its %zu files is there: not found are %s%s. Paths are relative "
                           "to the list.", path, missing, examples.s, missing > 3 ? ", …" : ""));
    if (missing > 0)
        REEL_TRY(reel_build_warning(b, err, "%zu of %zu files do not exist: %s%s", missing, b->ds->n_items, examples.s,
                                    missing > 3 ? ", …" : ""));
done:
    reel_text_free(&examples);
    return status;
}

static char *folder_of(const char *path)
{
    const char *base = reel_path_base(path);
    return base == path ? reel_strdup(".") : base == path + 1 ? reel_strdup("/") : reel_strndup(path, (size_t)(base - path) - 1);
}

reel_status reel_open_csv(reel_builder *b, const char *path, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_csv csv = { 0 };
    char *text = NULL, *dir = folder_of(path), *full = NULL;
    int *label = NULL;
    size_t n = 0;
    bool numbers = false;
    if (dir == NULL)
        REEL_TRY(reel_fail_nomem(err, path));
    REEL_TRY(reel_file_read(path, LIST_LIMIT, &text, &n, err));
    REEL_TRY(reel_csv_parse(text, n, path, &csv, err));
    REEL_TRY(check_labels(&csv, path, &numbers, err));
    label = reel_calloc(csv.n, sizeof *label);
    if (label == NULL)
        REEL_TRY(reel_fail_nomem(err, path));
    REEL_TRY((numbers ? number_classes : name_classes)(b, &csv, path, label, err));
    REEL_TRY(reel_build_split(b, "all", err));
    for (size_t i = 0; i < csv.n; i++) {
        const char *p = csv.row[i].path;
        full = p[0] == '/' ? reel_strdup(p) : reel_path_join(dir, p);
        if (full == NULL)
            REEL_TRY(reel_fail_nomem(err, path));
        REEL_TRY(reel_build_item(b, full, p, label[i], 0, err));
        reel_free(full);
        full = NULL;
    }
    REEL_TRY(tell_missing(b, path, err));
done:
    reel_csv_free(&csv);
    reel_free(text);
    reel_free(dir);
    reel_free(full);
    reel_free(label);
    return status;
}
