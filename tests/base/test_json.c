#include "../test.h"

#include <math.h>

#include "base/json.h"
#include "base/mem.h"

static reel_json *parse(const char *text)
{
    reel_json *j;
    assert_int_equal(reel_json_parse(text, strlen(text), "test.json", false, &j, NULL), REEL_OK);
    return j;
}

static void it_is_written_as_python_does(void **state)
{
    (void)state;
    reel_json *j = parse("{\"b\": [1, 2.0, \"\\u00e9\\n\"], \"a\": {}, \"c\": [], \"d\": true, \"e\": null, \"f\": 5e-5}");
    char *s = reel_json_dump(j, 2, REEL_JSON_SORTED);
    assert_string_equal(s, "{\n  \"a\": {},\n  \"b\": [\n    1,\n    2.0,\n    \"\xc3\xa9\\n\"\n  ],\n  \"c\": [],\n"
                           "  \"d\": true,\n  \"e\": null,\n  \"f\": 5e-05\n}");
    reel_free(s);
    s = reel_json_dump(j, 0, REEL_JSON_KEEP);
    assert_string_equal(s, "{\"b\": [1, 2.0, \"\xc3\xa9\\n\"], \"a\": {}, \"c\": [], \"d\": true, \"e\": null, \"f\": 5e-05}");
    reel_free(s);
    reel_json_free(j);
}

static void nan_is_written_as_python_and_read_where_allowed(void **state)
{
    (void)state;
    reel_json *j = reel_json_object();
    assert_true(reel_json_set_double(j, "a", (double)NAN));
    assert_true(reel_json_set_double(j, "b", -(double)INFINITY));
    assert_true(reel_json_set_string(j, "c", "NaN"));
    assert_true(reel_json_set_string(j, "d", "\x7fNaN"));  /* no text is taken for a number */
    char *s = reel_json_dump(j, 0, REEL_JSON_SORTED);
    assert_string_equal(s, "{\"a\": NaN, \"b\": -Infinity, \"c\": \"NaN\", \"d\": \"\\u007fNaN\"}");
    reel_json *back = NULL;
    assert_int_equal(reel_json_parse(s, strlen(s), "s", false, &back, NULL), REEL_ERR_FORMAT);
    assert_int_equal(reel_json_parse(s, strlen(s), "s", true, &back, NULL), REEL_OK);
    assert_true(reel_json_is_null(reel_json_get(back, "a")));
    assert_true(reel_json_is_null(reel_json_get(back, "b")));
    assert_string_equal(reel_json_string(reel_json_get(back, "c")), "NaN");
    reel_free(s);
    reel_json_free(j);
    reel_json_free(back);
}

static void refused(const char *text, size_t n, reel_status want, const char *word)
{
    reel_json *j;
    reel_error err = {0};
    assert_int_equal(reel_json_parse(text, n, "bad.json", false, &j, &err), want);
    assert_null(j);
    assert_non_null(strstr(err.message, "bad.json"));
    assert_non_null(strstr(err.message, word));
}

static void bad_texts_are_refused_with_their_place(void **state)
{
    (void)state;
    refused("{\"a\": 1,\n \"a\": 2}", 17, REEL_ERR_FORMAT, "line 2");
    refused("{\"a\": \xff}", 8, REEL_ERR_FORMAT, "UTF-8");
    refused("", 0, REEL_ERR_FORMAT, "line 1");
    refused("{} x", 4, REEL_ERR_FORMAT, "JSON");
    char deep[400];
    memset(deep, '[', sizeof deep);
    refused(deep, sizeof deep, REEL_ERR_LIMIT, "depth");
    reel_json *j = parse("[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"]");
    reel_json_free(j);
}

static void whole_numbers_are_told_from_others(void **state)
{
    (void)state;
    reel_json *j = parse("[16, 16.0, 1.5, \"16\", 1e300]");
    int64_t v = 0;
    assert_true(reel_json_integer(reel_json_at(j, 0), &v) && v == 16);
    assert_true(reel_json_integer(reel_json_at(j, 1), &v) && v == 16);
    assert_false(reel_json_integer(reel_json_at(j, 2), &v));
    assert_false(reel_json_integer(reel_json_at(j, 3), &v));
    assert_false(reel_json_integer(reel_json_at(j, 4), &v));
    reel_json_free(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_written_as_python_does),
        cmocka_unit_test(nan_is_written_as_python_and_read_where_allowed),
        cmocka_unit_test(bad_texts_are_refused_with_their_place),
        cmocka_unit_test(whole_numbers_are_told_from_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
