/* What must hold between the options of a job, as far as they alone tell. */
#include <math.h>
#include <string.h>

#include "args/rows.h"
#include "base/json.h"
#include "base/text.h"

/* Is one of the alternatives "a|b" of `need` given? *n gets the length of the first. */
static bool is_given(const reel_args *args, const char *need, size_t length)
{
    char name[REEL_NAME_SIZE];
    for (size_t at = 0; at < length;) {
        size_t n = strcspn(need + at, "| ");
        memcpy(name, need + at, n);
        name[n] = '\0';
        const reel_option *row = reel_job_option(args->job, name);
        if (row != NULL && row->type == REEL_OPTION_BOOL ? *(const bool *)reel_args_field(args, row)
                : row != NULL && (*(char *const *)reel_args_field(args, row))[0] != '\0')
            return true;
        at += n + 1;
    }
    return false;
}

static reel_status check_needs(const reel_args *args, reel_error *err)
{
    const reel_job_table *table = reel_job_table_of(args->job);
    for (const char *need = table->needs; *need != '\0';) {
        const size_t n = strcspn(need, " ");
        if (!is_given(args, need, n)) {
            char name[REEL_NAME_SIZE];
            const size_t first = strcspn(need, "| ");
            memcpy(name, need, first);
            name[first] = '\0';
            return reel_fail(err, REEL_ERR_ARG, "%s needs --%s (%s)", table->verb, name,
                             reel_job_option(args->job, name)->help);
        }
        need += n + (need[n] == ' ');
    }
    return REEL_OK;
}

reel_status reel_args_check(const reel_args *args, reel_error *err)
{
    const reel_job_table *table = reel_job_table_of(args->job);
    reel_status status = check_needs(args, err);
    if (status == REEL_OK && table->check != NULL)
        status = table->check(args, err);
    return status;
}

/* Whole steps, or a part of all steps. */
static reel_status check_steps(const char *name, const char *strategy, double steps, reel_error *err)
{
    if (strcmp(strategy, "steps") != 0)
        return REEL_OK;
    if (steps == 0)
        return reel_fail(err, REEL_ERR_ARG, "--%s is 0. Give a number of steps, or a part of all below 1", name);
    if (steps > 1 && steps != floor(steps))
        return reel_fail(err, REEL_ERR_ARG, "--%s: %g is neither a whole number of steps nor a part of all below 1", name,
                         steps);
    return REEL_OK;
}

/* As the Trainer asks: the best checkpoint must be one that was evaluated. */
static reel_status check_best(const reel_train_args *t, reel_error *err)
{
    const double eval_steps = t->eval_steps != 0 ? t->eval_steps : t->logging_steps;
    if (strcmp(t->save_strategy, "best") == 0 && strcmp(t->eval_strategy, "no") == 0)
        return reel_fail(err, REEL_ERR_ARG, "--save_strategy best needs an --eval_strategy other than no");
    if (!t->load_best_model_at_end || strcmp(t->save_strategy, "best") == 0)
        return REEL_OK;
    if (strcmp(t->eval_strategy, t->save_strategy) != 0 || strcmp(t->eval_strategy, "no") == 0)
        return reel_fail(err, REEL_ERR_ARG, "the best checkpoint can be found only where --eval_strategy (%s) and "
                         "--save_strategy (%s) are the same. Set both, or --load_best_model_at_end false",
                         t->eval_strategy, t->save_strategy);
    if (strcmp(t->eval_strategy, "steps") == 0 && fabs(remainder(t->save_steps, eval_steps)) > 1e-9 * eval_steps)
        return reel_fail(err, REEL_ERR_ARG, "--save_steps %g is not a multiple of --eval_steps %g, so that a checkpoint "
                         "would not be evaluated. Change one, or --load_best_model_at_end false", t->save_steps, eval_steps);
    return REEL_OK;
}

static reel_status check_kwargs(const char *text, reel_error *err)
{
    reel_json *object = NULL;
    reel_error inner = { REEL_OK, "" };
    if (text[0] == '\0')
        return REEL_OK;
    const bool good = reel_json_parse(text, strlen(text), "--lr_scheduler_kwargs", false, &object, &inner) == REEL_OK
        && reel_json_is_object(object);
    reel_json_free(object);
    return good ? REEL_OK : reel_fail(err, REEL_ERR_ARG, "--lr_scheduler_kwargs: '%s' is not a JSON object such as "
                                      "'{\"num_cycles\": 1}'", text);
}

static reel_status check_sizes(int64_t min_size, int64_t max_size, reel_error *err)
{
    if (min_size > 0 && max_size > 0 && min_size > max_size)
        return reel_fail(err, REEL_ERR_ARG, "--min_size %d is above --max_size %d", (int)min_size, (int)max_size);
    return REEL_OK;
}

reel_status reel_train_check(const reel_args *args, reel_error *err)
{
    reel_status status = REEL_OK;
    const reel_train_args *t = args->values;
    if (t->model[0] != '\0' && t->from_config[0] != '\0')
        return reel_fail(err, REEL_ERR_ARG, "--model and --from_config exclude each other: the first brings its config");
    if (t->warmup_steps < 0 && t->warmup_steps != -1)
        return reel_fail(err, REEL_ERR_ARG, "--warmup_steps: %g is below 0", t->warmup_steps);
    if (t->max_steps <= 0 && t->num_train_epochs == 0)
        return reel_fail(err, REEL_ERR_ARG, "there is nothing to do: --num_train_epochs is 0 and no --max_steps is given");
    REEL_TRY(check_steps("logging_steps", t->logging_strategy, t->logging_steps, err));
    if (t->eval_steps != 0)
        REEL_TRY(check_steps("eval_steps", t->eval_strategy, t->eval_steps, err));
    REEL_TRY(check_steps("save_steps", t->save_strategy, t->save_steps, err));
    REEL_TRY(check_best(t, err));
    REEL_TRY(check_sizes(t->min_size, t->max_size, err));
    REEL_TRY(check_kwargs(t->lr_scheduler_kwargs, err));
done:
    return status;
}

void reel_train_derive(reel_args *args)
{
    reel_train_args *t = args->values;
    const size_t n = strlen(t->metric_for_best_model);
    if (!reel_args_is_set(args, "greater_is_better"))
        t->greater_is_better = n < 4 || strcmp(t->metric_for_best_model + n - 4, "loss") != 0;
    if (!reel_args_is_set(args, "load_best_model_at_end"))
        t->load_best_model_at_end = strcmp(t->eval_strategy, "no") != 0 && strcmp(t->save_strategy, "no") != 0;
}

reel_status reel_preview_check(const reel_args *args, reel_error *err)
{
    const reel_preview_args *p = args->values;
    if (p->video[0] != '\0' && p->data[0] != '\0')
        return reel_fail(err, REEL_ERR_ARG, "a video and --data exclude each other: one clip is shown");
    if (!reel_ends_with(p->output, ".gif") && !reel_ends_with(p->output, ".png") && !reel_ends_with(p->output, ".safetensors"))
        return reel_fail(err, REEL_ERR_ARG, "--output: %s is not a name that ends in .gif, .png or .safetensors", p->output);
    return check_sizes(p->min_size, p->max_size, err);
}

reel_status reel_pack_check(const reel_args *args, reel_error *err)
{
    const reel_data_pack_args *p = args->values;
    if (!reel_ends_with(p->output, ".safetensors"))
        return reel_fail(err, REEL_ERR_ARG, "--output: %s is not a name that ends in .safetensors", p->output);
    return check_sizes(p->min_size, p->max_size, err);
}

reel_status reel_synth_check(const reel_args *args, reel_error *err)
{
    const reel_data_synth_args *s = args->values;
    if (s->width % 2 != 0 || s->height % 2 != 0)
        return reel_fail(err, REEL_ERR_ARG, "--width %d and --height %d must be even", (int)s->width, (int)s->height);
    return REEL_OK;
}

reel_status reel_bench_check(const reel_args *args, reel_error *err)
{
    const reel_bench_args *b = args->values;
    if (b->model[0] != '\0' && b->from_config[0] != '\0')
        return reel_fail(err, REEL_ERR_ARG, "--model and --from_config exclude each other: the first brings its config");
    return REEL_OK;
}
