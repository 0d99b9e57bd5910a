/* kill -9 at any moment of a run that saves at every step: each checkpoint is whole or absent, and the run that goes
 * on ends with the same bytes as one that was left alone. KILLS=100 for the long form. */
#include "tiny.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/cpu.h"
#include "base/file.h"
#include "train/manifest.h"

static char *dir;

/* --- the child: begins, or goes on where a checkpoint is there --- */

static int child(const char *folder, const char *name)
{
    reel_error err = {0};
    reel_train_result *result;
    const char *pairs[] = {"model",
                           tiny_path(folder, "model"),
                           "data",
                           tiny_path(folder, "packed.safetensors"),
                           "output_dir",
                           tiny_path(folder, "%s", name),
                           "per_device_train_batch_size",
                           "4",
                           "num_train_epochs",
                           "4",
                           "learning_rate",
                           "0.002",
                           "eval_strategy",
                           "no",
                           "load_best_model_at_end",
                           "false",
                           "save_strategy",
                           "steps",
                           "save_steps",
                           "1",
                           "save_total_limit",
                           "3",
                           NULL,
                           NULL,
                           NULL};
    reel_context *ctx = tiny_context();
    if (reel_is_dir(tiny_path(folder, "%s", name)) && tiny_count(tiny_path(folder, "%s", name), "checkpoint-") > 0) {
        pairs[22] = "resume_from_checkpoint";
        pairs[23] = "true";
    }
    reel_status status = tiny_train_list(ctx, NULL, NULL, &result, &err, pairs);
    if (status != REEL_OK)
        fprintf(stderr, "%s\n", err.message);
    reel_train_result_close(&result);
    reel_context_close(&ctx);
    return status == REEL_OK ? 0 : 1;
}

static pid_t start(const char *name)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execl("/proc/self/exe", "child", dir, name, (char *)NULL);
        _exit(9);
    }
    return pid;
}

/* 0: done; -1: killed by us; else what it exited with. */
static int finish(pid_t pid, double seconds)
{
    int code;
    if (seconds >= 0) {
        struct timespec t = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
        nanosleep(&t, NULL);
        kill(pid, SIGKILL);
    }
    assert_int_equal(waitpid(pid, &code, 0), pid);
    return WIFSIGNALED(code) ? -1 : WEXITSTATUS(code);
}

/* --- the parent --- */

static int setup(void **state)
{
    (void)state;
    reel_context *ctx = tiny_context();
    dir = tiny_folder();
    tiny_model(ctx, tiny_path(dir, "model"), false);
    tiny_packed(tiny_path(dir, "packed.safetensors"), 10);
    reel_context_close(&ctx);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_remove_folder(dir);
    return 0;
}

static void all_whole(int kill)
{
    reel_error err;
    for (int step = 0; step <= 12; step++) {
        const char *path = tiny_path(dir, "run/checkpoint-%d", step);
        if (reel_exists(path) && reel_manifest_check(path, true, NULL, &err) != REEL_OK)
            fail_msg("kill %d: %s", kill, err.message);
    }
}

static void came_to_the_same_end(void)
{
    assert_true(tiny_same_file(tiny_path(dir, "whole/model.safetensors"), tiny_path(dir, "run/model.safetensors")));
    assert_true(tiny_same_file(tiny_path(dir, "whole/checkpoint-12/optimizer.safetensors"),
                               tiny_path(dir, "run/checkpoint-12/optimizer.safetensors")));
    assert_int_equal(tiny_count(tiny_path(dir, "run"), "."), 0);
    assert_int_equal(tiny_count(tiny_path(dir, "run"), "checkpoint-"), 3);
}

static void checkpoints_survive_kill_9(void **state)
{
    (void)state;
    char command[600];
    double began = reel_now();
    assert_int_equal(finish(start("whole"), -1), 0);
    double all = reel_now() - began, interval = all / 12;
    int kills = getenv("KILLS") != NULL ? atoi(getenv("KILLS")) : 25, done = 0, ends = 0;
    uint32_t random = 20260721;
    while (done < kills) {
        random = random * 1664525u + 1013904223u;
        /* its start, and then anywhere in two saves */
        double wait = all / 4 + (double)(random >> 8) / 16777216.0 * 2 * interval - (done % 5 == 0 ? all / 5 : 0);
        int code = finish(start("run"), wait);
        if (code == 0) {
            came_to_the_same_end();
            snprintf(command, sizeof command, "rm -rf '%s/run'", dir);
            assert_int_equal(system(command), 0);
            ends++;
            continue;
        }
        assert_int_equal(code, -1);
        all_whole(++done);
    }
    assert_int_equal(finish(start("run"), -1), 0);
    came_to_the_same_end();
    print_message("# %d kills, %d runs came to their end between them, a run takes %.2f s\n", done, ends, all);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[0], "child") == 0)
        return child(argv[1], argv[2]);
    const struct CMUnitTest tests[] = {cmocka_unit_test(checkpoints_survive_kill_9)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
