/* The files of the cache, of a local folder and of the token, without a network. */
#include "../test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "hub/below.h"
#include "hub/cache.h"
#include "hub/listing.h"
#include "hub/local_dir.h"
#include "hub/token.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define GIT "ce013625030ba8dba906f756967f9e9ca394464a"
static const reel_repo repo = {REEL_REPO_MODEL, "org/name", "main"};

static void put(const char *path, const char *text)
{
    char *dir = reel_path_parent(path);
    assert_int_equal(reel_dir_make(dir, NULL), REEL_OK);
    assert_int_equal(reel_file_write(path, text, strlen(text), NULL), REEL_OK);
    reel_free(dir);
}

static reel_hub_cache open_cache(const char *dir, bool links)
{
    reel_hub_cache c;
    static char where[600];
    snprintf(where, sizeof where, "%s/hub", dir);
    const reel_hub hub = {.cache_dir = where, .symlinks = links};
    assert_int_equal(reel_hub_cache_open(&hub, &repo, true, &c, NULL), REEL_OK);
    return c;
}

static void a_cache_keeps_what_it_is_told(void **state)
{
    (void)state;
    char *dir = test_folder(), commit[41], target[200] = "";
    reel_hub_cache c = open_cache(dir, true);
    assert_false(reel_hub_cache_commit(&c, "main", commit));
    reel_hub_cache_note_commit(&c, "exp/one", COMMIT);
    assert_true(reel_hub_cache_commit(&c, "exp/one", commit));
    assert_string_equal(commit, COMMIT);
    struct stat st;
    assert_int_equal(stat(test_path(dir, "hub/models--org--name/refs/exp/one"), &st), 0);
    assert_int_equal(st.st_size, 40);
    put(test_path(dir, "hub/models--org--name/refs/bad"), COMMIT "\n");
    assert_false(reel_hub_cache_commit(&c, "bad", commit));
    assert_false(reel_hub_cache_lacks(&c, COMMIT, "sub/x"));
    reel_hub_cache_note_lack(&c, COMMIT, "sub/x");
    assert_true(reel_hub_cache_lacks(&c, COMMIT, "sub/x"));
    put(test_path(dir, "hub/models--org--name/blobs/" GIT), "hello\n");
    assert_true(reel_hub_cache_has_blob(&c, GIT, 6));
    assert_false(reel_hub_cache_has_blob(&c, GIT, 7));
    assert_int_equal(reel_hub_cache_show(&c, COMMIT, "sub/a.txt", GIT, true, NULL), REEL_OK);
    assert_true(readlink(test_path(dir, "hub/models--org--name/snapshots/" COMMIT "/sub/a.txt"), target, sizeof target - 1) > 0);
    assert_string_equal(target, "../../../blobs/" GIT);
    assert_true(reel_hub_cache_has(&c, COMMIT, "sub/a.txt", GIT));
    assert_true(reel_hub_cache_has(&c, COMMIT, "sub/a.txt", ""));
    assert_false(reel_hub_cache_has(&c, COMMIT, "sub/a.txt", COMMIT));
    reel_hub_cache_close(&c);
    c = open_cache(dir, false);
    assert_int_equal(reel_hub_cache_show(&c, COMMIT, "b.txt", GIT, false, NULL), REEL_OK);
    assert_true(reel_hub_cache_has_blob(&c, GIT, 6));
    assert_int_equal(lstat(test_path(dir, "hub/models--org--name/snapshots/" COMMIT "/b.txt"), &st), 0);
    assert_true(S_ISREG(st.st_mode) && st.st_size == 6);
    assert_int_equal(reel_hub_cache_show(&c, COMMIT, "c.txt", GIT, true, NULL), REEL_OK);
    assert_true(reel_hub_cache_has(&c, COMMIT, "c.txt", GIT));
    reel_hub_cache_close(&c);
    test_remove_folder(dir);
}

static void planted_links_lead_nowhere(void **state)
{
    (void)state;
    char *dir = test_folder(), commit[41], text[64];
    reel_hub_cache c = open_cache(dir, true);
    put(test_path(dir, "outside/secret"), COMMIT);
    put(test_path(dir, "hub/models--org--name/snapshots/" COMMIT "/x"), "x");
    assert_int_equal(symlink("../../../../outside", test_path(dir, "hub/models--org--name/snapshots/" COMMIT "/sub")), 0);
    assert_int_equal(symlink("../../../../outside/secret", test_path(dir, "hub/models--org--name/snapshots/" COMMIT "/y")), 0);
    assert_int_equal(symlink("../../../outside", test_path(dir, "hub/models--org--name/refs")), 0);
    assert_false(reel_hub_cache_has(&c, COMMIT, "sub/secret", ""));
    assert_false(reel_hub_cache_has(&c, COMMIT, "y", ""));
    assert_false(reel_hub_cache_commit(&c, "secret", commit));
    reel_error err = {0};
    assert_int_not_equal(reel_hub_cache_show(&c, COMMIT, "sub/new", GIT, true, &err), REEL_OK);
    assert_non_null(strstr(err.message, "link"));
    assert_int_not_equal(reel_below_write(c.repo, "refs/new", "refs/new", "x", 1, &err), REEL_OK);
    assert_false(reel_below_read(c.repo, "refs/secret", text, sizeof text));
    assert_int_equal(access(test_path(dir, "outside/new"), F_OK), -1);
    reel_hub_cache_close(&c);
    test_remove_folder(dir);
}

static reel_json *json(const char *text)
{
    reel_json *j = NULL;
    assert_int_equal(reel_json_parse(text, strlen(text), "test", false, &j, NULL), REEL_OK);
    return j;
}

static void listings(void **state)
{
    (void)state;
    char *dir = test_folder();
    reel_listing l = {0}, back = {0};
    reel_json *j = json("[{\"type\": \"directory\", \"path\": \"sub\"}, {\"type\": \"file\", \"path\": \"sub/a.txt\", \"size\": 3, \"oid\": \"" GIT "\"},"
                        "{\"type\": \"file\", \"path\": \"Sub/A.txt\", \"size\": 9, \"oid\": \"" GIT "\", \"lfs\": {\"oid\": \"" COMMIT "012345678901234567890123\", \"size\": 77}}]");
    assert_int_equal(reel_listing_add(&l, j, "org/name", NULL), REEL_OK);
    reel_json_free(j);
    assert_int_equal(l.n, 2);
    assert_int_equal(l.file[1].size, 77);
    assert_string_equal(l.file[1].lfs, COMMIT "012345678901234567890123");
    assert_non_null(reel_listing_twins(&l));
    assert_string_equal(reel_listing_near(&l, "sub/b.txt"), "sub/a.txt");
    assert_null(reel_listing_near(&l, "something/else"));
    const int base = open(dir, O_RDONLY | O_DIRECTORY);
    reel_listing_note(base, COMMIT, &l);
    assert_true(reel_listing_read(base, COMMIT, &back));
    assert_int_equal(back.n, 2);
    assert_string_equal(back.file[1].lfs, l.file[1].lfs);
    reel_listing_free(&back);
    put(test_path(dir, "trees/" COMMIT ".json"), "{\"format_version\": 1, \"files\": {\"../evil\": {\"size\": 1}}}");
    assert_false(reel_listing_read(base, COMMIT, &back));
    put(test_path(dir, "trees/" COMMIT ".json"), "{\"format_version\": 2, \"files\": {}}");
    assert_false(reel_listing_read(base, COMMIT, &back));
    close(base);
    reel_listing_filter(&l, REEL_PATTERNS("sub/"), (reel_patterns){0});
    assert_int_equal(l.n, 1);
    reel_listing_free(&l);
    assert_true(reel_pattern_match(REEL_PATTERNS("*.json", "*.txt"), "a/b.txt"));
    assert_false(reel_pattern_match(REEL_PATTERNS("*.json", "*.txt"), "a/b.bin"));
    assert_true(reel_pattern_match(REEL_PATTERNS("data/"), "data/x/y"));
    assert_false(reel_pattern_match(REEL_PATTERNS("data/"), "data"));
    assert_true(reel_pattern_match(REEL_PATTERNS("d[12]/"), "d2/x"));
    assert_true(reel_pattern_match(REEL_PATTERNS("d[12]/"), "d[12]/x"));
    assert_true(reel_pattern_match(REEL_PATTERNS("a[1].txt"), "a[1].txt"));  /* a name as it is */
    assert_true(reel_pattern_match(REEL_PATTERNS("a,*.txt"), "a,b.txt"));    /* a comma is one */
    assert_false(reel_pattern_match(REEL_PATTERNS("a,*.txt"), "b.txt"));
    assert_false(reel_pattern_match(REEL_PATTERNS(""), "x"));
    assert_false(reel_pattern_match((reel_patterns){0}, "x"));
    assert_true(reel_pattern_wanted((reel_patterns){0}, REEL_PATTERNS("a", "b"), "c"));
    assert_false(reel_pattern_wanted((reel_patterns){0}, REEL_PATTERNS("a", "b"), "a"));
    test_remove_folder(dir);
}

static void notes_of_a_folder(void **state)
{
    (void)state;
    char *dir = test_folder(), commit[41], etag[65];
    reel_local l;
    assert_int_equal(reel_local_open(dir, &l, NULL), REEL_OK);
    put(test_path(dir, "sub/a.txt"), "hello\n");
    assert_false(reel_local_noted(&l, "sub/a.txt", commit, etag));
    assert_true(reel_local_is(&l, "sub/a.txt", GIT));
    assert_false(reel_local_is(&l, "sub/a.txt", COMMIT));
    assert_int_equal(reel_local_note(&l, "sub/a.txt", COMMIT, GIT, NULL), REEL_OK);
    assert_true(reel_local_noted(&l, "sub/a.txt", commit, etag));
    assert_string_equal(etag, GIT);
    put(test_path(dir, ".cache/huggingface/download/sub/a.txt.metadata"), COMMIT "\n" GIT "\n1000.5\n");
    assert_false(reel_local_noted(&l, "sub/a.txt", commit, etag));  /* the file is newer */
    put(test_path(dir, ".cache/huggingface/download/sub/a.txt.metadata"), COMMIT "\n../evil\n99999999999.5\n");
    assert_false(reel_local_noted(&l, "sub/a.txt", commit, etag));
    char *name = reel_local_partial_name("sub/a.txt", GIT);  /* base64 of SHA-1("a.txt.metadata") */
    assert_string_equal(name, "download/sub/cExJ8iHBe1Fn7eB3I6UvtuxO9VE=." GIT ".reel.incomplete");
    reel_free(name);
    reel_local_close(&l);
    test_remove_folder(dir);
}

static void stored_tokens(void **state)
{
    (void)state;
    char *ini = reel_token_merged("", "one", "hf_1");
    assert_string_equal(ini, "[one]\nhf_token = hf_1\n\n");
    char *two = reel_token_merged("[web]\nhf_token = hf_w\nexpires_at = 5\n[one]\nhf_token = old\nx = y", "one", "hf_2");
    assert_string_equal(two, "[web]\nhf_token = hf_w\nexpires_at = 5\n[one]\nhf_token = hf_2\n\n");
    assert_int_equal(reel_token_expires(two, "hf_w"), 5);
    assert_int_equal(reel_token_expires(two, "hf_2"), 0);
    assert_int_equal(reel_token_expires("[a]\nexpires_at=7\nhf_token=t\n", "t"), 7);
    reel_free(ini);
    reel_free(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cache_keeps_what_it_is_told), cmocka_unit_test(planted_links_lead_nowhere), cmocka_unit_test(listings),
        cmocka_unit_test(notes_of_a_folder), cmocka_unit_test(stored_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
