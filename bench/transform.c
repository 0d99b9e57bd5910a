/* The transforms on a decoded clip of the guide (54 RGB frames of 240x320 held in memory, 16 of them taken): one JSON line a case.
 *
 *     bench_transform THREADS REPEATS [HEIGHT WIDTH]
 *
 * A clip's frames are divided among the threads. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "transforms/transform.h"

enum { FRAMES = 16, SIDE = 224, MOST = 1000, LOADED = 54 };

typedef struct part {
    const reel_transform *t;
    const reel_transform_draws *d;
    const uint8_t *rgb;
    int height, width, first, stop;
    float *out;
} part;

static void *work(void *user)
{
    const part *p = user;
    reel_error err = {.status = REEL_OK};
    reel_clip *clip;
    int64_t index[FRAMES];
    reel_subsample(LOADED, FRAMES, index);
    size_t bytes = (size_t)p->height * (size_t)p->width * 3;
    if (reel_clip_begin(p->t, p->d, p->stop - p->first, p->out + (size_t)p->first * 3 * SIDE * SIDE, &clip, &err) != REEL_OK)
        goto fail;
    for (int k = p->first; k < p->stop; k++)
        if (reel_clip_put_rgb(clip, p->rgb + (size_t)index[k] * bytes, p->width, p->height, k - p->first, &err) != REEL_OK)
            goto fail;
    reel_clip_end(&clip);
    return NULL;
fail:
    fprintf(stderr, "%s\n", err.message);
    exit(1);
}

static void once(int threads, part *proto)
{
    pthread_t thread[FRAMES];
    part of[FRAMES];
    for (int i = 0; i < threads; i++) {
        of[i] = *proto;
        of[i].first = i * FRAMES / threads;
        of[i].stop = (i + 1) * FRAMES / threads;
        if (i > 0 && pthread_create(&thread[i], NULL, work, &of[i]) != 0)
            exit(1);
    }
    work(&of[0]);
    for (int i = 1; i < threads; i++)
        pthread_join(thread[i], NULL);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 5)
        return fprintf(stderr, "usage: %s THREADS REPEATS [HEIGHT WIDTH]\n", argv[0]), 2;
    int threads = atoi(argv[1]), repeats = atoi(argv[2]), height = argc == 5 ? atoi(argv[3]) : 240, width = argc == 5 ? atoi(argv[4]) : 320;
    if (threads < 1 || threads > FRAMES || repeats < 1 || repeats > MOST || height < 1 || width < 1)
        return 2;
    size_t bytes = (size_t)height * (size_t)width * 3 * LOADED;
    uint8_t *rgb = malloc(bytes);
    float *out = aligned_alloc(64, FRAMES * 3 * SIDE * SIDE * sizeof *out);
    if (rgb == NULL || out == NULL)
        return 1;
    uint32_t seed = 1;
    for (size_t i = 0; i < bytes; i++)
        rgb[i] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
    reel_pixel_kernels kernels;
    reel_pixel_kernels_select(&kernels, reel_cpu_flags());
    const reel_processor processor = {.do_resize = true, .do_center_crop = true, .do_rescale = true, .do_normalize = true, .shortest_edge = SIDE,
                                      .crop_height = SIDE, .crop_width = SIDE, .resample = 2, .rescale_factor = 1.0 / 255,
                                      .mean = {0.485, 0.456, 0.406}, .std = {0.229, 0.224, 0.225}};
    static const struct { const char *name; reel_transform_kind kind; reel_transform_draws draws; } cases[] = {
        {"train", REEL_TRANSFORM_TRAIN, {32, 20, 40, 0}}, {"eval", REEL_TRANSFORM_EVAL, {0}}, {"processor", REEL_TRANSFORM_PROCESSOR, {0}}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        double second[MOST];
        const reel_transform t = {.kind = cases[c].kind, .processor = &processor, .height = SIDE, .width = SIDE, .flip = 0.5, .kernels = &kernels};
        part proto = {&t, &cases[c].draws, rgb, height, width, 0, 0, out};
        for (int i = -1; i < repeats; i++) {
            double begun = reel_now();
            once(threads, &proto);
            if (i >= 0)
                second[i] = reel_now() - begun;
        }
        qsort(second, (size_t)repeats, sizeof *second, compare);
        printf("{\"program\": \"reel\", \"case\": \"%s\", \"isa\": \"%s\", \"threads\": %d, \"height\": %d, \"width\": %d, \"median_ms\": %.3f, "
               "\"least_ms\": %.3f}\n", cases[c].name, kernels.isa, threads, height, width, second[repeats / 2] * 1e3, second[0] * 1e3);
    }
    free(rgb);
    free(out);
    return 0;
}
