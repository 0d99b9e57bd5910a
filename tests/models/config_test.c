/* config.json: every check with the field in its message, old spellings, labels, and the text that is written. */
#include "bed.h"

#include "base/json.h"
#include "models/config.h"

static char *dir;
static char path[600];

static int setup(void **state)
{
    (void)state;
    dir = test_folder();
    snprintf(path, sizeof path, "%s/config.json", dir);
    return 0;
}

static int teardown(void **state) { (void)state; test_remove_folder(dir); return 0; }

static const char base[] =
    "{\"model_type\": \"videomae\", \"image_size\": 16, \"patch_size\": 8, \"num_frames\": 4, \"hidden_size\": 16, "
    "\"num_hidden_layers\": 1, \"num_attention_heads\": 2, \"intermediate_size\": 32}";

/* The base config with one field set to JSON text `value` (NULL: taken away). */
static char *changed(const char *key, const char *value)
{
    reel_json *j, *v = NULL;
    BED_OK(reel_json_parse(base, strlen(base), "base", false, &j, bed_err));
    if (value != NULL) {
        BED_OK(reel_json_parse(value, strlen(value), "value", false, &v, bed_err));
        reel_json_set(j, key, v);
    } else
        reel_json_remove(j, key);
    char *text = reel_json_dump(j, 0, REEL_JSON_KEEP);
    reel_json_free(j);
    return text;
}

static reel_status read_text(const char *text, reel_config *c, reel_error *err)
{
    const reel_arch *arch;
    bed_write_text(dir, "config.json", text);
    return reel_config_read(path, c, &arch, err);
}

static void read_changed(const char *key, const char *value, reel_config *c)
{
    char *text = changed(key, value);
    BED_OK(read_text(text, c, bed_err));
    reel_free(text);
}

static void bad_fields_are_named(void **state)
{
    (void)state;
    static const struct { const char *key, *value, *word; } bad[] = {
        {"model_type", "\"videollama\"", "videollama"}, {"model_type", NULL, "model_type"}, {"model_type", "7", "model_type"},
        {"num_attention_heads", "0", "num_attention_heads"}, {"num_attention_heads", "3", "not divisible"},
        {"patch_size", "0", "patch_size"}, {"patch_size", "17", "larger than image_size"}, {"patch_size", "[8]", "pair"},
        {"patch_size", "[8, 0]", "patch_size"}, {"tubelet_size", "0", "tubelet_size"}, {"tubelet_size", "5", "num_frames"},
        {"hidden_size", "-16", "hidden_size"}, {"hidden_size", "\"16\"", "integer"}, {"hidden_size", "null", "hidden_size"},
        {"hidden_size", "1e300", "hidden_size"}, {"num_hidden_layers", "1000000000", "num_hidden_layers"},
        {"num_hidden_layers", "1.5", "integer"}, {"num_hidden_layers", "true", "num_hidden_layers"},
        {"image_size", "1048576", "image_size"}, {"image_size", "[65536, 65536]", "too large"},
        {"intermediate_size", "0", "intermediate_size"}, {"num_channels", "0", "num_channels"},
        {"num_frames", "[4]", "num_frames"}, {"hidden_act", "\"__import__\"", "__import__"}, {"hidden_act", "3", "hidden_act"},
        {"layer_norm_eps", "-1", "layer_norm_eps"}, {"layer_norm_eps", "\"x\"", "layer_norm_eps"},
        {"hidden_dropout_prob", "1", "hidden_dropout_prob"}, {"attention_probs_dropout_prob", "-0.5", "attention_probs"},
        {"initializer_range", "-1", "initializer_range"}, {"qv_bias", "1", "qv_bias"}, {"qkv_bias", "\"yes\"", "qv_bias"},
        {"use_mean_pooling", "null", "use_mean_pooling"}, {"problem_type", "\"ranking\"", "problem_type"},
        {"id2label", "{}", "id2label"}, {"id2label", "[\"a\"]", "id2label"}, {"id2label", "{\"0\": 1}", "id2label"},
        {"id2label", "{\"0\": \"a\", \"5\": \"b\", \"9\": \"c\"}", "without gaps"},
        {"id2label", "{\"1\": \"a\", \"2\": \"b\"}", "without gaps"}, {"id2label", "{\"x\": \"a\"}", "id2label"},
        {"id2label", "{\"0\": \"a\", \"00\": \"b\"}", "twice"}, {"num_labels", "0", "num_labels"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *text = changed(bad[i].key, bad[i].value);
        reel_config c;
        reel_error err = {0};
        if (read_text(text, &c, &err) == REEL_OK || strstr(err.message, bad[i].word) == NULL ||
            strstr(err.message, "config.json") == NULL)
            fail_msg("%s: %s gave: %s", bad[i].key, bad[i].value != NULL ? bad[i].value : "(missing)", err.message);
        assert_null(c.json);
        reel_free(text);
    }
}

static void bad_texts(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "[]", "{\"model_type\": \"videomae\"", "model_type: videomae\n", "3",
                                      "{\"model_type\": \"videomae\", \"hidden_size\": 18446744073709551632}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        reel_config c;
        reel_error err = {0};
        assert_int_not_equal(read_text(bad[i], &c, &err), REEL_OK);
        assert_non_null(strstr(err.message, "JSON"));
        assert_null(c.json);
    }
}

static void defaults_pairs_and_old_names(void **state)
{
    (void)state;
    reel_config c;
    BED_OK(read_text("{\"model_type\": \"videomae\"}", &c, bed_err));
    assert_int_equal(c.hidden, 768);
    assert_int_equal(c.layers, 12);
    assert_int_equal(c.tokens, 1568);
    assert_int_equal(c.labels, 2);
    assert_string_equal(c.label[1], "LABEL_1");
    assert_true(c.qv_bias && c.mean_pooling && c.layer_norm_eps == 1e-12f && c.initializer_range == 0.02);
    reel_config_free(&c);

    read_changed("image_size", "[16, 24]", &c);
    assert_int_equal(c.height, 16);
    assert_int_equal(c.width, 24);
    assert_int_equal(c.tokens, 2 * 2 * 3);
    reel_config_free(&c);

    read_changed("hidden_size", "16.0", &c);
    assert_int_equal(c.hidden, 16);
    reel_config_free(&c);

    read_changed("image_size", "17", &c);  /* the last pixel is left out, as by a convolution */
    assert_int_equal(c.tokens, 8);
    reel_config_free(&c);

    read_changed("qkv_bias", "false", &c);
    assert_false(c.qv_bias);
    reel_config_free(&c);

    read_changed("hidden_act", "\"gelu_fast\"", &c);
    assert_int_equal(c.act, REEL_ACT_GELU_TANH);
    reel_config_free(&c);

    read_changed("num_labels", "5", &c);
    assert_int_equal(c.labels, 5);
    assert_string_equal(c.label[4], "LABEL_4");
    reel_config_free(&c);
}

/* transformers' own file, read and written again: the same bytes. */
static void text_is_transformers_own(void **state)
{
    (void)state;
    char golden[600], *want;
    size_t n;
    reel_config c;
    const reel_arch *arch;
    snprintf(golden, sizeof golden, "%s/tests/golden/config.json", getenv("REEL_SOURCE"));
    BED_OK(reel_file_read(golden, 1 << 20, &want, &n, bed_err));
    BED_OK(reel_config_read(golden, &c, &arch, bed_err));
    assert_int_equal(c.labels, 12);
    assert_string_equal(c.label[10], "class b");
    char *got = reel_config_text(&c, arch, NULL);
    assert_string_equal(got, want);
    reel_free(got);
    reel_free(want);
    reel_config_free(&c);
}

static void text_keeps_and_adds(void **state)
{
    (void)state;
    reel_config c;
    char *labels[3] = {"walk", "run \"fast\"", "sit"};
    BED_OK(read_text("{\"zebra\": {\"b\": 1, \"a\": [1, 2.5]}, \"model_type\": \"videomae\", \"torch_dtype\": \"bfloat16\", "
                     "\"qkv_bias\": true, \"num_labels\": 4}", &c, bed_err));
    BED_OK(reel_config_set_labels(&c, labels, 3, bed_err));
    char *text = reel_config_text(&c, reel_arch_find("videomae"), "single_label_classification");
    bed_write_text(dir, "config.json", text);
    assert_non_null(strstr(text, "\"zebra\": {\n    \"a\": [\n      1,\n      2.5\n    ],\n    \"b\": 1\n  }\n}\n"));
    assert_non_null(strstr(text, "\"architectures\": [\n    \"VideoMAEForVideoClassification\"\n  ],"));
    assert_non_null(strstr(text, "\"0\": \"walk\",\n    \"1\": \"run \\\"fast\\\"\""));
    assert_non_null(strstr(text, "\"label2id\": {\n    \"run \\\"fast\\\"\": 1,\n    \"sit\": 2,"));
    assert_non_null(strstr(text, "\"dtype\": \"float32\""));
    assert_non_null(strstr(text, "\"problem_type\": \"single_label_classification\""));
    assert_non_null(strstr(text, "\"layer_norm_eps\": 1e-12"));
    assert_non_null(strstr(text, "\"qv_bias\": true"));
    assert_null(strstr(text, "qkv_bias"));
    assert_null(strstr(text, "torch_dtype"));
    assert_null(strstr(text, "num_labels"));
    reel_free(text);
    reel_config_free(&c);
}

static void setting_labels_checks(void **state)
{
    (void)state;
    reel_config c;
    reel_error err = {0};
    BED_OK(read_text(base, &c, bed_err));
    assert_int_equal(reel_config_set_labels(&c, NULL, 0, &err), REEL_ERR_LIMIT);
    assert_int_equal(c.labels, 2);
    reel_config_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_fields_are_named), cmocka_unit_test(bad_texts), cmocka_unit_test(defaults_pairs_and_old_names),
        cmocka_unit_test(text_is_transformers_own), cmocka_unit_test(text_keeps_and_adds),
        cmocka_unit_test(setting_labels_checks),
    };
    return cmocka_run_group_tests_name("config", tests, setup, teardown);
}
