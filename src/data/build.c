#include "data/build.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

/* A copy that a terminal and JSON can show. */
static char *shown_copy(const char *text)
{
    size_t size = 4 * strlen(text) + 1;
    char *out = reel_calloc(size, 1);
    if (out != NULL)
        reel_escape(out, size, text);
    return out;
}

reel_status reel_build_item(reel_builder *b, const char *path, const char *shown, int label, int split, reel_error *err)
{
    void *items = b->ds->item;
    bool room = b->ds->n_items < INT_MAX && reel_grow(&items, &b->item_cap, b->ds->n_items, sizeof(reel_item));
    b->ds->item = items;
    if (!room)
        return reel_fail_nomem(err, b->ds->path);
    reel_item *item = &b->ds->item[b->ds->n_items++];
    *item = (reel_item){ .path = reel_strdup(path), .shown = shown_copy(shown), .label = label, .split = split,
                         .group = reel_group_of(reel_path_base(shown)), .duration = -1 };
    if ((path != NULL && item->path == NULL) || item->shown == NULL)
        return reel_fail_nomem(err, b->ds->path);
    return REEL_OK;
}

static reel_status add_text(char ***array, size_t *n, size_t *capacity, char *text_taken, const char *what, reel_error *err)
{
    void *items = *array;
    bool room = text_taken != NULL && *n < INT_MAX && reel_grow(&items, capacity, *n, sizeof **array);
    *array = items;
    if (!room) {
        reel_free(text_taken);
        return reel_fail_nomem(err, what);
    }
    (*array)[(*n)++] = text_taken;
    return REEL_OK;
}

reel_status reel_build_class(reel_builder *b, const char *name, reel_error *err)
{
    return add_text(&b->ds->classes, &b->ds->n_classes, &b->class_cap, reel_strdup(name), b->ds->path, err);
}

reel_status reel_build_split(reel_builder *b, const char *name, reel_error *err)
{
    return add_text(&b->ds->splits, &b->ds->n_splits, &b->split_cap, reel_strdup(name), b->ds->path, err);
}

reel_status reel_build_warning(reel_builder *b, reel_error *err, const char *format, ...)
{
    char raw[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    return add_text(&b->ds->warning, &b->ds->n_warnings, &b->warning_cap, shown_copy(raw), b->ds->path, err);
}

void reel_build_sort_classes(reel_dataset *ds)
{
    size_t kept = 0;
    if (ds->n_classes == 0)
        return;
    qsort(ds->classes, ds->n_classes, sizeof *ds->classes, reel_compare_text);
    for (size_t i = 0; i < ds->n_classes; i++)
        if (kept > 0 && strcmp(ds->classes[kept - 1], ds->classes[i]) == 0)
            reel_free(ds->classes[i]);
        else
            ds->classes[kept++] = ds->classes[i];
    ds->n_classes = kept;
}

int reel_build_class_of(const reel_dataset *ds, const char *name)
{
    char **found = ds->n_classes == 0 ? NULL
        : bsearch(&name, ds->classes, ds->n_classes, sizeof *ds->classes, reel_compare_text);
    return found == NULL ? -1 : (int)(found - ds->classes);
}

const char *reel_split_name(const char *name)
{
    static const char *const names[][2] = { { "train", "train" }, { "val", "val" }, { "validation", "val" },
                                            { "valid", "val" }, { "dev", "val" }, { "test", "test" } };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(name, names[i][0]) == 0)
            return names[i][1];
    return NULL;
}

/* The digits that end at *end, moved before them; -1 where there are none or too many. */
static int digits_before(const char *start, const char **end)
{
    const char *p = *end;
    int value = 0;
    while (p > start && p[-1] >= '0' && p[-1] <= '9')
        p--;
    if (p == *end || *end - p > 6)
        return -1;
    for (const char *d = p; d < *end; d++)
        value = value * 10 + (*d - '0');
    *end = p;
    return value;
}

int reel_group_of(const char *base)
{
    const char *end = strrchr(base, '.');
    if (end == NULL)
        end = base + strlen(base);
    if (digits_before(base, &end) < 0 || end - base < 2 || end[-1] != 'c' || end[-2] != '_')
        return -1;
    end -= 2;
    int group = digits_before(base, &end);
    return group >= 0 && end - base >= 2 && end[-1] == 'g' && end[-2] == '_' ? group : -1;
}
