/* Short runs on packed clips against what transformers' Trainer logged and made of the same weights
 * (make_golden_trainer.py). */
#include "tiny.h"

#include <math.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "format/safetensors.h"

/* fp32 sums in another order differ by some 1e-6 a step; what design.md promises is 1e-4. */
static const double bound = 1e-4;

static char *dir;
static reel_context *ctx;
static reel_json *golden;

static int setup(void **state)
{
    (void)state;
    reel_error err;
    char path[600];
    dir = tiny_folder();
    ctx = tiny_context();
    tiny_model(ctx, tiny_path(dir, "model"), false);
    tiny_packed(tiny_path(dir, "packed.safetensors"), 10);
    snprintf(path, sizeof path, "%s/tests/train/golden_trainer.json",
             getenv("REEL_SOURCE") != NULL ? getenv("REEL_SOURCE") : ".");
    tiny_ok(reel_json_read(path, 1 << 20, false, &golden, &err), &err);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    reel_json_free(golden);
    reel_context_close(&ctx);
    test_remove_folder(dir);
    return 0;
}

static const reel_json *part(const reel_json *j, const char *key)
{
    const reel_json *value = reel_json_get(j, key);
    if (value == NULL)
        fail_msg("%s is missing", key);
    return value;
}

static bool near(double got, double want)
{
    return fabs(got - want) <= bound * fabs(want) + 1e-12;
}

/* Every number of `want` is in `got`, and nothing but times besides. */
static void check_entry(const reel_json *got, const reel_json *want, size_t i)
{
    for (void *it = reel_json_first(want); it != NULL; it = reel_json_next(want, it)) {
        const char *key = reel_json_key(it);
        const reel_json *value = part(got, key);
        if (!near(reel_json_number(value), reel_json_number(reel_json_value(it))))
            fail_msg("log entry %zu: %s is %.9g, Trainer has %.9g", i, key, reel_json_number(value),
                     reel_json_number(reel_json_value(it)));
    }
    for (void *it = reel_json_first(got); it != NULL; it = reel_json_next(got, it)) {
        const char *key = reel_json_key(it);
        if (reel_json_get(want, key) == NULL && strstr(key, "runtime") == NULL && strstr(key, "per_second") == NULL)
            fail_msg("log entry %zu: %s is not what Trainer logs", i, key);
    }
}

static void check_state(const reel_json *got, const reel_json *want)
{
    assert_int_equal(reel_json_size(got), reel_json_size(want));
    for (void *it = reel_json_first(want); it != NULL; it = reel_json_next(want, it)) {
        const char *key = reel_json_key(it);
        const reel_json *a = part(got, key), *b = reel_json_value(it);
        if (reel_json_is_number(b) && !near(reel_json_number(a), reel_json_number(b)))
            fail_msg("trainer_state.json: %s is %.17g, Trainer has %.17g", key, reel_json_number(a), reel_json_number(b));
        assert_int_equal(reel_json_is_null(a), reel_json_is_null(b));
        assert_int_equal(reel_json_true(a), reel_json_true(b));
    }
    const reel_json *log = part(got, "log_history"), *log_want = part(want, "log_history");
    assert_int_equal(reel_json_size(log), reel_json_size(log_want));
    for (size_t i = 0; i < reel_json_size(log); i++)
        check_entry(reel_json_at(log, i), reel_json_at(log_want, i), i);
}

static void check_weights(const char *path, const reel_json *want)
{
    reel_tensors st;
    reel_error err;
    tiny_ok(reel_st_open(path, &st, &err), &err);
    assert_int_equal(st.n, reel_json_size(want));
    for (void *it = reel_json_first(want); it != NULL; it = reel_json_next(want, it)) {
        const reel_tensor *t = reel_tensors_find(&st, reel_json_key(it));
        const reel_json *w = reel_json_value(it), *first = part(w, "first");
        if (t == NULL)
            fail_msg("%s is not in %s", reel_json_key(it), path);
        double largest = reel_json_number(part(w, "max")), sum = 0, squares = 0;
        size_t n = t->bytes / sizeof(float);
        float x;
        for (size_t i = 0; i < n; i++) {
            memcpy(&x, t->data + i * sizeof x, sizeof x);
            sum += (double)x;
            squares += (double)x * (double)x;
            if (i < reel_json_size(first) && fabs((double)x - reel_json_number(reel_json_at(first, i))) > bound * largest)
                fail_msg("%s[%zu] is %.9g, Trainer has %.9g", reel_json_key(it), i, (double)x,
                         reel_json_number(reel_json_at(first, i)));
        }
        if (!near(squares, reel_json_number(part(w, "squares"))) ||
            fabs(sum - reel_json_number(part(w, "sum"))) > bound * largest * (double)n)
            fail_msg("%s: sum %.9g, squares %.9g; Trainer has %.9g, %.9g", reel_json_key(it), sum, squares,
                     reel_json_number(part(w, "sum")), reel_json_number(part(w, "squares")));
    }
    reel_tensors_close(&st);
}

/* The options that Trainer had, under the names that reel has for them. */
static void run_case(const char *name)
{
    reel_error err;
    reel_train_result *result;
    reel_json *state;
    const char *pairs[64] = {"model", tiny_path(dir, "model"), "data", tiny_path(dir, "packed.safetensors"), "output_dir",
                             tiny_path(dir, "run_%s", name), "save_strategy", "no", "eval_strategy", "no",
                             "load_best_model_at_end", "false", NULL};
    size_t n = 12;
    const reel_json *want = part(part(golden, "cases"), name), *options = part(want, "options");
    for (void *it = reel_json_first(options); it != NULL; it = reel_json_next(options, it)) {
        bool order = strcmp(reel_json_key(it), "train_sampling_strategy") == 0;
        pairs[n++] = order ? "shuffle" : reel_json_key(it);
        pairs[n++] = order ? "false" : reel_json_string(reel_json_value(it));
    }
    pairs[n] = NULL;
    tiny_ok(tiny_train_list(ctx, NULL, NULL, &result, &err, pairs), &err);
    tiny_ok(reel_json_read(tiny_path(dir, "run_%s/trainer_state.json", name), 1 << 20, false, &state, &err), &err);
    check_state(state, part(want, "state"));
    check_weights(tiny_path(dir, "run_%s/model.safetensors", name), part(want, "weights"));
    assert_int_equal(result->steps, (int64_t)reel_json_number(part(part(want, "state"), "global_step")));
    reel_json_free(state);
    reel_train_result_close(&result);
}

static void plain(void **state) { (void)state; run_case("plain"); }
static void accumulate(void **state) { (void)state; run_case("accumulate"); }
static void smooth_cosine(void **state) { (void)state; run_case("smooth_cosine"); }
static void max_steps(void **state) { (void)state; run_case("max_steps"); }
static void epochs(void **state) { (void)state; run_case("epochs"); }

/* Texts of the result files: what Python's json module writes, indent and end as Trainer leaves them. */
static void result_files_look_like_the_trainers(void **state)
{
    (void)state;
    size_t n;
    reel_error err;
    reel_json *train, *all;
    char *text = tiny_read(tiny_path(dir, "run_plain/train_results.json"), &n);
    assert_memory_equal(text, "{\n    \"epoch\": 3.0,\n    \"total_flos\": ", 34);
    assert_int_equal(text[n - 1], '}');
    free(text);
    text = tiny_read(tiny_path(dir, "run_plain/trainer_state.json"), &n);
    assert_memory_equal(text, "{\n  \"best_global_step\": null,\n  \"best_metric\": null,\n", 53);
    assert_memory_equal(text + n - 2, "}\n", 3);
    free(text);
    tiny_ok(reel_json_read(tiny_path(dir, "run_plain/train_results.json"), 1 << 20, false, &train, &err), &err);
    tiny_ok(reel_json_read(tiny_path(dir, "run_plain/all_results.json"), 1 << 20, false, &all, &err), &err);
    static const char *const keys[] = {"epoch", "total_flos", "train_loss", "train_runtime", "train_samples_per_second",
                                       "train_steps_per_second"};
    assert_int_equal(reel_json_size(train), 6);
    assert_int_equal(reel_json_size(all), 6);
    for (size_t i = 0; i < 6; i++)
        assert_true(reel_json_number(part(train, keys[i])) == reel_json_number(part(all, keys[i])));
    static const char *const files[] = {"config.json", "model.safetensors", "preprocessor_config.json"};
    for (size_t i = 0; i < 3; i++)
        assert_true(reel_is_file(tiny_path(dir, "run_plain/%s", files[i])));
    assert_false(reel_exists(tiny_path(dir, "run_plain/.reel.lock")));
    assert_false(reel_exists(tiny_path(dir, "run_plain/skipped.csv")));
    text = tiny_read(tiny_path(dir, "run_plain/config.json"), NULL);
    assert_non_null(strstr(text, "\"problem_type\": \"single_label_classification\""));
    free(text);
    reel_json_free(train);
    reel_json_free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),         cmocka_unit_test(accumulate),
        cmocka_unit_test(smooth_cosine), cmocka_unit_test(max_steps),
        cmocka_unit_test(epochs),        cmocka_unit_test(result_files_look_like_the_trainers),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
