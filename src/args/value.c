/* One value: from text with a range check, and back to text. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "args/args.h"
#include "args/jobs.h"
#include "base/mem.h"
#include "base/text.h"

static reel_status refuse_range(const reel_option *row, const char *text, reel_error *err)
{
    if (row->type == REEL_OPTION_INT)
        return reel_fail(err, REEL_ERR_ARG, "--%s: '%s' is not a whole number from %" PRId64 " to %" PRId64, row->name,
                         text, (int64_t)row->min, (int64_t)row->max);
    return reel_fail(err, REEL_ERR_ARG, "--%s: '%s' is not a number from %g to %g", row->name, text, row->min, row->max);
}

static reel_status parse_choice(const reel_option *row, const char *text, reel_error *err)
{
    const size_t n = strlen(text);
    for (const char *c = row->choices; n > 0 && strchr(text, '|') == NULL && c != NULL; c = strchr(c, '|')) {
        c += *c == '|';
        if (strncmp(c, text, n) == 0 && (c[n] == '|' || c[n] == '\0'))
            return REEL_OK;
    }
    reel_text words = { 0 };
    for (const char *c = row->choices; *c != '\0'; c++)
        reel_text_puts(&words, *c == '|' ? ", " : (char[2]){ *c, '\0' });
    reel_status status = reel_fail(err, REEL_ERR_ARG, "--%s: '%s' is not one of %s", row->name, text,
                                   words.s != NULL ? words.s : row->choices);
    reel_text_free(&words);
    return status;
}

static reel_status keep_text(const char *text, void *field, reel_error *err)
{
    char *copy = reel_strdup(text), **old = field;
    if (copy == NULL)
        return reel_fail_nomem(err, "option");
    reel_free(*old);
    *old = copy;
    return REEL_OK;
}

static reel_status add_text(const char *text, reel_list *list, reel_error *err)
{
    if (text[0] == '\0')
        return REEL_OK;
    char *copy = reel_strdup(text);
    if (copy == NULL || !reel_grow((void **)&list->item, &list->capacity, list->n, sizeof *list->item)) {
        reel_free(copy);
        return reel_fail_nomem(err, "option");
    }
    list->item[list->n++] = copy;
    return REEL_OK;
}

void reel_value_free(const reel_option *row, void *field)
{
    if (row->type == REEL_OPTION_STRING || row->type == REEL_OPTION_CHOICE)
        reel_free(*(char **)field);
    if (row->type != REEL_OPTION_LIST)
        return;
    reel_list *list = field;
    for (size_t i = 0; i < list->n; i++)
        reel_free(list->item[i]);
    reel_free(list->item);
}

reel_status reel_value_parse(const reel_option *row, void *field, const char *text, reel_error *err)
{
    reel_status status = REEL_OK;
    int64_t whole;
    double number;
    bool truth;
    switch (row->type) {
    case REEL_OPTION_BOOL:
        if (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0)  /* Python's spelling too */
            truth = (text[0] | 0x20) == 't';
        else if (!reel_parse_bool(text, &truth))
            return reel_fail(err, REEL_ERR_ARG, "--%s: '%s' is not true or false", row->name, text);
        *(bool *)field = truth;
        break;
    case REEL_OPTION_INT:
        if (!reel_parse_int(text, &whole) || (double)whole < row->min || (double)whole > row->max)
            return refuse_range(row, text, err);
        *(int64_t *)field = whole;
        break;
    case REEL_OPTION_FLOAT:
        if (!reel_parse_float(text, &number) || !(number >= row->min && number <= row->max))
            return refuse_range(row, text, err);
        *(double *)field = number;
        break;
    case REEL_OPTION_CHOICE:
        REEL_TRY(parse_choice(row, text, err));
        status = keep_text(text, field, err);
        break;
    case REEL_OPTION_STRING:
        status = keep_text(text, field, err);
        break;
    case REEL_OPTION_LIST:
        status = add_text(text, field, err);
        break;
    }
done:
    return status;
}

static char *list_text(const reel_list *list)
{
    reel_text out = { 0 };
    for (size_t i = 0; i < list->n; i++) {
        reel_text_puts(&out, i > 0 ? " " : "");
        reel_text_shell(&out, list->item[i]);
    }
    return list->n > 0 ? reel_text_take(&out) : reel_strdup("");
}

char *reel_value_text(const reel_option *row, const void *field)
{
    char number[32];
    switch (row->type) {
    case REEL_OPTION_BOOL:
        return reel_strdup(*(const bool *)field ? "true" : "false");
    case REEL_OPTION_INT:
        return reel_format("%" PRId64, *(const int64_t *)field);
    case REEL_OPTION_FLOAT:
        reel_format_double(number, *(const double *)field);
        return reel_strdup(number);
    case REEL_OPTION_LIST:
        return list_text(field);
    case REEL_OPTION_STRING:
    case REEL_OPTION_CHOICE:
        break;
    }
    return reel_strdup(*(char *const *)field);
}
