/* Evaluations while training, the best checkpoint, and which checkpoints stay. */
#include "tiny.h"

#include <math.h>

#include "base/file.h"
#include "base/json.h"

static char *dir;
static reel_context *ctx;

static const char *in(const char *name) { return tiny_path(dir, "%s", name); }

/* 6 videos, batches of 2, 3 epochs: 9 steps. */
static void run(const char *out, const char *const *more)
{
    reel_error err;
    reel_train_result *result;
    const char *pairs[64] = {
        "model", in("model"),        "data", in("data"),      "output_dir", in(out), "per_device_train_batch_size",
        "2",     "num_train_epochs", "3",    "learning_rate", "0.004"};
    size_t n = 12;
    for (; *more != NULL; more++)
        pairs[n++] = *more;
    pairs[n] = NULL;
    tiny_ok(tiny_train_list(ctx, NULL, NULL, &result, &err, pairs), &err);
    reel_train_result_close(&result);
}

static int setup(void **state)
{
    (void)state;
    dir = tiny_folder();
    ctx = tiny_context();
    tiny_model(ctx, in("model"), true);
    tiny_videos(in("data"), "train", 2, 12);
    tiny_videos(in("data"), "val", 2, 23);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    reel_context_close(&ctx);
    test_remove_folder(dir);
    return 0;
}

static reel_json *state_of(const char *out)
{
    reel_error err;
    reel_json *json;
    tiny_ok(reel_json_read(tiny_path(dir, "%s/trainer_state.json", out), 1 << 20, false, &json, &err), &err);
    return json;
}

static int64_t whole(const reel_json *j, const char *key)
{
    int64_t value = -1;
    reel_json_integer(reel_json_get(j, key), &value);
    return value;
}

/* The entry of the log with the best value of `metric`, the earliest among equals; *n gets the number of evaluations. */
static const reel_json *best_of(const reel_json *state, const char *metric, double sign, size_t *n)
{
    const reel_json *log = reel_json_get(state, "log_history"), *best = NULL;
    *n = 0;
    for (size_t i = 0; i < reel_json_size(log); i++) {
        const reel_json *entry = reel_json_at(log, i);
        if (reel_json_get(entry, metric) == NULL)
            continue;
        (*n)++;
        if (best == NULL || sign * reel_json_number(reel_json_get(entry, metric)) >
                                sign * reel_json_number(reel_json_get(best, metric)))
            best = entry;
    }
    return best;
}

static void check_best(const char *out, const char *metric, double sign, size_t evaluations)
{
    reel_error err;
    size_t n;
    reel_json *state = state_of(out), *results;
    const reel_json *best = best_of(state, metric, sign, &n);
    assert_int_equal(n, evaluations);
    int64_t step = whole(best, "step");
    const char *folder = tiny_path(dir, "%s/checkpoint-%lld", out, (long long)step);
    assert_int_equal(whole(state, "best_global_step"), step);
    assert_true(reel_json_number(reel_json_get(state, "best_metric")) == reel_json_number(reel_json_get(best, metric)));
    assert_string_equal(reel_json_string(reel_json_get(state, "best_model_checkpoint")), folder);
    /* all tensors of the best one, and its figures */
    assert_true(tiny_same_file(tiny_path(dir, "%s/model.safetensors", out), tiny_path(folder, "model.safetensors")));
    tiny_ok(reel_json_read(tiny_path(dir, "%s/eval_results.json", out), 1 << 20, false, &results, &err), &err);
    static const char *const keys[] = {"eval_loss", "eval_accuracy", "eval_video_accuracy", "epoch"};
    for (size_t i = 0; i < 4; i++)
        assert_true(reel_json_number(reel_json_get(results, keys[i])) == reel_json_number(reel_json_get(best, keys[i])));
    assert_int_equal(reel_json_size(results), 7);
    reel_json_free(results);
    reel_json_free(state);
}

static void the_best_by_loss_is_the_result(void **state)
{
    (void)state;
    run("loss", (const char *const[]){"metric_for_best_model", "loss", NULL});
    check_best("loss", "eval_loss", -1, 3);
    assert_int_equal(tiny_count(in("loss"), "checkpoint-"), 3);
}

static void the_best_by_accuracy_is_the_result(void **state)
{
    (void)state;
    run("accuracy", (const char *const[]){"eval_strategy", "steps", "save_strategy", "steps", "eval_steps", "2",
                                          "save_steps", "2", NULL});
    check_best("accuracy", "eval_accuracy", 1, 5);  /* 2, 4, 6, 8 and the end */
    assert_int_equal(tiny_count(in("accuracy"), "checkpoint-"), 5);
}

/* Nothing is learned: all evaluations are equal, and the first keeps its place though it is the oldest. */
static void a_tie_keeps_the_earlier_and_the_best_stays(void **state)
{
    (void)state;
    run("tie", (const char *const[]){"learning_rate", "0", "save_total_limit", "1", NULL});
    check_best("tie", "eval_accuracy", 1, 3);
    assert_true(reel_is_dir(in("tie/checkpoint-3")));
    assert_int_equal(tiny_count(in("tie"), "checkpoint-"), 1);
    run("tie2", (const char *const[]){"learning_rate", "0", "save_total_limit", "2", NULL});
    assert_true(reel_is_dir(in("tie2/checkpoint-3")) && reel_is_dir(in("tie2/checkpoint-9")));
    assert_int_equal(tiny_count(in("tie2"), "checkpoint-"), 2);
}

static void save_strategy_best(void **state)
{
    (void)state;
    run("only", (const char *const[]){"learning_rate", "0", "save_strategy", "best", NULL});
    assert_true(reel_is_dir(in("only/checkpoint-3")));
    assert_int_equal(tiny_count(in("only"), "checkpoint-"), 1);
    check_best("only", "eval_accuracy", 1, 3);
}

static void the_last_is_the_result_where_asked(void **state)
{
    (void)state;
    run("last", (const char *const[]){"load_best_model_at_end", "false", "eval_on_start", "true", "save_only_model",
                                      "true", NULL});
    assert_true(tiny_same_file(in("last/model.safetensors"), in("last/checkpoint-9/model.safetensors")));
    assert_false(reel_exists(in("last/checkpoint-9/optimizer.safetensors")));
    reel_json *json = state_of("last");
    size_t n;
    best_of(json, "eval_loss", -1, &n);
    assert_int_equal(n, 4);
    reel_json_free(json);
    reel_error err;
    reel_train_result *result;
    assert_int_equal(
        tiny_train(ctx, NULL, NULL, &result, &err, "resume_from_checkpoint", in("last/checkpoint-6"), NULL),
        REEL_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "optimizer.safetensors"));
}

static bool lose_the_best(const reel_event *event, void *user)
{
    (void)user;
    if (event->kind == REEL_EVENT_CHECKPOINT && event->step == 9)
        assert_int_equal(unlink(in("lost/checkpoint-3/model.safetensors")), 0);
    return true;
}

static void a_best_that_is_lost_is_told(void **state)
{
    (void)state;
    reel_error err;
    tiny_log log;
    reel_train_result *result;
    tiny_listen(ctx, &log);
    tiny_ok(tiny_train(ctx, lose_the_best, NULL, &result, &err, "model", in("model"), "data", in("data"),
                       "output_dir", in("lost"), "per_device_train_batch_size", "2", "num_train_epochs", "3",
                       "learning_rate", "0", NULL),
            &err);
    reel_context_set_log(ctx, NULL, NULL);
    assert_null(result->best_checkpoint);
    reel_train_result_close(&result);
    assert_non_null(strstr(log.text, "the best model is lost"));
    assert_true(tiny_same_file(in("lost/model.safetensors"), in("lost/checkpoint-9/model.safetensors")));
    assert_false(reel_exists(in("lost/.reel.lock")));
}

/* What training says of the model is what reel_evaluate says of the folder that it left. */
static void evaluate_agrees(void **state)
{
    (void)state;
    reel_error err;
    reel_args *args;
    reel_eval_report *r;
    reel_json *results;
    tiny_ok(reel_args_open(REEL_JOB_EVALUATE, &args, &err), &err);
    tiny_ok(reel_args_set(args, "model", in("loss"), &err), &err);
    tiny_ok(reel_args_set(args, "data", in("data"), &err), &err);
    tiny_ok(reel_args_set(args, "split", "val", &err), &err);
    tiny_ok(reel_evaluate(ctx, args, NULL, NULL, &r, &err), &err);
    tiny_ok(reel_json_read(in("loss/eval_results.json"), 1 << 20, false, &results, &err), &err);
    assert_true(fabs(reel_json_number(reel_json_get(results, "eval_loss")) - r->clip_loss) < 1e-5);
    assert_true(reel_json_number(reel_json_get(results, "eval_accuracy")) == r->clip_accuracy);
    assert_true(reel_json_number(reel_json_get(results, "eval_video_accuracy")) == r->accuracy);
    assert_true(r->clips > r->videos);
    reel_json_free(results);
    reel_eval_report_close(&r);
    reel_args_close(&args);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_by_loss_is_the_result), cmocka_unit_test(the_best_by_accuracy_is_the_result),
        cmocka_unit_test(a_tie_keeps_the_earlier_and_the_best_stays), cmocka_unit_test(save_strategy_best),
        cmocka_unit_test(the_last_is_the_result_where_asked), cmocka_unit_test(a_best_that_is_lost_is_told),
        cmocka_unit_test(evaluate_agrees),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
