#include "../test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "hub/lfs.h"

static char *dir;

static int setup(void **state)
{
    (void)state;
    dir = test_folder();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_remove_folder(dir);
    return 0;
}

/* A file of an hour ago, so that one that is written anew has another time however coarse the clock is. */
static reel_up_file file_of(const char *name, const char *text)
{
    struct stat st;
    char *path = test_path(dir, name);
    const struct timespec old[2] = {{.tv_sec = time(NULL) - 3600}, {.tv_sec = time(NULL) - 3600}};
    assert_int_equal(reel_file_write(path, text, strlen(text), NULL), REEL_OK);
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    assert_int_equal(stat(path, &st), 0);
    return (reel_up_file){.name = (char *)(uintptr_t)name, .path = path, .size = strlen(text), .changed = st.st_mtim};
}

static void a_commit_is_a_line_a_file(void **state)
{
    (void)state;
    reel_text t = {0};
    reel_up_file f[] = {file_of("a\"b.txt", "hello"), file_of("big.bin", "stored"), file_of("same", "x"), file_of("empty", "")};
    f[1].lfs = true;
    snprintf(f[1].sha256, sizeof f[1].sha256, "%064d", 7);
    f[2].settled = true;
    const reel_up_files files = {f, 4, 4};
    assert_int_equal(reel_commit_text(&files, "End \"now\"", NULL, "", &t, NULL), REEL_OK);
    assert_string_equal(t.s,
                        "{\"key\": \"header\", \"value\": {\"summary\": \"End \\\"now\\\"\", \"description\": \"\"}}\n"
                        "{\"key\": \"file\", \"value\": {\"path\": \"a\\\"b.txt\", \"encoding\": \"base64\", \"content\": \"aGVsbG8=\"}}\n"
                        "{\"key\": \"lfsFile\", \"value\": {\"path\": \"big.bin\", \"algo\": \"sha256\", \"oid\": "
                        "\"0000000000000000000000000000000000000000000000000000000000000007\", \"size\": 6}}\n"
                        "{\"key\": \"file\", \"value\": {\"path\": \"empty\", \"encoding\": \"base64\", \"content\": \"\"}}\n");
    t.len = 0;
    assert_int_equal(reel_commit_text(&files, "m", "d", "0123456789012345678901234567890123456789", &t, NULL), REEL_OK);
    assert_non_null(strstr(t.s, "\"description\": \"d\", \"parentCommit\": \"0123456789012345678901234567890123456789\"}}\n"));
    reel_text_free(&t);
}

static void a_file_that_changed_is_not_committed(void **state)
{
    (void)state;
    reel_text t = {0};
    reel_error err;
    reel_up_file f = file_of("moving", "one");
    f.changed.tv_nsec ^= 1;
    const reel_up_files files = {&f, 1, 1};
    assert_int_equal(reel_commit_text(&files, "m", "", "", &t, &err), REEL_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "moving"));
    reel_text_free(&t);
}

/* Between the reading of a file and whatever follows it (the linker puts this before the real function): the same number of other bytes. */
reel_status __real_reel_file_read_open(int fd, uint64_t size, const char *path, size_t limit, char **data, size_t *n, reel_error *err);
reel_status __wrap_reel_file_read_open(int fd, uint64_t size, const char *path, size_t limit, char **data, size_t *n, reel_error *err);
static const char *written_meanwhile;

reel_status __wrap_reel_file_read_open(int fd, uint64_t size, const char *path, size_t limit, char **data, size_t *n, reel_error *err)
{
    reel_status status = __real_reel_file_read_open(fd, size, path, limit, data, n, err);
    if (written_meanwhile != NULL) {
        FILE *f = fopen(path, "r+");
        assert_non_null(f);
        assert_int_equal(fwrite(written_meanwhile, 1, strlen(written_meanwhile), f), strlen(written_meanwhile));
        assert_int_equal(fclose(f), 0);
    }
    return status;
}

static void a_file_that_changes_while_it_is_read_is_not_committed(void **state)
{
    (void)state;
    reel_text t = {0};
    reel_error err;
    reel_up_file f = file_of("rewritten", "one");
    const reel_up_files files = {&f, 1, 1};
    written_meanwhile = "two";
    const reel_status status = reel_commit_text(&files, "m", "", "", &t, &err);
    written_meanwhile = NULL;
    assert_int_equal(status, REEL_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "rewritten was changed while it was being sent"));
    reel_text_free(&t);
}

static void contents_have_a_limit(void **state)
{
    (void)state;
    reel_text t = {0};
    reel_error err;
    reel_up_file f[] = {{.name = "a", .path = "a", .size = 60 << 20}, {.name = "b", .path = "b", .size = 60 << 20}};
    const reel_up_files files = {f, 2, 2};
    assert_int_equal(reel_commit_text(&files, "m", "", "", &t, &err), REEL_ERR_LIMIT);
    assert_non_null(strstr(err.message, "(b is"));
    reel_text_free(&t);
}

static reel_status plan_of(const char *json, uint64_t size, reel_lfs_plan *plan, reel_json **j)
{
    assert_int_equal(reel_json_parse(json, strlen(json), "test", false, j, NULL), REEL_OK);
    return reel_lfs_plan_read(*j, size, plan, NULL);
}

static void parts_are_put_in_order(void **state)
{
    (void)state;
    reel_lfs_plan p;
    reel_json *j;
    assert_int_equal(plan_of("{\"00010\": \"j\", \"2\": \"b\", \"9\": \"i\", \"3\": \"c\", \"chunk_size\": \"10\", \"1\": \"a\", \"x\": "
                             "\"no\", \"4\": \"d\", "
                             "\"8\": \"h\", \"5\": \"e\", \"07\": \"g\", \"6\": \"f\"}", 91, &p, &j), REEL_OK);
    assert_int_equal(p.n, 10);
    assert_int_equal(p.chunk, 10);
    for (size_t i = 0; i < p.n; i++) {
        assert_int_equal(p.part[i].number, i + 1);
        assert_int_equal(p.part[i].url[0], 'a' + (int)i);
    }
    reel_free(p.part);
    reel_json_free(j);
    assert_int_equal(plan_of("{}", 5, &p, &j), REEL_OK);
    assert_int_equal(p.n, 0);
    reel_json_free(j);
}

static void parts_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{\"chunk_size\": \"10\", \"1\": \"a\"}",                                     /* one is missing */
        "{\"chunk_size\": \"10\", \"1\": \"a\", \"3\": \"b\"}",                       /* numbered wrongly */
        "{\"chunk_size\": \"10\", \"1\": \"a\", \"2\": \"b\", \"3\": \"c\"}",         /* one too many */
        "{\"chunk_size\": \"10\", \"1\": \"a\", \"01\": \"b\"}",                      /* twice the same */
        "{\"chunk_size\": \"0\", \"1\": \"a\", \"2\": \"b\"}", "{\"chunk_size\": \"-5\", \"1\": \"a\", \"2\": \"b\"}",
        "{\"chunk_size\": \"ten\", \"1\": \"a\", \"2\": \"b\"}", "{\"chunk_size\": null, \"1\": \"a\", \"2\": \"b\"}",
        "{\"chunk_size\": 1, \"1\": \"a\", \"2\": \"b\"}", "{\"chunk_size\": \"10\", \"0\": \"a\", \"1\": \"b\"}",
        "{\"chunk_size\": \"10\", \"1\": \"a\", \"99999999999999999999\": \"b\"}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        reel_lfs_plan p;
        reel_json *j;
        assert_int_equal(plan_of(wrong[i], 15, &p, &j), REEL_ERR_FORMAT);
        assert_null(p.part);
        reel_json_free(j);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_commit_is_a_line_a_file),        cmocka_unit_test(a_file_that_changed_is_not_committed),
        cmocka_unit_test(a_file_that_changes_while_it_is_read_is_not_committed),
        cmocka_unit_test(contents_have_a_limit),            cmocka_unit_test(parts_are_put_in_order),
        cmocka_unit_test(parts_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
