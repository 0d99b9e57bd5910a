/* `reel data synth`: clips of one moving shape each, in UCF101's layout and names. */
#include <reel/data.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "args/args.h"
#include "args/jobs.h"
#include "base/file.h"
#include "base/mem.h"
#include "data/parallel.h"
#include "data/scene.h"
#include "video/encode.h"

enum { SPLITS = 3, STREAM_CLIP = 2 };
static const char *const split_name[SPLITS] = { "train", "val", "test" };

typedef struct synth {
    const reel_data_synth_args *args;
    const char *dir;                /* being filled */
    int clips[SPLITS];              /* a class */
    int first_group[SPLITS], groups[SPLITS];
} synth;

/* Scenes are shared out as clips are, at least one a split, none in two; more than clips of a class make no sense. */
static void share_groups(synth *s)
{
    int total = s->clips[0] + s->clips[1] + s->clips[2], next = 1, left = (int)s->args->groups;
    for (int i = 0; i < SPLITS; i++) {
        int share = (int)(s->args->groups * s->clips[i] / total);
        share = share < 1 ? 1 : share;
        s->groups[i] = share < s->clips[i] ? share : s->clips[i];
        left -= s->groups[i];
    }
    if (left > 0)
        s->groups[0] = s->groups[0] + left < s->clips[0] ? s->groups[0] + left : s->clips[0];
    for (int i = 0; i < SPLITS; i++) {
        s->first_group[i] = next;
        next += s->groups[i];
    }
}

/* Clip number i of a split and class: groups in turn, so that each class has the same scenes equally often. */
static char *clip_path(const synth *s, int split, int kind, int i)
{
    const char *name = reel_motion_name(kind);
    return reel_format("%s/%s/%s/v_%s_g%02d_c%02d.avi", s->dir, split_name[split], name, name,
                       s->first_group[split] + i % s->groups[split], i / s->groups[split] + 1);
}

static reel_status render_clip(const synth *s, int split, int kind, int i, uint8_t *rgb, reel_error *err)
{
    const reel_data_synth_args *a = s->args;
    reel_stream stream = { .seed = (uint64_t)a->seed, .kind = STREAM_CLIP,
                           .sample = ((uint64_t)split << 48) | ((uint64_t)kind << 32) | (uint64_t)i };
    reel_scene scene;
    reel_motion motion;
    size_t bytes = (size_t)a->width * (size_t)a->height * 3;
    reel_status status = reel_scene_make((uint64_t)a->seed, s->first_group[split] + i % s->groups[split], (int)a->width,
                                         (int)a->height, &scene, err);
    if (status != REEL_OK)
        return status;
    reel_motion_draw(&motion, kind, &stream);
    for (int64_t f = 0; f < a->frames; f++) {
        reel_pose pose = reel_motion_at(&motion, (double)f / (double)a->fps);
        reel_scene_render(&scene, &pose, rgb + (size_t)f * bytes);
    }
    reel_scene_free(&scene);
    return REEL_OK;
}

static reel_status make_clip(void *user, size_t n, reel_error *err)
{
    const synth *s = user;
    const reel_data_synth_args *a = s->args;
    reel_status status = REEL_OK;
    int split = 0, i = (int)(n / (size_t)a->classes), kind = (int)(n % (size_t)a->classes);
    while (i >= s->clips[split])
        i -= s->clips[split++];
    char *path = clip_path(s, split, kind, i);
    uint8_t *rgb = reel_alloc_aligned((size_t)a->frames, (size_t)a->width * (size_t)a->height * 3);
    if (path == NULL || rgb == NULL)
        REEL_TRY(reel_fail_nomem(err, "a clip"));
    REEL_TRY(render_clip(s, split, kind, i, rgb, err));
    REEL_TRY(reel_avi_write(path, rgb, (size_t)a->frames, (int)a->width, (int)a->height, (int)a->fps, (int)a->qscale, 0, err));
done:
    reel_free(path);
    reel_free(rgb);
    return status;
}

static reel_status make_folders(const synth *s, reel_error *err)
{
    for (int i = 0; i < SPLITS; i++)
        for (int k = 0; s->clips[i] > 0 && k < s->args->classes; k++) {
            char *path = reel_format("%s/%s/%s", s->dir, split_name[i], reel_motion_name(k));
            reel_status status = path == NULL ? reel_fail_nomem(err, s->dir) : reel_dir_make(path, err);
            reel_free(path);
            if (status != REEL_OK)
                return status;
        }
    return REEL_OK;
}

/* A folder that holds something is somebody's; an empty one may be taken. */
static reel_status check_output(const char *path, reel_error *err)
{
    reel_names names = { 0 };
    if (!reel_exists(path))
        return REEL_OK;
    if (!reel_is_dir(path))
        return reel_fail(err, REEL_ERR_EXISTS, "%s is there and no folder; choose another name for the set", path);
    reel_status status = reel_dir_list(path, &names, err);
    size_t n = names.n;
    reel_names_free(&names);
    if (status == REEL_OK && n > 0)
        return reel_fail(err, REEL_ERR_EXISTS, "%s holds something; choose a new or empty folder for the set", path);
    return status;
}

static reel_status check_args(const reel_data_synth_args *a, reel_error *err)
{
    if (a->output[0] == 0)
        return reel_fail(err, REEL_ERR_ARG, "data synth needs the folder to make");
    if (a->classes < 1 || a->classes > REEL_MOTIONS)
        return reel_fail(err, REEL_ERR_ARG, "--classes: %lld is not a number from 1 to %d", (long long)a->classes, REEL_MOTIONS);
    if (a->train + a->val + a->test < 1)
        return reel_fail(err, REEL_ERR_ARG, "--train, --val and --test are all 0: there is nothing to make");
    if (a->width % 2 != 0 || a->height % 2 != 0)
        return reel_fail(err, REEL_ERR_ARG, "--width and --height must be even, not %lldx%lld", (long long)a->width,
                         (long long)a->height);
    return REEL_OK;
}

/* What the clips in work need at a time: pictures here, and about as much again in the encoder. */
static reel_status check_memory(reel_context *ctx, const reel_data_synth_args *a, int threads, reel_error *err)
{
    size_t bytes;
    if (!reel_mul(&bytes, (size_t)a->width * (size_t)a->height * 3, (size_t)a->frames) ||
        !reel_mul(&bytes, bytes, (size_t)threads * 2))
        return reel_fail_nomem(err, "clips");
    return reel_memory_check(ctx, bytes, "clips in work", "Fewer --frames or a smaller --width and --height need less.", err);
}

reel_status reel_data_synth(reel_context *ctx, const reel_args *args, reel_error *err)
{
    reel_status status = REEL_OK;
    const reel_data_synth_args *a = reel_args_values(args, REEL_JOB_DATA_SYNTH);
    int threads = reel_loader_threads(ctx, 0);
    char *temp = NULL, *output = NULL;
    size_t clips, n;
    if (a == NULL)
        return reel_fail(err, REEL_ERR_ARG, "these are not the options of data synth");
    REEL_TRY(check_args(a, err));
    REEL_TRY(check_memory(ctx, a, threads, err));
    for (n = strlen(a->output); n > 1 && a->output[n - 1] == '/';)
        n--;
    output = reel_strndup(a->output, n);
    temp = output != NULL ? reel_format("%s.%ld.tmp", output, (long)getpid()) : NULL;
    if (temp == NULL)
        REEL_TRY(reel_fail_nomem(err, a->output));
    REEL_TRY(check_output(output, err));
    synth s = { .args = a, .dir = temp, .clips = { (int)a->train, (int)a->val, (int)a->test } };
    share_groups(&s);
    clips = ((size_t)a->train + (size_t)a->val + (size_t)a->test) * (size_t)a->classes;
    REEL_TRY(make_folders(&s, err));
    REEL_TRY(reel_parallel(ctx, threads, clips, make_clip, &s, err));
    if (reel_exists(output) && rmdir(output) != 0)
        REEL_TRY(reel_fail_errno(err, errno, output, "replace the empty folder"));
    REEL_TRY(reel_dir_rename(temp, output, err));
    reel_log(ctx, REEL_LOG_NOTE, "data", "%zu clips of %lld motions in %s, %d + %d + %d scenes", clips, (long long)a->classes,
             output, s.groups[0], s.groups[1], s.groups[2]);
done:
    if (temp != NULL && status != REEL_OK)
        reel_dir_remove(temp, NULL);
    reel_free(temp);
    reel_free(output);
    return status;
}
