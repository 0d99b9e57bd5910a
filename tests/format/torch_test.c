/* Files of torch.save: real ones of an old and a current version, and every way in which zip, records and tensors may disagree. */
#include "../test.h"

#include "base/mem.h"
#include "format/torch.h"
#include "format/weights.h"
#include "format/zip.h"

#include "torch_made.h"

static char *dir;

static int setup(void **state) { (void)state; dir = test_folder(); return 0; }
static int teardown(void **state) { (void)state; test_remove_folder(dir); return 0; }

static char *golden(const char *name)
{
    char part[100];
    snprintf(part, sizeof part, "tests/golden/forms/%s", name);
    return test_path(getenv("REEL_SOURCE"), part);
}

static reel_status read_bytes(const void *data, size_t n, reel_tensors *out, reel_error *err)
{
    uint8_t *copy = malloc(n > 0 ? n : 1);  /* of the very size, so that sanitizers see a byte read too many */
    memcpy(copy, data, n);
    reel_status status = reel_torch_read(copy, n, "x.bin", out, err);
    if (status != REEL_OK)
        assert_null(out->tensor);
    unsigned sum = 0;
    for (size_t i = 0; i < out->n; i++)  /* all that it points to is there */
        for (uint64_t b = 0; b < out->tensor[i].bytes; b++)
            sum += out->tensor[i].data[b];
    assert_true(sum < UINT32_MAX);
    free(copy);
    return status;
}

static void refused(const void *data, size_t n, const char *word)
{
    reel_tensors t;
    reel_error err = {0};
    reel_status status = read_bytes(data, n, &t, &err);
    if (status == REEL_OK || strstr(err.message, word) == NULL || strstr(err.message, "x.bin") == NULL)
        fail_msg("wanted '%s', got status %d: %s", word, status, err.message);
}

/* --- real files --- */

static void same_tensors(const reel_tensors *got, const reel_tensors *want)
{
    assert_int_equal(got->n, want->n);
    for (size_t i = 0; i < want->n; i++) {
        const reel_tensor *w = &want->tensor[i], *g = reel_tensors_find(got, w->name);
        if (g == NULL || g->dtype != w->dtype || !reel_shape_equal(&g->shape, &w->shape) || g->bytes != w->bytes ||
            (w->bytes > 0 && memcmp(g->data, w->data, w->bytes) != 0))
            fail_msg("tensor %s differs", w->name);
    }
}

static void files_of_two_versions(void **state)
{
    (void)state;
    static const char *const files[] = {"state-1.13.1.bin", "state-2.15.0.bin"};
    reel_tensors want, got;
    reel_error err = {0};
    assert_int_equal(reel_st_open(golden("values.safetensors"), &want, &err), REEL_OK);
    assert_int_equal(want.n, 22);
    for (size_t i = 0; i < 2; i++) {
        if (reel_torch_open(golden(files[i]), &got, &err) != REEL_OK)
            fail_msg("%s", err.message);
        same_tensors(&got, &want);
        assert_non_null(strstr(got.path, files[i]));
        assert_int_equal(got.copies, 3);  /* turned, permuted, stepped: all others lie in the mapped file */
        size_t in_place = 0;
        for (size_t t = 0; t < got.n; t++)
            in_place += got.tensor[t].data >= got.map[0].data && got.tensor[t].data + got.tensor[t].bytes <= got.map[0].data + got.map[0].n;
        assert_int_equal(in_place, 19);
        assert_ptr_equal(reel_tensors_find(&got, "tied.a")->data, reel_tensors_find(&got, "tied.b")->data);
        reel_tensors_close(&got);
    }
    reel_tensors_close(&want);
}

static void a_training_file(void **state)
{
    (void)state;
    reel_tensors t;
    reel_error err = {0};
    if (reel_torch_open(golden("nested.bin"), &t, &err) != REEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(t.n, 1);
    assert_string_equal(t.tensor[0].name, "module.weight");
    assert_int_equal(t.tensor[0].shape.dim[1], 3);
    reel_tensors_close(&t);
}

static void other_forms_get_advice(void **state)
{
    (void)state;
    reel_tensors t;
    reel_error err = {0};
    char tar[600] = "x";
    memcpy(tar + 257, "ustar", 5);
    assert_int_equal(reel_torch_open(golden("legacy.bin"), &t, &err), REEL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "before version 1.6"));
    assert_non_null(strstr(err.message, "torch.load"));
    assert_non_null(strstr(err.message, "save_file"));
    for (char protocol = 2; protocol <= 5; protocol++) {  /* from 4 on torch.load reads them with weights_only=False alone */
        static const char number[] = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
        for (int framed = 0; framed < 2; framed++) {
            char file[40] = {(char)0x80, protocol, (char)0x95, 13};
            memcpy(file + (framed ? 11 : 2), number, sizeof number);
            const size_t n = (framed ? 11 : 2) + sizeof number - 1;
            refused(file, n, "before version 1.6 (a row of pickles");
            refused(file, n, protocol < 4 ? "weights_only=True" : "weights_only=False");
            refused(file, n - 1, "not a file of torch.save");
        }
    }
    refused("\x80\x02\x95", 3, "not a file of torch.save");
    refused("\x80\x06\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15, "not a file of torch.save");
    refused(tar, sizeof tar, "a tar file");
    refused("", 0, "empty");
    refused("hello", 5, "not a file of torch.save");
    refused("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", 50, "Git LFS pointer");
    refused("PK\x03\x04", 4, "truncated? Fetch");
    refused("PK\x05\x06\1\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22, "disks. Fetch");
    refused("PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22, "data.pkl is missing");
}

/* --- zips --- */

static const float numbers[6] = {1, 2, 3, 4, 5, 6};
static const pk_tensor weight = {"w", "FloatStorage", "0", 6, 0, 2, {2, 3}, {3, 1}};

/* A good file, its parts as given; other_n further parts replace or follow. */
static void make_with(reel_text *z, const pk_tensor *t, size_t n, const zip_part *other, size_t other_n, int flags)
{
    reel_text pickle = {0};
    zip_part part[16] = {{0}};
    pk_state(&pickle, t, n);
    part[0] = (zip_part){"top/data.pkl", pickle.s, pickle.len};
    part[1] = (zip_part){"top/data/0", numbers, sizeof numbers};
    part[2] = (zip_part){"top/byteorder", "little", 6};
    size_t parts = 3;
    for (size_t i = 0; i < other_n; i++) {
        size_t at = 0;
        while (at < parts && (other[i].data == NULL || strcmp(part[at].name, other[i].name) != 0))
            at++;
        part[at] = other[i];
        parts += at == parts;
    }
    zip_make(z, part, parts, flags);
    reel_text_free(&pickle);
}

static void zips_of_each_form(void **state)
{
    (void)state;
    static const int flags[] = {0, ZIP_DESCRIPTORS, ZIP_64, ZIP_END64, ZIP_DESCRIPTORS | ZIP_END64, ZIP_DESCRIPTORS | ZIP_64};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        reel_text z = {0};
        reel_tensors t;
        reel_error err = {0};
        make_with(&z, &weight, 1, NULL, 0, flags[i]);
        if (reel_torch_read((const uint8_t *)z.s, z.len, "x.bin", &t, &err) != REEL_OK)
            fail_msg("form %d: %s", flags[i], err.message);
        assert_int_equal(t.n, 1);
        assert_memory_equal(t.tensor[0].data, numbers, sizeof numbers);
        reel_tensors_close(&t);
        reel_text_free(&z);
    }
}

static void put_number(char *at, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (char)(v >> 8 * i);
}

/* The n-th place of a signature. */
static char *find(const reel_text *z, const char *signature, int n)
{
    for (size_t i = 0; i + 4 <= z->len; i++)
        if (memcmp(z->s + i, signature, 4) == 0 && n-- == 0)
            return z->s + i;
    fail_msg("no signature");
    return NULL;
}

/* Each field of the directory, changed: which record, which byte of it, how many, to what. */
static void every_field_of_a_zip_is_checked(void **state)
{
    (void)state;
    static const char central[] = "PK\x01\x02", local[] = "PK\x03\x04", end[] = "PK\x05\x06", end64[] = "PK\x06\x06", locator[] = "PK\x06\x07";
    static const struct { const char *signature; int n; size_t at, bytes; uint64_t value; const char *word; } bad[] = {
        {end, 0, 4, 2, 1, "several disks"}, {end, 0, 6, 2, 1, "several disks"}, {end, 0, 8, 2, 2, "several disks"},
        {end, 0, 10, 2, 2, "several disks"}, {end, 0, 12, 4, 5, "contradict"}, {end, 0, 16, 4, 5, "contradict"}, {end, 0, 20, 2, 1, "truncated"},
        {end, 0, 0, 1, 'X', "truncated"},
        {end64, 0, 0, 1, 'X', "zip64 record"}, {end64, 0, 4, 8, 0, "zip64 record"}, {end64, 0, 4, 8, 45, "zip64 record"},
        {end64, 0, 16, 4, 1, "several disks"}, {end64, 0, 20, 4, 1, "several disks"}, {end64, 0, 24, 8, 2, "several disks"},
        {end64, 0, 40, 8, UINT64_MAX, "outside the file"}, {end64, 0, 40, 8, 5, "contradict"}, {end64, 0, 48, 8, 5, "contradict"},
        {locator, 0, 4, 4, 1, "several disks"}, {locator, 0, 8, 8, UINT64_MAX, "outside the file"}, {locator, 0, 8, 8, 3, "zip64 record"},
        {locator, 0, 16, 4, 2, "several disks"},
        {central, 0, 0, 1, 'X', "directory is missing"}, {central, 0, 8, 2, 1, "encrypted"},
        {central, 0, 10, 2, 8, "another name or method"},
        {central, 1, 20, 4, 23, "two sizes"}, {central, 1, 24, 4, 23, "two sizes"}, {central, 2, 28, 2, 60000, "goes beyond its end"},
        {central, 0, 28, 2, 0, "no name"}, {central, 2, 30, 2, 60000, "goes beyond its end"}, {central, 2, 32, 2, 60000, "goes beyond its end"},
        {central, 0, 34, 2, 1, "several disks"}, {central, 1, 42, 4, 0, "another name or method"}, {central, 1, 42, 4, 0x7FFFFFFF, "not where"},
        {central, 1, 42, 4, 1, "not where"}, {central, 1, 46, 1, 'X', "another name or method"},
        {local, 1, 0, 1, 'X', "not where"}, {local, 1, 8, 2, 8, "another name or method"}, {local, 1, 18, 4, 23, "another size"},
        {local, 1, 22, 4, 23, "another size"}, {local, 1, 26, 2, 9, "another name or method"}, {local, 1, 28, 2, 60000, "beyond the file"},
        {local, 1, 30, 1, 'X', "another name or method"}, {local, 1, 28, 2, 60, "overlaps"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        reel_text z = {0};
        make_with(&z, &weight, 1, NULL, 0, ZIP_END64);
        put_number(find(&z, bad[i].signature, bad[i].n) + bad[i].at, bad[i].value, bad[i].bytes);
        refused(z.s, z.len, bad[i].word);
        reel_text_free(&z);
    }
}

/* Without the zip64 record nothing else says where the directory is. */
static void the_directory_ends_at_the_end(void **state)
{
    (void)state;
    for (size_t at = 12; at <= 16; at += 4) {
        reel_text z = {0};
        make_with(&z, &weight, 1, NULL, 0, 0);
        char *field = find(&z, "PK\x05\x06", 0) + at;
        uint32_t was;
        memcpy(&was, field, sizeof was);
        put_number(field, was - 1, 4);
        refused(z.s, z.len, "directory is not where");
        reel_text_free(&z);
    }
}

static void zip64_fields_are_checked(void **state)
{
    (void)state;
    static const struct { size_t at, bytes; uint64_t value; const char *word; } bad[] = {  /* from the name's end of "top/data/0" */
        {2, 2, 16, "too short"}, {2, 2, 400, "beyond its entry"}, {0, 2, 2, "two sizes"}, {4, 8, 23, "two sizes"}, {12, 8, UINT64_MAX, "two sizes"},
        {20, 8, UINT64_MAX, "not where"}, {20, 8, 1, "not where"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        reel_text z = {0};
        make_with(&z, &weight, 1, NULL, 0, ZIP_64);
        put_number(find(&z, "PK\x01\x02", 1) + 46 + strlen("top/data/0") + bad[i].at, bad[i].value, bad[i].bytes);
        if (bad[i].at == 0) {  /* another field: the sizes stay all ones, as large as no file is */
            refused(z.s, z.len, "not where");
            reel_text_free(&z);
            continue;
        }
        refused(z.s, z.len, bad[i].word);
        reel_text_free(&z);
    }
    reel_text z = {0};
    make_with(&z, &weight, 1, NULL, 0, ZIP_64);
    char *sizes = find(&z, "PK\x01\x02", 1) + 46 + strlen("top/data/0");
    put_number(sizes + 4, UINT64_MAX - 1, 8);
    put_number(sizes + 12, UINT64_MAX - 1, 8);
    refused(z.s, z.len, "beyond the end of the data");
    reel_text_free(&z);
}

static void compressed_entries(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        reel_text z = {0};
        make_with(&z, &weight, 1, NULL, 0, 0);
        put_number(find(&z, "PK\x01\x02", i) + 10, 8, 2);
        put_number(find(&z, "PK\x03\x04", i) + 8, 8, 2);
        refused(z.s, z.len, "is compressed (method 8)");
        reel_text_free(&z);
    }
    /* such an entry has another size in the file than unpacked, and must still lie where it says */
    reel_text z = {0};
    make_with(&z, &weight, 1, NULL, 0, 0);
    char *central = find(&z, "PK\x01\x02", 1), *local = find(&z, "PK\x03\x04", 1);
    put_number(central + 10, 8, 2);
    put_number(local + 8, 8, 2);
    put_number(central + 24, 100, 4);
    put_number(local + 22, 100, 4);
    refused(z.s, z.len, "entry top/data/0 is compressed");
    put_number(central + 20, 1000000, 4);
    refused(z.s, z.len, "beyond the end of the data");
    put_number(central + 20, 30, 4);
    put_number(local + 18, 30, 4);
    refused(z.s, z.len, "overlaps");
    reel_text_free(&z);
}

/* torch.jit.save packs its code; what it is counts, not that it is packed. */
static void scripted_modules(void **state)
{
    (void)state;
    static const struct { zip_part other; bool script; } parts[] = {
        {{"top/constants.pkl", "\x80\x02}.", 4}, true}, {{"top/code/__torch__/m.py", "x = 1", 5}, true},
        {{"top/codes", "x", 1}, false}, {{"code/a.py", "x", 1}, false}, {{"top/constants.pk", "x", 1}, false},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (int packed = 0; packed < 2; packed++) {
            reel_text z = {0};
            reel_tensors t;
            reel_error err = {0};
            make_with(&z, &weight, 1, &parts[i].other, 1, 0);
            if (packed) {
                put_number(find(&z, "PK\x01\x02", 3) + 10, 8, 2);
                put_number(find(&z, "PK\x03\x04", 3) + 8, 8, 2);
            }
            if (parts[i].script || packed)
                refused(z.s, z.len, parts[i].script ? "scripted module (TorchScript)" : "is compressed");
            else if (read_bytes(z.s, z.len, &t, &err) != REEL_OK)
                fail_msg("%s: %s", parts[i].other.name, err.message);
            else
                reel_tensors_close(&t);
            reel_text_free(&z);
        }
}

static void names_and_records(void **state)
{
    (void)state;
    static const struct { zip_part other; const char *word; } bad[] = {
        {{"top/byteorder", "big", 3}, "not little"}, {{"top/byteorder", "", 0}, "not little"}, {{"top/byteorder", "little ", 7}, "not little"},
        {{"two/data.pkl", "\x80\x02}.", 4}, "two folders"}, {{"top/data/0", numbers, 20}, "has 20 bytes"},
        {{"top/data/0", numbers, 0}, "has 0 bytes"}, {{"top/data.pkl", "\x80\x02}..", 5}, "behind its end"},
        {{"top/version", NULL, 0}, NULL}, {{"a/b/data.pkl", "x", 1}, NULL}, {{"top/data/1", "x", 1}, NULL},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        reel_text z = {0};
        make_with(&z, &weight, 1, &bad[i].other, 1, ZIP_DESCRIPTORS);
        reel_tensors t;
        reel_error err = {0};
        if (bad[i].word != NULL)
            refused(z.s, z.len, bad[i].word);
        else if (read_bytes(z.s, z.len, &t, &err) != REEL_OK)
            fail_msg("%s: %s", bad[i].other.name, err.message);
        else
            reel_tensors_close(&t);
        reel_text_free(&z);
    }
    /* the same name twice; a pickle that is at the top or too deep; no folder's name */
    static const zip_part twice[] = {{"top/data.pkl", "\x80\x02}.", 4}, {"top/data.pkl", "\x80\x02}.", 4}}, top[] = {{"data.pkl", "\x80\x02}.", 4}},
        deep[] = {{"a/b/data.pkl", "\x80\x02}.", 4}}, bare[] = {{"/data.pkl", "\x80\x02}.", 4}};
    static const struct { const zip_part *part; size_t n; const char *word; } whole[] = {
        {twice, 2, "twice"}, {top, 1, "data.pkl is missing"}, {deep, 1, "data.pkl is missing"}, {bare, 1, "data.pkl is missing"},
    };
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        reel_text z = {0};
        zip_make(&z, whole[i].part, whole[i].n, 0);
        refused(z.s, z.len, whole[i].word);
        reel_text_free(&z);
    }
}

/* --- tensors --- */

static void views_that_do_not_fit(void **state)
{
    (void)state;
    static const int64_t huge = INT64_MAX;
    const struct { pk_tensor t; const char *word; } bad[] = {
        {{"w", "FloatStorage", "7", 6, 0, 1, {6}, {1}}, "record data/7"}, {{"w", "FloatStorage", "../../config.json", 6, 0, 1, {6}, {1}}, "missing in the zip"},
        {{"w", "FloatStorage", "", 6, 0, 1, {6}, {1}}, "missing in the zip"}, {{"w", "FloatStorage", "0", 5, 0, 1, {5}, {1}}, "size of 5 elements"},
        {{"w", "FloatStorage", "0", 7, 0, 1, {6}, {1}}, "size of 7 elements"}, {{"w", "DoubleStorage", "0", 6, 0, 1, {6}, {1}}, "6 elements of F64"},
        {{"w", "FloatStorage", "0", INT64_C(1) << 62, 0, 1, {6}, {1}}, "size of 4611686018427387904"},
        {{"w", "FloatStorage", "0", 6, 1, 2, {2, 3}, {3, 1}}, "outside its storage"}, {{"w", "FloatStorage", "0", 6, 1000000, 2, {2, 3}, {3, 1}}, "outside"},
        {{"w", "FloatStorage", "0", 6, huge, 2, {2, 3}, {3, 1}}, "outside"}, {{"w", "FloatStorage", "0", 6, 0, 2, {2, 3}, {4, 1}}, "outside"},
        {{"w", "FloatStorage", "0", 6, 0, 2, {2, 3}, {huge, 1}}, "outside"}, {{"w", "FloatStorage", "0", 6, 0, 2, {3, 3}, {huge, huge}}, "outside"},
        {{"w", "FloatStorage", "0", 6, 7, 1, {0}, {1}}, "outside"}, {{"w", "FloatStorage", "0", 6, 0, 2, {huge, huge}, {0, 0}}, "overflows"},
        {{"w", "FloatStorage", "0", 6, 0, 3, {huge, huge, 0}, {0, 0, 0}}, "overflow"}, {{"w", "FloatStorage", "0", 6, 0, 1, {7}, {0}}, "expanded"},
        {{"w", "FloatStorage", "0", 6, 0, 2, {1 << 20, 1 << 20}, {0, 0}}, "expanded"}, {{"w\x1b", "FloatStorage", "0", 6, 0, 1, {6}, {1}}, "control byte"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        reel_text z = {0};
        make_with(&z, &bad[i].t, 1, NULL, 0, ZIP_DESCRIPTORS);
        refused(z.s, z.len, bad[i].word);
        reel_text_free(&z);
    }
    const pk_tensor twice[] = {weight, {"v", "FloatStorage", "0", 6, 0, 1, {6}, {1}}, weight};
    reel_text z = {0};
    make_with(&z, twice, 3, NULL, 0, ZIP_DESCRIPTORS);
    refused(z.s, z.len, "duplicate");
    reel_text_free(&z);
}

static void views_come_as_rows(void **state)
{
    (void)state;
    static const struct { pk_tensor t; size_t n; float want[8]; size_t copies; } good[] = {
        {{"w", "FloatStorage", "0", 6, 0, 2, {2, 3}, {3, 1}}, 6, {1, 2, 3, 4, 5, 6}, 0},
        {{"w", "FloatStorage", "0", 6, 0, 2, {3, 2}, {1, 3}}, 6, {1, 4, 2, 5, 3, 6}, 1},
        {{"w", "FloatStorage", "0", 6, 1, 1, {3}, {2}}, 3, {2, 4, 6}, 1},
        {{"w", "FloatStorage", "0", 6, 2, 1, {3}, {1}}, 3, {3, 4, 5}, 0},
        {{"w", "FloatStorage", "0", 6, 5, 3, {1, 1, 1}, {INT64_MAX, 77, 0}}, 1, {6}, 0},  /* a dimension of one has no stride */
        {{"w", "FloatStorage", "0", 6, 4, 0, {0}, {0}}, 1, {5}, 0},
        {{"w", "FloatStorage", "0", 6, 6, 2, {0, 3}, {3, 1}}, 0, {0}, 0},
        {{"w", "FloatStorage", "0", 6, 0, 2, {2, 2}, {0, 5}}, 4, {1, 6, 1, 6}, 1},
        {{"w", "FloatStorage", "0", 6, 0, 3, {1, 3, 2}, {INT64_MAX, 2, 1}}, 6, {1, 2, 3, 4, 5, 6}, 0},
        {{"w", "FloatStorage", "0", 6, 1, 3, {2, 1, 2}, {1, INT64_MAX, 3}}, 4, {2, 5, 3, 6}, 1},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        reel_text z = {0};
        reel_tensors t;
        reel_error err = {0};
        make_with(&z, &good[i].t, 1, NULL, 0, ZIP_DESCRIPTORS);
        if (reel_torch_read((const uint8_t *)z.s, z.len, "x.bin", &t, &err) != REEL_OK)
            fail_msg("view %zu: %s", i, err.message);
        assert_int_equal(t.tensor[0].bytes, good[i].n * sizeof(float));
        assert_int_equal(t.copies, good[i].copies);
        if (good[i].n > 0)
            assert_memory_equal(t.tensor[0].data, good[i].want, good[i].n * sizeof(float));
        reel_tensors_close(&t);
        reel_text_free(&z);
    }
}

/* A tensor whose type is not its storage's: bytes without one, read by the tensor's. */
static void types_of_their_own(void **state)
{
    (void)state;
    static const uint16_t stored[5] = {1, 2, 3, 60000, 5};
    static const struct { const char *type; size_t bytes; int64_t told, offset; reel_dtype dtype; const char *word; } cases[] = {
        {"uint16", 10, 10, 2, REEL_U16, NULL}, {"uint16", 10, 10, 3, REEL_U16, "outside its storage"},
        {"uint32", 10, 10, 0, REEL_U32, "outside"},
        {"uint16", 10, 5, 0, REEL_U16, "size of 5 elements of U8"}, {"float8_e5m2", 9, 9, 6, REEL_F8_E5M2, NULL},
        {"uint16", 9, 9, 1, REEL_U16, NULL}, {"uint16", 9, 9, 2, REEL_U16, "outside"}, {"complex32", 10, 10, 0, REEL_C32, "outside"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static const int64_t three[] = {3}, one[] = {1};
        reel_text p = {0}, z = {0};
        reel_tensors t;
        reel_error err = {0};
        reel_text_puts(&p, "\x80\x02}");
        pk_text(&p, "n", 1);
        pk_global(&p, "torch._utils", "_rebuild_tensor_v3");
        reel_text_puts(&p, "((");
        pk_text(&p, "storage", 7);
        pk_global(&p, "torch.storage", "UntypedStorage");
        pk_text(&p, "0", 1);
        pk_text(&p, "cpu", 3);
        pk_int(&p, cases[i].told);
        reel_text_puts(&p, "tQ");
        pk_int(&p, cases[i].offset);
        pk_ints(&p, three, 1);
        pk_ints(&p, one, 1);
        reel_text_puts(&p, "\x89}");
        pk_global(&p, "torch", cases[i].type);
        reel_text_puts(&p, "tRs.");
        const zip_part part[] = {{"a/data.pkl", p.s, p.len}, {"a/data/0", stored, cases[i].bytes}};
        zip_make(&z, part, 2, ZIP_DESCRIPTORS);
        if (cases[i].word != NULL)
            refused(z.s, z.len, cases[i].word);
        else if (reel_torch_read((const uint8_t *)z.s, z.len, "x.bin", &t, &err) != REEL_OK)
            fail_msg("%s", err.message);
        else {
            assert_int_equal(t.tensor[0].dtype, cases[i].dtype);
            assert_int_equal(t.tensor[0].bytes, 3 * reel_dtype_size(cases[i].dtype));
            assert_memory_equal(t.tensor[0].data,
                (const char *)stored + (size_t)cases[i].offset * reel_dtype_size(cases[i].dtype), t.tensor[0].bytes);
            reel_tensors_close(&t);
        }
        reel_text_free(&p);
        reel_text_free(&z);
    }
}

/* Many names for one storage must not make a small file a large model. */
static void sharing_has_a_limit(void **state)
{
    (void)state;
    enum { FEW = 4, MANY = 900 };
    static pk_tensor t[MANY];
    static char name[MANY][8];
    static float block[4000];
    const zip_part large = {"top/data/0", block, sizeof block};
    for (int turned = 0; turned < 2; turned++)
        for (size_t n = FEW; n <= MANY; n += MANY - FEW) {
            reel_text z = {0};
            reel_tensors out;
            reel_error err = {0};
            for (size_t i = 0; i < n; i++) {
                snprintf(name[i], sizeof name[i], "%zu", i);
                t[i] = (pk_tensor){name[i], "FloatStorage", "0", 4000, 0, 2, {40, 100}, {100, 1}};
                if (turned)
                    t[i].stride[0] = 1, t[i].stride[1] = 40;
            }
            make_with(&z, t, turned && n == FEW ? 1 : n, &large, 1, ZIP_DESCRIPTORS);
            if (n == MANY)
                refused(z.s, z.len, "share storages");
            else if (read_bytes(z.s, z.len, &out, &err) != REEL_OK)
                fail_msg("%s", err.message);
            else
                reel_tensors_close(&out);
            reel_text_free(&z);
        }
}

/* A whole file cut at each byte, and with each bit changed in turn. */
static void cut_and_changed(void **state)
{
    (void)state;
    reel_text z = {0};
    reel_tensors t;
    reel_error err;
    const pk_tensor two[] = {weight, {"turned", "FloatStorage", "0", 6, 0, 2, {3, 2}, {1, 3}}};
    make_with(&z, two, 2, NULL, 0, ZIP_END64);
    for (size_t n = 0; n < z.len; n++)
        assert_int_not_equal(read_bytes(z.s, n, &t, &err), REEL_OK);
    for (size_t i = 0; i < z.len; i++)
        for (int bit = 0; bit < 8; bit++) {
            z.s[i] = (char)(z.s[i] ^ 1 << bit);
            if (read_bytes(z.s, z.len, &t, &err) == REEL_OK)
                reel_tensors_close(&t);
            z.s[i] = (char)(z.s[i] ^ 1 << bit);
        }
    reel_text_free(&z);
}

static void no_memory(void **state)
{
    (void)state;
    reel_tensors t;
    for (long k = 1;; k++) {
        reel_error err = {0};
        reel_mem_fail_at(k, false);
        reel_status status = reel_torch_open(golden("state-2.15.0.bin"), &t, &err);
        reel_mem_fail_at(0, false);
        if (status == REEL_OK)
            break;
        assert_int_equal(status, REEL_ERR_NOMEM);
        assert_null(t.tensor);
        assert_true(k < 1000);
    }
    reel_tensors_close(&t);
}

/* --- folders --- */

static void put(const char *name, const void *data, size_t n)
{
    assert_int_equal(reel_file_write(test_path(dir, name), data, n, NULL), REEL_OK);
}

static void put_bin(const char *file, const char *name, float value)
{
    reel_text z = {0};
    const reel_st_entry e = {name, REEL_F32, {1, {1}}, &value};
    torch_make(&z, &e, 1);
    put(file, z.s, z.len);
    reel_text_free(&z);
}

static void put_text(const char *name, const char *text) { put(name, text, strlen(text)); }

static void folder_has(const char *file, size_t n)
{
    reel_tensors t;
    reel_error err = {0};
    if (reel_weights_open(dir, &t, &err) != REEL_OK)
        fail_msg("%s", err.message);
    assert_string_equal(strrchr(t.path, '/') + 1, file);
    assert_int_equal(t.n, n);
    assert_int_equal(t.maps, n);
    reel_tensors_close(&t);
}

/* transformers' order. */
static void which_file_of_a_folder(void **state)
{
    (void)state;
    const float x = 1;
    const reel_st_entry a = {"a", REEL_F32, {1, {1}}, &x}, b = {"b", REEL_F32, {1, {1}}, &x};
    put_bin("pytorch_model-1.bin", "a", 1);
    put_bin("pytorch_model-2.bin", "b", 2);
    put_text("pytorch_model.bin.index.json", "{\"weight_map\": {\"a\": \"pytorch_model-1.bin\", \"b\": \"pytorch_model-2.bin\"}}");
    folder_has("pytorch_model.bin.index.json", 2);
    put_bin("pytorch_model.bin", "a", 3);
    folder_has("pytorch_model.bin", 1);
    assert_int_equal(reel_st_write(test_path(dir, "model-1.safetensors"), &a, 1, NULL, 0, NULL), REEL_OK);
    assert_int_equal(reel_st_write(test_path(dir, "model-2.safetensors"), &b, 1, NULL, 0, NULL), REEL_OK);
    put_text("model.safetensors.index.json", "{\"weight_map\": {\"a\": \"model-1.safetensors\", \"b\": \"model-2.safetensors\"}}");
    folder_has("model.safetensors.index.json", 2);
    assert_int_equal(reel_st_write(test_path(dir, "model.safetensors"), &a, 1, NULL, 0, NULL), REEL_OK);
    folder_has("model.safetensors", 1);
    unlink(test_path(dir, "model.safetensors"));
    unlink(test_path(dir, "model.safetensors.index.json"));
    unlink(test_path(dir, "pytorch_model.bin"));
}

static void bad_indexes(void **state)
{
    (void)state;
    static const struct { const char *map, *word; } bad[] = {
        {"{\"a\": \"../pytorch_model-1.bin\"}", "in the folder or below"}, {"{\"a\": \"/etc/passwd\"}", "or below"},
        {"{\"a\": \"pytorch_model-3.bin\"}", "no such file"},
        {"{\"a\": \"model-1.safetensors\"}", "not a file of torch.save"},
        {"{\"a\": \"pytorch_model-1.bin\", \"b\": \"copy.bin\"}", "twice"},
        {"{\"b\": \"pytorch_model-2.bin\", \"a\": \"both.bin\"}", "twice"},
    };
    reel_text z = {0};
    const float x = 1;
    const reel_st_entry both[] = {{"a", REEL_F32, {1, {1}}, &x}, {"b", REEL_F32, {1, {1}}, &x}};
    put_bin("pytorch_model-1.bin", "a", 1);
    put_bin("pytorch_model-2.bin", "b", 1);
    put_bin("copy.bin", "a", 1);
    torch_make(&z, both, 2);
    put("both.bin", z.s, z.len);
    reel_text_free(&z);
    assert_int_equal(reel_st_write(test_path(dir, "model-1.safetensors"), both, 1, NULL, 0, NULL), REEL_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[300];
        reel_tensors t;
        reel_error err = {0};
        snprintf(text, sizeof text, "{\"weight_map\": %s}", bad[i].map);
        put_text("pytorch_model.bin.index.json", text);
        if (reel_weights_open(dir, &t, &err) == REEL_OK || strstr(err.message, bad[i].word) == NULL)
            fail_msg("%s: %s", bad[i].map, err.message);
        assert_null(t.tensor);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_two_versions), cmocka_unit_test(a_training_file), cmocka_unit_test(other_forms_get_advice),
        cmocka_unit_test(zips_of_each_form), cmocka_unit_test(every_field_of_a_zip_is_checked),
        cmocka_unit_test(the_directory_ends_at_the_end),
        cmocka_unit_test(zip64_fields_are_checked), cmocka_unit_test(compressed_entries), cmocka_unit_test(scripted_modules),
        cmocka_unit_test(names_and_records), cmocka_unit_test(views_that_do_not_fit),
        cmocka_unit_test(views_come_as_rows), cmocka_unit_test(types_of_their_own), cmocka_unit_test(sharing_has_a_limit),
        cmocka_unit_test(cut_and_changed),
        cmocka_unit_test(no_memory), cmocka_unit_test(which_file_of_a_folder), cmocka_unit_test(bad_indexes),
    };
    return cmocka_run_group_tests_name("torch", tests, setup, teardown);
}
