/* Data sets of every form, and what is said of those that are none. Files need no content here: nothing decodes them. */
#include "../test.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/build.h"
#include "data/dataset.h"

static char *dir;
static reel_context *ctx;
static reel_dataset *ds;
static reel_error err;

static const char *in_dir(const char *name) { return test_path(dir, name); }

/* An (almost) empty file, with its folders. */
static void touch(const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    *strrchr(path, '/') = 0;
    assert_int_equal(reel_dir_make(path, NULL), REEL_OK);
    assert_int_equal(reel_file_write(in_dir(name), "x", 1, NULL), REEL_OK);
}

static void folder(const char *name) { assert_int_equal(reel_dir_make(in_dir(name), NULL), REEL_OK); }

static void write_text(const char *name, const char *text)
{
    assert_int_equal(reel_file_write(in_dir(name), text, strlen(text), NULL), REEL_OK);
}

static reel_status open_set(const char *name)
{
    reel_dataset_close(&ds);
    err = (reel_error){ .status = REEL_OK };
    return reel_dataset_open(ctx, in_dir(name), &ds, &err);
}

static void expect_item(size_t i, const char *shown, const char *cls, const char *split)
{
    assert_true(i < ds->n_items);
    assert_string_equal(ds->item[i].shown, shown);
    assert_string_equal(ds->classes[ds->item[i].label], cls);
    assert_string_equal(ds->splits[ds->item[i].split], split);
    assert_true(reel_exists(ds->item[i].path));
}

static void expect_warning(const char *word)
{
    for (size_t i = 0; i < ds->n_warnings; i++)
        if (strstr(ds->warning[i], word) != NULL)
            return;
    fail_msg("no warning says '%s' (first of %zu: %s)", word, ds->n_warnings, ds->n_warnings > 0 ? ds->warning[0] : "");
}

static void expect_refused(const char *name, const char *word, const char *other)
{
    assert_int_not_equal(open_set(name), REEL_OK);
    assert_null(ds);
    if (strstr(err.message, word) == NULL || strstr(err.message, other) == NULL)
        fail_msg("'%s' does not say '%s' and '%s'", err.message, word, other);
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
    reel_dataset_close(&ds);
    reel_context_close(&ctx);
    test_remove_folder(dir);
    return 0;
}

static void splits_and_classes(void **state)
{
    (void)state;
    size_t first;
    touch("a/train/jump/v_jump_g01_c02.avi");
    touch("a/train/jump/v_jump_g01_c01.avi");
    touch("a/train/Zebra/deep/er/x.MP4");
    touch("a/train/Zebra/y.webm");
    touch("a/train/ärger/u.mkv");
    touch("a/validation/jump/v_jump_g02_c01.avi");
    touch("a/test/jump/v_jump_g03_c01.avi");
    touch("a/test/jump/notes.txt");
    touch("a/train/.hidden/v.avi");
    touch("a/train/jump/._v_jump_g01_c01.avi");
    touch("a/__MACOSX/train/jump/w.avi");
    assert_int_equal(open_set("a"), REEL_OK);
    assert_string_equal(ds->layout, "folders");
    assert_int_equal(ds->n_classes, 3);  /* by code point: capitals first, umlauts last */
    assert_string_equal(ds->classes[0], "Zebra");
    assert_string_equal(ds->classes[1], "jump");
    assert_string_equal(ds->classes[2], "ärger");
    assert_int_equal(ds->n_items, 7);
    expect_item(0, "train/Zebra/y.webm", "Zebra", "train");
    expect_item(1, "train/Zebra/deep/er/x.MP4", "Zebra", "train");
    expect_item(2, "train/jump/v_jump_g01_c01.avi", "jump", "train");
    expect_item(3, "train/jump/v_jump_g01_c02.avi", "jump", "train");
    expect_item(4, "train/ärger/u.mkv", "ärger", "train");
    expect_item(5, "validation/jump/v_jump_g02_c01.avi", "jump", "val");
    expect_item(6, "test/jump/v_jump_g03_c01.avi", "jump", "test");
    assert_int_equal(ds->item[3].group, 1);
    assert_int_equal(ds->item[0].group, -1);
    assert_int_equal(reel_dataset_split(ds, "val"), 1);
    assert_int_equal(reel_dataset_split(ds, "dev"), 1);
    assert_int_equal(reel_dataset_split(ds, "valid"), 1);
    assert_int_equal(reel_dataset_split(ds, "test"), 2);
    assert_int_equal(reel_dataset_split(ds, "other"), -1);
    assert_int_equal(reel_dataset_items(ds, 0, &first), 5);
    assert_int_equal(first, 0);
    assert_int_equal(reel_dataset_items(ds, 2, &first), 1);
    assert_int_equal(first, 6);
    expect_warning("class Zebra has no video in val");
    expect_warning("class ärger has no video in test");
}

static void every_suffix_counts(void **state)
{
    (void)state;
    static const char *const suffix[] = { "avi", "mp4", "mkv", "webm", "mov", "m4v", "gif", "mpg", "mpeg", "ts", "mts", "wmv",
                                          "flv", "3gp" };
    char name[64];
    for (size_t i = 0; i < sizeof suffix / sizeof *suffix; i++) {
        snprintf(name, sizeof name, "suffix/c%zu/v.%s", i % 2, suffix[i]);
        touch(name);
    }
    touch("suffix/c0/v.png");
    touch("suffix/c0/vavi");
    assert_int_equal(open_set("suffix"), REEL_OK);
    assert_int_equal(ds->n_items, sizeof suffix / sizeof *suffix);
    assert_string_equal(ds->splits[0], "all");
    assert_int_equal(ds->n_splits, 1);
}

static void one_more_folder_around(void **state)
{
    (void)state;
    touch("w/UCF101_subset/train/A/v_A_g01_c01.avi");
    touch("w/UCF101_subset/test/A/v_A_g02_c01.avi");
    touch("w/README.md");
    assert_int_equal(open_set("w"), REEL_OK);
    assert_int_equal(ds->n_items, 2);
    expect_item(0, "train/A/v_A_g01_c01.avi", "A", "train");
    expect_warning("one class only");
    touch("w2/set/A/1.avi");
    touch("w2/set/B/1.avi");
    assert_int_equal(open_set("w2"), REEL_OK);
    assert_int_equal(ds->n_classes, 2);
    expect_item(1, "B/1.avi", "B", "all");
    assert_int_equal(open_set("w2/set/"), REEL_OK);  /* with the slash that the shell completes */
    assert_int_equal(ds->n_classes, 2);
}

static void groups_that_leak(void **state)
{
    (void)state;
    touch("leak/train/Lip/v_Lip_g04_c01.avi");
    touch("leak/test/Lip/v_Lip_g04_c02.avi");
    touch("leak/train/Eye/v_Eye_g05_c01.avi");
    touch("leak/test/Eye/v_Eye_g06_c01.avi");
    touch("leak/val/Eye/v_Eye_g04_c01.avi");  /* another class: another scene */
    touch("leak/val/Lip/free.avi");
    assert_int_equal(open_set("leak"), REEL_OK);
    expect_warning("group Lip g04 stands in train and test: the test score will flatter");
    size_t leaks = 0;
    for (size_t i = 0; i < ds->n_warnings; i++)
        leaks += strstr(ds->warning[i], "group") != NULL;
    assert_int_equal(leaks, 1);
    for (int i = 10; i < 25; i++) {
        char name[64];
        snprintf(name, sizeof name, "leak/train/Eye/v_Eye_g%d_c01.avi", i);
        touch(name);
        snprintf(name, sizeof name, "leak/test/Eye/v_Eye_g%d_c02.avi", i);
        touch(name);
    }
    assert_int_equal(open_set("leak"), REEL_OK);
    expect_warning("11 more groups stand in more than one split");
}

static void group_numbers(void **state)
{
    (void)state;
    assert_int_equal(reel_group_of("v_ApplyLipstick_g04_c01.avi"), 4);
    assert_int_equal(reel_group_of("v_A_g25_c13"), 25);
    assert_int_equal(reel_group_of("v_A_b_g1_c2.x.mp4"), -1);
    assert_int_equal(reel_group_of("g04_c01.avi"), -1);
    assert_int_equal(reel_group_of("v_A_g_c01.avi"), -1);
    assert_int_equal(reel_group_of("v_A_g01_c.avi"), -1);
    assert_int_equal(reel_group_of("v_A_g9999999999_c01.avi"), -1);
    assert_int_equal(reel_group_of(""), -1);
}

static void empty_classes_and_splits(void **state)
{
    (void)state;
    touch("e/train/A/1.avi");
    folder("e/train/B");
    folder("e/test/A");
    touch("e/extra/A/1.avi");
    touch("e/train/loose.avi");
    assert_int_equal(open_set("e"), REEL_OK);
    assert_int_equal(ds->n_classes, 2);
    assert_int_equal(ds->n_splits, 2);
    expect_warning("class B has no video in train");
    expect_warning("split test holds no video");
    expect_warning("folder extra is no split");
    expect_warning("1 videos lie directly in train");
}

static void links_do_not_go_round(void **state)
{
    (void)state;
    touch("l/train/A/1.avi");
    touch("elsewhere/2.avi");
    assert_int_equal(symlink("..", in_dir("l/train/A/up")), 0);
    assert_int_equal(symlink("../../../elsewhere", in_dir("l/train/A/more")), 0);
    assert_int_equal(symlink("nowhere", in_dir("l/train/A/gone.avi")), 0);
    assert_int_equal(open_set("l"), REEL_OK);
    size_t seen = 0;
    for (size_t i = 0; i < ds->n_items; i++)
        seen += strcmp(ds->item[i].shown, "train/A/more/2.avi") == 0;
    assert_int_equal(seen, 1);
    assert_true(ds->n_items < 20);  /* the broken link is an item too: opening it will tell */
}

static void what_is_no_data_set(void **state)
{
    (void)state;
    folder("none/empty");
    expect_refused("none/empty", "the folder is empty", "{train,val,test}");
    touch("none/flat/1.avi");
    touch("none/flat/2.avi");
    expect_refused("none/flat", "holds 2 videos", "no class folders");
    touch("none/frames/train/A/clip/000.png");
    touch("none/frames/train/B/clip/000.png");
    expect_refused("none/frames", "no videos", "000.png");
    touch("none/papers/a.txt");
    expect_refused("none/papers", "only other files", "a.txt");
    folder("none/hollow/train/A");
    folder("none/hollow/train/B");
    expect_refused("none/hollow", "no videos", "2 class folders");
    touch("none/twice/val/A/1.avi");
    touch("none/twice/dev/A/1.avi");
    expect_refused("none/twice", "both", "val");
    touch("none/film.avi");
    expect_refused("none/film.avi", "a single video", "film.avi");
    touch("none/thing.bin");
    expect_refused("none/thing.bin", "not a data set", "thing.bin");
    expect_refused("none/absent", "no such folder or file", "absent");
    touch("none/latin/train/\xe9/1.avi");
    expect_refused("none/latin", "not UTF-8", "\\xe9");
}

static void lists(void **state)
{
    (void)state;
    touch("csv/a/1.avi");
    touch("csv/b c.avi");
    char text[1400];
    snprintf(text, sizeof text, "a/1.avi run\n%s/csv/b c.avi,Jump\r\n\na/1.avi Jump\n", dir);
    write_text("csv/names.csv", text);
    assert_int_equal(open_set("csv/names.csv"), REEL_OK);
    assert_string_equal(ds->layout, "csv");
    assert_int_equal(ds->n_items, 3);
    assert_int_equal(ds->n_classes, 2);
    expect_item(0, "a/1.avi", "run", "all");
    assert_string_equal(ds->classes[ds->item[1].label], "Jump");
    assert_int_equal(ds->item[1].label, 0);
    write_text("csv/numbers.csv", "a/1.avi 2\nb c.avi 0\na/1.avi 10\na/1.avi 1\na/1.avi 3\na/1.avi 4\na/1.avi 5\na/1.avi 6\n"
               "a/1.avi 7\na/1.avi 8\na/1.avi 9\n");
    assert_int_equal(open_set("csv/numbers.csv"), REEL_OK);
    assert_int_equal(ds->n_classes, 11);
    assert_string_equal(ds->classes[10], "10");  /* a number is its label: not sorted as text */
    assert_int_equal(ds->item[2].label, 10);
    write_text("csv/missing.csv", "a/1.avi 0\ngone1.avi 1\ngone2.avi 1\ngone3.avi 1\ngone4.avi 1\n");
    assert_int_equal(open_set("csv/missing.csv"), REEL_OK);
    expect_warning("4 of 5 files do not exist: gone1.avi, gone2.avi, gone3.avi, …");
    /* a loader in the current folder: a path without one */
    assert_int_equal(chdir(in_dir("csv")), 0);
    reel_dataset_close(&ds);
    assert_int_equal(reel_dataset_open(ctx, "numbers.csv", &ds, &err), REEL_OK);
    assert_true(reel_exists(ds->item[0].path));
    assert_int_equal(chdir("/"), 0);
}

static void bad_lists(void **state)
{
    (void)state;
    touch("bad/a.avi");
    const char *const cases[][3] = {
        { "", "empty", "no video" }, { "a.avi 0\na.avi\n", "line 2", "label" }, { "a.avi zero\n", "label", "zero" },
        { "a.avi 99999999999999999999\n", "label", "range" }, { "a.avi 0\na.avi 2000000000\n", "line 2", "2000000000" },
        { "a.avi -1\n", "label -1", "range" }, { "a.avi 0\na.avi 2\n", "label 1", "gaps" },
        { "a.avi 0\na.avi jump\n", "line 2", "jump" }, { "my film.avi\nmy other.avi\n", "line 1", "film.avi" },
        { "concat:a.avi|a.avi 0\n", "concat", "not found" }, { "http://localhost/x.avi 0\n", "not found", "http" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_text("bad/list.csv", cases[i][0]);
        expect_refused("bad/list.csv", cases[i][1], cases[i][2]);
        assert_non_null(strstr(err.message, "list.csv"));
    }
}

static void packed_files(void **state)
{
    (void)state;
    float pixels[3 * 2 * 3 * 4 * 4] = { 0 };
    int64_t labels[3] = { 1, 0, 1 };
    reel_st_entry entry[2] = { { "pixel_values", REEL_F32, { 5, { 3, 2, 3, 4, 4 } }, pixels },
                               { "labels", REEL_I64, { 1, { 3 } }, labels } };
    const char *const metadata[] = { "id2label", "{\"0\": \"run\", \"1\": \"jump\"}" };
    const char *path = in_dir("p.safetensors");
    assert_int_equal(reel_st_write(path, entry, 2, metadata, 1, &err), REEL_OK);
    assert_int_equal(open_set("p.safetensors"), REEL_OK);
    assert_true(ds->is_packed);
    assert_string_equal(ds->layout, "packed");
    assert_int_equal(ds->n_items, 3);
    assert_string_equal(ds->classes[0], "run");  /* the file's order, not the alphabet's */
    assert_int_equal(ds->item[2].label, 1);
    assert_int_equal(reel_st_write(path, entry, 2, NULL, 0, &err), REEL_OK);
    assert_int_equal(open_set("p.safetensors"), REEL_OK);
    assert_string_equal(ds->classes[1], "1");
    labels[1] = 2;
    assert_int_equal(reel_st_write(path, entry, 2, metadata, 1, &err), REEL_OK);
    expect_refused("p.safetensors", "labels go up to 2", "id2label");
    labels[1] = -1;
    assert_int_equal(reel_st_write(path, entry, 2, NULL, 0, &err), REEL_OK);
    expect_refused("p.safetensors", "label -1", "row 1");
    labels[1] = 0;
    assert_int_equal(reel_st_write(path, entry, 1, NULL, 0, &err), REEL_OK);
    expect_refused("p.safetensors", "no tensor labels", "pixel_values");
    entry[1].shape.dim[0] = 2;
    assert_int_equal(reel_st_write(path, entry, 2, NULL, 0, &err), REEL_OK);
    expect_refused("p.safetensors", "labels is I64 (2,)", "(3, 2, 3, 4, 4)");
}

static void archives(void **state)
{
    (void)state;
    const char *path = in_dir("set.tar.gz");
    struct archive *a = archive_write_new();
    archive_write_set_format_gnutar(a);
    archive_write_add_filter_gzip(a);
    assert_int_equal(archive_write_open_filename(a, path), ARCHIVE_OK);
    const char *const names[] = { "set/train/A/v_A_g01_c01.avi", "set/train/B/v_B_g01_c01.avi", "set/test/A/v_A_g01_c02.avi",
                                  "set/test/B/._x.avi" };
    for (size_t i = 0; i < 4; i++) {
        struct archive_entry *e = archive_entry_new();
        archive_entry_set_pathname(e, names[i]);
        archive_entry_set_filetype(e, AE_IFREG);
        archive_entry_set_size(e, 1);
        assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
        assert_int_equal(archive_write_data(a, "x", 1), 1);
        archive_entry_free(e);
    }
    assert_int_equal(archive_write_close(a), ARCHIVE_OK);
    archive_write_free(a);
    assert_int_equal(open_set("set.tar.gz"), REEL_OK);
    assert_string_equal(ds->layout, "archive");
    assert_string_equal(ds->path, path);
    assert_int_equal(ds->n_items, 3);
    expect_item(2, "test/A/v_A_g01_c02.avi", "A", "test");
    expect_warning("group A g01 stands in train and test");
    expect_warning("class B has no video in test");
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    touch("oom/train/A/v_A_g01_c01.avi");
    touch("oom/test/B/v_B_g01_c01.avi");
    reel_status status = REEL_ERR_NOMEM;
    long k = 1;
    for (; status != REEL_OK && k < 1000; k++) {
        reel_mem_fail_at(k, k % 2 == 0);
        status = open_set("oom");
        reel_mem_fail_at(0, false);
        if (status != REEL_OK) {
            assert_int_equal(status, REEL_ERR_NOMEM);
            assert_null(ds);
        }
    }
    assert_true(k > 20 && k < 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_and_classes), cmocka_unit_test(every_suffix_counts), cmocka_unit_test(one_more_folder_around),
        cmocka_unit_test(groups_that_leak), cmocka_unit_test(group_numbers), cmocka_unit_test(empty_classes_and_splits),
        cmocka_unit_test(links_do_not_go_round), cmocka_unit_test(what_is_no_data_set), cmocka_unit_test(lists),
        cmocka_unit_test(bad_lists), cmocka_unit_test(packed_files), cmocka_unit_test(archives),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
