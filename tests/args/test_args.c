/* The engine: names, values, files of options, what must hold between options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "args/args.h"
#include "args/jobs.h"
#include "base/mem.h"
#include "helper.h"

static reel_error err;

static void test_spelling(void **state)
{
    (void)state;
    const reel_option *row = reel_job_option(REEL_JOB_TRAIN, "learning_rate");
    assert_non_null(row);
    assert_ptr_equal(reel_job_option(REEL_JOB_TRAIN, "learning-rate"), row);
    assert_ptr_equal(reel_job_option(REEL_JOB_TRAIN, "--learning-rate"), row);
    assert_null(reel_job_option(REEL_JOB_TRAIN, "Learning_rate"));
    assert_null(reel_job_option(REEL_JOB_TRAIN, ""));
    assert_null(reel_job_option(REEL_JOB_TRAIN, "--"));
    char longest[5000];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_null(reel_job_option(REEL_JOB_TRAIN, longest));
    assert_null(reel_job_option_near(REEL_JOB_TRAIN, longest));
    assert_string_equal(reel_job_option(REEL_JOB_TRAIN, "evaluation_strategy")->name, "eval_strategy");
    assert_string_equal(reel_job_option(REEL_JOB_DATA_SYNTH, "output_dir")->name, "output");
    assert_string_equal(reel_job_option(REEL_JOB_TRAIN, "output")->name, "output_dir");
    assert_null(reel_job_option(REEL_JOB_PREDICT, "learning_rate"));
    assert_null(reel_job_option(REEL_JOB_COUNT, "model"));
}

static void test_near(void **state)
{
    (void)state;
    static const struct { const char *wrong, *right; } cases[] = {
        { "learning_rte", "learning_rate" }, { "learnig-rate", "learning_rate" }, { "modle", "model" }, { "dta", "data" },
        { "outputdir", "output_dir" }, { "warmup_ration", "warmup_ratio" }, { "epochs", "num_train_epochs" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const reel_option *row = reel_job_option_near(REEL_JOB_TRAIN, cases[i].wrong);
        assert_non_null(row);
        assert_string_equal(row->name, cases[i].right);
    }
    assert_null(reel_job_option_near(REEL_JOB_TRAIN, "zzz"));
    assert_null(reel_job_option_near(REEL_JOB_MODEL_INFO, "learning_rate"));
    reel_args *args = reel_test_args(REEL_JOB_TRAIN, NULL);
    assert_int_equal(reel_args_set(args, "learning_rte", "1", &err), REEL_ERR_ARG);
    assert_string_equal(err.message, "--learning_rte is not an option of train; did you mean --learning_rate?");
    assert_int_equal(reel_args_set(args, "qqqqqqq", "1", &err), REEL_ERR_ARG);
    assert_string_equal(err.message, "--qqqqqqq is not an option of train");
    reel_args_close(&args);
}

static void test_values(void **state)
{
    (void)state;
    reel_args *args = reel_test_args(REEL_JOB_TRAIN, "learning-rate", "2.5e-4", "max_steps", "148", "shuffle", "False", NULL);
    const reel_train_args *t = reel_args_values(args, REEL_JOB_TRAIN);
    assert_true(t->learning_rate == 2.5e-4 && t->max_steps == 148 && !t->shuffle);
    assert_string_equal(reel_args_get(args, "learning_rate"), "0.00025");
    assert_string_equal(reel_args_get(args, "max-steps"), "148");
    assert_string_equal(reel_args_get(args, "shuffle"), "false");
    assert_null(reel_args_get(args, "no_such"));
    assert_int_equal(reel_args_set(args, "learning_rate", "2", &err), REEL_ERR_ARG);
    assert_string_equal(err.message, "--learning_rate: '2' is not a number from 0 to 1");
    assert_int_equal(reel_args_set(args, "per_device_train_batch_size", "0", &err), REEL_ERR_ARG);
    assert_string_equal(err.message, "--per_device_train_batch_size: '0' is not a whole number from 1 to 4096");
    assert_int_equal(reel_args_set(args, "seed", "1.5", &err), REEL_ERR_ARG);
    assert_int_equal(reel_args_set(args, "shuffle", "maybe", &err), REEL_ERR_ARG);
    assert_string_equal(err.message, "--shuffle: 'maybe' is not true or false");
    assert_int_equal(reel_args_set(args, "eval_strategy", "epochs", &err), REEL_ERR_ARG);
    assert_string_equal(err.message, "--eval_strategy: 'epochs' is not one of no, steps, epoch");
    assert_true(t->learning_rate == 2.5e-4);
    assert_true(reel_args_is_set(args, "learning_rate") && !reel_args_is_set(args, "seed"));
    assert_int_equal(reel_args_set(args, "data", "a\nb", NULL), REEL_OK);
    assert_string_equal(t->data, "a\nb");
    reel_args_close(&args);
    reel_args_close(&args);
    reel_args_close(NULL);
}

static void test_ignored(void **state)
{
    (void)state;
    reel_args *args = reel_test_args(REEL_JOB_TRAIN, "remove_unused_columns", "False", "report-to", "none", "fp16", "false",
                                     "optim", "adamw_torch", "hub_strategy", "every_save", "bf16_full_eval", "true", NULL);
    assert_non_null(reel_option_note("remove_unused_columns"));
    assert_non_null(reel_option_note("dataloader-pin-memory"));
    assert_null(reel_option_note("learning_rate"));
    assert_null(reel_option_note("no_such_thing"));
    assert_int_equal(reel_args_set(args, "hub_strategy", "all_checkpoints", &err), REEL_ERR_UNSUPPORTED);
    /* A token stands in no message. */
    assert_int_equal(reel_args_set(args, "hub_token", "hf_secret", &err), REEL_ERR_UNSUPPORTED);
    assert_null(strstr(err.message, "hf_secret"));
    assert_non_null(strstr(err.message, "reel hub login"));
    /* What would change figures is not passed over. */
    assert_int_equal(reel_args_set(args, "fp16", "true", &err), REEL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "fp16"));
    assert_int_equal(reel_args_set(args, "optim", "sgd", &err), REEL_ERR_UNSUPPORTED);
    assert_int_equal(reel_args_set(args, "optim", "adamw_torc", &err), REEL_ERR_UNSUPPORTED);
    assert_int_equal(reel_args_set(args, "train_sampling_strategy", "sequential", &err), REEL_ERR_UNSUPPORTED);
    reel_args_close(&args);
    args = reel_test_args(REEL_JOB_PREDICT, NULL);
    assert_int_equal(reel_args_set(args, "report_to", "none", &err), REEL_ERR_ARG);
    reel_args_close(&args);
}

static void test_derived(void **state)
{
    (void)state;
    reel_args *args = reel_test_args(REEL_JOB_TRAIN, "metric_for_best_model", "eval_loss", NULL);
    const reel_train_args *t = reel_args_values(args, REEL_JOB_TRAIN);
    assert_false(t->greater_is_better);
    assert_int_equal(reel_args_set(args, "metric_for_best_model", "accuracy", &err), REEL_OK);
    assert_true(t->greater_is_better && t->load_best_model_at_end);
    assert_int_equal(reel_args_set(args, "eval_strategy", "no", &err), REEL_OK);
    assert_false(t->load_best_model_at_end);
    reel_args_close(&args);
}

static void check_says(reel_args *args, const char *word)
{
    const reel_status status = reel_args_check(args, &err);
    if (word == NULL) {
        assert_int_equal(status, REEL_OK);
    } else {
        assert_true(status == REEL_ERR_ARG || status == REEL_ERR_UNSUPPORTED);
        assert_non_null(strstr(err.message, word));
    }
    reel_args_close(&args);
}

#define TRAIN(...) reel_test_args(REEL_JOB_TRAIN, "model", "m", "data", "d", "output_dir", "o", __VA_ARGS__, NULL)

static void test_check(void **state)
{
    (void)state;
    check_says(reel_test_args(REEL_JOB_TRAIN, NULL), "train needs --model");
    check_says(reel_test_args(REEL_JOB_TRAIN, "model", "m", NULL), "train needs --data");
    check_says(reel_test_args(REEL_JOB_TRAIN, "from_config", "c", "data", "d", NULL), "train needs --output_dir");
    check_says(reel_test_args(REEL_JOB_TRAIN, "resume_from_checkpoint", "o/checkpoint-3", NULL), NULL);
    check_says(reel_test_args(REEL_JOB_PREVIEW, "output", "o.gif", NULL), "preview needs --video");
    check_says(reel_test_args(REEL_JOB_PREVIEW, "output", "o.gif", "data", "d", NULL), NULL);
    check_says(reel_test_args(REEL_JOB_PREVIEW, "output", "o.gif", "data", "d", "video", "v", NULL), "exclude");
    check_says(reel_test_args(REEL_JOB_DATA_SYNTH, "output", "o", "width", "321", NULL), "even");
    check_says(TRAIN("from_config", "c"), "--from_config");
    check_says(TRAIN("bf16", "true", "gradient_checkpointing", "true"), NULL);
    check_says(reel_test_args(REEL_JOB_TRAIN, "from_config", "c", "data", "d", "plan", "true", NULL), NULL);
    check_says(reel_test_args(REEL_JOB_TRAIN, "from_config", "c", "data", "d", "plan", "false", NULL), "train needs --output_dir");
    check_says(TRAIN("seed", "1"), NULL);
    check_says(TRAIN("eval_strategy", "steps"), "--save_strategy");
    check_says(TRAIN("eval_strategy", "steps", "load_best_model_at_end", "false"), NULL);
    check_says(TRAIN("eval_strategy", "steps", "save_strategy", "steps"), NULL);  /* 500 and the 10 of logging_steps */
    check_says(TRAIN("eval_strategy", "steps", "save_strategy", "steps", "eval_steps", "30"), "multiple");
    check_says(TRAIN("eval_strategy", "steps", "save_strategy", "steps", "eval_steps", "0.1", "save_steps", "0.3"), NULL);
    check_says(TRAIN("eval_strategy", "no"), NULL);
    check_says(TRAIN("eval_strategy", "no", "load_best_model_at_end", "true"), "load_best");
    check_says(TRAIN("save_strategy", "best", "eval_strategy", "no"), "--save_strategy best");
    check_says(TRAIN("logging_steps", "0"), "logging_steps");
    check_says(TRAIN("logging_steps", "2.5"), "logging_steps");
    check_says(TRAIN("logging_steps", "2.5", "logging_strategy", "epoch"), NULL);
    check_says(TRAIN("warmup_steps", "-0.5"), "warmup_steps");
    check_says(TRAIN("num_train_epochs", "0"), "nothing to do");
    check_says(TRAIN("num_train_epochs", "0", "max_steps", "3"), NULL);
    check_says(TRAIN("min_size", "300", "max_size", "200"), "min_size");
    check_says(TRAIN("lr_scheduler_kwargs", "{\"num_cycles\": 1}"), NULL);
    check_says(TRAIN("lr_scheduler_kwargs", "num_cycles=1"), "lr_scheduler_kwargs");
}

static const char *config_file(const char *text)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/reel_args_%ld.json", (long)getpid());
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    return path;
}

static void test_file(void **state)
{
    (void)state;
    reel_args *args = reel_test_args(REEL_JOB_TRAIN, "learning_rate", "1e-3", NULL);
    const char *path = config_file("{\"learning_rate\": 0.5, \"num-train-epochs\": 2, \"warmup_ratio\": 0.25, \"data\": \"dd\",\n"
        "\"evaluation_strategy\": \"no\", \"shuffle\": false, \"model\": null, \"report_to\": [\"none\"],\n"
        "\"lr_scheduler_kwargs\": {\"num_cycles\": 2}}");
    const reel_train_args *t = reel_args_values(args, REEL_JOB_TRAIN);
    assert_int_equal(reel_args_read(args, path, &err), REEL_OK);
    assert_true(t->learning_rate == 1e-3);  /* the command line beats the file */
    assert_true(t->num_train_epochs == 2 && t->warmup_ratio == 0.25 && !t->shuffle);
    assert_string_equal(t->data, "dd");
    assert_string_equal(t->eval_strategy, "no");
    assert_string_equal(t->model, "");
    assert_string_equal(t->lr_scheduler_kwargs, "{\"num_cycles\": 2}");
    static const char *const bad[] = { "{\"learning_rte\": 1}", "{\"seed\": \"x\"}", "[1]", "{\"seed\": 1", "{\"seed\": 1, \"seed\": 2}",
                                       "{\"data\": \"a\\u0000b\"}" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        reel_args *fresh = reel_test_args(REEL_JOB_TRAIN, NULL);
        path = config_file(bad[i]);
        assert_int_not_equal(reel_args_read(fresh, path, &err), REEL_OK);
        assert_non_null(strstr(err.message, path));
        reel_args_close(&fresh);
    }
    unlink(path);
    assert_int_equal(reel_args_read(args, path, &err), REEL_ERR_NOT_FOUND);
    reel_args_close(&args);
}

static void test_copy(void **state)
{
    (void)state;
    reel_args *args = TRAIN("learning_rate", "0.0003", "max_steps", "7", "shuffle", "false", "lr_scheduler_type", "cosine");
    reel_args *copy = NULL;
    assert_int_equal(reel_args_copy(args, &copy, &err), REEL_OK);
    size_t n = 0;
    const reel_option *rows = reel_job_options(REEL_JOB_TRAIN, &n);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(reel_args_get(copy, rows[i].name), reel_args_get(args, rows[i].name));
        assert_int_equal(reel_args_is_set(copy, rows[i].name), reel_args_is_set(args, rows[i].name));
    }
    assert_int_equal(reel_args_set(copy, "data", "elsewhere", &err), REEL_OK);
    assert_string_equal(reel_args_get(args, "data"), "d");
    reel_args_close(&copy);
    reel_args_close(&args);
}

/* A copy, after each of its allocations has failed once. */
static reel_args *copy_without_memory(const reel_args *args)
{
    reel_args *copy = NULL;
    for (long n = 1;; n++) {
        reel_mem_fail_at(n, false);
        const reel_status status = reel_args_copy(args, &copy, &err);
        reel_mem_fail_at(0, false);
        if (status == REEL_OK)
            break;
        assert_int_equal(status, REEL_ERR_NOMEM);
        assert_null(copy);
    }
    return copy;
}

/* Each text adds one, in a file too; a comma is part of it. */
static void test_list(void **state)
{
    (void)state;
    reel_args *args = reel_test_args(REEL_JOB_HUB_UPLOAD, "include", "*.json", "include", "a,b", "include", "", "exclude", "it's", NULL), *copy = NULL;
    size_t n = 0;
    const char *const *item = reel_args_list(args, "include", &n);
    assert_int_equal(n, 2);
    assert_string_equal(item[0], "*.json");
    assert_string_equal(item[1], "a,b");
    assert_string_equal(reel_args_get(args, "include"), "'*.json' a,b");
    assert_null(reel_args_list(args, "revision", &n));
    assert_int_equal(n, 0);
    assert_null(reel_args_list(args, "none", &n));
    assert_int_equal(reel_args_copy(args, &copy, &err), REEL_OK);
    item = reel_args_list(copy, "include", &n);
    assert_int_equal(n, 2);
    assert_string_equal(item[1], "a,b");
    reel_args_close(&copy);
    reel_args_close(&args);
    args = reel_test_args(REEL_JOB_HUB_DOWNLOAD, "exclude", "mine", NULL);
    assert_int_equal(reel_args_read(args, config_file("{\"include\": [\"x\", \"y\"], \"exclude\": [\"z\"]}"), &err), REEL_OK);
    item = reel_args_list(args, "include", &n);
    assert_int_equal(n, 2);
    assert_string_equal(item[1], "y");
    item = reel_args_list(args, "exclude", &n);
    assert_int_equal(n, 1);  /* the command line beats the file */
    assert_string_equal(item[0], "mine");
    copy = copy_without_memory(args);
    reel_args_close(&copy);
    reel_args_close(&args);
}

/* Each allocation fails once: an error with a sentence, nothing half done, nothing lost (the sanitizer counts). */
static void test_memory(void **state)
{
    (void)state;
    reel_args *args = NULL, *copy = NULL;
    for (long n = 1;; n++) {
        memset(&err, 0, sizeof err);
        reel_mem_fail_at(n, false);
        const reel_status status = reel_args_open(REEL_JOB_TRAIN, &args, &err);
        reel_mem_fail_at(0, false);
        if (status == REEL_OK)
            break;
        assert_int_equal(status, REEL_ERR_NOMEM);
        assert_null(args);
        assert_true(err.message[0] != '\0');
    }
    copy = copy_without_memory(args);
    reel_mem_fail_at(1, false);
    assert_int_equal(reel_args_set(copy, "data", "x", &err), REEL_ERR_NOMEM);
    reel_mem_fail_at(0, false);
    assert_string_equal(reel_args_get(copy, "data"), "");
    reel_args_close(&args);
    reel_args_close(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spelling), cmocka_unit_test(test_near), cmocka_unit_test(test_values),
        cmocka_unit_test(test_ignored), cmocka_unit_test(test_derived), cmocka_unit_test(test_check),
        cmocka_unit_test(test_file), cmocka_unit_test(test_copy), cmocka_unit_test(test_list), cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests_name("args", tests, NULL, NULL);
}
