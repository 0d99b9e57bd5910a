/* Lists of clips: what is taken, and what is refused with line number and word. */
#include "../test.h"

#include "base/mem.h"
#include "format/csv.h"

static reel_csv csv;
static reel_error err;

static reel_status parse(const char *text, size_t n)
{
    reel_csv_free(&csv);
    err = (reel_error){ .status = REEL_OK };
    return reel_csv_parse(text, n, "list.csv", &csv, &err);
}

static void expect_row(size_t i, const char *path, const char *label, size_t line)
{
    assert_true(i < csv.n);
    assert_string_equal(csv.row[i].path, path);
    assert_string_equal(csv.row[i].label, label);
    assert_int_equal(csv.row[i].line, line);
}

static void expect_fault(const char *text, size_t n, const char *word)
{
    assert_int_not_equal(parse(text, n), REEL_OK);
    assert_int_equal(csv.n, 0);
    assert_null(csv.row);
    assert_non_null(strstr(err.message, "list.csv"));
    if (strstr(err.message, word) == NULL)
        fail_msg("'%s' does not say '%s'", err.message, word);
}

#define TEXT(s) s, sizeof s - 1

static void splits_once_from_the_right(void **state)
{
    (void)state;
    assert_int_equal(parse(TEXT("a.avi 0\npath with spaces 3.mp4 1\nx,y.avi,2\n/abs/z.avi\tJump\n")), REEL_OK);
    assert_int_equal(csv.n, 4);
    expect_row(0, "a.avi", "0", 1);
    expect_row(1, "path with spaces 3.mp4", "1", 2);
    expect_row(2, "x,y.avi", "2", 3);
    expect_row(3, "/abs/z.avi", "Jump", 4);
}

static void takes_what_editors_write(void **state)
{
    (void)state;
    assert_int_equal(parse(TEXT("\xef\xbb\xbf" "a.avi 0\r\n\r\n   \n  b.avi , 1  \r\nc.avi\t\t0")), REEL_OK);
    assert_int_equal(csv.n, 3);
    expect_row(0, "a.avi", "0", 1);
    expect_row(1, "b.avi", "1", 4);
    expect_row(2, "c.avi", "0", 5);
}

static void names_the_line_that_is_wrong(void **state)
{
    (void)state;
    expect_fault(TEXT(""), "empty");
    expect_fault(TEXT("\n \r\n"), "empty");
    expect_fault(TEXT("a.avi 0\nb.avi\n"), "line 2 has no label");
    expect_fault(TEXT("a.avi,\n"), "line 1 has no label");
    expect_fault(TEXT(",3\n"), "line 1 has no label");
    expect_fault(TEXT("a.avi 0\nb\0.avi 1\n"), "line 2 holds a NUL byte");
    expect_fault(TEXT("\xff\xfe" "a\0.\0"), "UTF-16");
    expect_fault(TEXT("a.avi \xff\xff\n"), "line 1: the label is not UTF-8");
}

static void long_lines_and_labels_are_refused(void **state)
{
    (void)state;
    size_t n = 8000000;
    char *text = reel_calloc(n, 1);
    assert_non_null(text);
    memset(text, 'a', n);
    expect_fault(text, n, "line 1 is too long");
    memcpy(text, "ok.avi 0\n", 9);
    expect_fault(text, n, "line 2 is too long");
    memcpy(text, "v.avi ", 6);
    text[8] = 'x';
    text[8191] = '\n';
    expect_fault(text, 8192, "label is longer");
    memset(text, 'a', 8192);
    memcpy(text + 8189, " 0\n", 3);
    text[8191] = '\n';
    assert_int_equal(parse(text, 8192), REEL_OK);  /* just inside */
    assert_int_equal(strlen(csv.row[0].path), 8189);
    reel_free(text);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    reel_status status = REEL_ERR_NOMEM;
    long k = 1;
    for (; status != REEL_OK && k < 100; k++) {
        reel_mem_fail_at(k, false);
        status = parse(TEXT("a.avi 0\nb.avi 1\n"));
        reel_mem_fail_at(0, false);
        if (status != REEL_OK) {
            assert_int_equal(status, REEL_ERR_NOMEM);
            assert_null(csv.row);
        }
    }
    assert_true(k > 4 && k < 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_once_from_the_right), cmocka_unit_test(takes_what_editors_write),
        cmocka_unit_test(names_the_line_that_is_wrong), cmocka_unit_test(long_lines_and_labels_are_refused),
        cmocka_unit_test(every_allocation_may_fail),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    reel_csv_free(&csv);
    return failed;
}
