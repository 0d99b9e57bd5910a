/* The options of a job, set by name. Every option is a row of a table in the library: parsing, range check, help and
 * documentation come from that row, for the command and for programs alike. */
#ifndef REEL_ARGS_H
#define REEL_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <reel/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The jobs that have options. */
typedef enum reel_job {
    REEL_JOB_TRAIN,
    REEL_JOB_EVALUATE,
    REEL_JOB_PREDICT,
    REEL_JOB_PREVIEW,
    REEL_JOB_FORWARD,
    REEL_JOB_DATA_INFO,
    REEL_JOB_DATA_SYNTH,
    REEL_JOB_DATA_PACK,
    REEL_JOB_MODEL_INFO,
    REEL_JOB_MODEL_NEW,
    REEL_JOB_MODEL_CONVERT,
    REEL_JOB_BENCH,
    REEL_JOB_HUB_LOGIN,
    REEL_JOB_HUB_LOGOUT,
    REEL_JOB_HUB_WHOAMI,
    REEL_JOB_HUB_DOWNLOAD,
    REEL_JOB_HUB_UPLOAD,
    REEL_JOB_COUNT
} reel_job;

typedef enum reel_option_type {
    REEL_OPTION_BOOL,    /**< true, false; the name alone means true */
    REEL_OPTION_INT,     /**< a whole number */
    REEL_OPTION_FLOAT,   /**< a finite number */
    REEL_OPTION_STRING,  /**< any text */
    REEL_OPTION_CHOICE,  /**< one of the words in `choices` */
    REEL_OPTION_LIST     /**< any texts: each time it is set one is added; "" adds none */
} reel_option_type;

/** One row. All pointers have static storage. */
typedef struct reel_option {
    const char *name;           /**< TrainingArguments' name where there is one, with underscores */
    reel_option_type type;
    const char *group;          /**< heading in the help, such as "data" */
    double min, max;            /**< of a number, both allowed */
    const char *default_value;  /**< as text; "" for none */
    const char *choices;        /**< words with '|' between, for CHOICE; otherwise NULL */
    const char *unit;           /**< "clips", "steps", "seconds"; "" for none */
    const char *help;           /**< what it does, in one line */
    size_t offset;              /**< for the library alone */
} reel_option;

typedef struct reel_args reel_args;

/** The rows of a job; *count gets their number. */
REEL_API const reel_option *reel_job_options(reel_job job, size_t *count);

/** The row called `name` ('-' equals '_', old spellings are known), or NULL. */
REEL_API const reel_option *reel_job_option(reel_job job, const char *name);

/** The row whose name is nearest to a misspelt one, or NULL where none is near. */
REEL_API const reel_option *reel_job_option_near(reel_job job, const char *name);

/** Opens the options of a job, all at their defaults. *out is NULL on failure. */
REEL_API reel_status reel_args_open(reel_job job, reel_args **out, reel_error *err);

/** Frees the options and sets *args to NULL. NULL is fine. */
REEL_API void reel_args_close(reel_args **args);

/** Sets option `name` from text. REEL_ERR_ARG: no such option (the nearest name is given), or not a value it takes; the
 * old value then stays. Options of TrainingArguments that mean nothing here are accepted; reel_args_note tells. */
REEL_API reel_status reel_args_set(reel_args *args, const char *name, const char *value, reel_error *err);

/** The value of an option as text, owned by `args` until the option is set again; NULL where there is no such option. That of a
 * LIST is its texts as words for a shell, with blanks between. */
REEL_API const char *reel_args_get(reel_args *args, const char *name);

/** The texts of a LIST option in the order they were given, owned by `args` until it is set again; *count gets their number, 0 where
 * there is no such list. */
REEL_API const char *const *reel_args_list(const reel_args *args, const char *name, size_t *count);

/** True where the option was set by reel_args_set, false where it stands at its default. */
REEL_API bool reel_args_is_set(const reel_args *args, const char *name);

/** Why an option that reel_args_set accepted has no effect, or NULL. Static storage. */
REEL_API const char *reel_option_note(const char *name);

/** Reads a JSON object {option: value} and sets each that is not set yet: the command line beats the file. A LIST may be an array. */
REEL_API reel_status reel_args_read(reel_args *args, const char *json_path, reel_error *err);

/** Whether the options fit together as far as they alone tell: what a job needs is given, none contradicts another. The jobs
 * ask themselves; asking before tells wrong usage from a failure. REEL_ERR_ARG, REEL_ERR_UNSUPPORTED. */
REEL_API reel_status reel_args_check(const reel_args *args, reel_error *err);

#ifdef __cplusplus
}
#endif
#endif
