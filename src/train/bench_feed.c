/* How fast clips are decoded and transformed: a synthetic video, the guide's training clips. */
#include <math.h>
#include <stdio.h>

#include "base/cpu.h"
#include "base/file.h"
#include "base/mem.h"
#include "data/loader.h"
#include "data/scene.h"
#include "train/bench.h"
#include "train/score.h"
#include "video/encode.h"

enum { WIDTH = 320, HEIGHT = 240, FPS = 25, FRAMES = 128, QSCALE = 4 };

static reel_status video_make(const char *path, reel_error *err)
{
    reel_scene scene = {0};
    reel_motion motion;
    reel_stream draws = {.seed = 1};
    reel_status status = REEL_OK;
    const size_t picture = (size_t)WIDTH * HEIGHT * 3;
    uint8_t *rgb = reel_calloc(FRAMES, picture);
    if (rgb == NULL)
        return reel_fail_nomem(err, path);
    REEL_TRY(reel_scene_make(1, 1, WIDTH, HEIGHT, &scene, err));
    reel_motion_draw(&motion, 0, &draws);
    for (int i = 0; i < FRAMES; i++) {
        const reel_pose pose = reel_motion_at(&motion, (double)i / FPS);
        reel_scene_render(&scene, &pose, rgb + (size_t)i * picture);
    }
    status = reel_avi_write(path, rgb, FRAMES, WIDTH, HEIGHT, FPS, QSCALE, 1, err);
done:
    reel_scene_free(&scene);
    reel_free(rgb);
    return status;
}

typedef struct feed { const reel_bencher *b; reel_plan *plan; const reel_transform *transform; float *clip; size_t next, plans; } feed;

static reel_status clip_once(void *user, reel_error *err)
{
    feed *f = user;
    reel_plan_trace trace = {0};
    const reel_plan *plan = &f->plan[f->next++ % f->plans];
    return reel_plan_carry_out(f->b->ctx, plan, f->transform, f->b->model->config.frames, true, 1, f->clip, &trace, err);
}

/* All of the plans by the loader, as training reads them. */
static reel_status loader_once(const feed *f, int threads, double *seconds, reel_error *err)
{
    const reel_loader_config config = {.plan = f->plan, .plans = f->plans, .batch = f->b->batch, .transform = f->transform,
                                       .frames = f->b->model->config.frames, .clip_floats = f->b->clip_floats,
                                       .threads = threads, .ahead = 2, .autorotate = true};
    reel_loader *loader = NULL;
    const reel_batch *batch;
    reel_status status = REEL_OK;
    const double began = reel_now();
    REEL_TRY(reel_loader_open(f->b->ctx, &config, &loader, err));
    do {
        REEL_TRY(reel_loader_next(loader, &batch, err));
        if (batch != NULL && batch->bads > 0)
            status = reel_fail(err, REEL_ERR_FORMAT, "a clip of the bench's own video could not be read: %s", batch->bad[0].reason);
    } while (status == REEL_OK && batch != NULL);
    *seconds = reel_now() - began;
done:
    reel_loader_close(&loader);
    return status;
}

reel_status reel_bench_feed(const reel_bencher *b, const char *dir, reel_bench_report *r, reel_error *err)
{
    const reel_config *c = &b->model->config;
    char *path = reel_path_join(dir, "bench.avi");
    reel_item item = {.path = path, .shown = path, .duration = -1};
    reel_pixel_kernels kernels;
    const reel_transform transform = {.kind = REEL_TRANSFORM_TRAIN, .processor = &b->model->processor, .height = c->height,
                                      .width = c->width, .flip = 0.5, .kernels = &kernels};
    feed f = {.b = b, .transform = &transform, .clip = reel_alloc_aligned(b->clip_floats, sizeof(float))};
    reel_status status = REEL_OK;
    double seconds;
    reel_pixel_kernels_select(&kernels, b->ctx->cpu_flags);
    enum { PLANS = 4096 };
    f.plan = reel_calloc(PLANS, sizeof *f.plan);
    if (path == NULL || f.clip == NULL || f.plan == NULL) {
        status = reel_fail_nomem(err, "the bench's video");
        goto done;
    }
    REEL_TRY(video_make(path, err));
    for (size_t i = 0; i < PLANS; i++) {
        f.plan[i] = (reel_plan){.item = &item, .mode = REEL_FRAMES_RANDOM, .seconds = c->frames * 4 / 30.0};
        reel_plan_draw(&f.plan[i], 1, 0, i);
    }
    f.plans = PLANS;
    REEL_TRY(reel_bench_time(b, b->seconds / 2, clip_once, &f, &r->clip_seconds, err));
    r->loader_threads = reel_train_loaders(b->ctx, 0, false);
    const double wanted = b->seconds / 2 / r->clip_seconds * r->loader_threads;
    f.plans = wanted < 8 ? 8 : wanted > PLANS ? PLANS : (size_t)wanted;
    REEL_TRY(loader_once(&f, r->loader_threads, &seconds, err));
    r->clips_per_second = (double)f.plans / seconds;
    r->video = "320x240 MPEG-4, 25 frames a second";
done:
    reel_free(f.plan);
    reel_free(f.clip);
    reel_free(path);
    return status;
}
