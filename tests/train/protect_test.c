/* What a run must not do, and what it says instead: other people's files, two runs in one folder, bad data, stopping,
 * numbers that are none. */
#include "tiny.h"

#include <math.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "format/safetensors.h"
#include "train/lock.h"
#include "train/manifest.h"

static char *dir;
static reel_context *ctx;

static const char *in(const char *name) { return tiny_path(dir, "%s", name); }

static reel_status run(const char *data, const char *out, reel_error *err, const char *const *more)
{
    reel_train_result *result;
    const char *pairs[64] = {"model", in("model"), "data", data, "output_dir", out, "per_device_train_batch_size", "4",
                             "num_train_epochs", "1", "logging_steps", "1"};
    size_t n = 12;
    for (; more != NULL && *more != NULL; more++)
        pairs[n++] = *more;
    pairs[n] = NULL;
    *err = (reel_error){0};
    reel_status status = tiny_train_list(ctx, NULL, NULL, &result, err, pairs);
    reel_train_result_close(&result);
    return status;
}

static void says(const reel_error *err, const char *word)
{
    if (strstr(err->message, word) == NULL)
        fail_msg("'%s' does not say '%s'", err->message, word);
}

static void refused(reel_status want, const char *data, const char *out, const char *const *more, const char *word)
{
    reel_error err;
    reel_status status = run(data, out, &err, more);
    if (status != want)
        fail_msg("%s instead of %s: %s", reel_status_name(status), reel_status_name(want), err.message);
    says(&err, word);
}

static const char *const overwrite[] = {"overwrite_output_dir", "true", NULL};

static int setup(void **state)
{
    (void)state;
    reel_error err;
    dir = tiny_folder();
    ctx = tiny_context();
    tiny_model(ctx, in("model"), true);
    tiny_packed(in("packed.safetensors"), 10);
    tiny_videos(in("data"), "train", 2, 8);
    tiny_ok(run(in("data"), in("run"), &err, NULL), &err);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    reel_context_close(&ctx);
    test_remove_folder(dir);
    return 0;
}

/* --- folders --- */

static void a_finished_run_is_not_replaced(void **state)
{
    (void)state;
    char *before = tiny_read(tiny_path(dir, "run/trainer_state.json"), NULL);
    refused(REEL_ERR_EXISTS, in("data"), in("run"), NULL, "already holds a finished run");
    char *after = tiny_read(tiny_path(dir, "run/trainer_state.json"), NULL);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static bool stop_at_first(const reel_event *event, void *user)
{
    (void)user;
    return event->kind != REEL_EVENT_STEP;
}

static void an_unfinished_run_is_not_replaced(void **state)
{
    (void)state;
    reel_error err;
    reel_train_result *result;
    assert_int_equal(tiny_train(ctx, stop_at_first, NULL, &result, &err, "model", in("model"), "data", in("data"),
                                "output_dir", in("unfinished"), "per_device_train_batch_size", "2", NULL),
                     REEL_ERR_CANCELLED);
    reel_train_result_close(&result);
    refused(REEL_ERR_EXISTS, in("data"), in("unfinished"), NULL, "--resume_from_checkpoint");
    assert_true(reel_is_dir(in("unfinished/checkpoint-1")));
}

static void overwriting_removes_the_run_and_nothing_else(void **state)
{
    (void)state;
    reel_error err;
    reel_names names;
    tiny_write(in("run/notes.txt"), "mine");
    mkdir(in("run/pictures"), 0777);
    tiny_write(in("run/checkpoint-77"), "a file of that name");
    refused(REEL_ERR_EXISTS, in("data"), in("run"), overwrite, "checkpoint-77");
    unlink(in("run/checkpoint-77"));
    tiny_ok(run(in("data"), in("run"), &err,
                (const char *const[]){"overwrite_output_dir", "true", "per_device_train_batch_size", "6", NULL}),
            &err);
    assert_true(reel_is_file(in("run/notes.txt")) && reel_is_dir(in("run/pictures")));
    tiny_ok(reel_dir_list(in("run"), &names, &err), &err);
    for (size_t i = 0; i < names.n; i++)
        assert_true(strncmp(names.name[i], "checkpoint-", 11) != 0 || strcmp(names.name[i], "checkpoint-1") == 0);
    reel_names_free(&names);
}

static void folders_of_others_are_left_alone(void **state)
{
    (void)state;
    mkdir(in("theirs"), 0777);
    tiny_write(in("theirs/letter.txt"), "dear");
    refused(REEL_ERR_EXISTS, in("data"), in("theirs"), NULL, "letter.txt");
    char command[1500];
    snprintf(command, sizeof command, "cp -r '%s/model' '%s/model2'", dir, dir);
    assert_int_equal(system(command), 0);
    refused(REEL_ERR_EXISTS, in("data"), in("model2"), overwrite, "does not come from a training run");
    refused(REEL_ERR_EXISTS, in("data"), in("run"),
            (const char *const[]){"overwrite_output_dir", "true", "model", in("run"), NULL},
            "the model that the run starts from");
    assert_true(reel_is_file(in("model2/model.safetensors")) && reel_is_file(in("run/model.safetensors")));
    assert_false(reel_exists(in("theirs/.reel.lock")));
}

static void output_folders_that_cannot_be(void **state)
{
    (void)state;
    tiny_write(in("file"), "x");
    refused(REEL_ERR_EXISTS, in("data"), in("file"), NULL, "not a folder");
    refused(REEL_ERR_IO, in("data"), in("file/below"), NULL, "file");
    if (geteuid() != 0) {
        mkdir(in("closed"), 0555);
        refused(REEL_ERR_IO, in("data"), in("closed"), NULL, "closed");
    }
}

static void a_second_run_in_a_folder_is_refused(void **state)
{
    (void)state;
    reel_error err;
    reel_lock lock;
    mkdir(in("busy"), 0777);
    tiny_ok(reel_lock_take(ctx, in("busy"), &lock, &err), &err);
    refused(REEL_ERR_EXISTS, in("data"), in("busy"), NULL, "another run is at work");
    reel_lock_drop(&lock);
    assert_false(reel_exists(in("busy/.reel.lock")));
    tiny_ok(run(in("data"), in("busy"), &err, NULL), &err);
}

static void what_a_killed_run_left_is_cleared(void **state)
{
    (void)state;
    reel_error err;
    mkdir(in("left"), 0777);
    mkdir(in("left/.checkpoint-3.99999.tmp"), 0777);
    tiny_write(in("left/.checkpoint-3.99999.tmp/model.safetensors"), "half");
    mkdir(in("left/.trash-2.99999"), 0777);
    tiny_write(in("left/.config.json.99999-0badf00d.tmp"), "{");
    tiny_ok(run(in("data"), in("left"), &err, NULL), &err);
    assert_int_equal(tiny_count(in("left"), "."), 0);
}

/* A run that fails before it begins leaves no folder behind. */
static void failures_leave_no_folder(void **state)
{
    (void)state;
    refused(REEL_ERR_NOT_FOUND, in("nothing_here"), in("never"), NULL, "nothing_here");
    assert_false(reel_exists(in("never")));
    refused(REEL_ERR_NOT_FOUND, in("data"), in("never"), (const char *const[]){"model", in("no_model"), NULL},
            "no_model");
    assert_false(reel_exists(in("never")));
}

/* --- data --- */

static void data_that_cannot_teach(void **state)
{
    (void)state;
    mkdir(in("one"), 0777);
    mkdir(in("one/train"), 0777);
    char command[1500];
    snprintf(command, sizeof command, "cp -r '%s/data/train/run' '%s/one/train/'", dir, dir);
    assert_int_equal(system(command), 0);
    refused(REEL_ERR_MISMATCH, in("one"), in("never"), NULL, "only one class: run");
    snprintf(command, sizeof command,
             "cp -r '%s/data' '%s/bad' && for f in '%s'/bad/train/*/*.avi; do echo text > \"$f\"; done", dir, dir,
             dir);
    assert_int_equal(system(command), 0);
    refused(REEL_ERR_FORMAT, in("bad"), in("never"), NULL, "none of the 6 training videos could be read");
    tiny_packed(in("small.safetensors"), 4);
    refused(REEL_ERR_ARG, in("small.safetensors"), in("never2"),
            (const char *const[]){"dataloader_drop_last", "true", "per_device_train_batch_size", "5", NULL},
            "do not fill one batch");
    refused(REEL_ERR_MISMATCH, in("packed.safetensors"), in("never2"), (const char *const[]){"num_frames", "2", NULL},
            "pixel_values");
}

static void no_val_is_said(void **state)
{
    (void)state;
    reel_error err;
    tiny_log log;
    tiny_listen(ctx, &log);
    tiny_ok(run(in("data"), in("noval"), &err, NULL), &err);
    reel_context_set_log(ctx, NULL, NULL);
    assert_non_null(strstr(log.text, "no split called val"));
    assert_false(reel_exists(in("noval/eval_results.json")));
    assert_true(reel_is_dir(in("noval/checkpoint-2")));
}

typedef struct heard { int skips, steps, logs, silent_logs; char reason[256]; } heard;

static bool hear(const reel_event *event, void *user)
{
    heard *h = user;
    h->steps += event->kind == REEL_EVENT_STEP;
    h->logs += event->kind == REEL_EVENT_LOG;
    h->silent_logs += event->kind == REEL_EVENT_LOG && isnan(event->loss) && isnan(event->grad_norm);
    if (event->kind == REEL_EVENT_SKIP) {
        h->skips++;
        snprintf(h->reason, sizeof h->reason, "%s: %s", event->path, event->reason);
    }
    return true;
}

/* One clip a step: the step of the bad video changes nothing, but counts. */
static void an_unreadable_video_is_told_once(void **state)
{
    (void)state;
    reel_error err;
    tiny_log log;
    reel_train_result *result;
    heard h = {0};
    reel_tensors st;
    int64_t updates;
    tiny_videos(in("holes"), "train", 2, 8);
    tiny_write(in("holes/train/run/v0.avi"), "no video, \"really\"\n");
    tiny_listen(ctx, &log);
    tiny_ok(tiny_train(ctx, hear, &h, &result, &err, "model", in("model"), "data", in("holes"), "output_dir", in("skip"),
                       "per_device_train_batch_size", "1", "num_train_epochs", "2", "logging_steps", "1", NULL), &err);
    reel_context_set_log(ctx, NULL, NULL);
    assert_int_equal(result->steps, 12);
    assert_int_equal(result->skipped, 1);
    reel_train_result_close(&result);
    assert_int_equal(h.skips, 1);
    assert_int_equal(h.steps, 12);
    assert_int_equal(h.logs, 12);
    assert_int_equal(h.silent_logs, 2);
    assert_int_equal(log.warnings, 1);
    assert_non_null(strstr(h.reason, "run/v0.avi: "));
    assert_null(strstr(h.reason, dir));  /* the reason does not name the file again */
    char *csv = tiny_read(in("skip/skipped.csv"), NULL);
    assert_memory_equal(csv, "video,reason\n", 13);
    assert_non_null(strstr(csv, "run/v0.avi,"));
    assert_int_equal(strlen(csv), strlen("video,reason\n") + strlen(strstr(csv, "\n") + 1));
    free(csv);
    tiny_ok(reel_st_open(in("skip/checkpoint-12/optimizer.safetensors"), &st, &err), &err);
    memcpy(&updates, reel_tensors_find(&st, "step")->data, sizeof updates);
    assert_int_equal(updates, 10);
    reel_tensors_close(&st);
}

/* --- stopping, and numbers that are none --- */

typedef struct counter { long calls, at; } counter;

static bool cancel_at(void *user)
{
    counter *c = user;
    return __atomic_add_fetch(&c->calls, 1, __ATOMIC_RELAXED) >= c->at;
}

/* Cancelled at whatever moment: the step in flight is dropped, and going on gives the same bytes. */
static void cancelled_anywhere(void **state)
{
    (void)state;
    reel_error err;
    reel_train_result *result;
    tiny_ok(run(in("packed.safetensors"), in("calm"), &err, (const char *const[]){"num_train_epochs", "2", NULL}), &err);
    int stopped = 0;
    for (long at = 1; at < 100000; at = at * 3 / 2 + 1) {
        counter c = {.at = at};
        const char *out = in("stopped");
        reel_context_set_cancel(ctx, cancel_at, &c);
        reel_status status = tiny_train(ctx, NULL, NULL, &result, &err, "model", in("model"), "data",
                                        in("packed.safetensors"), "output_dir", out, "per_device_train_batch_size",
                                        "4", "num_train_epochs", "2", "logging_steps", "1", NULL);
        reel_context_set_cancel(ctx, NULL, NULL);
        bool saved = result != NULL && result->last_checkpoint != NULL;
        reel_train_result_close(&result);
        if (status == REEL_OK)
            break;
        assert_int_equal(status, REEL_ERR_CANCELLED);
        stopped += saved;
        if (saved)
            tiny_ok(
                tiny_train(ctx, NULL, NULL, &result, &err, "resume_from_checkpoint", "true", "output_dir", out, NULL),
                &err);
        reel_train_result_close(&result);
        if (saved && !tiny_same_file(in("calm/model.safetensors"), in("stopped/model.safetensors")))
            fail_msg("cancelled at call %ld: another model", at);
        char command[600];
        snprintf(command, sizeof command, "rm -rf '%s/stopped'", dir);
        assert_int_equal(system(command), 0);
    }
    assert_true(stopped >= 4);
}

static void a_loss_that_is_no_number_stops_the_run(void **state)
{
    (void)state;
    reel_error err;
    reel_tensors st;
    tiny_packed(in("nan.safetensors"), 10);
    tiny_ok(reel_st_open(in("nan.safetensors"), &st, &err), &err);
    const uint8_t *data = reel_tensors_find(&st, "pixel_values")->data;
    FILE *f = fopen(in("nan.safetensors"), "r+b");
    fseek(f, (long)(data - st.map[0].data) + 6L * TINY_T * 3 * TINY_SIZE * TINY_SIZE * 4, SEEK_SET);
    reel_tensors_close(&st);
    float bad = NAN;
    fwrite(&bad, sizeof bad, 1, f);
    fclose(f);
    refused(REEL_ERR_NUMERIC, in("nan.safetensors"), in("nan"),
            (const char *const[]){"shuffle", "false", "save_strategy", "steps", "save_steps", "1",
                                  "load_best_model_at_end", "false", NULL},
            "step 2");
    run(in("nan.safetensors"), in("nan2"), &err,
        (const char *const[]){"shuffle", "false", "save_strategy", "steps", "save_steps", "1",
                              "load_best_model_at_end", "false", NULL});
    says(&err, "checkpoint-1");
    tiny_ok(reel_manifest_check(in("nan/checkpoint-1"), true, NULL, &err), &err);
    assert_int_equal(tiny_count(in("nan"), "checkpoint-"), 1);
    assert_false(reel_exists(in("nan/model.safetensors")));
    /* what whole steps made is kept though no checkpoint was due */
    run(in("nan.safetensors"), in("nan3"), &err,
        (const char *const[]){"shuffle", "false", "save_strategy", "no", "load_best_model_at_end", "false", NULL});
    says(&err, "nan3/checkpoint-1");
    tiny_ok(reel_manifest_check(in("nan3/checkpoint-1"), true, NULL, &err), &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_finished_run_is_not_replaced),
        cmocka_unit_test(an_unfinished_run_is_not_replaced),
        cmocka_unit_test(overwriting_removes_the_run_and_nothing_else),
        cmocka_unit_test(folders_of_others_are_left_alone),
        cmocka_unit_test(output_folders_that_cannot_be),
        cmocka_unit_test(a_second_run_in_a_folder_is_refused),
        cmocka_unit_test(what_a_killed_run_left_is_cleared),
        cmocka_unit_test(failures_leave_no_folder),
        cmocka_unit_test(data_that_cannot_teach),
        cmocka_unit_test(no_val_is_said),
        cmocka_unit_test(an_unreadable_video_is_told_once),
        cmocka_unit_test(cancelled_anywhere),
        cmocka_unit_test(a_loss_that_is_no_number_stops_the_run),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
