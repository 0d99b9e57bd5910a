/* Every call of one save fails, once and for good: the run ends with a message that names the file, what was saved
 * before is intact, nothing half written is left, and the next run goes on to the same end. */
#include "tiny.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "train/manifest.h"

static char *dir;
static reel_context *ctx;

/* --- a table of calls that fails call `at` --- */

typedef enum fault_kind { FAULT_ERROR, FAULT_QUOTA, FAULT_INTERRUPT, FAULT_HALF, FAULT_BYTE } fault_kind;
static struct { bool on, lasting, hit; fault_kind kind; long at, calls; } fault;

static bool due(void)
{
    if (!fault.on)
        return false;
    fault.calls++;
    bool now = fault.at > 0 && (fault.lasting ? fault.calls >= fault.at : fault.calls == fault.at);
    fault.hit = fault.hit || now;
    return now;
}

static bool is_short(void) { return fault.kind == FAULT_HALF || fault.kind == FAULT_BYTE; }

static ssize_t bad_write(int fd, const void *data, size_t n)
{
    if (!due())
        return write(fd, data, n);
    if (is_short())
        return write(fd, data, fault.kind == FAULT_BYTE || n < 2 ? 1 : n / 2);
    errno = fault.kind == FAULT_QUOTA ? EDQUOT : fault.kind == FAULT_INTERRUPT ? EINTR : ENOSPC;
    return -1;
}

static int bad_fsync(int fd)
{
    if (!due() || is_short() || fault.kind == FAULT_INTERRUPT)
        return fsync(fd);
    errno = fault.kind == FAULT_QUOTA ? EDQUOT : EIO;
    return -1;
}

static int bad_close(int fd)
{
    bool now = due();
    int r = close(fd);
    if (!now || is_short())
        return r;
    errno = fault.kind == FAULT_INTERRUPT ? EINTR : EIO;
    return -1;
}

static int bad_open(const char *path, int flags, mode_t mode)
{
    if (!due() || is_short() || fault.kind == FAULT_INTERRUPT)
        return open(path, flags, mode);
    errno = fault.kind == FAULT_QUOTA ? EDQUOT : ENOSPC;
    return -1;
}

static int bad_rename(const char *from, const char *to, bool replace)
{
    if (!due() || is_short() || fault.kind == FAULT_INTERRUPT)
        return reel_io_real.rename(from, to, replace);
    errno = fault.kind == FAULT_QUOTA ? EDQUOT : EIO;
    return -1;
}

static const reel_io bad_io = {bad_write, bad_fsync, bad_close, bad_open, bad_rename};

/* Only the save of step 3 is disturbed. */
static bool disturb(const reel_event *event, void *user)
{
    (void)user;
    if (event->kind == REEL_EVENT_STEP && event->step == 3)
        fault.on = true;
    if (event->kind == REEL_EVENT_CHECKPOINT)
        fault.on = false;
    return true;
}

static bool stop_at_two(const reel_event *event, void *user)
{
    (void)user;
    return !(event->kind == REEL_EVENT_CHECKPOINT && event->step == 2);
}

/* --- runs: four steps, a checkpoint each, two are kept --- */

static reel_status begin(const char *name, reel_event_fn fn, reel_error *err)
{
    reel_train_result *result;
    reel_status status = tiny_train(ctx, fn, NULL, &result, err, "model", tiny_path(dir, "model"), "data",
                                    tiny_path(dir, "packed.safetensors"), "output_dir", tiny_path(dir, "%s", name),
                                    "per_device_train_batch_size", "4", "max_steps", "4", "learning_rate", "0.002",
                                    "eval_strategy", "no", "load_best_model_at_end", "false", "save_strategy",
                                    "steps", "save_steps", "1", "save_total_limit", "2", NULL);
    reel_train_result_close(&result);
    return status;
}

static reel_status go_on(const char *name, reel_event_fn fn, reel_error *err)
{
    reel_train_result *result;
    reel_status status = tiny_train(ctx, fn, NULL, &result, err, "resume_from_checkpoint", "true", "output_dir",
                                    tiny_path(dir, "%s", name), NULL);
    reel_train_result_close(&result);
    return status;
}

static int setup(void **state)
{
    (void)state;
    reel_error err;
    dir = tiny_folder();
    ctx = tiny_context();
    tiny_model(ctx, tiny_path(dir, "model"), false);
    tiny_packed(tiny_path(dir, "packed.safetensors"), 10);
    tiny_ok(begin("whole", NULL, &err), &err);
    assert_int_equal(begin("two", stop_at_two, &err), REEL_ERR_CANCELLED);
    assert_int_equal(tiny_count(tiny_path(dir, "two"), "checkpoint-"), 2);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    reel_io_set(NULL);
    reel_context_close(&ctx);
    test_remove_folder(dir);
    return 0;
}

static void copy_two(void)
{
    char command[1500];
    snprintf(command, sizeof command, "rm -rf '%s/work' && cp -r '%s/two' '%s/work'", dir, dir, dir);
    assert_int_equal(system(command), 0);
}

static void whole_or_absent(const char *where, long k)
{
    char command[1500];
    bool any = false;
    for (int step = 1; step <= 4; step++) {
        const char *path = tiny_path(dir, "work/checkpoint-%d", step);
        reel_error err;
        if (!reel_exists(path))
            continue;
        if (reel_manifest_check(path, true, NULL, &err) != REEL_OK)
            fail_msg("%s, call %ld: %s", where, k, err.message);
        any = any || step >= 2;
    }
    if (!any)
        fail_msg("%s, call %ld: checkpoint-2 is gone and no newer one is there", where, k);
    snprintf(command, sizeof command, "find '%s/work' -name '*.tmp' | grep -q .", dir);
    if (system(command) == 0)
        fail_msg("%s, call %ld: a temporary file is left", where, k);
}

/* Returns false when call k did not come any more. */
static bool one(const char *where, fault_kind kind, long k, bool lasting)
{
    reel_error err = {0};
    copy_two();
    memset(&fault, 0, sizeof fault);
    fault.kind = kind;
    fault.at = k;
    fault.lasting = lasting;
    reel_io_set(&bad_io);
    reel_status status = go_on("work", disturb, &err);
    reel_io_set(NULL);
    bool was_hit = fault.hit;
    if (kind == FAULT_ERROR || kind == FAULT_QUOTA) {
        if (was_hit && (status != REEL_ERR_IO || strstr(err.message, "work") == NULL))
            fail_msg("%s, call %ld: %s '%s'", where, k, reel_status_name(status), err.message);
        whole_or_absent(where, k);
        if (was_hit)
            tiny_ok(go_on("work", NULL, &err), &err);
    } else
        tiny_ok(status, &err);  /* short counts and interruptions are no errors */
    whole_or_absent(where, k);
    assert_int_equal(tiny_count(tiny_path(dir, "work"), ".trash"), 0);
    if (!tiny_same_file(tiny_path(dir, "whole/model.safetensors"), tiny_path(dir, "work/model.safetensors")) ||
        !tiny_same_file(tiny_path(dir, "whole/checkpoint-4/optimizer.safetensors"),
                        tiny_path(dir, "work/checkpoint-4/optimizer.safetensors")))
        fail_msg("%s, call %ld: the run came to another end", where, k);
    return was_hit;
}

static void every_call_fails(fault_kind kind, bool lasting, const char *where)
{
    long k = 1;
    while (one(where, kind, k, lasting))
        k++;
    assert_true(k > 40);  /* a save has seven files: open, write, sync, close, rename and the folder's sync each */
}

static void each_call_fails_once(void **state) { (void)state; every_call_fails(FAULT_ERROR, false, "once"); }
static void each_call_fails_from_then_on(void **state) { (void)state; every_call_fails(FAULT_ERROR, true, "lasting"); }

static void no_quota_short_writes_interruptions(void **state)
{
    (void)state;
    one("quota", FAULT_QUOTA, 3, true);
    one("interrupted", FAULT_INTERRUPT, 2, false);
    one("interrupted", FAULT_INTERRUPT, 9, false);
    one("half", FAULT_HALF, 1, true);
    one("one byte", FAULT_BYTE, 1, false);
}

/* --- a real kernel's full disk: the limit on the size of a file --- */

static int limited_child(const char *folder)
{
    reel_error err;
    dir = strdup(folder);
    ctx = tiny_context();
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {.rlim_cur = 30000, .rlim_max = 30000};
    setrlimit(RLIMIT_FSIZE, &limit);
    reel_status status = go_on("work", NULL, &err);
    return status == REEL_ERR_IO && strstr(err.message, "safetensors") != NULL &&
                   strstr(err.message, "File too large") != NULL
               ? 0
               : 1;
}

static void a_limit_of_file_sizes_stops_the_save_alone(void **state)
{
    (void)state;
    reel_error err;
    int code;
    copy_two();
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {  /* a fresh process: threads of this one did not come along */
        execl("/proc/self/exe", "limited", dir, (char *)NULL);
        _exit(9);
    }
    assert_int_equal(waitpid(pid, &code, 0), pid);
    assert_true(WIFEXITED(code));
    assert_int_equal(WEXITSTATUS(code), 0);
    whole_or_absent("limit", 0);
    tiny_ok(go_on("work", NULL, &err), &err);
    assert_true(tiny_same_file(tiny_path(dir, "whole/model.safetensors"), tiny_path(dir, "work/model.safetensors")));
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[0], "limited") == 0)
        return limited_child(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_fails_once),
        cmocka_unit_test(each_call_fails_from_then_on),
        cmocka_unit_test(no_quota_short_writes_interruptions),
        cmocka_unit_test(a_limit_of_file_sizes_stops_the_save_alone),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
