/* Names, addresses, settings, answers: what decides before anything is sent or written. */
#include "../test.h"

#include "base/hash.h"
#include "base/mem.h"
#include "hub/answer.h"
#include "hub/names.h"
#include "hub/url.h"

static void ids(void **state)
{
    (void)state;
    static const char *const good[] = {"gpt2", "org/name", "a-b/c_d.e", "A/9"}, *const bad[] = {
        "", "/", "a/", "/a", "a/b/c", "-a/b", "a/b-", "a/.b", "a/b.", "a/b--c", "a/b..c", "a/b.git", "a/b c", "a/\xc3\xa9", "../b", "a\\b"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(reel_repo_id_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(reel_repo_id_valid(bad[i]));
    char name[120];
    memset(name, 'a', sizeof name);
    name[96] = '\0';
    assert_true(reel_repo_id_valid(name));
    name[96] = 'a';
    name[97] = '\0';
    assert_false(reel_repo_id_valid(name));
    char *folder = reel_repo_folder(REEL_REPO_DATASET, "org/name");
    assert_string_equal(folder, "datasets--org--name");
    reel_free(folder);
}

static void files_and_revisions(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "a/b.c", "d \xc3\xa9/a b#c?.txt", ".gitattributes", "..a"}, *const bad[] = {
        "", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a\\b", "C:a", "a\x01", "a\x7f", "\xff", ".git", "a/.git/b"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(reel_repo_file_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(reel_repo_file_valid(bad[i]));
    assert_true(reel_revision_valid("refs/pr/1"));
    assert_false(reel_revision_valid("../main"));
    assert_true(reel_commit_valid("0123456789abcdef0123456789abcdef01234567"));
    assert_false(reel_commit_valid("0123456789ABCDEF0123456789abcdef01234567"));
    assert_false(reel_commit_valid("0123456789abcdef0123456789abcdef0123456\n"));
    assert_false(reel_etag_valid("../../../evil"));
}

static void names_or_paths(void **state)
{
    (void)state;
    static const struct { const char *text; bool with_file; const char *id, *revision, *file; } rows[] = {
        {"org/name", false, "org/name", "main", ""}, {"org/name@v1", false, "org/name", "v1", ""},
        {"org/name:a/b.zip", true, "org/name", "main", "a/b.zip"}, {"org/name@exp/one:b:c", true, "org/name", "exp/one", "b:c"}};
    static const struct { const char *text; bool with_file; } paths[] = {
        {"org/name", true}, {"org/name:f", false}, {"org/name:", true}, {"name", false}, {"name:f", true}, {"a/b/c", false},
        {"org/name@", false}, {"org/name@../x", false}, {"/dev/null", false}, {"../name", false}, {"", false}};
    reel_hub_name name;
    bool nomem;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(reel_hub_name_read(rows[i].text, rows[i].with_file, &name, &nomem));
        assert_string_equal(name.id, rows[i].id);
        assert_string_equal(name.revision, rows[i].revision);
        assert_string_equal(name.file, rows[i].file);
        reel_hub_name_free(&name);
    }
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_false(reel_hub_name_read(paths[i].text, paths[i].with_file, &name, &nomem) || nomem);
}

static void quoting(void **state)
{
    (void)state;
    char *text = reel_url_quote("exp/one", "");
    assert_string_equal(text, "exp%2Fone");
    reel_free(text);
    text = reel_url_quote("d \xc3\xa9/a b#c?.txt", "/");
    assert_string_equal(text, "d%20%C3%A9/a%20b%23c%3F.txt");
    reel_free(text);
}

static void joining(void **state)
{
    (void)state;
    static const struct { const char *base, *reference, *want; } rows[] = {
        {"https://h/a/b?q", "https://o/x", "https://o/x"}, {"https://h/a/b?q", "//o/x", "https://o/x"}, {"https://h:1/a/b?q", "/x",
            "https://h:1/x"},
        {"https://h/a/b?q", "x", "https://h/a/x"}, {"https://h/a/b?q", "?r", "https://h/a/b?r"}, {"https://h", "x", "https://h/x"},
        {"https://h/a", "file:///etc/passwd", "file:///etc/passwd"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *url = reel_url_join(rows[i].base, rows[i].reference);
        assert_string_equal(url, rows[i].want);
        reel_free(url);
    }
}

static void origins(void **state)
{
    (void)state;
    static const struct { const char *a, *b; int same; } rows[] = {
        {"https://h/x", "https://H:443/y", 1}, {"http://h", "http://h:80/", 1}, {"https://h", "http://h", 0}, {"https://h",
            "https://h:8443", 0},
        {"https://h", "https://h.evil", 0}, {"https://h", "https://hh", 0}, {"https://h", "https://h@evil/", 0}, {"https://h",
            "https://evil/?https://h", 0},
        {"http://[::1]:5/", "http://[::1]:5/x", 1}, {"http://[::1]:5/", "http://[::1]/x", 0}, {"https://h", "https://h:/", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(reel_url_same_origin(rows[i].a, rows[i].b), rows[i].same);
    static const char *const bad[] = {"file:///x", "ftp://h/", "http://", "http:///x", "http://u:p@h/", "http://h/a b", "http://h/\r\nX: y",
                                      "//h/x", "http://:80/"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(reel_url_valid(bad[i]));
    char shown[64];
    reel_url_show(shown, sizeof shown, "https://h/x?signature=secret");
    assert_string_equal(shown, "https://h/x");
}

typedef struct variable { const char *name, *value; } variable;

static const char *look(const char *name, void *user)
{
    for (const variable *v = user; v->name != NULL; v++)
        if (strcmp(v->name, name) == 0)
            return v->value;
    return NULL;
}

static const reel_hub *with(reel_context *ctx, variable *v)
{
    reel_error err = {0};
    assert_int_equal(reel_context_set_hub(ctx, look, v, &err), REEL_OK);
    return reel_hub_of(ctx);
}

static void settings(void **state)
{
    (void)state;
    reel_context *ctx = NULL;
    assert_int_equal(reel_context_open(&ctx, NULL), REEL_OK);
    const reel_hub *h = with(ctx, (variable[]){{"HOME", "/h"}, {NULL, NULL}});
    assert_string_equal(h->endpoint, "https://huggingface.co");
    assert_string_equal(h->cache_dir, "/h/.cache/huggingface/hub");
    assert_string_equal(h->token_path, "/h/.cache/huggingface/token");
    assert_null(h->token);
    assert_false(h->offline);
    h = with(ctx, (variable[]){{"HOME", "/h"}, {"XDG_CACHE_HOME", "/x"}, {NULL, NULL}});
    assert_string_equal(h->home, "/x/huggingface");
    h = with(ctx, (variable[]){{"HOME", "/h"}, {"V", "w"}, {"HF_HOME", "~/$V/${V}x"}, {"HUGGINGFACE_HUB_CACHE", "/old"}, {"HF_ENDPOINT",
        "http://m:1/"}, {NULL, NULL}});
    assert_string_equal(h->home, "/h/w/wx");
    assert_string_equal(h->cache_dir, "/old");
    assert_string_equal(h->endpoint, "http://m:1");
    h = with(ctx, (variable[]){{"HF_HUB_CACHE", "/new"}, {"HUGGINGFACE_HUB_CACHE", "/old"}, {"HF_TOKEN", " \n"}, {"HUGGING_FACE_HUB_TOKEN",
        "b\r\n"}, {NULL, NULL}});
    assert_string_equal(h->cache_dir, "/new");
    assert_string_equal(h->token, "b");
    assert_string_equal(h->token_from, "HUGGING_FACE_HUB_TOKEN");
    static const struct { const char *first, *second; int offline; } rows[] = {
        {"1", NULL, 1}, {"on", NULL, 1}, {"Yes", NULL, 1}, {"TRUE", NULL, 1}, {"2", NULL, 0}, {"0", "1", 0}, {NULL, "1", 1}, {"", "1", 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        h = with(ctx, (variable[]){{"HF_HUB_OFFLINE", rows[i].first}, {"TRANSFORMERS_OFFLINE", rows[i].second}, {NULL, NULL}});
        assert_int_equal(h->offline, rows[i].offline);
    }
    reel_error err = {0};
    static const char *const bad[] = {"ftp://h", "h", "http://u:p@h", "http://h/?x", "http://h#x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(reel_context_set_hub(ctx, look, (variable[]){{"HF_ENDPOINT", bad[i]}, {NULL, NULL}}, &err), REEL_ERR_ARG);
    reel_context_close(&ctx);
}

static void answers(void **state)
{
    (void)state;
    static char quota[] = "X-Error-Code: GatedRepo\nx-error-message: Access \n",
        invalid[] = "X-Error-Message: Invalid credentials in Authorization header\n",
                none[] = "Content-Type: text/html\n", busy[] = "Retry-After: 7\n", rate[] = "RateLimit: \"api\";r=0;t=55\nRetry-After: 7\n",
                    far[] = "Retry-After: 4000\n", sha[] = "X-Repo-Commit: a\n", refused[] = "X-Error-Message: a\n";
    const reel_repo repo = {REEL_REPO_MODEL, "a/b", "main"};
    const reel_asked q = {.repo = &repo, .file = "f", .url = "https://h/x"};
    static const struct { long status; char *headers; reel_answer_kind kind; } rows[] = {
        {200, none, REEL_ANSWER_OK}, {302, none, REEL_ANSWER_OK}, {403, quota, REEL_ANSWER_GATED}, {401, invalid, REEL_ANSWER_BAD_TOKEN},
        {401, none, REEL_ANSWER_NO_REPO}, {404, none, REEL_ANSWER_NO_HUB}, {404, sha, REEL_ANSWER_NO_FILE}, {403, none, REEL_ANSWER_FORBIDDEN}, {429, busy,
            REEL_ANSWER_BUSY},
        {503, none, REEL_ANSWER_SERVER}, {418, none, REEL_ANSWER_NO_HUB}, {418, refused,
            REEL_ANSWER_OTHER}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reel_http_answer a = {.end = REEL_HTTP_DONE, .status = rows[i].status, .headers = {.s = rows[i].headers}};
        reel_error err = {0};
        assert_int_equal(reel_answer_kind_of(&a, &q), rows[i].kind);
        if (rows[i].kind != REEL_ANSWER_OK)
            assert_int_not_equal(reel_answer_fail(&a, &q, &err), REEL_OK);
    }
    const reel_repo data = {REEL_REPO_DATASET, "a/b", "main"};
    static const struct { long status; char *headers; const char *endpoint, *word; } said[] = {
        {403, quota, "https://h", "https://h/datasets/a/b"}, {403, quota, NULL, "on the Hub"}, {429, busy, NULL, "wait 7 s"},
        {429, rate, NULL, "wait 55 s"}, {429, far, NULL, "wait 67 minutes"}, {429, none, NULL, "now; wait, or"},
        {503, busy, NULL, "asks to wait 7 s"}, {503, none, NULL, "(answer 503)."}};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        const reel_http_answer a = {.end = REEL_HTTP_DONE, .status = said[i].status, .headers = {.s = said[i].headers}};
        const reel_asked of_data = {.repo = &data, .file = "f", .url = "https://h/x", .endpoint = said[i].endpoint};
        reel_error err = {0};
        reel_answer_fail(&a, &of_data, &err);
        if (strstr(err.message, said[i].word) == NULL)
            fail_msg("wanted '%s': %s", said[i].word, err.message);
    }
    double seconds = 0;
    reel_http_answer a = {.end = REEL_HTTP_DONE, .status = 429, .headers = {.s = busy}};
    assert_true(reel_http_again(&a, 1, &seconds));
    assert_true(seconds == 8);
    a.headers.s = rate;
    assert_true(reel_http_again(&a, 1, &seconds));
    assert_true(seconds == 56);
    a.headers.s = far;
    assert_false(reel_http_again(&a, 1, &seconds));
    a = (reel_http_answer){.end = REEL_HTTP_DROPPED};
    assert_true(reel_http_again(&a, 3, &seconds) && seconds > 3 && seconds < 5);
    assert_false(reel_http_again(&a, REEL_HTTP_TRIES, &seconds));
    a.end = REEL_HTTP_TLS;
    assert_false(reel_http_again(&a, 1, &seconds));
    a.end = REEL_HTTP_REFUSED;
    assert_true(reel_http_again(&a, 1, &seconds));
    assert_false(reel_http_again(&a, 2, &seconds));
    static char words[] = "{\"error\": [\"one\", \"two\"], \"errors\": [{\"message\": \"three\"}]}";
    a = (reel_http_answer){.end = REEL_HTTP_DONE, .status = 400, .body = {.s = words, .len = sizeof words - 1}};
    char out[512];
    reel_answer_words(&a, out);
    assert_string_equal(out, "one; two; three");
}

static void git_names(void **state)
{
    (void)state;
    reel_sha256 h;
    char hex[65];
    assert_int_equal(reel_git_id_begin(&h, 0, NULL), REEL_OK);
    reel_sha256_end(&h, hex);
    assert_string_equal(hex, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    assert_int_equal(reel_git_id_begin(&h, 6, NULL), REEL_OK);
    reel_sha256_add(&h, "hello\n", 6);
    reel_sha256_end(&h, hex);
    assert_string_equal(hex, "ce013625030ba8dba906f756967f9e9ca394464a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids),      cmocka_unit_test(files_and_revisions), cmocka_unit_test(names_or_paths), cmocka_unit_test(quoting),
        cmocka_unit_test(joining),  cmocka_unit_test(origins),             cmocka_unit_test(settings),       cmocka_unit_test(answers),
        cmocka_unit_test(git_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
