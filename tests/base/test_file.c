#include "../test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"

static char *dir;

static int setup(void **state) { (void)state; dir = test_folder(); return 0; }
static int teardown(void **state) { (void)state; test_remove_folder(dir); return 0; }

static char *in_dir(const char *name) { return test_path(dir, name); }

static size_t entries(void)
{
    reel_names names;
    assert_int_equal(reel_dir_list(dir, &names, NULL), REEL_OK);
    size_t n = names.n;
    reel_names_free(&names);
    return n;
}

static void a_file_is_replaced_whole(void **state)
{
    (void)state;
    char *data;
    size_t n;
    assert_int_equal(reel_file_write(in_dir("a"), "old", 3, NULL), REEL_OK);
    assert_int_equal(reel_file_write(in_dir("a"), "newer", 5, NULL), REEL_OK);
    assert_int_equal(reel_file_read(in_dir("a"), 100, &data, &n, NULL), REEL_OK);
    assert_int_equal(n, 5);
    assert_string_equal(data, "newer");
    reel_free(data);
    assert_int_equal(entries(), 1);
    assert_int_equal(reel_file_read(in_dir("a"), 4, &data, &n, NULL), REEL_ERR_LIMIT);
    assert_null(data);
}

/* Every call of one write fails once, in each way: the old file stays, nothing is left, the message names the file. */
static int calls, fail_at, fail_errno;
static int turn(void) { return ++calls == fail_at; }
static ssize_t bad_write(int fd, const void *p, size_t n)
{
    if (!turn())
        return reel_io_real.write(fd, p, n);
    if (fail_errno == 0)
        return reel_io_real.write(fd, p, (n + 1) / 2);
    errno = fail_errno;
    return -1;
}
static int bad_fsync(int fd) { if (turn() && fail_errno != 0) { errno = fail_errno; return -1; } return reel_io_real.fsync(fd); }
static int bad_close(int fd) { int r = reel_io_real.close(fd); if (turn() && fail_errno != 0) { errno = fail_errno; return -1; } return r; }
static int bad_open(const char *path, int flags, mode_t mode)
{
    if (turn() && fail_errno != 0) { errno = fail_errno; return -1; }
    return reel_io_real.open(path, flags, mode);
}
static int bad_rename(const char *a, const char *b, bool replace)
{
    if (turn() && fail_errno != 0) { errno = fail_errno; return -1; }
    return reel_io_real.rename(a, b, replace);
}

static void every_failing_call_leaves_the_old_file(void **state)
{
    (void)state;
    static const reel_io bad = {bad_write, bad_fsync, bad_close, bad_open, bad_rename};
    static const int ways[] = {ENOSPC, EIO, EDQUOT, 0};
    char *path = in_dir("kept"), *data;
    size_t n;
    int failures = 0;
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        for (fail_at = 1; ; fail_at++) {
            reel_error err = {0};
            reel_io_set(NULL);
            assert_int_equal(reel_file_write(path, "old", 3, NULL), REEL_OK);
            calls = 0;
            fail_errno = ways[w];
            reel_io_set(&bad);
            reel_status status = reel_file_write(path, "newer", 5, &err);
            reel_io_set(NULL);
            assert_int_equal(reel_file_read(path, 100, &data, &n, NULL), REEL_OK);
            /* The folder's sync comes after the rename: the new file may then stand, whole. */
            assert_true((n == 3 && strcmp(data, "old") == 0) || (n == 5 && strcmp(data, "newer") == 0));
            if (status == REEL_OK)
                assert_int_equal(n, 5);
            else
                assert_non_null(strstr(err.message, dir));
            reel_free(data);
            assert_int_equal(entries(), 2);  /* "a" of the test before, "kept": no temporary file */
            failures += status != REEL_OK;
            if (calls < fail_at)
                break;
        }
    }
    assert_true(failures >= 15);
}

/* The permissions of the temporary file when it is made, at each write, and when it gets its name. */
static mode_t widest;
static const char *watched;
static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}
static int watched_open(const char *path, int flags, mode_t mode)
{
    int fd = reel_io_real.open(path, flags, mode);
    if (fd >= 0)
        widest |= mode_of(path);
    return fd;
}
static ssize_t watched_write(int fd, const void *p, size_t n)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    widest |= st.st_mode & 07777;
    return reel_io_real.write(fd, p, n);
}
static int watched_rename(const char *from, const char *to, bool replace)
{
    widest |= mode_of(from);
    watched = to;
    return reel_io_real.rename(from, to, replace);
}

static void a_file_of_its_own_mode_never_has_a_wider_one(void **state)
{
    (void)state;
    static const mode_t masks[] = {0, 022, 0777};
    char *path = in_dir("secret");
    reel_io io = reel_io_real;
    io.open = watched_open;
    io.write = watched_write;
    io.rename = watched_rename;
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        assert_int_equal(reel_file_write(path, "open", 4, NULL), REEL_OK);  /* what was there may have been wider */
        assert_int_equal(chmod(path, 0666), 0);
        widest = 0;
        watched = NULL;
        const mode_t old = umask(masks[i]);
        reel_io_set(&io);
        const reel_status status = reel_file_write_mode(path, "s", 1, 0600, NULL);
        reel_io_set(NULL);
        umask(old);
        assert_int_equal(status, REEL_OK);
        assert_non_null(watched);
        assert_int_equal(widest, 0600);
        assert_int_equal(mode_of(path), 0600);
    }
    unlink(path);
}

static void only_regular_files_are_opened(void **state)
{
    (void)state;
    int fd;
    uint64_t size;
    reel_error err;
    assert_int_equal(mkfifo(in_dir("pipe"), 0600), 0);
    assert_int_equal(reel_file_open(in_dir("pipe"), &fd, &size, &err), REEL_ERR_IO);
    assert_non_null(strstr(err.message, "pipe"));
    assert_int_equal(reel_file_open("/dev/zero", &fd, &size, &err), REEL_ERR_IO);
    assert_int_equal(reel_file_open(dir, &fd, &size, &err), REEL_ERR_IO);
    assert_non_null(strstr(err.message, "folder"));
    assert_int_equal(reel_file_open(in_dir("absent"), &fd, &size, &err), REEL_ERR_NOT_FOUND);
    assert_int_equal(symlink("loop", in_dir("loop")), 0);
    assert_int_equal(reel_file_open(in_dir("loop"), &fd, &size, &err), REEL_ERR_IO);
    assert_non_null(strstr(err.message, "link"));
    unlink(in_dir("pipe"));
    unlink(in_dir("loop"));
}

static void folders_are_made_listed_renamed_removed(void **state)
{
    (void)state;
    assert_int_equal(reel_dir_make(in_dir("x/y/z"), NULL), REEL_OK);
    assert_int_equal(reel_dir_make(in_dir("x/y/z"), NULL), REEL_OK);
    assert_int_equal(reel_file_write(in_dir("x/y/f"), "1", 1, NULL), REEL_OK);
    assert_int_equal(reel_dir_make(in_dir("x/y/f"), NULL), REEL_ERR_EXISTS);
    assert_int_equal(reel_dir_make(in_dir("empty"), NULL), REEL_OK);
    assert_int_equal(reel_dir_rename(in_dir("x"), in_dir("empty"), NULL), REEL_ERR_EXISTS);
    assert_int_equal(reel_dir_rename(in_dir("x"), in_dir("w"), NULL), REEL_OK);
    assert_int_equal(symlink("/etc", in_dir("w/link")), 0);
    assert_int_equal(reel_dir_remove(in_dir("w"), NULL), REEL_OK);
    assert_false(reel_exists(in_dir("w")));
    assert_true(reel_exists("/etc/passwd"));
    assert_int_equal(reel_dir_remove(in_dir("empty"), NULL), REEL_OK);
}

static void a_hash_is_the_standard_one(void **state)
{
    (void)state;
    char hex[65];
    assert_int_equal(reel_file_write(in_dir("abc"), "abc", 3, NULL), REEL_OK);
    assert_int_equal(reel_sha256_file(in_dir("abc"), hex, NULL), REEL_OK);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    unlink(in_dir("abc"));
}

static void paths_of_strangers(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "a/b", ".a", "...", "a..", "..a/b", "a/.b/c.d", "\xc3\xa9"},
        *const bad[] = {"", ".", "..", "/a", "a/", "a//b", "./a", "a/./b", "../a", "a/..", "a/../b", "a\\b", "a\nb", "a\x7f", "\xc3"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!reel_path_is_below(good[i]))
            fail_msg("%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (reel_path_is_below(bad[i]))
            fail_msg("%s", bad[i]);
    char part[260];
    memset(part, 'a', sizeof part);
    part[256] = '\0';
    assert_false(reel_path_is_below(part));
    part[255] = '\0';
    assert_true(reel_path_is_below(part));
}

static void links_that_lead_out(void **state)
{
    (void)state;
    char top[600], path[700];
    assert_int_equal(reel_dir_make(in_dir("top/in"), NULL), REEL_OK);
    assert_int_equal(reel_dir_make(in_dir("top2"), NULL), REEL_OK);
    snprintf(top, sizeof top, "%s", in_dir("top"));
    assert_int_equal(symlink("..", in_dir("top/up")), 0);
    assert_int_equal(symlink("../top2", in_dir("top/beside")), 0);
    assert_int_equal(symlink("in", in_dir("top/inside")), 0);
    static const struct { const char *name; bool stays; } paths[] = {
        {"x", true}, {"in/x", true}, {"inside/x", true}, {"none/x", true}, {"up/x", false}, {"beside/x", false}, {"up/top/x", true},
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        snprintf(path, sizeof path, "%s/%s", top, paths[i].name);
        if ((reel_path_check_stays(top, path, NULL) == REEL_OK) != paths[i].stays)
            fail_msg("%s", paths[i].name);
    }
    assert_int_equal(reel_path_check_stays("/", "/tmp/x", NULL), REEL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_replaced_whole),
        cmocka_unit_test(every_failing_call_leaves_the_old_file),
        cmocka_unit_test(a_file_of_its_own_mode_never_has_a_wider_one),
        cmocka_unit_test(only_regular_files_are_opened),
        cmocka_unit_test(folders_are_made_listed_renamed_removed),
        cmocka_unit_test(a_hash_is_the_standard_one),
        cmocka_unit_test(paths_of_strangers),
        cmocka_unit_test(links_that_lead_out),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
