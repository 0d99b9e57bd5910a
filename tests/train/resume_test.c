/* A run that was stopped and goes on ends with the same bytes as one that was not; what differs in meaning is
 * refused. Videos with one that cannot be read, random clips, dropout, evaluation: all that a state must hold. */
#include "tiny.h"

#include <sys/stat.h>

#include "base/file.h"

enum { STEPS = 9 };  /* 12 videos, batches of 4, 3 epochs */

static char *dir, *model, *data;
static reel_context *ctx;

static char *absolute(const char *name)
{
    char *path = malloc(600);
    snprintf(path, 600, "%s/%s", dir, name);
    return path;
}

/* Each run has a folder of its own to be in, so that "run" is its --output_dir and equal runs write equal texts. */
static void enter(const char *name)
{
    mkdir(tiny_path(dir, "%s", name), 0777);
    assert_int_equal(chdir(tiny_path(dir, "%s", name)), 0);
}

/* --- stopping --- */

typedef struct stopper { reel_event_kind kind; int64_t at, seen; } stopper;

static bool stop_at(const reel_event *event, void *user)
{
    stopper *s = user;
    if (event->kind == s->kind)
        s->seen++;
    return !(event->kind == s->kind && s->seen == s->at);
}

static reel_status run(stopper *s, const char *const *more, reel_train_result **result, reel_error *err)
{
    const char *pairs[64] = {"model",
                             model,
                             "data",
                             data,
                             "output_dir",
                             "run",
                             "per_device_train_batch_size",
                             "4",
                             "num_train_epochs",
                             "3",
                             "logging_steps",
                             "2",
                             "learning_rate",
                             "0.002",
                             "weight_decay",
                             "0.05",
                             "per_device_eval_batch_size",
                             "3"};
    size_t n = 18;
    for (; *more != NULL; more++)
        pairs[n++] = *more;
    pairs[n] = NULL;
    return tiny_train_list(ctx, s != NULL ? stop_at : NULL, s, result, err, pairs);
}

static const char *const no_more[] = {NULL};

static int setup(void **state)
{
    (void)state;
    reel_error err;
    reel_train_result *result;
    dir = tiny_folder();
    ctx = tiny_context();
    model = absolute("model");
    data = absolute("data");
    tiny_model(ctx, model, true);
    char *text = tiny_read(tiny_path(model, "config.json"), NULL), *at = strstr(text, "\"hidden_dropout_prob\": 0.0");
    assert_non_null(at);
    at[strlen("\"hidden_dropout_prob\": 0.")] = '1';
    tiny_write(tiny_path(model, "config.json"), text);
    free(text);
    tiny_videos(data, "train", 4, 12);
    tiny_videos(data, "val", 2, 14);
    tiny_write(tiny_path(data, "train/run/v2.avi"), "this is no video");
    enter("whole");
    tiny_ok(run(NULL, no_more, &result, &err), &err);
    assert_int_equal(result->steps, STEPS);
    assert_int_equal(result->skipped, 1);
    assert_string_equal(result->last_checkpoint, "run/checkpoint-9");
    reel_train_result_close(&result);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(chdir("/"), 0);
    reel_context_close(&ctx);
    free(model);
    free(data);
    test_remove_folder(dir);
    return 0;
}

/* --- comparing --- */

static void same_bytes(const char *name, const char *file)
{
    if (!tiny_same_file(tiny_path(dir, "whole/run/%s", file), tiny_path(dir, "%s/run/%s", name, file)))
        fail_msg("%s: %s differs from the uninterrupted run's", name, file);
}

static void same_but_times(const char *name, const char *file)
{
    char *a = tiny_read(tiny_path(dir, "whole/run/%s", file), NULL),
         *b = tiny_read(tiny_path(dir, "%s/run/%s", name, file), NULL);
    tiny_without_times(a);
    tiny_without_times(b);
    assert_string_equal(a, b);
    free(a);
    free(b);
}

static void same_run(const char *name)
{
    static const char *const bytes[] = {"model.safetensors",
                                        "config.json",
                                        "skipped.csv",
                                        "checkpoint-9/model.safetensors",
                                        "checkpoint-9/optimizer.safetensors",
                                        "checkpoint-9/reel_state.json"};
    static const char *const texts[] = {"trainer_state.json", "eval_results.json", "all_results.json",
                                        "checkpoint-9/trainer_state.json"};
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++)
        same_bytes(name, bytes[i]);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        same_but_times(name, texts[i]);
}

/* Stops at the `at`-th event of a kind, goes on, compares. */
static void cut(const char *name, reel_event_kind kind, int64_t at, int64_t saved)
{
    reel_error err;
    reel_train_result *result;
    char checkpoint[64];
    stopper s = {.kind = kind, .at = at};
    enter(name);
    snprintf(checkpoint, sizeof checkpoint, "run/checkpoint-%lld", (long long)saved);
    assert_int_equal(run(&s, no_more, &result, &err), REEL_ERR_CANCELLED);
    assert_non_null(result);
    assert_string_equal(result->last_checkpoint, checkpoint);
    assert_non_null(strstr(err.message, checkpoint));
    assert_false(reel_exists("run/.reel.lock"));
    reel_train_result_close(&result);
    /* the command that terminal.md shows: nothing but the checkpoint */
    tiny_ok(tiny_train(ctx, NULL, NULL, &result, &err, "resume_from_checkpoint", checkpoint, NULL), &err);
    reel_train_result_close(&result);
    same_run(name);
}

static void after_the_first_step(void **state) { (void)state; cut("first", REEL_EVENT_STEP, 1, 1); }
static void in_the_midst_of_an_epoch(void **state) { (void)state; cut("midst", REEL_EVENT_STEP, 5, 5); }
static void at_the_end_of_an_epoch(void **state) { (void)state; cut("end", REEL_EVENT_STEP, 6, 6); }
static void before_the_last_step(void **state) { (void)state; cut("last", REEL_EVENT_STEP, 8, 8); }
static void while_evaluating(void **state) { (void)state; cut("evaluating", REEL_EVENT_EVAL_STEP, 6, 6); }
static void after_an_evaluation(void **state) { (void)state; cut("evaluated", REEL_EVENT_EVAL, 1, 3); }
static void after_a_checkpoint(void **state) { (void)state; cut("saved", REEL_EVENT_CHECKPOINT, 2, 6); }
static void at_a_log_line(void **state) { (void)state; cut("logged", REEL_EVENT_LOG, 2, 4); }

static void several_times(void **state)
{
    (void)state;
    reel_error err;
    reel_train_result *result;
    enter("several");
    stopper first = {.kind = REEL_EVENT_STEP, .at = 2};
    assert_int_equal(run(&first, no_more, &result, &err), REEL_ERR_CANCELLED);
    reel_train_result_close(&result);
    for (int i = 0; i < 10; i++) {  /* two steps a time */
        stopper s = {.kind = REEL_EVENT_STEP, .at = 2};
        reel_status status = run(&s, (const char *const[]){"resume_from_checkpoint", "true", NULL}, &result, &err);
        reel_train_result_close(&result);
        if (status == REEL_OK)
            break;
        assert_int_equal(status, REEL_ERR_CANCELLED);
    }
    same_run("several");
}

/* The damaged newest checkpoint is named and passed over; when the run gets there again, it is replaced. */
static void from_an_older_one_where_the_newest_is_damaged(void **state)
{
    (void)state;
    reel_error err;
    reel_train_result *result;
    tiny_log log;
    enter("damaged");
    stopper s = {.kind = REEL_EVENT_STEP, .at = 7};
    assert_int_equal(run(&s, no_more, &result, &err), REEL_ERR_CANCELLED);
    reel_train_result_close(&result);
    size_t n;
    char *bytes = tiny_read("run/checkpoint-7/model.safetensors", &n);
    bytes[n - 5] ^= 1;
    FILE *f = fopen("run/checkpoint-7/model.safetensors", "wb");
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
    free(bytes);
    assert_int_equal(tiny_train(ctx, NULL, NULL, &result, &err, "resume_from_checkpoint", "run/checkpoint-7", NULL),
                     REEL_ERR_FORMAT);
    assert_non_null(strstr(err.message, "checkpoint-7/model.safetensors"));
    tiny_listen(ctx, &log);
    tiny_ok(tiny_train(ctx, NULL, NULL, &result, &err, "resume_from_checkpoint", "true", "output_dir", "run", NULL),
            &err);
    reel_context_set_log(ctx, NULL, NULL);
    reel_train_result_close(&result);
    assert_non_null(strstr(log.text, "checkpoint-7/model.safetensors"));
    assert_non_null(strstr(log.text, "going on from run/checkpoint-6"));
    same_run("damaged");
}

/* A finished run has nothing left to do; asking it to go on leaves it as it is. */
static void nothing_is_left_of_a_finished_run(void **state)
{
    (void)state;
    reel_error err;
    reel_train_result *result;
    enter("whole");
    char *before = tiny_read("run/model.safetensors", NULL);
    tiny_ok(tiny_train(ctx, NULL, NULL, &result, &err, "resume_from_checkpoint", "true", "output_dir", "run", NULL),
            &err);
    assert_int_equal(result->steps, STEPS);
    reel_train_result_close(&result);
    char *after = tiny_read("run/model.safetensors", NULL);
    assert_memory_equal(before, after, 1000);
    free(before);
    free(after);
}

static void loader_threads_change_nothing(void **state)
{
    (void)state;
    static const char *const threads[] = {"1", "2", "5"};
    for (size_t i = 0; i < 3; i++) {
        reel_error err;
        reel_train_result *result;
        char name[16];
        snprintf(name, sizeof name, "loaders%s", threads[i]);
        enter(name);
        tiny_ok(run(NULL, (const char *const[]){"dataloader_num_workers", threads[i], NULL}, &result, &err), &err);
        reel_train_result_close(&result);
        same_bytes(name, "model.safetensors");
        same_bytes(name, "skipped.csv");
        same_bytes(name, "checkpoint-9/optimizer.safetensors");
        same_but_times(name, "trainer_state.json");
    }
}

/* --- what must agree --- */

static void refused(const char *const *pairs, const char *one, const char *other)
{
    reel_error err = {0};
    reel_train_result *result;
    assert_int_equal(tiny_train_list(ctx, NULL, NULL, &result, &err, pairs), REEL_ERR_MISMATCH);
    assert_null(result);
    if (strstr(err.message, one) == NULL || strstr(err.message, other) == NULL)
        fail_msg("'%s' names not both %s and %s", err.message, one, other);
}

static void other_options_are_refused_with_both_values(void **state)
{
    (void)state;
    enter("whole");
    refused((const char *const[]){"resume_from_checkpoint", "run/checkpoint-6", "learning_rate", "0.001", NULL},
            "0.001", "0.002");
    refused((const char *const[]){"resume_from_checkpoint", "run/checkpoint-6", "seed", "7", NULL}, "7", "42");
    refused((const char *const[]){"resume_from_checkpoint", "run/checkpoint-6", "train_transform", "eval", NULL},
            "eval", "train");
    refused((const char *const[]){"resume_from_checkpoint", "run/checkpoint-6", "num_train_epochs", "5", NULL}, "5", "3");
}

static void other_data_are_refused(void **state)
{
    (void)state;
    char *other = absolute("other");
    tiny_videos(other, "train", 3, 12);
    tiny_videos(other, "val", 2, 14);
    enter("whole");
    refused((const char *const[]){"resume_from_checkpoint", "run/checkpoint-6", "data", other, NULL}, "9 train",
            "12 train");
    tiny_videos(other, "train", 4, 13);  /* as many, but other contents */
    refused((const char *const[]){"resume_from_checkpoint", "run/checkpoint-6", "data", other, NULL}, "12 train",
            "other names, labels or file sizes");
    free(other);
}

static void another_machine_is_warned_about(void **state)
{
    (void)state;
    reel_error err;
    reel_train_result *result;
    tiny_log log;
    reel_context *one = tiny_context();
    tiny_ok(reel_context_set(one, "threads", "1", &err), &err);
    tiny_listen(one, &log);
    enter("whole");
    tiny_ok(tiny_train(one, NULL, NULL, &result, &err, "resume_from_checkpoint", "run/checkpoint-9", NULL), &err);
    reel_train_result_close(&result);
    assert_non_null(strstr(log.text, "threads: 1 here, 2 in run/checkpoint-9"));
    reel_context_close(&one);
}

static void folders_that_are_no_checkpoint_are_refused(void **state)
{
    (void)state;
    reel_error err;
    reel_train_result *result;
    enter("none");
    mkdir("run", 0777);
    assert_int_equal(run(NULL, (const char *const[]){"resume_from_checkpoint", "true", NULL}, &result, &err),
                     REEL_ERR_NOT_FOUND);
    assert_int_equal(run(NULL, (const char *const[]){"resume_from_checkpoint", "nowhere", NULL}, &result, &err),
                     REEL_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "nowhere"));
    assert_int_equal(tiny_train(ctx, NULL, NULL, &result, &err, "resume_from_checkpoint", model, NULL),
                     REEL_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "reel_checkpoint.json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_the_first_step),
        cmocka_unit_test(in_the_midst_of_an_epoch),
        cmocka_unit_test(at_the_end_of_an_epoch),
        cmocka_unit_test(before_the_last_step),
        cmocka_unit_test(while_evaluating),
        cmocka_unit_test(after_an_evaluation),
        cmocka_unit_test(after_a_checkpoint),
        cmocka_unit_test(at_a_log_line),
        cmocka_unit_test(several_times),
        cmocka_unit_test(from_an_older_one_where_the_newest_is_damaged),
        cmocka_unit_test(nothing_is_left_of_a_finished_run),
        cmocka_unit_test(loader_threads_change_nothing),
        cmocka_unit_test(other_options_are_refused_with_both_values),
        cmocka_unit_test(other_data_are_refused),
        cmocka_unit_test(another_machine_is_warned_about),
        cmocka_unit_test(folders_that_are_no_checkpoint_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
