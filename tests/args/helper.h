/* Options for unit tests of the jobs: reel_test_args(REEL_JOB_TRAIN, "data", dir, "seed", "7", NULL). */
#ifndef TESTS_ARGS_HELPER_H
#define TESTS_ARGS_HELPER_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <reel/args.h>

/* Opens a job's options and sets pairs of name and value up to a NULL name. Never NULL: a mistake in a test ends it. */
static inline reel_args *reel_test_args(reel_job job, ...)
{
    reel_error err = { REEL_OK, "" };
    reel_args *args = NULL;
    reel_status status = reel_args_open(job, &args, &err);
    va_list list;
    va_start(list, job);
    for (const char *name; status == REEL_OK && (name = va_arg(list, const char *)) != NULL;)
        status = reel_args_set(args, name, va_arg(list, const char *), &err);
    va_end(list);
    if (status != REEL_OK) {
        fprintf(stderr, "reel_test_args: %s\n", err.message);
        exit(99);
    }
    return args;
}

#endif
