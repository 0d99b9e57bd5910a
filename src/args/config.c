/* Options from JSON: a file of options. */
#include <inttypes.h>

#include "args/args.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

/* A JSON value as the text that the command line would have; *out NULL for null. */
static reel_status value_text(const reel_json *value, char **out, reel_error *err)
{
    int64_t whole;
    char number[32];
    *out = NULL;
    if (reel_json_is_null(value))
        return REEL_OK;
    if (reel_json_is_string(value)) {
        if (reel_json_string(value) == NULL)
            return reel_fail(err, REEL_ERR_FORMAT, "the text holds a NUL byte");
        *out = reel_strdup(reel_json_string(value));
    } else if (reel_json_is_bool(value)) {
        *out = reel_strdup(reel_json_true(value) ? "true" : "false");
    } else if (reel_json_integer(value, &whole)) {
        *out = reel_format("%" PRId64, whole);
    } else if (reel_json_is_number(value)) {
        reel_format_double(number, reel_json_number(value));
        *out = reel_strdup(number);
    } else {
        *out = reel_json_dump(value, 0, REEL_JSON_KEEP);  /* lr_scheduler_kwargs */
    }
    return *out != NULL ? REEL_OK : reel_fail_nomem(err, "options");
}

static reel_status set_one(reel_args *args, const char *name, const reel_json *value, reel_error *err)
{
    char *text = NULL;
    reel_status status = value_text(value, &text, err);
    if (status == REEL_OK && text != NULL)
        status = reel_args_set(args, name, text, err);
    reel_free(text);
    return status;
}

/* A list is set by each text of an array. */
static reel_status set_all(reel_args *args, const char *name, const reel_json *value, reel_error *err)
{
    const reel_option *row = reel_job_option(args->job, name);
    reel_status status = REEL_OK;
    if (row == NULL || row->type != REEL_OPTION_LIST || !reel_json_is_array(value))
        return set_one(args, name, value, err);
    for (size_t i = 0; status == REEL_OK && i < reel_json_size(value); i++)
        status = set_one(args, name, reel_json_at(value, i), err);
    return status;
}

reel_status reel_args_apply(reel_args *args, const reel_json *object, const char *what, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_error inner = { REEL_OK, "" };
    if (!reel_json_is_object(object))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: not a JSON object of options", what);
    for (void *it = reel_json_first(object); it != NULL; it = reel_json_next(object, it)) {
        const char *name = reel_json_key(it);
        if (reel_args_is_set(args, name))
            continue;
        status = set_all(args, name, reel_json_value(it), &inner);
        if (status != REEL_OK)
            return reel_fail(err, status, "%s: %s", what, inner.message);
    }
    return REEL_OK;
}

reel_status reel_args_read(reel_args *args, const char *json_path, reel_error *err)
{
    reel_json *object = NULL;
    reel_status status = reel_json_read(json_path, REEL_JSON_LIMIT, false, &object, err);
    if (status == REEL_OK)
        status = reel_args_apply(args, object, json_path, err);
    reel_json_free(object);
    return status;
}
