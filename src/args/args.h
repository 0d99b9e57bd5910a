/* The engine behind reel_args: one table of rows a job, one struct of values a job. */
#ifndef REEL_ARGS_ARGS_H
#define REEL_ARGS_ARGS_H

#include <reel/args.h>

#include "base/error.h"

struct reel_json;

/* Storage of a value at row->offset: BOOL bool, INT int64_t, FLOAT double, STRING and CHOICE char * (owned, "" for none),
 * LIST reel_list (args/jobs.h). */
struct reel_args {
    reel_job job;
    void *values;        /* the job's struct (args/jobs.h) */
    bool *is_set;        /* one a row */
    char **text;         /* one a row: the text last handed out */
};

typedef struct reel_job_table {
    const char *verb;
    const reel_option *rows;
    size_t count, struct_size;
    const char *needs;   /* what must be given: words with blanks between, each of alternatives "a|b" */
    void (*derive)(reel_args *args);                                /* values that follow from others; may be NULL */
    reel_status (*check)(const reel_args *args, reel_error *err);   /* what must hold between options; may be NULL */
} reel_job_table;
const reel_job_table *reel_job_table_of(reel_job job);

/* The values, as the struct of that job; NULL where args is for another job. */
const void *reel_args_values(const reel_args *args, reel_job job);

/* A copy with the same values and the same options counted as set. *out is NULL on failure. */
reel_status reel_args_copy(const reel_args *args, reel_args **out, reel_error *err);

/* Sets each option of a JSON object {option: value} that is not set yet. `what` names the object in messages. */
reel_status reel_args_apply(reel_args *args, const struct reel_json *object, const char *what, reel_error *err);

/* Between the engine's files: one value from text (one more of a list), and its text again (NULL: no memory). */
reel_status reel_value_parse(const reel_option *row, void *field, const char *text, reel_error *err);
char *reel_value_text(const reel_option *row, const void *field);
void *reel_args_field(const reel_args *args, const reel_option *row);
void reel_value_free(const reel_option *row, void *field);

/* An option of TrainingArguments that has no meaning here. `accepts`: the values that change nothing, with '|' between;
 * "" means any; NULL none, and the value is not shown. */
typedef struct reel_ignored { const char *name, *accepts, *note; } reel_ignored;
const reel_ignored *reel_ignored_find(const char *name);

/* `name` without leading dashes and with '_' for '-', in `out`; false where it is too long to be a name. */
enum { REEL_NAME_SIZE = 64 };
bool reel_option_spelling(const char *name, char out[REEL_NAME_SIZE]);

#endif
