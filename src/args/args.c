/* The options of a job: opening at the defaults, setting and asking by name. */
#include "args/args.h"

#include <string.h>
#include <strings.h>

#include "args/jobs.h"
#include "base/mem.h"

void *reel_args_field(const reel_args *args, const reel_option *row)
{
    return (char *)args->values + row->offset;
}

void reel_args_close(reel_args **args)
{
    if (args == NULL || *args == NULL)
        return;
    reel_args *a = *args;
    const reel_job_table *table = reel_job_table_of(a->job);
    for (size_t i = 0; i < table->count; i++) {
        if (a->values != NULL)
            reel_value_free(&table->rows[i], reel_args_field(a, &table->rows[i]));
        if (a->text != NULL)
            reel_free(a->text[i]);
    }
    reel_free(a->values);
    reel_free(a->is_set);
    reel_free(a->text);
    reel_free(a);
    *args = NULL;
}

reel_status reel_args_open(reel_job job, reel_args **out, reel_error *err)
{
    reel_status status = REEL_OK;
    *out = NULL;
    const reel_job_table *table = reel_job_table_of(job);
    if (table == NULL)
        return reel_fail(err, REEL_ERR_ARG, "there is no job number %d", (int)job);
    reel_args *a = reel_calloc(1, sizeof *a);
    if (a == NULL)
        return reel_fail_nomem(err, "options");
    a->job = job;
    a->values = reel_calloc(1, table->struct_size);
    a->is_set = reel_calloc(table->count, sizeof *a->is_set);
    a->text = reel_calloc(table->count, sizeof *a->text);
    if (a->values == NULL || a->is_set == NULL || a->text == NULL) {
        status = reel_fail_nomem(err, "options");
        goto done;
    }
    for (size_t i = 0; i < table->count; i++)
        REEL_TRY(reel_value_parse(&table->rows[i], reel_args_field(a, &table->rows[i]), table->rows[i].default_value, err));
    *out = a;
    a = NULL;
done:
    reel_args_close(&a);
    return status;
}

static reel_status refuse_unknown(reel_job job, const char *name, reel_error *err)
{
    const char *bare = name + strspn(name, "-");
    const reel_option *near = reel_job_option_near(job, bare);
    if (near != NULL)
        return reel_fail(err, REEL_ERR_ARG, "--%s is not an option of %s; did you mean --%s?", bare,
                         reel_job_table_of(job)->verb, near->name);
    return reel_fail(err, REEL_ERR_ARG, "--%s is not an option of %s", bare, reel_job_table_of(job)->verb);
}

/* `accepts` ends with '|' where the empty text is meant too. */
static reel_status set_ignored(const reel_ignored *row, const char *value, reel_error *err)
{
    const size_t n = strlen(value);
    if (row->accepts == NULL)
        return reel_fail(err, REEL_ERR_UNSUPPORTED, "--%s: %s", row->name, row->note);
    for (const char *c = row->accepts; strchr(value, '|') == NULL && c != NULL && *c != '\0'; c = strchr(c, '|')) {
        c += *c == '|';
        if (strncasecmp(c, value, n) == 0 && (c[n] == '|' || c[n] == '\0'))
            return REEL_OK;
    }
    if (row->accepts[0] == '\0')
        return REEL_OK;
    return reel_fail(err, REEL_ERR_UNSUPPORTED, "--%s: '%s' is not something that reel does: %s", row->name, value,
                     row->note);
}

reel_status reel_args_set(reel_args *args, const char *name, const char *value, reel_error *err)
{
    const reel_job_table *table = reel_job_table_of(args->job);
    const reel_option *row = reel_job_option(args->job, name);
    const reel_ignored *ignored = reel_ignored_find(name);
    if (row == NULL && args->job == REEL_JOB_TRAIN && ignored != NULL)
        return set_ignored(ignored, value, err);
    if (row == NULL)
        return refuse_unknown(args->job, name, err);
    reel_status status = reel_value_parse(row, reel_args_field(args, row), value, err);
    if (status != REEL_OK)
        return status;
    args->is_set[row - table->rows] = true;
    if (table->derive != NULL)
        table->derive(args);
    return REEL_OK;
}

const char *reel_args_get(reel_args *args, const char *name)
{
    const reel_option *row = reel_job_option(args->job, name);
    if (row == NULL)
        return NULL;
    char *text = reel_value_text(row, reel_args_field(args, row));
    char **kept = &args->text[row - reel_job_table_of(args->job)->rows];
    if (text == NULL || (*kept != NULL && strcmp(*kept, text) == 0)) {
        reel_free(text);  /* the pointer handed out before stays good */
        return *kept;
    }
    reel_free(*kept);
    *kept = text;
    return text;
}

const char *const *reel_args_list(const reel_args *args, const char *name, size_t *count)
{
    const reel_option *row = reel_job_option(args->job, name);
    const reel_list *list = row != NULL && row->type == REEL_OPTION_LIST ? reel_args_field(args, row) : NULL;
    *count = list != NULL ? list->n : 0;
    return list != NULL ? (const char *const *)list->item : NULL;
}

bool reel_args_is_set(const reel_args *args, const char *name)
{
    const reel_option *row = reel_job_option(args->job, name);
    return row != NULL && args->is_set[row - reel_job_table_of(args->job)->rows];
}

const void *reel_args_values(const reel_args *args, reel_job job)
{
    return args != NULL && args->job == job ? args->values : NULL;
}

static reel_status copy_value(const reel_option *row, const void *from, void *to, reel_error *err)
{
    reel_status status = REEL_OK;
    if (row->type == REEL_OPTION_LIST) {
        const reel_list *list = from;
        for (size_t i = 0; status == REEL_OK && i < list->n; i++)
            status = reel_value_parse(row, to, list->item[i], err);
        return status;
    }
    char *text = reel_value_text(row, from);
    status = text == NULL ? reel_fail_nomem(err, "options") : reel_value_parse(row, to, text, err);
    reel_free(text);
    return status;
}

reel_status reel_args_copy(const reel_args *args, reel_args **out, reel_error *err)
{
    reel_status status = REEL_OK;
    const reel_job_table *table = reel_job_table_of(args->job);
    reel_args *copy = NULL;
    *out = NULL;
    REEL_TRY(reel_args_open(args->job, &copy, err));
    for (size_t i = 0; i < table->count; i++) {
        const reel_option *row = &table->rows[i];
        REEL_TRY(copy_value(row, reel_args_field(args, row), reel_args_field(copy, row), err));
        copy->is_set[i] = args->is_set[i];
    }
    *out = copy;
    copy = NULL;
done:
    reel_args_close(&copy);
    return status;
}
