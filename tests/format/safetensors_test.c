#include "../test.h"

#include "base/dtype.h"
#include "base/mem.h"
#include "base/text.h"
#include "format/safetensors.h"
#include "format/weights.h"

/* --- headers that must be refused, each with its own words --- */

typedef struct bad_header { const char *header; uint64_t data; const char *word; } bad_header;

static const bad_header bad_headers[] = {
    {"[1,2,3]", 0, "object"},
    {" {}", 0, "object"},
    {"{", 0, "too short"},
    {"{'a': 1}", 0, "not JSON"},
    {"{\"a\":1}", 0, "not JSON"},
    {"{} x", 0, "not JSON"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},}", 4, "a name in quotes"},
    {"{\"a\":{},}", 0, "dtype"},
    {"{\"a\" {}}", 0, "':'"},
    {"{}\t", 0, "blanks"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}", 4, "'}'"},
    {"{\"\xff\xfe\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "UTF-8"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":"
     "[4,8]}}", 8, "duplicate"},
    {"{\"a\":{\"dtype\":\"F33\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "F33"},
    {"{\"a\":{\"dtype\":\"f32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype"},
    {"{\"a\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype"},
    {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "missing"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "shape"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "data_offsets"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 4, "data_offsets"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, "before"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", 4, "whole numbers from 0"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, "beyond"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 12, "trailing"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":"
     "[4,12]}}", 12, "overlap"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":"
     "[8,12]}}", 12, "hole"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "hole"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0, "overflow"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}}", 0, "overflow"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,0],\"data_offsets\":[0,0]}}", 0, "overflow"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "negative"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}", 4, "whole"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4, "whole"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[\"1\"],\"data_offsets\":[0,4]}}", 4, "whole"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "needs 8 bytes"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, "dimensions"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "strings"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "twice"},
    {"{\"a\\u0000b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "JSON"},
    {"{\"a\\u001b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "\\x1b"},
    {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "duplicate"},
};

static void every_rule_has_its_message(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_headers / sizeof *bad_headers; i++) {
        const bad_header *b = &bad_headers[i];
        reel_tensors st;
        reel_error err = {0};
        reel_status status = reel_st_parse(b->header, strlen(b->header), b->data, "x.safetensors", &st, &err);
        if (status == REEL_OK || strstr(err.message, b->word) == NULL || strstr(err.message, "x.safetensors") == NULL)
            fail_msg("%s gave status %d: %s", b->header, status, err.message);
        assert_null(st.tensor);
    }
}

static void good_headers_pass(void **state)
{
    (void)state;
    static const struct { const char *header; uint64_t data; size_t tensors; } good[] = {
        {"{}", 0, 0},
        {"{}      ", 0, 0},
        {"{\"__metadata__\":{\"format\":\"pt\"}}", 0, 0},
        {"{ \"b\" : {\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]} ,\n\"a\":{\"data_offsets\":[4,6],\"shape\":[1,2],"
         "\"dtype\":\"U8\"}}", 6, 2},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[0,0]},\"b\":{\"dtype\":\"I8\",\"shape\":[0],"
         "\"data_offsets\":[0,0]}}", 0, 2},
        {"{\"a\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[0,1],\"more\":{\"x\":[true]}}}", 1, 1},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        reel_tensors st;
        reel_error err = {0};
        if (reel_st_parse(good[i].header, strlen(good[i].header), good[i].data, "x", &st, &err) != REEL_OK)
            fail_msg("%s: %s", good[i].header, err.message);
        assert_int_equal(st.n, good[i].tensors);
        for (size_t t = 1; t < st.n; t++)
            assert_true(strcmp(st.tensor[t - 1].name, st.tensor[t].name) < 0);
        reel_tensors_close(&st);
    }
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    enum { DEEP = 200000 };
    static const char *const before[] = {"{\"a\":", "{\"__metadata__\":{\"x\":", "{\"a\":{\"dtype\":"};
    for (size_t i = 0; i < 3; i++) {
        reel_text t = {0};
        reel_tensors st;
        reel_error err = {0};
        reel_text_puts(&t, before[i]);
        for (int d = 0; d < DEEP; d++)
            reel_text_puts(&t, "[");
        assert_int_equal(reel_st_parse(t.s, t.len, 0, "x", &st, &err), REEL_ERR_LIMIT);
        assert_non_null(strstr(err.message, "depth"));
        reel_text_free(&t);
    }
}

/* --- files --- */

static char *dir;

static int setup(void **state) { (void)state; dir = test_folder(); return 0; }
static int teardown(void **state) { (void)state; test_remove_folder(dir); return 0; }

static const char *in_dir(const char *name) { return test_path(dir, name); }

static void put(const char *name, const void *data, size_t n)
{
    assert_int_equal(reel_file_write(in_dir(name), data, n, NULL), REEL_OK);
}

static void files_of_false_length(void **state)
{
    (void)state;
    static const struct { const char *bytes; size_t n; const char *word; } bad[] = {
        {"", 0, "empty"}, {"\x10\0\0\0\0\0\0", 7, "short"}, {"\x80\x96\x98\0\0\0\0\0{}", 10, "beyond"},
        {"\0\0\0\0\0\0\0\x80{}", 10, "large"}, {"\xff\xff\xff\xff\xff\xff\xff\xff{}", 10, "large"},
        {"\x01\xe1\xf5\x05\0\0\0\0{}", 10, "large"}, {"\0\0\0\0\0\0\0\0", 8, "too short"},
        {"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", 62, "Git LFS pointer"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        reel_tensors st;
        reel_error err = {0};
        put("bad.safetensors", bad[i].bytes, bad[i].n);
        assert_int_not_equal(reel_st_open(in_dir("bad.safetensors"), &st, &err), REEL_OK);
        if (strstr(err.message, bad[i].word) == NULL || strstr(err.message, "bad.safetensors") == NULL)
            fail_msg("case %zu: %s", i, err.message);
    }
}

/* The reference library wrote this file, with one tensor or more of each type. */
static void bytes_equal_the_reference(void **state)
{
    (void)state;
    char path[600], *want, *got;
    size_t n_want, n_got;
    reel_tensors st;
    snprintf(path, sizeof path, "%s/tests/golden/dtypes.safetensors", getenv("REEL_SOURCE"));
    assert_int_equal(reel_file_read(path, 1 << 20, &want, &n_want, NULL), REEL_OK);
    assert_int_equal(reel_st_open(path, &st, NULL), REEL_OK);
    assert_string_equal(reel_tensors_metadata(&st, "format"), "pt");
    reel_st_entry *entry = calloc(st.n, sizeof *entry);
    for (size_t i = 0; i < st.n; i++) {  /* in reverse order, so that the writer has something to sort */
        const reel_tensor *t = &st.tensor[st.n - 1 - i];
        entry[i] = (reel_st_entry){t->name, t->dtype, t->shape, t->data};
    }
    assert_int_equal(reel_st_write(in_dir("again.safetensors"), entry, st.n, NULL, 0, NULL), REEL_OK);
    assert_int_equal(reel_file_read(in_dir("again.safetensors"), 1 << 20, &got, &n_got, NULL), REEL_OK);
    assert_int_equal(n_got, n_want);
    assert_memory_equal(got, want, n_want);
    free(entry);
    reel_free(want);
    reel_free(got);
    reel_tensors_close(&st);
}

static void metadata_and_values_come_back(void **state)
{
    (void)state;
    static const char *const meta[] = {"id2label", "{\"0\": \"a\\b\"}\n", "transform", "eval"};
    const float x[3] = {1.5f, -2, 3};
    const int64_t y[2] = {-100, 7};
    const reel_st_entry entry[] = {{"x", REEL_F32, {2, {3, 1}}, x}, {"y", REEL_I64, {1, {2}}, y}};
    reel_tensors st;
    assert_int_equal(reel_st_write(in_dir("m.safetensors"), entry, 2, meta, 2, NULL), REEL_OK);
    assert_int_equal(reel_st_open(in_dir("m.safetensors"), &st, NULL), REEL_OK);
    assert_string_equal(reel_tensors_metadata(&st, "id2label"), meta[1]);
    assert_string_equal(reel_tensors_metadata(&st, "format"), "pt");
    assert_null(reel_tensors_metadata(&st, "none"));
    assert_memory_equal(reel_tensors_find(&st, "x")->data, x, sizeof x);
    assert_memory_equal(reel_tensors_find(&st, "y")->data, y, sizeof y);
    assert_int_equal(reel_tensors_find(&st, "y")->offset, 0);  /* larger elements first */
    assert_null(reel_tensors_find(&st, "z"));
    reel_tensors_close(&st);
}

static void writing_refuses_what_it_cannot(void **state)
{
    (void)state;
    const float x[1] = {1};
    const reel_st_entry twice[] = {{"x", REEL_F32, {1, {1}}, x}, {"x", REEL_F32, {1, {1}}, x}};
    const reel_st_entry huge[] = {{"x", REEL_F32, {2, {INT64_MAX, INT64_MAX}}, x}};
    reel_error err = {0};
    assert_int_equal(reel_st_write(in_dir("t"), twice, 2, NULL, 0, &err), REEL_ERR_ARG);
    assert_int_equal(reel_st_write(in_dir("t"), huge, 1, NULL, 0, &err), REEL_ERR_ARG);
    assert_int_equal(reel_st_write(in_dir("no/such/folder/t"), twice, 1, NULL, 0, &err), REEL_ERR_IO);
    assert_false(reel_exists(in_dir("t")));
    size_t order[1];
    reel_st_writer w;
    assert_int_equal(reel_st_write_begin(&w, in_dir("t"), twice, 1, NULL, 0, order, &err), REEL_OK);
    assert_int_equal(reel_st_write_commit(&w, &err), REEL_ERR_ARG);  /* no data was written */
    assert_false(reel_exists(in_dir("t")));
}

/* --- shards --- */

static void write_shards(void)
{
    const float x[2] = {1, 2};
    const reel_st_entry one[] = {{"b", REEL_F32, {1, {2}}, x}}, two[] = {{"a", REEL_F32, {1, {1}}, x}, {"c", REEL_F32, {1, {2}}, x}};
    assert_int_equal(reel_st_write(in_dir("one.safetensors"), one, 1, NULL, 0, NULL), REEL_OK);
    assert_int_equal(reel_st_write(in_dir("two.safetensors"), two, 2, NULL, 0, NULL), REEL_OK);
}

static reel_status open_index(const char *map, reel_tensors *st, reel_error *err)
{
    char text[600];
    snprintf(text, sizeof text, "{\"metadata\":{\"total_size\":1},\"weight_map\":%s}", map);
    put("model.safetensors.index.json", text, strlen(text));
    return reel_weights_open(dir, st, err);
}

static void shards_are_one(void **state)
{
    (void)state;
    reel_tensors st;
    reel_error err = {0};
    unlink(in_dir("model.safetensors"));
    write_shards();
    if (open_index("{\"c\":\"two.safetensors\",\"b\":\"one.safetensors\",\"a\":\"two.safetensors\"}", &st, &err) != REEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(st.n, 3);
    assert_string_equal(st.tensor[0].name, "a");
    assert_string_equal(st.tensor[2].name, "c");
    assert_int_equal(st.maps, 2);
    reel_tensors_close(&st);
}

/* Shards of which the map names a part, in folders below, by links; names that are nowhere are told to the model. */
static void shards_in_other_places(void **state)
{
    (void)state;
    static const char *const maps[] = {
        "{\"b\":\"one.safetensors\",\"c\":\"two.safetensors\"}", "{\"b\":\"one.safetensors\",\"x\":\"two.safetensors\"}",
        "{\"a\":\"sub/deep/two.safetensors\",\"b\":\"link.safetensors\",\"y\":\"link.safetensors\"}",
        "{\"a\":\"in/two.safetensors\",\"b\":\"one.safetensors\"}",
    };
    static const char *const absent[] = {NULL, "x", "y", NULL};
    char from[600];
    write_shards();
    assert_int_equal(reel_dir_make(in_dir("sub/deep"), NULL), REEL_OK);
    snprintf(from, sizeof from, "%s", in_dir("two.safetensors"));
    assert_int_equal(link(from, in_dir("sub/deep/two.safetensors")), 0);
    assert_int_equal(symlink("one.safetensors", in_dir("link.safetensors")), 0);  /* as the Hub's cache has them */
    assert_int_equal(symlink("sub/deep", in_dir("in")), 0);
    for (size_t i = 0; i < 4; i++) {
        reel_tensors st;
        reel_error err = {0};
        if (open_index(maps[i], &st, &err) != REEL_OK)
            fail_msg("%s", err.message);
        assert_int_equal(st.n, 3);
        assert_string_equal(st.tensor[1].name, "b");
        assert_int_equal(st.absents, absent[i] != NULL);
        if (absent[i] != NULL)
            assert_string_equal(st.absent[0], absent[i]);
        reel_tensors_close(&st);
    }
    unlink(in_dir("link.safetensors"));
    unlink(in_dir("in"));
    assert_int_equal(reel_dir_remove(in_dir("sub"), NULL), REEL_OK);
}

/* A shard of one tensor of one number, without the syncs of a real writer. */
static void write_small_shard(const char *name, const char *tensor)
{
    char header[200];
    const float x = 1;
    const int n = snprintf(header, sizeof header, "{\"%s\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", tensor);
    const uint64_t length = (uint64_t)n;
    FILE *f = fopen(in_dir(name), "wb");
    assert_non_null(f);
    fwrite(&length, sizeof length, 1, f);
    fwrite(header, 1, (size_t)n, f);
    fwrite(&x, sizeof x, 1, f);
    assert_int_equal(fclose(f), 0);
}

/* More shards than any model has, in no order; and one more than may be. */
static void many_shards(void **state)
{
    (void)state;
    enum { MANY = 1500 };
    reel_text map = {0};
    reel_tensors st;
    reel_error err = {0};
    char name[40], tensor[40];
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "s%d.safetensors", i * 7 % MANY);
        snprintf(tensor, sizeof tensor, "t%d", i);
        write_small_shard(name, tensor);
        reel_text_printf(&map, "%s\"%s\":\"%s\"", i > 0 ? "," : "{\"weight_map\":{", tensor, name);
    }
    reel_text_puts(&map, "}}");
    put("model.safetensors.index.json", map.s, map.len);
    if (reel_weights_open(dir, &st, &err) != REEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(st.n, MANY);
    assert_int_equal(st.maps, MANY);
    reel_tensors_close(&st);
    map.len = 0;
    for (int i = 0; i <= REEL_WEIGHTS_SHARDS; i++)
        reel_text_printf(&map, "%s\"t%d\":\"s%d.safetensors\"", i > 0 ? "," : "{\"weight_map\":{", i, i);
    reel_text_puts(&map, "}}");
    put("model.safetensors.index.json", map.s, map.len);
    assert_int_equal(reel_weights_open(dir, &st, &err), REEL_ERR_LIMIT);
    assert_non_null(strstr(err.message, "10001 shards, the limit is 10000"));
    reel_text_free(&map);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "s%d.safetensors", i);
        unlink(in_dir(name));
    }
}

static void bad_indexes(void **state)
{
    (void)state;
    static const struct { const char *map, *word; } bad[] = {
        {"[1,2]", "weight_map"}, {"{}", "weight_map"}, {"{\"a\":1}", "the shard value is not the name"},
        {"{\"a\":\"../two.safetensors\"}", "in the folder or below"}, {"{\"a\":\"/etc/passwd\"}", "or below"},
        {"{\"a\":\"..\"}", "or below"},
        {"{\"a\":\"\"}", "or below"}, {"{\"a\":\"x\\u001b\"}", "or below"}, {"{\"a\":\"x/../two.safetensors\"}", "or below"},
        {"{\"a\":\"./two.safetensors\"}", "or below"}, {"{\"a\":\"x//two.safetensors\"}", "or below"}, {"{\"a\":\"x/\"}", "or below"},
        {"{\"a\":\"none/two.safetensors\"}", "none/two.safetensors: no such file"}, {"{\"a\":\"out/two.safetensors\"}", "leads out"},
        {"{\"a\":\"three.safetensors\"}", "three.safetensors"},
        {"{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\"}", "tensor a is not in one.safetensors, where the index says"},
        {"{\"x\":\"three.safetensors\",\"a\":\"two.safetensors\"}", "three.safetensors"},
        {"{\"a\":\"copy.safetensors\",\"c\":\"two.safetensors\"}", "twice"},
    };
    write_shards();
    char *data;
    size_t n;
    assert_int_equal(reel_file_read(in_dir("two.safetensors"), 1 << 20, &data, &n, NULL), REEL_OK);
    put("copy.safetensors", data, n);
    reel_free(data);
    assert_int_equal(symlink("..", in_dir("out")), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        reel_tensors st;
        reel_error err = {0};
        if (open_index(bad[i].map, &st, &err) == REEL_OK || strstr(err.message, bad[i].word) == NULL)
            fail_msg("%s: %s", bad[i].map, err.message);
        assert_null(st.tensor);
    }
    unlink(in_dir("out"));
    unlink(in_dir("model.safetensors.index.json"));
    reel_tensors st;
    reel_error err = {0};
    assert_int_equal(reel_weights_open(dir, &st, &err), REEL_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "model.safetensors"));
}

/* Every allocation fails once: no leak (sanitizers), no half result. */
static void no_memory(void **state)
{
    (void)state;
    reel_tensors st;
    write_shards();
    assert_int_equal(open_index("{\"c\":\"two.safetensors\",\"b\":\"one.safetensors\",\"none\":\"one.safetensors\"}", &st, NULL), REEL_OK);
    reel_tensors_close(&st);
    for (long k = 1;; k++) {
        reel_error err = {0};
        reel_mem_fail_at(k, false);
        reel_status status = reel_weights_open(dir, &st, &err);
        reel_mem_fail_at(0, false);
        if (status == REEL_OK)
            break;
        assert_int_equal(status, REEL_ERR_NOMEM);
        assert_null(st.tensor);
        assert_true(err.message[0] != '\0');
        assert_true(k < 1000);
    }
    reel_tensors_close(&st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_has_its_message), cmocka_unit_test(good_headers_pass),
        cmocka_unit_test(deep_nesting_is_refused), cmocka_unit_test(files_of_false_length),
        cmocka_unit_test(bytes_equal_the_reference), cmocka_unit_test(metadata_and_values_come_back),
        cmocka_unit_test(writing_refuses_what_it_cannot), cmocka_unit_test(shards_are_one),
        cmocka_unit_test(shards_in_other_places), cmocka_unit_test(many_shards),
        cmocka_unit_test(bad_indexes), cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests_name("safetensors", tests, setup, teardown);
}
