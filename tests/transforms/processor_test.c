/* preprocessor_config.json: old and new forms, what is refused, and what is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "transforms/processor.h"

static reel_status parse(const char *text, int side, reel_processor *p, reel_error *err)
{
    reel_json *json = NULL;
    *err = (reel_error){0};
    reel_status status = reel_json_parse(text, strlen(text), "preprocessor_config.json", false, &json, err);
    if (status == REEL_OK)
        status = reel_processor_parse(json, "preprocessor_config.json", "videomae", side, side, p, err);
    reel_json_free(json);
    return status;
}

static const char modern[] =
    "{\"image_processor_type\": \"VideoMAEImageProcessor\", \"do_resize\": true, \"size\": {\"shortest_edge\": 16}, \"resample\": 2,"
    "\"do_center_crop\": true, \"crop_size\": {\"height\": 16, \"width\": 16}, \"do_rescale\": true, "
    "\"rescale_factor\": 0.00392156862745098, \"do_normalize\": true, \"image_mean\": [0.485, 0.456, 0.406], "
    "\"image_std\": [0.229, 0.224, 0.225], \"of_somebody\": {\"else\": [1, 2]}}";

static void test_modern(void **state)
{
    (void)state;
    reel_processor p;
    reel_error err;
    if (parse(modern, 16, &p, &err) != REEL_OK)
        fail_msg("%s", err.message);
    assert_true(p.from_file && p.do_resize && p.do_center_crop && p.do_rescale && p.do_normalize);
    assert_int_equal(p.shortest_edge, 16);
    assert_int_equal(p.crop_height, 16);
    assert_true(p.mean[0] == 0.485 && p.std[2] == 0.225 && p.rescale_factor == 0.00392156862745098);
    reel_processor_free(&p);
}

static void test_old(void **state)
{
    (void)state;
    reel_processor p;
    reel_error err;
    if (parse("{\"feature_extractor_type\": \"VideoMAEFeatureExtractor\", \"size\": 224, \"do_resize\": null, \"image_mean\": 0.25}",
              224, &p, &err) != REEL_OK)
        fail_msg("%s", err.message);
    assert_true(p.shortest_edge == 224 && p.crop_height == 224 && p.crop_width == 224 && p.do_resize);
    assert_true(p.mean[0] == 0.25 && p.mean[2] == 0.25 && p.std[1] == 0.5);
    reel_processor_free(&p);
    assert_int_equal(parse("{\"size\": [32, 48], \"crop_size\": [16, 16]}", 16, &p, &err), REEL_OK);
    assert_true(p.height == 32 && p.width == 48 && p.shortest_edge == 0 && p.crop_width == 16);
    reel_processor_free(&p);
    assert_int_equal(parse("{\"size\": {\"height\": 16, \"width\": 16}, \"do_center_crop\": false}", 16, &p, &err), REEL_OK);
    reel_processor_free(&p);
    assert_int_equal(parse("{\"size\": {\"shortest_edge\": 20.0, \"longest_edge\": 40}, \"crop_size\": 16}", 16, &p, &err), REEL_OK);
    assert_true(p.shortest_edge == 20 && p.longest_edge == 40);
    reel_processor_free(&p);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct { const char *text, *word; } bad[] = {
        {"{\"image_std\": [0.229, 0, 0.225]}", "image_std"},
        {"{\"image_std\": [0.229, -1, 0.225]}", "image_std"},
        {"{\"image_std\": [0.229, 1e-60, 0.225]}", "image_std"},
        {"{\"image_mean\": [0.5, 0.5]}", "image_mean"},
        {"{\"image_mean\": [0.5, \"a\", 0.5]}", "image_mean"},
        {"{\"image_mean\": \"half\"}", "image_mean"},
        {"{\"image_mean\": [NaN, 0.5, 0.5]}", "preprocessor_config.json"},
        {"{\"size\": {\"shortest_edge\": -16}}", "size"},
        {"{\"size\": {\"shortest_edge\": 0}}", "size"},
        {"{\"size\": {\"shortest_edge\": 1000000000}}", "large"},
        {"{\"size\": {\"shortest_edge\": 99999999999999999999}}", "preprocessor_config.json"},
        {"{\"size\": {\"shortest_edge\": 16.5}}", "size"},
        {"{\"size\": \"large\"}", "size"},
        {"{\"size\": [16]}", "size"},
        {"{\"size\": {\"max_height\": 16, \"max_width\": 16}}", "size"},
        {"{\"size\": {\"height\": 16}}", "size.width"},
        {"{\"size\": {\"height\": 32, \"width\": 32}, \"do_center_crop\": false}", "image_size"},
        {"{\"crop_size\": {\"height\": 32, \"width\": 32}}", "crop_size"},
        {"{\"crop_size\": true}", "crop_size"},
        {"{\"resample\": 99}", "99"},
        {"{\"resample\": 3}", "3"},
        {"{\"resample\": \"bilinear\"}", "resample"},
        {"{\"rescale_factor\": 0}", "rescale_factor"},
        {"{\"do_resize\": 1}", "do_resize"},
        {"[]", "object"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        reel_processor p = {0};
        reel_error err;
        if (parse(bad[i].text, 16, &p, &err) == REEL_OK)
            fail_msg("taken: %s", bad[i].text);
        if (strstr(err.message, bad[i].word) == NULL || strstr(err.message, "preprocessor_config.json") == NULL)
            fail_msg("%s: %s", bad[i].text, err.message);
        assert_null(p.json);
    }
}

/* As VideoMAEImageProcessor().save_pretrained() wrote it (transformers 5.24), with the key of another program kept. */
static void test_written(void **state)
{
    (void)state;
    static const char want[] =
        "{\n  \"crop_size\": {\n    \"height\": 16,\n    \"width\": 16\n  },\n  \"do_center_crop\": true,\n  \"do_normalize\": true,\n"
        "  \"do_rescale\": true,\n  \"do_resize\": true,\n  \"image_mean\": [\n    0.485,\n    0.456,\n    0.406\n  ],\n"
        "  \"image_processor_type\": \"VideoMAEImageProcessor\",\n  \"image_std\": [\n    0.229,\n    0.224,\n    0.225\n  ],\n"
        "  \"of_somebody\": {\n    \"else\": [\n      1,\n      2\n    ]\n  },\n"
        "  \"resample\": 2,\n  \"rescale_factor\": 0.00392156862745098,\n  \"size\": {\n    \"shortest_edge\": 16\n  }\n}\n";
    reel_processor p, again;
    reel_error err;
    assert_int_equal(parse(modern, 16, &p, &err), REEL_OK);
    char *text = reel_processor_text(&p);
    assert_string_equal(text, want);
    assert_int_equal(parse(text, 16, &again, &err), REEL_OK);
    reel_free(text);
    reel_processor_free(&again);
    reel_processor_free(&p);
    /* The class's defaults, and the written form of an old file. */
    assert_int_equal(reel_processor_read(NULL, "videomae", 224, 224, &p, &err), REEL_OK);
    assert_true(!p.from_file && p.mean[0] == 0.5 && p.std[0] == 0.5 && p.shortest_edge == 224 && p.crop_width == 224);
    text = reel_processor_text(&p);
    assert_non_null(strstr(text, "\"image_mean\": [\n    0.5,\n    0.5,\n    0.5\n  ]"));
    reel_free(text);
    reel_processor_free(&p);
    assert_int_equal(parse("{\"feature_extractor_type\": \"VideoMAEFeatureExtractor\", \"size\": 16}", 16, &p, &err), REEL_OK);
    text = reel_processor_text(&p);
    assert_null(strstr(text, "feature_extractor_type"));
    assert_non_null(strstr(text, "\"size\": {\n    \"shortest_edge\": 16\n  }"));
    reel_free(text);
    reel_processor_free(&p);
}

static void put(const char *dir, const char *name, const char *text)
{
    char *path = reel_path_join(dir, name);
    assert_int_equal(reel_file_write(path, text, strlen(text), NULL), REEL_OK);
    reel_free(path);
}

/* The order of files in which transformers looks. */
static void test_places(void **state)
{
    (void)state;
    char dir[] = "/tmp/reel_processor_XXXXXX";
    reel_processor p;
    reel_error err = {0};
    assert_non_null(mkdtemp(dir));
    assert_int_equal(reel_processor_read(dir, "timesformer", 16, 16, &p, &err), REEL_OK);
    assert_true(!p.from_file && p.mean[0] == 0.485);
    put(dir, "preprocessor_config.json", "{\"size\": 17}");
    assert_int_equal(reel_processor_read(dir, "videomae", 16, 16, &p, &err), REEL_OK);
    assert_true(p.from_file && p.shortest_edge == 17);
    reel_processor_free(&p);
    put(dir, "processor_config.json", "{\"image_processor\": {\"size\": 18}}");
    assert_int_equal(reel_processor_read(dir, "videomae", 16, 16, &p, &err), REEL_OK);
    assert_int_equal(p.shortest_edge, 18);
    reel_processor_free(&p);
    put(dir, "video_preprocessor_config.json", "{\"size\": 19}");
    assert_int_equal(reel_processor_read(dir, "videomae", 16, 16, &p, &err), REEL_OK);
    assert_int_equal(p.shortest_edge, 19);
    reel_processor_free(&p);
    put(dir, "processor_config.json", "{\"video_processor\": {\"size\": 20}}");
    assert_int_equal(reel_processor_read(dir, "videomae", 16, 16, &p, &err), REEL_OK);
    assert_int_equal(p.shortest_edge, 20);
    reel_processor_free(&p);
    put(dir, "processor_config.json", "{\"video_processor\": {\"size\": 0}}");
    assert_int_equal(reel_processor_read(dir, "videomae", 16, 16, &p, &err), REEL_ERR_FORMAT);
    assert_non_null(strstr(err.message, "processor_config.json"));
    assert_int_equal(reel_dir_remove(dir, NULL), REEL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_modern), cmocka_unit_test(test_old), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_written), cmocka_unit_test(test_places)};
    return cmocka_run_group_tests_name("processor", tests, NULL, NULL);
}
