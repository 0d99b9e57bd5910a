/* Archives of friends and of strangers. They are made here with libarchive's writer, and bent where it would not. */
#include "../test.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/context.h"
#include "base/file.h"
#include "base/mem.h"
#include "format/archive.h"

static char *dir;
static reel_context *ctx;
static reel_error err;
static char *got;

typedef struct member { const char *name; unsigned type; const char *link, *data; size_t size; } member;

static const member good[] = { { "set/train/jump/a.avi", AE_IFREG, NULL, "jump jump jump", 14 },
                               { "set/train/run/b.avi", AE_IFREG, NULL, "run", 3 } };

static const char *in_dir(const char *name) { return test_path(dir, name); }

static void put(struct archive *a, const member *m)
{
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, m->name);
    archive_entry_set_perm(e, 04777);
    archive_entry_set_mtime(e, 1000000000, 0);
    if (m->type == 0)
        archive_entry_set_hardlink(e, m->link);
    else
        archive_entry_set_filetype(e, m->type);
    if (m->type == AE_IFLNK)
        archive_entry_set_symlink(e, m->link);
    archive_entry_set_size(e, m->type == AE_IFREG ? (la_int64_t)m->size : 0);
    assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
    if (m->type == AE_IFREG && m->size > 0)
        assert_int_equal(archive_write_data(a, m->data, m->size), (la_ssize_t)m->size);
    archive_entry_free(e);
}

/* An archive of the two good members and, behind them, n others. */
static const char *make(const char *name, const member *more, size_t n)
{
    const char *path = in_dir(name);
    struct archive *a = archive_write_new();
    if (strstr(name, ".tar") != NULL)
        archive_write_set_format_gnutar(a);
    else
        archive_write_set_format_zip(a);
    if (strstr(name, ".gz") != NULL)
        archive_write_add_filter_gzip(a);
    if (strstr(name, ".xz") != NULL)
        archive_write_add_filter_xz(a);
    if (strstr(name, ".zst") != NULL)
        archive_write_add_filter_zstd(a);
    assert_int_equal(archive_write_open_filename(a, path), ARCHIVE_OK);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        put(a, &good[i]);
    for (size_t i = 0; i < n; i++)
        put(a, &more[i]);
    assert_int_equal(archive_write_close(a), ARCHIVE_OK);
    archive_write_free(a);
    return path;
}

static reel_status extract(const char *path)
{
    reel_free(got);
    err = (reel_error){ .status = REEL_OK };
    return reel_archive_extract(ctx, path, &got, &err);
}

static size_t entries(const char *path, const char *end)
{
    reel_names names;
    size_t n = 0;
    if (reel_dir_list(path, &names, NULL) != REEL_OK)
        return 0;
    for (size_t i = 0; i < names.n; i++) {
        size_t len = strlen(names.name[i]), want = strlen(end);
        n += len >= want && strcmp(names.name[i] + len - want, end) == 0;
    }
    reel_names_free(&names);
    return n;
}

static void expect_content(const char *name, const char *want)
{
    char path[700], *text;
    size_t n;
    snprintf(path, sizeof path, "%s/%s", got, name);
    assert_int_equal(reel_file_read(path, 1000, &text, &n, NULL), REEL_OK);
    assert_string_equal(text, want);
    reel_free(text);
}

/* Refused with these words, the archive's own name among them, and nothing is left. */
static void expect_refused(const char *path, const char *word, const char *other)
{
    size_t before = entries(in_dir("cache/extracted"), "");
    assert_int_not_equal(extract(path), REEL_OK);
    assert_null(got);
    if (strstr(err.message, reel_path_base(path)) == NULL || strstr(err.message, word) == NULL ||
        strstr(err.message, other) == NULL)
        fail_msg("'%s' does not say '%s' and '%s'", err.message, word, other);
    assert_int_equal(entries(in_dir("cache/extracted"), ".tmp"), 0);
    assert_true(entries(in_dir("cache/extracted"), "") <= before + 1);  /* the lock file alone */
}

static void refuse_member(const char *archive, const member *m, const char *word)
{
    expect_refused(make(archive, m, 1), word, m->name);
}

static int setup(void **state)
{
    (void)state;
    dir = test_folder();
    if (dir == NULL || reel_context_open(&ctx, NULL) != REEL_OK)
        return 1;
    return reel_context_set(ctx, "cache_dir", in_dir("cache"), NULL) != REEL_OK;
}

static int teardown(void **state)
{
    (void)state;
    reel_free(got);
    reel_context_close(&ctx);
    test_remove_folder(dir);
    return 0;
}

static void names_tell_archives(void **state)
{
    (void)state;
    assert_true(reel_archive_name("a.tar") && reel_archive_name("a.TAR.GZ") && reel_archive_name("b.tgz") &&
                reel_archive_name("c.tar.xz") && reel_archive_name("d.tar.zst") && reel_archive_name("e.zip"));
    assert_false(reel_archive_name("a.rar") || reel_archive_name("a.gz") || reel_archive_name("zip") ||
                 reel_archive_name("a.csv"));
}

static void every_form_is_unpacked_once(void **state)
{
    (void)state;
    const char *const names[] = { "a.tar", "a.tar.gz", "a.tar.xz", "a.tar.zst", "a.zip" };
    const member folder = { "set/val/", AE_IFDIR, NULL, NULL, 0 };
    struct stat st;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *path = make(names[i], &folder, 1);
        assert_int_equal(extract(path), REEL_OK);
        expect_content("set/train/jump/a.avi", "jump jump jump");
        expect_content("set/train/run/b.avi", "run");
        char inner[700], first[700];
        snprintf(inner, sizeof inner, "%s/set/train/run/b.avi", got);
        snprintf(first, sizeof first, "%s", got);
        assert_int_equal(stat(inner, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);      /* modes of strangers are dropped */
        assert_true(st.st_mtime > 1500000000);           /* and times */
        ino_t ino = st.st_ino;
        assert_int_equal(extract(path), REEL_OK);        /* there already */
        assert_string_equal(got, first);
        assert_int_equal(stat(inner, &st), 0);
        assert_true(st.st_ino == ino);
    }
    const char *changed = make("a.tar", NULL, 0);        /* another size or time: another folder */
    char before[700];
    snprintf(before, sizeof before, "%s", got);
    assert_int_equal(extract(changed), REEL_OK);
    assert_string_not_equal(got, before);
    assert_int_equal(entries(in_dir("cache/extracted"), ".tmp"), 0);
}

static void names_may_be_more_than_ascii(void **state)
{
    (void)state;
    const member more[] = { { "set/train/Gehmeißeln/日本.avi", AE_IFREG, NULL, "x", 1 },
                            { "./set//train/./dots.avi", AE_IFREG, NULL, "y", 1 } };
    const char *const names[] = { "u.tar.gz", "u.zip" };
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(extract(make(names[i], more, 2)), REEL_OK);
        expect_content("set/train/Gehmeißeln/日本.avi", "x");
        expect_content("set/train/dots.avi", "y");
    }
}

static void nothing_lands_outside(void **state)
{
    (void)state;
    char absolute[700];
    snprintf(absolute, sizeof absolute, "%s/escape", dir);
    refuse_member("dotdot.tar", &(member){ "set/../../escape", AE_IFREG, NULL, "x", 1 }, "outside");
    refuse_member("dotdot.zip", &(member){ "../escape", AE_IFREG, NULL, "x", 1 }, "outside");
    refuse_member("dots.tar", &(member){ "set/..", AE_IFDIR, NULL, NULL, 0 }, "outside");
    refuse_member("absolute.tar", &(member){ absolute, AE_IFREG, NULL, "x", 1 }, "absolute");
    refuse_member("backslash.tar", &(member){ "set\\..\\escape", AE_IFREG, NULL, "x", 1 }, "backslash");
    assert_false(reel_exists(in_dir("escape")));
    assert_false(reel_exists(in_dir("cache/escape")));
}

static void only_files_and_folders(void **state)
{
    (void)state;
    const member through[] = { { "set/d", AE_IFLNK, dir, NULL, 0 }, { "set/d/escape", AE_IFREG, NULL, "x", 1 } };
    expect_refused(make("link.tar", through, 2), "link", "set/d");
    refuse_member("hard.tar", &(member){ "set/h.avi", 0, "/etc/passwd", NULL, 0 }, "link");
    refuse_member("device.tar", &(member){ "set/null.avi", AE_IFCHR, NULL, NULL, 0 }, "device");
    refuse_member("fifo.tar", &(member){ "set/p.avi", AE_IFIFO, NULL, NULL, 0 }, "pipe");
    refuse_member("link.zip", &(member){ "set/l.avi", AE_IFLNK, "/etc/passwd", NULL, 0 }, "link");
    assert_false(reel_exists(in_dir("escape")));
}

static void a_name_stands_once(void **state)
{
    (void)state;
    refuse_member("twice.tar", &(member){ "set/train/jump/a.avi", AE_IFREG, NULL, "x", 1 }, "twice");
    refuse_member("dotted.tar", &(member){ "set/./train/jump/a.avi", AE_IFREG, NULL, "x", 1 }, "twice");
    refuse_member("below_file.tar", &(member){ "set/train/jump/a.avi/b.avi", AE_IFREG, NULL, "x", 1 }, "file and a folder");
    refuse_member("file_as_folder.tar", &(member){ "set/train/jump", AE_IFREG, NULL, "x", 1 }, "folder");
    const member folder = { "set/train/jump/", AE_IFDIR, NULL, NULL, 0 };  /* behind its members: usual */
    assert_int_equal(extract(make("late_folder.tar", &folder, 1)), REEL_OK);
}

static void names_have_limits(void **state)
{
    (void)state;
    char name[1200] = "";
    for (int i = 0; i < 33; i++)
        strcat(name, "d/");
    strcat(name, "x.avi");
    refuse_member("deep.tar", &(member){ name, AE_IFREG, NULL, "x", 1 }, "deep");
    memset(name, 'n', 300);
    strcpy(name + 300, ".avi");
    expect_refused(make("wide.tar", &(member){ name, AE_IFREG, NULL, "x", 1 }, 1), "255", "nnn");
    for (int i = 0; i < 1100; i++)
        name[i] = i % 50 == 49 ? '/' : 'n';
    name[1100] = 0;
    expect_refused(make("long.tar", &(member){ name, AE_IFREG, NULL, "x", 1 }, 1), "1024", "nnn");
    expect_refused(make("escape.tar", &(member){ "set/\x1b[31m.avi", AE_IFREG, NULL, "x", 1 }, 1), "control", "\\x1b[31m");
    expect_refused(make("latin1.tar", &(member){ "set/\xe9.avi", AE_IFREG, NULL, "x", 1 }, 1), "UTF-8", "\\xe9");
}

static void a_bomb_is_stopped_early(void **state)
{
    (void)state;
    size_t n = 64u << 20;
    char *zeros = reel_calloc(n, 1);
    assert_non_null(zeros);
    const member bomb = { "set/train/jump/big.avi", AE_IFREG, NULL, zeros, n };
    refuse_member("bomb.tar.gz", &bomb, "ratio");
    refuse_member("bomb.zip", &bomb, "ratio");
    assert_int_equal(extract(make("zeros.tar", &bomb, 1)), REEL_OK);  /* as large in the archive: no bomb */
    reel_free(zeros);
}

/* A tar header field, and the sum that goes with it. */
static void patch_tar(const char *path, size_t at, const void *bytes, size_t n)
{
    char *text;
    size_t size;
    unsigned sum = 0;
    assert_int_equal(reel_file_read(path, 1 << 20, &text, &size, NULL), REEL_OK);
    memcpy(text + at, bytes, n);
    memset(text + 148, ' ', 8);
    for (int i = 0; i < 512; i++)
        sum += (unsigned char)text[i];
    snprintf(text + 148, 8, "%06o", sum);
    assert_int_equal(reel_file_write(path, text, size, NULL), REEL_OK);
    reel_free(text);
}

static void cut(const char *path, size_t less)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - (off_t)less), 0);
}

static void damage_is_told(void **state)
{
    (void)state;
    char noise[60000];
    unsigned x = 1;
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)((x = x * 1664525u + 1013904223u) >> 24);
    const member big = { "set/train/jump/noise.avi", AE_IFREG, NULL, noise, sizeof noise };
    const char *path = make("negative.tar", NULL, 0);
    patch_tar(path, 124, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
    expect_refused(path, "damaged", "size");
    path = make("huge.tar", NULL, 0);
    patch_tar(path, 124, "\x80\0\0\0\0\x10\0\0\0\0\0\0", 12);  /* 2^60 bytes */
    expect_refused(path, "large", "set/train/jump/a.avi");
    path = make("cut.tar.gz", &big, 1);
    cut(path, 300);
    expect_refused(path, "truncated", "gz");
    path = make("cut.tar", &big, 1);
    cut(path, 20000);
    expect_refused(path, "truncated", "damaged");
    path = make("cut.zip", &big, 1);
    cut(path, 20000);
    expect_refused(path, "damaged", "zip");
    assert_int_equal(reel_file_write(in_dir("text.tar.gz"), "not an archive\n", 15, NULL), REEL_OK);
    expect_refused(in_dir("text.tar.gz"), "not a whole archive", "format");
    assert_int_equal(reel_file_write(in_dir("nothing.zip"), "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22, NULL), REEL_OK);
    expect_refused(in_dir("nothing.zip"), "empty", "no video");
    assert_int_equal(reel_file_write(in_dir("zero.tar"), "", 0, NULL), REEL_OK);
    expect_refused(in_dir("zero.tar"), "archive", "zero.tar");
    assert_int_equal(extract(in_dir("absent.tar")), REEL_ERR_NOT_FOUND);
}

/* What a killed run left is cleared away; its folder is never taken for a whole one. */
static void leftovers_are_replaced(void **state)
{
    (void)state;
    const char *path = make("again.tar", NULL, 0);
    char temp[700], inner[800];
    assert_int_equal(extract(path), REEL_OK);
    snprintf(temp, sizeof temp, "%s.tmp", got);
    snprintf(inner, sizeof inner, "%s/set", temp);
    assert_int_equal(reel_dir_remove(got, NULL), REEL_OK);
    assert_int_equal(reel_dir_make(inner, NULL), REEL_OK);
    snprintf(inner, sizeof inner, "%s/set/half.avi", temp);
    assert_int_equal(reel_file_write(inner, "x", 1, NULL), REEL_OK);
    assert_int_equal(extract(path), REEL_OK);
    expect_content("set/train/run/b.avi", "run");
    snprintf(inner, sizeof inner, "%s/set/half.avi", got);
    assert_false(reel_exists(inner));
    assert_false(reel_exists(temp));
}

static bool yes(void *user) { (void)user; return true; }

static void stops_when_asked(void **state)
{
    (void)state;
    const char *path = make("stop.tar", NULL, 0);
    reel_context_set_cancel(ctx, yes, NULL);
    assert_int_equal(extract(path), REEL_ERR_CANCELLED);
    reel_context_set_cancel(ctx, NULL, NULL);
    assert_int_equal(entries(in_dir("cache/extracted"), ".tmp"), 0);
    assert_int_equal(extract(path), REEL_OK);
}

static void needs_a_cache(void **state)
{
    (void)state;
    const char *path = make("cacheless.tar", NULL, 0);
    reel_context *bare = NULL;
    char *out = NULL;
    assert_int_equal(reel_context_open(&bare, NULL), REEL_OK);
    assert_int_equal(reel_archive_extract(bare, path, &out, &err), REEL_ERR_ARG);
    assert_null(out);
    reel_context_close(&bare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_tell_archives), cmocka_unit_test(every_form_is_unpacked_once),
        cmocka_unit_test(names_may_be_more_than_ascii), cmocka_unit_test(nothing_lands_outside),
        cmocka_unit_test(only_files_and_folders), cmocka_unit_test(a_name_stands_once), cmocka_unit_test(names_have_limits),
        cmocka_unit_test(a_bomb_is_stopped_early), cmocka_unit_test(damage_is_told), cmocka_unit_test(leftovers_are_replaced),
        cmocka_unit_test(stops_when_asked), cmocka_unit_test(needs_a_cache),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
