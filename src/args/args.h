/* The engine behind reel_args: one table of rows a job, one struct of values a job. */
#ifndef REEL_ARGS_ARGS_H
#define REEL_ARGS_ARGS_H

#include <reel/args.h>

#include "base/error.h"

/* Storage of a value at row->offset: BOOL bool, INT int64_t, FLOAT double, STRING and CHOICE char * (owned, "" for none). */
struct reel_args {
    reel_job job;
    void *values;        /* the job's struct (args/jobs.h) */
    bool *is_set;        /* one a row */
    char **text;         /* one a row: the text last handed out */
};

typedef struct reel_job_table { const char *verb; const reel_option *rows; size_t count, struct_size; } reel_job_table;
extern const reel_job_table reel_job_tables[REEL_JOB_COUNT];

/* The values, as the struct of that job; NULL where args is for another job. */
const void *reel_args_values(const reel_args *args, reel_job job);

/* A JSON object of all options that change results, for checkpoints and reports. Declared in base/json.h's terms. */
struct reel_json *reel_args_json(const reel_args *args);

#endif
