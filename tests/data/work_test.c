/* The jobs on data, as the command gives them: synth, info, pack, preview. */
#include "made.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include <reel/data.h>

#include "base/context.h"
#include "base/file.h"
#include "base/hash.h"
#include "data/dataset.h"
#include "data/motion.h"

static char *dir;
static reel_context *ctx;
static reel_error err;

static const char *in_dir(const char *name) { return test_path(dir, name); }

/* Options of a job: name, value, name, value, … NULL. */
static reel_args *options(reel_job job, const char *const *pairs)
{
    reel_args *a = NULL;
    assert_int_equal(reel_args_open(job, &a, &err), REEL_OK);
    for (; pairs[0] != NULL; pairs += 2)
        if (reel_args_set(a, pairs[0], pairs[1], &err) != REEL_OK)
            fail_msg("%s", err.message);
    return a;
}
#define OPTIONS(job, ...) options(job, (const char *const[]){ __VA_ARGS__, NULL })

static reel_status synth(const char *name, const char *seed)
{
    reel_args *a = OPTIONS(REEL_JOB_DATA_SYNTH, "output", in_dir(name), "train", "4", "val", "1", "test", "2", "width", "64",
                           "height", "48", "groups", "5", "seed", seed);
    reel_status status = reel_data_synth(ctx, a, &err);
    reel_args_close(&a);
    return status;
}

static reel_data_info *info_of(const char *path, const char *quick)
{
    reel_data_info *info = NULL;
    reel_args *a = OPTIONS(REEL_JOB_DATA_INFO, "data", path, "quick", quick);
    if (reel_data_info_open(ctx, a, &info, &err) != REEL_OK)
        fail_msg("%s", err.message);
    reel_args_close(&a);
    return info;
}

static int setup(void **state)
{
    (void)state;
    dir = test_folder();
    if (dir == NULL || reel_context_open(&ctx, NULL) != REEL_OK)
        return 1;
    assert_int_equal(reel_context_set(ctx, "cache_dir", in_dir("cache"), NULL), REEL_OK);
    if (synth("set", "42") != REEL_OK)
        fail_msg("%s", err.message);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    reel_context_close(&ctx);
    test_remove_folder(dir);
    return 0;
}

/* --- synth --- */

static void hash_set(const char *name, char out[65])
{
    reel_dataset *ds = NULL;
    reel_sha256 h;
    assert_int_equal(reel_dataset_open(ctx, in_dir(name), &ds, &err), REEL_OK);
    assert_int_equal(reel_sha256_begin(&h, &err), REEL_OK);
    for (size_t i = 0; i < ds->n_items; i++) {
        char hex[65];
        assert_int_equal(reel_sha256_file(ds->item[i].path, hex, &err), REEL_OK);
        reel_sha256_add(&h, hex, 64);
    }
    reel_sha256_end(&h, out);
    reel_dataset_close(&ds);
}

static void synth_makes_a_whole_set(void **state)
{
    (void)state;
    reel_dataset *ds = NULL;
    assert_int_equal(reel_dataset_open(ctx, in_dir("set"), &ds, &err), REEL_OK);
    assert_int_equal(ds->n_classes, REEL_MOTIONS);
    assert_int_equal(ds->n_splits, 3);
    assert_int_equal(ds->n_items, 8 * 7);
    assert_int_equal(ds->n_warnings, 0);  /* no group leaks, no class is missing */
    unsigned groups[3] = { 0, 0, 0 }, of_class[3][8] = { { 0 } };
    for (size_t i = 0; i < ds->n_items; i++) {
        const reel_item *item = &ds->item[i];
        assert_true(item->group >= 1 && item->group <= 5);
        groups[item->split] |= 1u << item->group;
        of_class[item->split][item->label] += 1u << (4 * item->group);
    }
    assert_int_equal(groups[0] & groups[1], 0);
    assert_int_equal(groups[0] & groups[2], 0);
    assert_int_equal(groups[1] & groups[2], 0);
    for (int s = 0; s < 3; s++)
        for (int k = 1; k < 8; k++)  /* each class has each scene equally often: scenes say nothing */
            assert_int_equal(of_class[s][k], of_class[s][0]);
    reel_dataset_close(&ds);
}

static void synth_is_a_function_of_its_seed(void **state)
{
    (void)state;
    char a[65], b[65], c[65];
    assert_int_equal(reel_context_set(ctx, "threads", "3", NULL), REEL_OK);
    assert_int_equal(synth("again", "42"), REEL_OK);
    assert_int_equal(synth("other", "43"), REEL_OK);
    assert_int_equal(reel_context_set(ctx, "threads", "1", NULL), REEL_OK);
    hash_set("set", a);
    hash_set("again", b);
    hash_set("other", c);
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
}

static void synth_replaces_nothing(void **state)
{
    (void)state;
    assert_int_equal(synth("set", "42"), REEL_ERR_EXISTS);
    assert_non_null(strstr(err.message, "holds something"));
    assert_int_equal(reel_file_write(in_dir("file"), "x", 1, &err), REEL_OK);
    assert_int_equal(synth("file", "42"), REEL_ERR_EXISTS);
    assert_int_equal(reel_dir_make(in_dir("empty"), &err), REEL_OK);
    assert_int_equal(synth("empty/", "42"), REEL_OK);
    assert_true(reel_is_dir(in_dir("empty/train/DriftUp")));
    if (geteuid() != 0) {  /* root may write anywhere */
        assert_int_equal(reel_dir_make(in_dir("locked"), &err), REEL_OK);
        assert_int_equal(chmod(in_dir("locked"), 0500), 0);
        assert_int_equal(synth("locked/set", "42"), REEL_ERR_IO);
        assert_int_equal(chmod(in_dir("locked"), 0700), 0);
    }
}

static bool yes(void *user) { (void)user; return true; }

static void synth_leaves_nothing_behind(void **state)
{
    (void)state;
    reel_names names;
    reel_context_set_cancel(ctx, yes, NULL);
    assert_int_equal(synth("stopped", "42"), REEL_ERR_CANCELLED);
    reel_context_set_cancel(ctx, NULL, NULL);
    assert_int_equal(reel_dir_list(dir, &names, &err), REEL_OK);
    for (size_t i = 0; i < names.n; i++)
        assert_null(strstr(names.name[i], "stopped"));
    reel_names_free(&names);
}

/* --- info --- */

static void info_measures(void **state)
{
    (void)state;
    for (int quick = 0; quick < 2; quick++) {
        reel_data_info *info = info_of(in_dir("set"), quick ? "true" : "false");
        assert_string_equal(info->layout, "folders");
        assert_int_equal(info->splits, 3);
        assert_string_equal(info->split[0].name, "train");
        assert_int_equal(info->split[0].videos, 32);
        assert_int_equal(info->split[0].classes, 8);
        assert_string_equal(info->split[0].sizes, "64x48");
        assert_string_equal(info->split[0].fps, "25");
        assert_string_equal(info->split[0].codecs, "mpeg4");
        assert_true(fabs(info->split[0].seconds_min - 1.28) < 1e-6 && fabs(info->split[0].seconds_max - 1.28) < 1e-6);
        assert_true(fabs(info->split[0].seconds_total - 32 * 1.28) < 1e-6);
        assert_int_equal(info->classes, 8);
        assert_int_equal(info->cls[7].videos[2], 2);
        assert_int_equal(info->unreadables, 0);
        assert_int_equal(info->warnings, 0);
        reel_data_info_close(&info);
        assert_null(info);
    }
}

static void info_tells_what_is_broken(void **state)
{
    (void)state;
    char *data;
    size_t n;
    assert_int_equal(reel_dir_make(in_dir("mixed/train/A"), &err), REEL_OK);
    assert_int_equal(reel_dir_make(in_dir("mixed/train/B"), &err), REEL_OK);
    made_video(in_dir("mixed/train/A/v_A_g01_c01.avi"), 100, 0, 25);
    made_video(in_dir("mixed/train/A/v_A_g01_c02.avi"), 25, 0, 10);
    made_video(in_dir("mixed/train/B/v_B_g01_c01.avi"), 50, 0, 25);
    assert_int_equal(reel_file_read(in_dir("mixed/train/A/v_A_g01_c01.avi"), 1 << 24, &data, &n, &err), REEL_OK);
    assert_int_equal(reel_file_write(in_dir("mixed/train/B/cut.avi"), data, n / 2, &err), REEL_OK);
    assert_int_equal(reel_file_write(in_dir("mixed/train/B/zero.avi"), "", 0, &err), REEL_OK);
    assert_int_equal(reel_file_write(in_dir("mixed/train/B/text.avi"), "a letter\n", 9, &err), REEL_OK);
    reel_free(data);
    reel_data_info *info = info_of(in_dir("mixed"), "false");
    assert_int_equal(info->unreadables, 3);
    assert_string_equal(info->unreadable[0].path, "train/B/cut.avi");
    assert_non_null(strstr(info->unreadable[0].reason, "truncated after frame"));
    assert_non_null(strstr(info->unreadable[0].reason, "of 100"));
    assert_string_equal(info->unreadable[1].path, "train/B/text.avi");
    assert_string_equal(info->unreadable[2].path, "train/B/zero.avi");
    assert_null(strstr(info->unreadable[2].reason, dir));  /* the path is not told twice */
    assert_string_equal(info->split[0].fps, "25, 10");
    assert_int_equal(info->split[0].videos, 6);
    assert_true(fabs(info->split[0].seconds_max - 4) < 1e-6);
    reel_data_info_close(&info);
}

static void info_of_real_clips(void **state)
{
    (void)state;
    char path[512];
    if (test_shared("data/actions", path) == NULL) {
        print_message("# no real videos here: skipped\n");
        skip();
    }
    reel_data_info *info = info_of(path, "false");
    static const char *const classes[] = { "Fight", "NoFight", "Signing", "Sport" };
    assert_int_equal(info->classes, 4);
    for (int k = 0; k < 4; k++)
        assert_string_equal(info->cls[k].name, classes[k]);
    assert_int_equal(info->split[0].videos + info->split[1].videos + info->split[2].videos, 57);
    assert_int_equal(info->unreadables, 0);
    assert_int_equal(info->warnings, 0);  /* its README: no group is in two splits */
    reel_data_info_close(&info);
}

static void info_of_broken_clips(void **state)
{
    (void)state;
    char path[512], name[700];
    if (test_shared("data/broken", path) == NULL) {
        print_message("# no real videos here: skipped\n");
        skip();
    }
    assert_int_equal(reel_dir_make(in_dir("broken/train"), &err), REEL_OK);
    snprintf(name, sizeof name, "%s/broken/train/A", dir);
    assert_int_equal(symlink(path, name), 0);
    reel_data_info *info = info_of(in_dir("broken"), "false");
    assert_int_equal(info->split[0].videos, 9);
    for (size_t i = 0; i < info->unreadables; i++) {
        assert_null(strstr(info->unreadable[i].path, "corrupted"));  /* 49 of its 50 frames decode */
        assert_true(strlen(info->unreadable[i].reason) > 5);
    }
    assert_in_range(info->unreadables, 7, 8);  /* no_timescale.mp4 gives frames in spite of all */
    reel_data_info_close(&info);
}

/* --- pack --- */

static const reel_tensor *tensor(const reel_tensors *st, const char *name)
{
    const reel_tensor *t = reel_tensors_find(st, name);
    assert_non_null(t);
    return t;
}

static void pack_holds_every_clip(void **state)
{
    (void)state;
    const char *file = in_dir("test.safetensors");
    reel_args *a = OPTIONS(REEL_JOB_DATA_PACK, "data", in_dir("set"), "split", "test", "output", file, "num_frames", "4",
                           "image_size", "16", "clip_duration", "0.6", "dataloader_num_workers", "3");
    reel_dataset *ds = NULL;
    if (reel_data_pack(ctx, a, &err) != REEL_OK)
        fail_msg("%s", err.message);
    reel_args_close(&a);
    assert_int_equal(reel_dataset_open(ctx, file, &ds, &err), REEL_OK);
    assert_true(ds->is_packed);
    assert_int_equal(ds->n_items, 8 * 2 * 2);  /* two whole windows of 0.6 s in 1.28 s */
    assert_string_equal(ds->classes[0], "DriftDown");
    assert_int_equal(ds->n_classes, 8);
    for (size_t i = 0; i < ds->n_items; i++)
        assert_int_equal(ds->item[i].label, i / 4);
    const reel_tensor *t = tensor(&ds->packed, "pixel_values");
    assert_int_equal(t->shape.dim[0], 32);
    assert_int_equal(t->shape.dim[1], 4);
    assert_int_equal(t->shape.dim[2], 3);
    assert_int_equal(t->shape.dim[3], 16);
    assert_string_equal(reel_tensors_metadata(&ds->packed, "transform"), "eval");
    assert_string_equal(reel_tensors_metadata(&ds->packed, "format"), "pt");
    reel_data_info *info = info_of(file, "false");
    assert_string_equal(info->layout, "packed");
    assert_string_equal(info->split[0].sizes, "16x16");
    reel_data_info_close(&info);
    reel_dataset_close(&ds);
}

static void pack_leaves_out_what_cannot_be_read(void **state)
{
    (void)state;
    const char *file = in_dir("mixed.safetensors");
    reel_args *a = OPTIONS(REEL_JOB_DATA_PACK, "data", in_dir("mixed"), "output", file, "num_frames", "2", "image_size", "8",
                           "sampler", "pipeline");
    reel_tensors st;
    if (reel_data_pack(ctx, a, &err) != REEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(reel_st_open(file, &st, &err), REEL_OK);
    assert_int_equal(tensor(&st, "labels")->shape.dim[0], 3);  /* of six videos two are none and one is cut, as train counts them */
    reel_tensors_close(&st);
    reel_args_close(&a);
    assert_int_equal(reel_dir_make(in_dir("allbad/train/A"), &err), REEL_OK);
    assert_int_equal(reel_file_write(in_dir("allbad/train/A/1.avi"), "x", 1, &err), REEL_OK);
    a = OPTIONS(REEL_JOB_DATA_PACK, "data", in_dir("allbad"), "output", in_dir("none.safetensors"));
    assert_int_equal(reel_data_pack(ctx, a, &err), REEL_ERR_FORMAT);
    assert_non_null(strstr(err.message, "none of the 1 clips"));
    assert_false(reel_exists(in_dir("none.safetensors")));
    reel_args_close(&a);
    a = OPTIONS(REEL_JOB_DATA_PACK, "data", in_dir("set"), "split", "holdout", "output", in_dir("none.safetensors"));
    assert_int_equal(reel_data_pack(ctx, a, &err), REEL_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "train, val, test"));
    reel_args_close(&a);
}

/* --- preview --- */

static reel_preview_info *preview(const char *const *pairs)
{
    reel_preview_info *info = NULL;
    reel_args *a = options(REEL_JOB_PREVIEW, pairs);
    if (reel_preview(ctx, a, &info, &err) != REEL_OK)
        fail_msg("%s", err.message);
    reel_args_close(&a);
    return info;
}
#define PREVIEW(...) preview((const char *const[]){ __VA_ARGS__, NULL })

static void preview_shows_what_pack_holds(void **state)
{
    (void)state;
    reel_tensors one, all;
    const char *file = in_dir("clip.safetensors"), *packed = in_dir("random.safetensors");
    reel_preview_info *info = PREVIEW("data", in_dir("set"), "index", "9", "output", file, "num_frames", "4", "image_size", "16",
                                      "clip_duration", "0.6", "epoch", "3", "transform", "train");
    assert_int_equal(info->frames, 4);
    assert_int_equal(info->height, 16);
    assert_string_equal(info->label, "Grow");
    assert_int_equal(info->sampled, 4);
    for (int i = 0; i < 4; i++)
        assert_true(fabs(info->time[i] - (double)info->index[i] / 25) < 1e-9 && (i == 0 || info->index[i] > info->index[i - 1]));
    reel_preview_info_close(&info);
    assert_null(info);
    reel_args *a = OPTIONS(REEL_JOB_DATA_PACK, "data", in_dir("set"), "output", packed, "num_frames", "4", "image_size", "16",
                           "clip_duration", "0.6", "epoch", "3", "transform", "train", "sampler", "random");
    assert_int_equal(reel_data_pack(ctx, a, &err), REEL_OK);
    reel_args_close(&a);
    assert_int_equal(reel_st_open(file, &one, &err), REEL_OK);
    assert_int_equal(reel_st_open(packed, &all, &err), REEL_OK);
    const reel_tensor *t = tensor(&one, "pixel_values"), *p = tensor(&all, "pixel_values");
    assert_int_equal(t->shape.dim[0], 1);
    assert_int_equal(t->bytes * 32, p->bytes);
    for (size_t row = 0; row < 32; row++)  /* sample 9 of epoch 3, and no other */
        assert_int_equal(memcmp(t->data, p->data + row * t->bytes, t->bytes) == 0, row == 9);
    reel_tensors_close(&one);
    reel_tensors_close(&all);
}

static void preview_writes_pictures(void **state)
{
    (void)state;
    char *data;
    size_t n;
    reel_preview_info *info = PREVIEW("video", in_dir("set/test/Grow/v_Grow_g05_c01.avi"), "output", in_dir("p.gif"), "num_frames",
                                      "8", "image_size", "32", "sampling", "pipeline", "transform", "processor");
    assert_null(info->label);
    reel_preview_info_close(&info);
    assert_int_equal(reel_file_read(in_dir("p.gif"), 1 << 20, &data, &n, &err), REEL_OK);
    assert_memory_equal(data, "GIF89a \0 \0", 10);  /* 32 x 32 */
    int delays = 0;
    for (size_t i = 0; i + 8 < n; i++)  /* graphic control blocks: 25 hundredths a frame */
        if (memcmp(data + i, "\x21\xf9\x04", 3) == 0)
            delays += data[i + 4] == 25 && data[i + 5] == 0;
    assert_int_equal(delays, 8);
    reel_free(data);
    info = PREVIEW("data", in_dir("set"), "split", "val", "output", in_dir("p.png"), "num_frames", "8", "image_size", "32");
    reel_preview_info_close(&info);
    assert_int_equal(reel_file_read(in_dir("p.png"), 1 << 20, &data, &n, &err), REEL_OK);
    assert_memory_equal(data, "\x89PNG", 4);
    assert_int_equal((unsigned char)data[19], 3 * 36 + 4);  /* three columns, three rows */
    assert_int_equal((unsigned char)data[23], 3 * 36 + 4);
    reel_free(data);
    info = PREVIEW("data", in_dir("test.safetensors"), "index", "3", "output", in_dir("q.png"));
    assert_int_equal(info->frames, 4);
    assert_int_equal(info->sampled, 0);
    reel_preview_info_close(&info);
}

static void preview_says_what_is_wrong(void **state)
{
    (void)state;
    reel_preview_info *info = NULL;
    const char *const wrong[][4] = { { "index", "32", "output", "a.png" }, { "index", "0", "output", "a.bmp" } };
    static const char *const words[] = { "--index: 32", "a.bmp" };
    for (int i = 0; i < 2; i++) {
        reel_args *a = OPTIONS(REEL_JOB_PREVIEW, "data", in_dir("set"), wrong[i][0], wrong[i][1], wrong[i][2], wrong[i][3]);
        assert_int_equal(reel_preview(ctx, a, &info, &err), REEL_ERR_ARG);
        assert_null(info);
        assert_non_null(strstr(err.message, words[i]));
        reel_args_close(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synth_makes_a_whole_set), cmocka_unit_test(synth_is_a_function_of_its_seed),
        cmocka_unit_test(synth_replaces_nothing), cmocka_unit_test(synth_leaves_nothing_behind),
        cmocka_unit_test(info_measures), cmocka_unit_test(info_tells_what_is_broken), cmocka_unit_test(info_of_real_clips),
        cmocka_unit_test(info_of_broken_clips), cmocka_unit_test(pack_holds_every_clip),
        cmocka_unit_test(pack_leaves_out_what_cannot_be_read), cmocka_unit_test(preview_shows_what_pack_holds),
        cmocka_unit_test(preview_writes_pictures), cmocka_unit_test(preview_says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
