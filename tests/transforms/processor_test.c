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

static reel_status parse_as(const char *text, reel_processor_place place, const char *type, int side, reel_processor *p, reel_error *err)
{
    reel_json *json = NULL;
    *err = (reel_error){0};
    reel_status status = reel_json_parse(text, strlen(text), "preprocessor_config.json", false, &json, err);
    if (status == REEL_OK)
        status = reel_processor_parse(json, place, "preprocessor_config.json", type, side, side, p, err);
    reel_json_free(json);
    return status;
}

static reel_status parse(const char *text, int side, reel_processor *p, reel_error *err)
{
    return parse_as(text, REEL_PROCESSOR_IMAGE_FILE, "videomae", side, p, err);
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
    assert_true(p.place == REEL_PROCESSOR_IMAGE_FILE && p.do_resize && p.do_center_crop && p.do_rescale && p.do_normalize);
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
    assert_true(p.shortest_edge == 224 && p.crop_height == 224 && p.crop_width == 224 && p.do_center_crop);
    assert_false(p.do_resize);  /* null is false, not the default */
    assert_true(p.mean[0] == 0.25 && p.mean[2] == 0.25 && p.std[1] == 0.5);
    reel_processor_free(&p);
}

static reel_processor taken(const char *text)
{
    reel_processor p;
    reel_error err;
    if (parse(text, 16, &p, &err) != REEL_OK)
        fail_msg("%s: %s", text, err.message);
    return p;
}

/* Every form of a size, and what stands where none is given. */
static void test_sizes(void **state)
{
    (void)state;
    static const struct { const char *text; int shortest, longest, height, width, most_h, most_w; } size[] = {
        {"{\"size\": 20, \"crop_size\": 16}", 20, 0, 0, 0, 0, 0},
        {"{\"size\": 20, \"default_to_square\": true, \"crop_size\": 16}", 0, 0, 20, 20, 0, 0},
        {"{\"size\": [32, 48], \"crop_size\": [16, 16]}", 0, 0, 32, 48, 0, 0},
        {"{\"size\": {\"height\": 16, \"width\": 16}, \"do_center_crop\": false}", 0, 0, 16, 16, 0, 0},
        {"{\"size\": {\"shortest_edge\": 20.0, \"longest_edge\": 40}, \"crop_size\": 16}", 20, 40, 0, 0, 0, 0},
        {"{\"size\": {\"shortest_edge\": 20, \"longest_edge\": null}, \"crop_size\": 16}", 20, 0, 0, 0, 0, 0},
        {"{\"size\": {\"max_height\": 30, \"max_width\": 40}}", 0, 0, 0, 0, 30, 40},
        {"{\"size\": null, \"do_resize\": false}", 0, 0, 0, 0, 0, 0},
        {"{}", 16, 0, 0, 0, 0, 0},                       /* nothing said: what fits the model */
        {"{\"crop_size\": 16}", 224, 0, 0, 0, 0, 0},     /* the class's */
    };
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        reel_processor p = taken(size[i].text);
        if (p.shortest_edge != size[i].shortest || p.longest_edge != size[i].longest || p.height != size[i].height ||
            p.width != size[i].width || p.max_height != size[i].most_h || p.max_width != size[i].most_w)
            fail_msg("%s", size[i].text);
        assert_true(p.crop_height == 16 && p.crop_width == 16);
        reel_processor_free(&p);
    }
}

/* Which class, by which name, for which model; and which arithmetic. */
static void test_classes(void **state)
{
    (void)state;
    static const struct { const char *key, *name, *type, *of; reel_processor_place place; bool pillow; } c[] = {
        {"image_processor_type", "VideoMAEImageProcessor", "videomae", "VideoMAEVideoProcessor", REEL_PROCESSOR_IMAGE_FILE, false},
        {"image_processor_type", "VideoMAEImageProcessor", "timesformer", "VideoMAEVideoProcessor", REEL_PROCESSOR_IMAGE_FILE, false},
        {"image_processor_type", "VideoMAEImageProcessorFast", "timesformer", "TimesformerVideoProcessor", REEL_PROCESSOR_IMAGE_FILE, false},
        {"image_processor_type", "VivitImageProcessor", "videomae", "VivitVideoProcessor", REEL_PROCESSOR_IMAGE_FILE, false},
        {"image_processor_type", "ViTImageProcessor", "vjepa2", "VJEPA2VideoProcessor", REEL_PROCESSOR_IMAGE_FILE, false},
        {"feature_extractor_type", "VideoMAEFeatureExtractor", "vivit", "VivitVideoProcessor", REEL_PROCESSOR_IMAGE_FILE, false},
        {"video_processor_type", "VJEPA2VideoProcessor", "videomae", "VJEPA2VideoProcessor", REEL_PROCESSOR_VIDEO_FILE, false},
        {"other", "key", "timesformer", "TimesformerVideoProcessor", REEL_PROCESSOR_VIDEO_PART, false},
        {"other", "key", "somebodys", "VideoMAEVideoProcessor", REEL_PROCESSOR_VIDEO_PART, false},
        {"image_processor_type", "VivitImageProcessor", "videomae", "VivitVideoProcessor", REEL_PROCESSOR_IMAGE_PART, true},
        {"image_processor_type", "VideoMAEImageProcessorPil", "vivit", "VideoMAEVideoProcessor", REEL_PROCESSOR_IMAGE_PART, false},
        {"feature_extractor_type", "VideoMAEFeatureExtractor", "vivit", "VideoMAEVideoProcessor", REEL_PROCESSOR_IMAGE_PART, false},
        {"other", "key", "timesformer", "VideoMAEVideoProcessor", REEL_PROCESSOR_IMAGE_PART, false},
        {"other", "key", "vivit", "VivitVideoProcessor", REEL_PROCESSOR_IMAGE_PART, true},
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        char text[256];
        reel_processor p;
        reel_error err;
        snprintf(text, sizeof text, "{\"%s\": \"%s\", \"size\": 20, \"crop_size\": 16}", c[i].key, c[i].name);
        if (parse_as(text, c[i].place, c[i].type, 16, &p, &err) != REEL_OK)
            fail_msg("%s", err.message);
        if (strcmp(p.of->video, c[i].of) != 0 || p.pillow != c[i].pillow)
            fail_msg("%s for %s: %s", text, c[i].type, p.of->video);
        assert_true(p.offset == (strcmp(p.of->model_type, "vivit") == 0) && p.rescale_factor == (p.offset ? 1 / 127.5 : 1.0 / 255));
        assert_int_equal(p.shortest_edge, strcmp(p.of->model_type, "vjepa2") == 0 ? 16 * 256 / 224 : 20);
        reel_processor_free(&p);
    }
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
        {"{\"size\": {\"max_height\": 16}}", "size.max_width"},
        {"{\"size\": {\"longest_edge\": 16}}", "by longest_edge"},
        {"{\"size\": {\"shortest_edge\": 16, \"height\": 16}}", "size"},
        {"{\"size\": {}}", "by nothing"},
        {"{\"size\": null}", "do_resize"},
        {"{\"size\": {\"height\": 16}}", "size.width"},
        {"{\"size\": {\"height\": 32, \"width\": 32}, \"do_center_crop\": false}", "image_size"},
        {"{\"crop_size\": {\"height\": 32, \"width\": 32}}", "crop_size"},
        {"{\"crop_size\": true}", "crop_size"},
        {"{\"resample\": 99}", "99"},
        {"{\"resample\": 4}", "box"},
        {"{\"resample\": 5}", "Hamming"},
        {"{\"resample\": null}", "resample"},
        {"{\"resample\": \"bilinear\"}", "resample"},
        {"{\"crop_size\": null}", "do_center_crop"},
        {"{\"crop_size\": {\"shortest_edge\": 16}}", "shortest_edge"},
        {"{\"image_mean\": null}", "do_normalize"},
        {"{\"rescale_factor\": null}", "rescale_factor"},
        {"{\"input_data_format\": \"channels_first\"}", "channels_first"},
        {"{\"fps\": -1}", "fps"},
        {"{\"video_processor_type\": \"Qwen2VLVideoProcessor\"}", "Qwen2VLVideoProcessor"},
        {"{\"video_processor_type\": 3}", "video_processor_type"},
        {"{\"image_processor_type\": \"LlavaOnevisionImageProcessor\"}", "LlavaOnevision"},
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
    reel_processor p;
    reel_error err;
    assert_int_equal(parse_as("{}", REEL_PROCESSOR_IMAGE_PART, "vjepa2", 16, &p, &err), REEL_ERR_UNSUPPORTED);
    assert_int_equal(parse_as("{\"image_processor_type\": \"ViTImageProcessor\"}", REEL_PROCESSOR_IMAGE_PART, "videomae", 16, &p, &err),
                     REEL_ERR_UNSUPPORTED);
    assert_int_equal(parse_as("{\"do_rescale\": false}", REEL_PROCESSOR_IMAGE_PART, "vivit", 16, &p, &err), REEL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "offset"));
    assert_int_equal(parse_as("{\"crop_size\": null, \"do_center_crop\": false}", REEL_PROCESSOR_VIDEO_FILE, "vjepa2", 16, &p, &err),
                     REEL_ERR_FORMAT);
}

/* Frames a second have no effect on pixels, but the pipeline's number of frames goes against them. */
static void test_fps(void **state)
{
    (void)state;
    reel_error err = {0};
    reel_processor p = taken("{\"fps\": null, \"num_frames\": 3, \"do_sample_frames\": true}");
    assert_int_equal(reel_processor_check_pipeline(&p, "model", &err), REEL_OK);
    reel_processor_free(&p);
    p = taken("{\"fps\": 2.5}");
    assert_int_equal(reel_processor_check_pipeline(&p, "model", &err), REEL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "2.5"));
    reel_processor_free(&p);
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
    assert_true(p.place == REEL_PROCESSOR_NOWHERE && p.mean[0] == 0.5 && p.std[0] == 0.5 && p.shortest_edge == 224 && p.crop_width == 224);
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

/* The order of places in which transformers looks for a video processor, and then for an image processor. */
static void test_places(void **state)
{
    (void)state;
    char dir[] = "/tmp/reel_processor_XXXXXX";
    reel_processor p;
    reel_error err = {0};
    assert_non_null(mkdtemp(dir));
    assert_int_equal(reel_processor_read(dir, "timesformer", 16, 16, &p, &err), REEL_OK);
    assert_true(p.place == REEL_PROCESSOR_NOWHERE && p.mean[0] == 0.485);
    put(dir, "processor_config.json", "{\"image_processor\": {\"size\": 18, \"image_mean\": 0.18}, \"video_processor\": null}");
    assert_int_equal(reel_processor_read(dir, "videomae", 16, 16, &p, &err), REEL_OK);
    assert_true(p.place == REEL_PROCESSOR_IMAGE_PART && p.shortest_edge == 18 && p.image == NULL);
    reel_processor_free(&p);
    put(dir, "preprocessor_config.json", "{\"size\": 17, \"image_mean\": 0.17}");
    assert_int_equal(reel_processor_read(dir, "videomae", 16, 16, &p, &err), REEL_OK);
    assert_true(p.place == REEL_PROCESSOR_IMAGE_FILE && p.shortest_edge == 17 && p.image->mean[1] == 0.18);
    reel_processor_free(&p);
    put(dir, "video_preprocessor_config.json", "{\"size\": 19}");
    assert_int_equal(reel_processor_read(dir, "videomae", 16, 16, &p, &err), REEL_OK);
    assert_true(p.place == REEL_PROCESSOR_VIDEO_FILE && p.shortest_edge == 19 && p.image->mean[1] == 0.18);
    reel_processor_free(&p);
    put(dir, "processor_config.json", "{\"video_processor\": {\"size\": 20}}");
    assert_int_equal(reel_processor_read(dir, "videomae", 16, 16, &p, &err), REEL_OK);
    assert_true(p.place == REEL_PROCESSOR_VIDEO_PART && p.shortest_edge == 20 && p.image->mean[1] == 0.17);
    reel_processor_free(&p);
    put(dir, "preprocessor_config.json", "{\"image_std\": [1, 0, 1]}");  /* the guide would divide by it */
    assert_int_equal(reel_processor_read(dir, "videomae", 16, 16, &p, &err), REEL_ERR_FORMAT);
    assert_non_null(strstr(err.message, "preprocessor_config.json"));
    put(dir, "processor_config.json", "{\"video_processor\": {\"size\": 0}}");
    assert_int_equal(reel_processor_read(dir, "videomae", 16, 16, &p, &err), REEL_ERR_FORMAT);
    assert_non_null(strstr(err.message, "processor_config.json"));
    put(dir, "processor_config.json", "[]");
    assert_int_equal(reel_processor_read(dir, "videomae", 16, 16, &p, &err), REEL_ERR_FORMAT);
    assert_int_equal(reel_dir_remove(dir, NULL), REEL_OK);
}

static bool has(const char *dir, const char *name)
{
    char *path = reel_path_join(dir, name);
    bool there = reel_exists(path);
    reel_free(path);
    return there;
}

/* What is written where, for a folder of one file: it is read again as the same processor, from a place of the same kind. */
static void test_saved(void **state)
{
    (void)state;
    static const struct { const char *file, *text, *type; bool image, video, parts; } c[] = {
        {"preprocessor_config.json", "{\"size\": 17, \"odd\": 1}", "videomae", true, false, false},
        {"preprocessor_config.json", "{\"size\": 17, \"odd\": 1}", "vivit", true, false, false},
        {"preprocessor_config.json", "{\"crop_size\": 16, \"odd\": 1}", "vjepa2", false, true, false},
        {"video_preprocessor_config.json", "{\"size\": 17, \"odd\": 1}", "timesformer", true, true, false},
        {"video_preprocessor_config.json", "{\"size\": 17, \"do_rescale\": false, \"odd\": 1}", "vivit", true, true, false},
        {"processor_config.json", "{\"video_processor\": {\"size\": 17, \"odd\": 1}}", "videomae", true, true, false},
        {"processor_config.json", "{\"image_processor\": {\"size\": 17, \"odd\": 1}}", "vivit", false, false, true},
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        char from[] = "/tmp/reel_processor_XXXXXX", to[] = "/tmp/reel_processor_XXXXXX";
        reel_processor p, q;
        reel_error err = {0};
        assert_non_null(mkdtemp(from));
        assert_non_null(mkdtemp(to));
        put(from, c[i].file, c[i].text);
        if (reel_processor_read(from, c[i].type, 16, 16, &p, &err) != REEL_OK || reel_processor_save(&p, to, &err) != REEL_OK ||
            reel_processor_read(to, c[i].type, 16, 16, &q, &err) != REEL_OK)
            fail_msg("%s: %s", c[i].text, err.message);
        if (has(to, "preprocessor_config.json") != c[i].image || has(to, "video_preprocessor_config.json") != c[i].video ||
            has(to, "processor_config.json") != c[i].parts)
            fail_msg("%s of %s", c[i].file, c[i].type);
        assert_true(q.shortest_edge == p.shortest_edge && q.crop_width == 16 && q.pillow == p.pillow && q.offset == p.offset && q.of == p.of);
        assert_true(q.do_rescale == p.do_rescale && q.mean[0] == p.mean[0] && q.rescale_factor == p.rescale_factor);
        assert_true(reel_json_number(reel_json_get(q.json, "odd")) == 1);
        reel_processor_free(&p);
        reel_processor_free(&q);
        assert_int_equal(reel_dir_remove(from, NULL), REEL_OK);
        assert_int_equal(reel_dir_remove(to, NULL), REEL_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_modern), cmocka_unit_test(test_old), cmocka_unit_test(test_sizes),
                                       cmocka_unit_test(test_classes), cmocka_unit_test(test_refused), cmocka_unit_test(test_fps),
                                       cmocka_unit_test(test_written), cmocka_unit_test(test_places), cmocka_unit_test(test_saved)};
    return cmocka_run_group_tests_name("processor", tests, NULL, NULL);
}
