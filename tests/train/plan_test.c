/* What a run needs, told before it starts: the sum of its parts, advice that is true, nothing written; and the same for
 * converting a checkpoint when memory or disk fails. */
#include "tiny.h"

#include <errno.h>
#include <math.h>

#include "base/cpu.h"
#include "base/context.h"
#include "base/file.h"
#include "base/mem.h"
#include "models/run.h"

static char *dir;
static reel_context *ctx;

static const char *in(const char *name) { return tiny_path(dir, "%s", name); }

static int setup(void **state)
{
    (void)state;
    dir = tiny_folder();
    ctx = tiny_context();
    tiny_model(ctx, in("model"), true);
    /* wider and longer, so that activations weigh something beside the weights */
    tiny_write(in("wide.json"),
               "{\"architectures\": [\"VideoMAEForVideoClassification\"], \"model_type\": \"videomae\", \"image_size\": 64, "
               "\"patch_size\": 8, \"num_channels\": 3, \"num_frames\": 4, \"tubelet_size\": 2, \"hidden_size\": 64, "
               "\"num_hidden_layers\": 8, \"num_attention_heads\": 2, \"intermediate_size\": 256, \"hidden_act\": \"gelu\", "
               "\"qkv_bias\": true, \"use_mean_pooling\": true}");
    tiny_videos(in("data"), "train", 3, 23);
    tiny_videos(in("data"), "val", 1, 23);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    reel_context_close(&ctx);
    test_remove_folder(dir);
    return 0;
}

static reel_args *options(const char *const *more)
{
    reel_error err;
    reel_args *args;
    const char *const pairs[] = {"from_config", in("wide.json"), "data", in("data"), "per_device_train_batch_size", "8", NULL};
    tiny_ok(reel_args_open(REEL_JOB_TRAIN, &args, &err), &err);
    for (int i = 0; pairs[i] != NULL; i += 2)
        tiny_ok(reel_args_set(args, pairs[i], pairs[i + 1], &err), &err);
    for (int i = 0; more != NULL && more[i] != NULL; i += 2)
        tiny_ok(reel_args_set(args, more[i], more[i + 1], &err), &err);
    return args;
}

static reel_train_plan *plan_of(const char *const *more)
{
    reel_error err;
    reel_train_plan *plan;
    reel_args *args = options(more);
    tiny_ok(reel_train_plan_open(ctx, args, &plan, &err), &err);
    reel_args_close(&args);
    return plan;
}

static uint64_t total_of(const char *const *more)
{
    reel_train_plan *plan = plan_of(more);
    uint64_t total = plan->total;
    reel_train_plan_close(&plan);
    return total;
}

static void limit(uint64_t bytes)
{
    char text[32];
    reel_error err;
    snprintf(text, sizeof text, "%llu", (unsigned long long)bytes);
    tiny_ok(reel_context_set(ctx, "max_memory", text, &err), &err);
}

static void parts_and_steps(void **state)
{
    (void)state;
    const char *const more[] = {"num_train_epochs", "3", "gradient_accumulation_steps", "1", "per_device_train_batch_size", "4", NULL};
    reel_train_plan *p = plan_of(more);
    assert_int_equal(p->total, p->weights + p->packed + p->gradients + p->moments + p->activations + p->clips + p->loader + p->cache);
    assert_true(p->moments >= 2 * p->gradients - 256 && p->moments <= 2 * p->gradients + 256);
    assert_int_equal(p->steps_per_epoch, 3);  /* 9 videos, 4 at a time */
    assert_int_equal(p->steps, 9);
    assert_int_equal(p->train_videos, 9);
    assert_int_equal(p->checkpoints, 3);
    assert_true(p->val_clips >= 3 && p->fits && p->advice == NULL && p->checkpoint > 3 * p->gradients);
    /* frames in flight: 3 batches of 4 and 3 of 8 of the evaluation */
    assert_int_equal(p->loader, (uint64_t)(3 * 4 + 3 * 8) * 4 * 3 * 64 * 64 * sizeof(float));
    reel_train_plan_close(&p);
    assert_null(p);
    reel_train_plan_close(&p);
}

static void options_save_memory(void **state)
{
    (void)state;
    const char *const less[] = {"gradient_checkpointing", "true", NULL}, *const half[] = {"bf16", "true", NULL};
    const uint64_t plain = total_of(NULL);
    assert_true(total_of(less) < plain);
    if (reel_precision_usable(ctx, REEL_PRECISION_BFLOAT16, NULL) == REEL_PRECISION_BFLOAT16)
        assert_true(total_of(half) < plain);
    else
        assert_int_equal(total_of(half), plain);
}

/* An option that is a way of its own, not the last of several. */
static bool named_alone(const char *advice, const char *option)
{
    char begin[64], later[64];
    snprintf(begin, sizeof begin, "%s needs", option);
    snprintf(later, sizeof later, "; %s needs", option);
    return strncmp(advice, begin, strlen(begin)) == 0 || strstr(advice, later) != NULL;
}

/* Whatever the advice names fits when it is done, and what fits alone is named. */
static void advice_is_true(void **state)
{
    (void)state;
    const char *const less[] = {"gradient_checkpointing", "true", NULL}, *const half[] = {"bf16", "true", NULL};
    const uint64_t plain = total_of(NULL), checkpointed = total_of(less), low = total_of(half);
    const bool bf16 = low < plain;
    reel_train_plan *whole = plan_of(NULL);
    for (int part = 0; part < 24; part++) {
        const uint64_t room = plain * (uint64_t)(part + 1) / 25;
        if (room < whole->weights + whole->gradients)
            continue;  /* not even the model could be read */
        limit(room);
        reel_train_plan *p = plan_of(NULL);
        assert_false(p->fits);
        assert_non_null(p->advice);
        assert_int_equal(named_alone(p->advice, "--gradient_checkpointing"), checkpointed <= room);
        assert_int_equal(named_alone(p->advice, "--bf16"), bf16 && low <= room);
        long long batch, second;
        const char *at = strstr(p->advice, "--per_device_train_batch_size ");
        if (at != NULL && sscanf(at, "--per_device_train_batch_size %lld --gradient_accumulation_steps %lld", &batch, &second) == 2) {
            char b[16], a[16];
            snprintf(b, sizeof b, "%lld", batch);
            snprintf(a, sizeof a, "%lld", second);
            const bool with_less = strstr(at, "--gradient_checkpointing") != NULL, with_half = strstr(at, "--bf16") != NULL;
            const char *const so[] = {"per_device_train_batch_size", b, "gradient_accumulation_steps", a, "gradient_checkpointing",
                                      with_less ? "true" : "false", "bf16", with_half ? "true" : "false", NULL};
            assert_int_equal(batch * second, 8);
            assert_true(total_of(so) <= room);
        } else if (at != NULL && sscanf(at, "--per_device_train_batch_size %lld --per_device_eval_batch_size %lld", &batch, &second) == 2) {
            char b[16], a[16];
            snprintf(b, sizeof b, "%lld", batch);
            snprintf(a, sizeof a, "%lld", second);
            const bool with_less = strstr(at, "--gradient_checkpointing") != NULL, with_half = strstr(at, "--bf16") != NULL;
            const char *const so[] = {"per_device_train_batch_size", b, "per_device_eval_batch_size", a, "gradient_checkpointing",
                                      with_less ? "true" : "false", "bf16", with_half ? "true" : "false", NULL};
            assert_true(total_of(so) <= room);
        }
        reel_train_plan_close(&p);
    }
    reel_train_plan_close(&whole);
    limit(plain);
    reel_train_plan *p = plan_of(NULL);
    assert_true(p->fits && p->room == plain);
    reel_train_plan_close(&p);
    limit(0);
}

/* A cache counts, and is the first thing to do without. */
static void the_cache_counts(void **state)
{
    (void)state;
    const char *const kept[] = {"dataloader_cache_mb", "3", NULL};
    const uint64_t plain = total_of(NULL);
    assert_int_equal(total_of(kept), plain + 3000000);
    limit(plain + 1000);
    reel_train_plan *p = plan_of(kept);
    assert_false(p->fits);
    assert_ptr_equal(strstr(p->advice, "--dataloader_cache_mb 0 needs"), p->advice);
    reel_train_plan_close(&p);
    limit(0);
}

/* The run itself is refused where the plan says so, before it makes its folder. */
static void a_run_that_does_not_fit(void **state)
{
    (void)state;
    reel_error err;
    reel_train_result *result;
    const char *const with[] = {"output_dir", in("big"), NULL};
    limit(total_of(NULL) - 1);
    reel_args *args = options(with);
    assert_int_equal(reel_train(ctx, args, NULL, NULL, &result, &err), REEL_ERR_NOMEM);
    assert_non_null(strstr(err.message, "needs"));
    assert_non_null(strstr(err.message, "--"));
    assert_false(reel_exists(in("big")));
    reel_args_close(&args);
    limit(0);
    const char *const plan[] = {"output_dir", in("big"), "plan", "true", NULL};
    args = options(plan);
    assert_int_equal(reel_train(ctx, args, NULL, NULL, &result, &err), REEL_ERR_ARG);
    reel_args_close(&args);
    assert_false(reel_exists(in("big")));
}

/* Each allocation fails once. */
static void memory_fails(void **state)
{
    (void)state;
    reel_error err;
    reel_train_plan *plan;
    reel_args *args = options(NULL);
    for (long n = 1;; n += n < 200 ? 1 : 7) {
        reel_mem_fail_at(n, false);
        reel_status status = reel_train_plan_open(ctx, args, &plan, &err);
        reel_mem_fail_at(0, false);
        if (status == REEL_OK)
            break;
        assert_null(plan);
        assert_true(err.message[0] != '\0');
    }
    reel_train_plan_close(&plan);
    reel_args_close(&args);
}

/* --- converting --- */

static reel_args *convert_options(const char *output)
{
    reel_error err;
    reel_args *args;
    tiny_ok(reel_args_open(REEL_JOB_MODEL_CONVERT, &args, &err), &err);
    tiny_ok(reel_args_set(args, "model", in("model"), &err), &err);
    tiny_ok(reel_args_set(args, "output", output, &err), &err);
    return args;
}

static void converting_without_memory(void **state)
{
    (void)state;
    reel_error err;
    char out[700];
    snprintf(out, sizeof out, "%s", in("half"));
    reel_args *args = convert_options(out);
    for (long n = 1;; n++) {
        reel_mem_fail_at(n, false);
        reel_status status = reel_model_convert(ctx, args, &err);
        reel_mem_fail_at(0, false);
        if (status == REEL_OK)
            break;
        if (status != REEL_ERR_NOMEM && strstr(err.message, "Cannot allocate memory") == NULL)
            fail_msg("allocation %ld: %s: %s", n, reel_status_name(status), err.message);
        assert_int_equal(tiny_count(dir, ".half"), 0);
        if (reel_exists(out)) {  /* only the sync of the folder above failed: whole, or not there */
            reel_model *model;
            tiny_ok(reel_model_open(ctx, out, &model, &err), &err);
            reel_model_close(&model);
            tiny_ok(reel_dir_remove(out, &err), &err);
        }
    }
    assert_true(reel_exists(out));
    reel_args_close(&args);
}

static long calls, fail_at;

static ssize_t bad_write(int fd, const void *data, size_t n)
{
    if (++calls != fail_at)
        return write(fd, data, n);
    errno = ENOSPC;
    return -1;
}

static void converting_to_a_full_disk(void **state)
{
    (void)state;
    reel_error err;
    reel_io io = reel_io_real;
    char out[700];
    io.write = bad_write;
    snprintf(out, sizeof out, "%s", in("full"));
    reel_args *args = convert_options(out);
    reel_io_set(&io);
    for (fail_at = 1;; fail_at++) {
        calls = 0;
        reel_status status = reel_model_convert(ctx, args, &err);
        if (status == REEL_OK)
            break;
        assert_int_equal(status, REEL_ERR_IO);
        assert_false(reel_exists(out));
        assert_int_equal(tiny_count(dir, ".full"), 0);
    }
    reel_io_set(NULL);
    assert_true(fail_at > 4);
    reel_args_close(&args);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_and_steps), cmocka_unit_test(options_save_memory), cmocka_unit_test(advice_is_true),
        cmocka_unit_test(the_cache_counts), cmocka_unit_test(a_run_that_does_not_fit), cmocka_unit_test(memory_fails),
        cmocka_unit_test(converting_without_memory), cmocka_unit_test(converting_to_a_full_disk),
    };
    return cmocka_run_group_tests_name("plan", tests, setup, teardown);
}
