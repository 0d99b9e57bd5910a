#include "../test.h"

#include <math.h>

#include "base/mem.h"
#include "hub/card.h"

static void scalar_is(const char *text, const char *wanted)
{
    char *got = reel_card_scalar(text);
    assert_string_equal(got, wanted);
    reel_free(got);
}

static void text_that_yaml_would_misread_is_quoted(void **state)
{
    (void)state;
    static const char *const plain[] = {"mit", "cc-by-nc-4.0", "MCG-NJU/videomae-base", "UCF101_subset", "a.b"};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        scalar_is(plain[i], plain[i]);
    static const char *const quoted[] = {"no", "On", "NULL", "y", "~", "12", "1_000", "12:30:00", "2024-01-01", "a: b", "a #b", "*x",
                                         "- a", "", " a",
                                         "a b", ".inf", "0x1F", "{a}", "[a]", "!a", "%a", "@a", "&a", "|", ">", "'a'", "a,", "-"};
    for (size_t i = 0; i < sizeof quoted / sizeof *quoted; i++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "\"%s\"", quoted[i]);
        scalar_is(quoted[i], wanted);
    }
    scalar_is("a\"b\\c", "\"a\\\"b\\\\c\"");
    scalar_is("a\nb\t\x7f", "\"a\\u000Ab\\u0009\\u007F\"");
    scalar_is("caf\xc3\xa9 \xf0\x9f\x8e\xac", "\"caf\xc3\xa9 \xf0\x9f\x8e\xac\"");
    scalar_is("\xc2\x85\xe2\x80\xa8\xef\xbb\xbf", "\"\\u0085\\u2028\\uFEFF\"");
    scalar_is("\xff z\xc3", "\"\xef\xbf\xbd z\xef\xbf\xbd\"");
}

static reel_card full(void)
{
    static const reel_card_class cls[] = {{"jump|up", 4, 3, 3}, {"run", 0, 1, 0}};
    static const reel_card_row row[] = {{NAN, 0.5, 3, 0.7, 0.5}, {0.61234, 1, 6, 0.512345, 0.94186}};
    static const reel_card_pair setting[] = {{"learning_rate", "5e-05"}};
    return (reel_card){.name = "videomae-ucf", .id = "me/videomae-ucf", .license = "mit", .base_model = "MCG-NJU/videomae-base",
                       .dataset = "acme/clips",
                       .dataset_name = "UCF101 subset: 10 classes", .split = "val", .loss = 0.512345, .accuracy = 0.94186,
                       .video_accuracy = NAN,
                       .cls = cls, .classes = 2, .row = row, .rows = 2, .setting = setting, .settings = 1};
}

static void has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        print_error("missing: %s\nin: %s\n", part, text != NULL ? text : "no text");
        fail();
    }
}

static void a_card_has_what_the_hub_reads(void **state)
{
    (void)state;
    const reel_card c = full();
    char *text = reel_card_text(&c);
    assert_int_equal(strncmp(text, "---\nlibrary_name: transformers\nlicense: mit\nbase_model: MCG-NJU/videomae-base\n"
                                   "pipeline_tag: video-classification\ntags:\n- video-classification\n- reel\ndatasets:\n- acme/clips\n",
                                   150), 0);
    has(text, "    dataset:\n      type: acme/clips\n      name: \"UCF101 subset: 10 classes\"\n      split: val\n");
    has(text, "    - type: accuracy\n      name: Accuracy\n      value: 0.9419\n");
    has(text, "| 0.6123 | 1.0 | 6 | 0.5123 | 0.9419 |\n");
    has(text, "| No log | 0.5 | 3 | 0.7000 | 0.5000 |\n");
    has(text, "| jump\\|up | 4 | 0.7500 | 1.0000 |\n| run | 0 |  | 0.0000 |\n");
    has(text, "reel predict --model me/videomae-ucf video.mp4");
    assert_true(reel_card_is_ours(text));
    reel_free(text);
}

static void a_run_without_figures_has_no_index(void **state)
{
    (void)state;
    const reel_card c = {.name = "x", .dataset_name = "clips", .loss = NAN, .accuracy = NAN, .video_accuracy = NAN};
    char *text = reel_card_text(&c);
    assert_null(strstr(text, "model-index"));
    assert_null(strstr(text, "metrics"));
    assert_null(strstr(text, "license"));
    assert_null(strstr(text, "datasets"));
    assert_null(strstr(text, "nan"));
    reel_free(text);
}

static void merged_is(const char *old, const char *wanted)
{
    const reel_card c = {.name = "x", .license = "mit", .loss = NAN, .accuracy = NAN, .video_accuracy = NAN};
    char *text = reel_card_merge(&c, old);
    assert_string_equal(text, wanted);
    reel_free(text);
}

static void a_readme_of_the_user_keeps_its_words(void **state)
{
    (void)state;
    merged_is("# Mine\n", "---\nlibrary_name: transformers\nlicense: mit\npipeline_tag: video-classification\ntags:\n- "
              "video-classification\n- reel\n---\n\n# Mine\n");
    merged_is("---\nlicense: apache-2.0\n'tags':\n- mine\n---\n# Mine\n---\n",
              "---\nlicense: apache-2.0\n'tags':\n- mine\nlibrary_name: transformers\npipeline_tag: video-classification\n---\n# "
    "Mine\n---\n");
    merged_is("---\r\nlicense: x\r\nlibrary_name: y\r\npipeline_tag : z\r\ntags: []\r\n---\r\nMine",
              "---\r\nlicense: x\r\nlibrary_name: y\r\npipeline_tag : z\r\ntags: []\r\n---\r\nMine");
    merged_is("---\n{license: x}\n---\nMine", "---\n{license: x}\n---\nMine");
    merged_is("---\nnever closed", "---\nlibrary_name: transformers\nlicense: mit\npipeline_tag: video-classification\ntags:\n- "
              "video-classification\n- reel\n---\n\n---\nnever closed");
}

/* Clips and videos are counted apart: then each figure says which. */
static void figures_say_of_what_they_are(void **state)
{
    (void)state;
    reel_card c = full();
    c.video_accuracy = 0.75;
    char *text = reel_card_text(&c);
    has(text, "    - type: accuracy\n      name: Accuracy of clips\n      value: 0.9419\n    - type: accuracy\n      name: Accuracy of videos\n"
              "      value: 0.75\n    - type: f1\n      name: F1 (macro) of videos\n");
    has(text, "- Accuracy of clips: 0.9419\n- Accuracy of videos (mean over their clips): 0.7500\n");
    reel_free(text);
}

static void one_of_reel_is_written_anew(void **state)
{
    (void)state;
    reel_card c = full();
    char *first = reel_card_text(&c);
    c.accuracy = 0.5;
    char *second = reel_card_merge(&c, first), *wanted = reel_card_text(&c);
    assert_string_equal(second, wanted);
    assert_string_not_equal(second, first);
    reel_free(first);
    reel_free(second);
    reel_free(wanted);
}

static void without_memory_there_is_no_card(void **state)
{
    (void)state;
    const reel_card c = full();
    char *text = NULL;
    long n = 0;
    for (; text == NULL; n++) {
        reel_mem_fail_at(n + 1, true);
        text = reel_card_text(&c);
        reel_mem_fail_at(0, false);
    }
    assert_true(n > 2);
    reel_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_that_yaml_would_misread_is_quoted), cmocka_unit_test(a_card_has_what_the_hub_reads),
        cmocka_unit_test(a_run_without_figures_has_no_index),     cmocka_unit_test(a_readme_of_the_user_keeps_its_words),
        cmocka_unit_test(one_of_reel_is_written_anew),            cmocka_unit_test(without_memory_there_is_no_card),
        cmocka_unit_test(figures_say_of_what_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
