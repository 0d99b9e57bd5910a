#include "../test.h"

#include "base/text.h"
#include "base/mem.h"

static void numbers_read_back_and_look_like_python(void **state)
{
    (void)state;
    static const struct { double value; const char *text; } known[] = {
        {1.0, "1.0"}, {0.1, "0.1"}, {5e-05, "5e-05"}, {0.0001, "0.0001"}, {1e16, "1e+16"}, {123456789012345680.0, "1.2345678901234568e+17"},
        {0.00392156862745098, "0.00392156862745098"}, {-2.5, "-2.5"}, {0.18898971378803253, "0.18898971378803253"}, {0.0, "0.0"},
        {1e15, "1000000000000000.0"}, {3.0e-5, "3e-05"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char out[32];
        reel_format_double(out, known[i].value);
        assert_string_equal(out, known[i].text);
    }
}

static void base64_is_the_standard_one(void **state)
{
    (void)state;
    static const char *const known[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe\xfb", "//77"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        reel_text t = {0};
        reel_text_puts(&t, "");
        reel_text_base64(&t, known[i][0], strlen(known[i][0]));
        assert_string_equal(t.s, known[i][1]);
        reel_text_free(&t);
    }
}

static void what_a_terminal_must_not_see_is_escaped(void **state)
{
    (void)state;
    char out[64];
    reel_escape(out, sizeof out, "a\x1b[31m\n\x7f");
    assert_string_equal(out, "a\\x1b[31m\\x0a\\x7f");
    reel_escape(out, sizeof out, "caf\xc3\xa9 \xff\xc2\x9b");
    assert_string_equal(out, "caf\xc3\xa9 \\xff\\xc2\\x9b");
    reel_escape(out, 4, "abcdef");
    assert_string_equal(out, "abc");
    reel_escape(out, 6, "ab\xff");
    assert_string_equal(out, "ab");
}

static void a_shell_takes_an_argument_back(void **state)
{
    (void)state;
    static const char *const known[][2] = {
        {"runs/a-b_1.0", "runs/a-b_1.0"}, {"", "''"}, {"a b", "'a b'"}, {"it's", "'it'\\''s'"}, {"$HOME`x`\"\\", "'$HOME`x`\"\\'"},
        {"~", "'~'"}, {"*", "'*'"}, {"caf\xc3\xa9", "'caf\xc3\xa9'"}, {"a\nb's\\", "$'a\\012b\\'s\\\\'"}, {"\x1b[1m", "$'\\033[1m'"},
        {"\xff\xc3\xa9", "$'\\377\\303\\251'"}, {"\xc2\x9b", "$'\\302\\233'"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char shown[64];
        reel_text t = {0};
        reel_text_shell(&t, known[i][0]);
        assert_string_equal(t.s, known[i][1]);
        reel_escape(shown, sizeof shown, t.s);
        assert_string_equal(shown, t.s);  /* a message leaves it as it is */
        reel_text_free(&t);
    }
}

static void utf8_is_checked(void **state)
{
    (void)state;
    assert_true(reel_utf8_valid("\xf0\x9f\x8e\x9e", 4));
    assert_false(reel_utf8_valid("\xc0\x80", 2));          /* overlong */
    assert_false(reel_utf8_valid("\xed\xa0\x80", 3));      /* surrogate */
    assert_false(reel_utf8_valid("\xf4\x90\x80\x80", 4));  /* beyond U+10FFFF */
    assert_false(reel_utf8_valid("\xe2\x82", 2));          /* cut */
}

static void distances_are_edits(void **state)
{
    (void)state;
    assert_int_equal(reel_edit_distance("learning_rte", "learning_rate"), 1);
    assert_int_equal(reel_edit_distance("sede", "seed"), 1);
    assert_int_equal(reel_edit_distance("", "abc"), 3);
    assert_int_equal(reel_edit_distance("kitten", "sitting"), 3);
}

static void values_are_read_whole_or_not(void **state)
{
    (void)state;
    int64_t i;
    double d;
    bool b;
    uint64_t u;
    assert_true(reel_parse_int("-12", &i) && i == -12);
    assert_false(reel_parse_int("12x", &i));
    assert_false(reel_parse_int("99999999999999999999", &i));
    assert_false(reel_parse_int("", &i));
    assert_true(reel_parse_float("5e-5", &d) && d == 5e-5);
    assert_false(reel_parse_float("nan", &d));
    assert_false(reel_parse_float(" 1", &d));
    assert_true(reel_parse_bool("true", &b) && b);
    assert_false(reel_parse_bool("maybe", &b));
    assert_true(reel_parse_bytes("4G", &u) && u == 4ull << 30);
    assert_true(reel_parse_bytes("1.5k", &u) && u == 1536);
    assert_false(reel_parse_bytes("4 apples", &u));
    assert_false(reel_parse_bytes("-1", &u));
}

static void a_text_grows(void **state)
{
    (void)state;
    reel_text t = {0};
    for (int i = 0; i < 1000; i++)
        reel_text_printf(&t, "%d,", i);
    assert_int_equal(t.len, 3890);
    char *s = reel_text_take(&t);
    assert_memory_equal(s, "0,1,2,", 6);
    reel_free(s);
    reel_mem_fail_at(1, true);
    reel_text_puts(&t, "x");
    reel_mem_fail_at(0, false);
    assert_true(t.failed);
    assert_null(reel_text_take(&t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_read_back_and_look_like_python),
        cmocka_unit_test(base64_is_the_standard_one),
        cmocka_unit_test(what_a_terminal_must_not_see_is_escaped),
        cmocka_unit_test(a_shell_takes_an_argument_back),
        cmocka_unit_test(utf8_is_checked),
        cmocka_unit_test(distances_are_edits),
        cmocka_unit_test(values_are_read_whole_or_not),
        cmocka_unit_test(a_text_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
