/* What every row of every job must have. Ranges and types come from the struct, help is there and fits its line. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "args/args.h"
#include "args/jobs.h"

static void each_row(void (*check)(reel_job job, const reel_option *row))
{
    for (int job = 0; job < REEL_JOB_COUNT; job++) {
        size_t n = 0;
        const reel_option *rows = reel_job_options((reel_job)job, &n);
        if (job >= REEL_JOB_HUB_LOGIN && job <= REEL_JOB_HUB_WHOAMI)
            assert_int_equal(n, 0);  /* these have the common options alone */
        else
            assert_true(rows != NULL && n > 0);
        for (size_t i = 0; i < n; i++)
            check((reel_job)job, &rows[i]);
    }
}

static void row_is_complete(reel_job job, const reel_option *row)
{
    print_message("# %s --%s\n", reel_job_table_of(job)->verb, row->name);
    assert_true(row->name[0] != '\0');
    assert_int_equal(strspn(row->name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(row->name));
    assert_true(row->help != NULL && row->help[0] != '\0');
    assert_true(strlen(row->help) <= 48 && row->help[strlen(row->help) - 1] != '.');
    assert_true(row->group != NULL && row->group[0] != '\0');
    assert_non_null(row->unit);
    assert_non_null(row->default_value);
    assert_true((row->type == REEL_OPTION_CHOICE) == (row->choices != NULL));
    if (row->type == REEL_OPTION_INT || row->type == REEL_OPTION_FLOAT)
        assert_true(row->min < row->max);
    assert_ptr_equal(reel_job_option(job, row->name), row);
    assert_null(reel_ignored_find(row->name));  /* a name cannot both do something and mean nothing */
}

static void test_rows_complete(void **state)
{
    (void)state;
    each_row(row_is_complete);
}

/* A default must be a value that a user could give, and reading it back must give the same text. */
static void default_parses(reel_job job, const reel_option *row)
{
    reel_error err = { REEL_OK, "" };
    reel_args *args = NULL;
    assert_int_equal(reel_args_open(job, &args, &err), REEL_OK);
    assert_false(reel_args_is_set(args, row->name));
    assert_int_equal(reel_args_set(args, row->name, row->default_value, &err), REEL_OK);
    assert_true(reel_args_is_set(args, row->name));
    double a = 0, b = 0;
    const char *text = reel_args_get(args, row->name);
    if (row->type == REEL_OPTION_FLOAT) {
        assert_int_equal(sscanf(text, "%lf", &a) + sscanf(row->default_value, "%lf", &b), 2);
        assert_true(a == b);
    } else {
        assert_string_equal(text, row->default_value);
    }
    reel_args_close(&args);
    assert_null(args);
}

static void test_defaults_parse(void **state)
{
    (void)state;
    each_row(default_parses);
}

static void range_is_kept(reel_job job, const reel_option *row)
{
    reel_error err = { REEL_OK, "" };
    reel_args *args = NULL;
    char text[64];
    if (row->type != REEL_OPTION_INT && row->type != REEL_OPTION_FLOAT)
        return;
    assert_int_equal(reel_args_open(job, &args, &err), REEL_OK);
    const double step = row->type == REEL_OPTION_INT ? 1 : fmax(1e-7, fabs(row->max) * 1e-6);
    const struct { double value; reel_status want; } cases[] = {
        { row->min, REEL_OK }, { row->max, REEL_OK }, { row->min - step, REEL_ERR_ARG }, { row->max + step, REEL_ERR_ARG },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(text, sizeof text, row->type == REEL_OPTION_INT ? "%.0f" : "%.17g", cases[i].value);
        assert_int_equal(reel_args_set(args, row->name, text, &err), cases[i].want);
        if (cases[i].want != REEL_OK) {
            assert_non_null(strstr(err.message, row->name));
            assert_non_null(strstr(err.message, text));
        }
    }
    const char *const bad[] = { "", "x", "nan", "inf", "1 2", "0x", "1e999" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(reel_args_set(args, row->name, bad[i], &err), REEL_ERR_ARG);
    assert_true(fabs(strtod(reel_args_get(args, row->name), NULL) - row->max) <= 1e-15 * fabs(row->max));  /* the last good one stays */
    reel_args_close(&args);
}

static void test_ranges(void **state)
{
    (void)state;
    each_row(range_is_kept);
}

static void choices_are_kept(reel_job job, const reel_option *row)
{
    reel_error err = { REEL_OK, "" };
    reel_args *args = NULL;
    char word[64];
    if (row->type != REEL_OPTION_CHOICE)
        return;
    assert_int_equal(reel_args_open(job, &args, &err), REEL_OK);
    for (const char *c = row->choices; *c != '\0';) {
        const size_t n = strcspn(c, "|");
        snprintf(word, sizeof word, "%.*s", (int)n, c);
        assert_int_equal(reel_args_set(args, row->name, word, &err), REEL_OK);
        assert_string_equal(reel_args_get(args, row->name), word);
        word[n - 1] = '\0';  /* a beginning is not the word */
        assert_int_equal(reel_args_set(args, row->name, word, &err), REEL_ERR_ARG);
        assert_non_null(strstr(err.message, "is not one of"));
        c += n + (c[n] == '|');
    }
    assert_int_equal(reel_args_set(args, row->name, row->choices, &err),
                     strchr(row->choices, '|') == NULL ? REEL_OK : REEL_ERR_ARG);
    reel_args_close(&args);
}

static void test_choices(void **state)
{
    (void)state;
    each_row(choices_are_kept);
}

/* Fields are owned by one row each, and groups are not torn apart (the help prints a heading where the group changes). */
static void test_rows_apart(void **state)
{
    (void)state;
    for (int job = 0; job < REEL_JOB_COUNT; job++) {
        size_t n = 0;
        const reel_option *rows = reel_job_options((reel_job)job, &n);
        for (size_t i = 0; i < n; i++)
            for (size_t k = i + 1; k < n; k++) {
                assert_string_not_equal(rows[i].name, rows[k].name);
                assert_int_not_equal(rows[i].offset, rows[k].offset);
                if (strcmp(rows[i].group, rows[k].group) == 0)
                    assert_string_equal(rows[k - 1].group, rows[k].group);
            }
    }
}

/* No text of any job's struct stays NULL. train's is the longest: all its bytes belong to a row or are padding. */
static void test_guide_defaults(void **state)
{
    (void)state;
    reel_args *args = NULL;
    assert_int_equal(reel_args_open(REEL_JOB_TRAIN, &args, NULL), REEL_OK);
    const reel_train_args *t = reel_args_values(args, REEL_JOB_TRAIN);
    assert_null(reel_args_values(args, REEL_JOB_PREDICT));
    assert_true(t->num_train_epochs == 4 && t->per_device_train_batch_size == 8 && t->learning_rate == 5e-5);
    assert_true(t->warmup_ratio == 0.1 && t->warmup_steps == -1 && t->logging_steps == 10 && t->seed == 42);
    assert_true(t->adam_beta1 == 0.9 && t->adam_beta2 == 0.999 && t->adam_epsilon == 1e-8 && t->max_grad_norm == 1);
    assert_true(t->weight_decay == 0 && t->sample_rate == 4 && t->fps == 30 && t->flip == 0.5 && t->shuffle);
    assert_string_equal(t->eval_strategy, "epoch");
    assert_string_equal(t->save_strategy, "epoch");
    assert_string_equal(t->metric_for_best_model, "accuracy");
    assert_string_equal(t->lr_scheduler_type, "linear");
    assert_true(t->load_best_model_at_end && t->greater_is_better);
    assert_string_equal(t->resume_from_checkpoint, "");
    reel_args_close(&args);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_complete), cmocka_unit_test(test_defaults_parse), cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_choices), cmocka_unit_test(test_rows_apart), cmocka_unit_test(test_guide_defaults),
    };
    return cmocka_run_group_tests_name("rows", tests, NULL, NULL);
}
