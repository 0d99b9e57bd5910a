/* Time from a file's name to RGB frames, opening included: one JSON line.
 *
 *     bench_decode CASE THREADS REPEATS FILE...     CASE: uniform | clip | all | files
 *
 * uniform: 16 frames spread over the file; clip: [3 s, 3 s + 64/30 s); all: every frame; for each the first FILE, opened once for warming,
 * with THREADS codec threads. files: 16 frames of every FILE, THREADS workers of one codec thread each; seconds for all of them. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cpu.h"
#include "video/decode.h"

enum { FRAMES = 16, MOST = 1000, PAGE = 1 << 21 };

typedef struct job { const char *what, *path; int threads; size_t frames; } job;

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void must(reel_status status, const reel_error *err)
{
    if (status == REEL_OK)
        return;
    fprintf(stderr, "%s\n", err->message);
    exit(1);
}

/* Opens, chooses, decodes, converts, closes. */
static void carry_out(job *j)
{
    reel_error err = {.status = REEL_OK};
    reel_video *v;
    reel_video_info info = {.size = sizeof info};
    int64_t n, first = 0, stop;
    must(reel_video_open_with(NULL, j->path, true, j->threads, NULL, &v, &err), &err);
    must(reel_video_count(v, &n, &err), &err);
    stop = n;
    if (strcmp(j->what, "clip") == 0)
        must(reel_video_window(v, 3.0, 3.0 + 64.0 / 30, &first, &stop, &err), &err);
    bool uniform = strcmp(j->what, "uniform") == 0;
    size_t frames = uniform ? FRAMES : (size_t)(stop - first);
    int64_t *want = malloc((frames + 1) * sizeof *want);
    for (size_t k = 0; k < frames; k++)
        want[k] = uniform ? (int64_t)((double)k * (double)(n - 1) / (FRAMES - 1)) : first + (int64_t)k;
    must(reel_video_get_info(v, &info, &err), &err);
    /* Large pages: memory that is new each time, as the peers' is, but without a page fault for every 4 KiB of it. */
    size_t bytes = (frames * (size_t)info.width * (size_t)info.height * 3 + PAGE - 1) / PAGE * PAGE;
    uint8_t *rgb = aligned_alloc(PAGE, bytes);
    if (rgb == NULL || want == NULL)
        exit(1);
    madvise(rgb, bytes, MADV_HUGEPAGE);
    must(reel_video_read(v, want, frames, rgb, &err), &err);
    j->frames = frames;
    free(rgb);
    free(want);
    reel_video_close(&v);
}

typedef struct pool { char **path; int paths, next; } pool;

static void *work(void *user)
{
    pool *p = user;
    for (;;) {
        int i = __atomic_fetch_add(&p->next, 1, __ATOMIC_RELAXED);
        if (i >= p->paths)
            return NULL;
        job j = {"uniform", p->path[i], 1, 0};
        carry_out(&j);
    }
}

static void all_files(int threads, char **path, int paths)
{
    pool p = {path, paths, 0};
    pthread_t thread[64];
    for (int i = 0; i < threads; i++)
        if (pthread_create(&thread[i], NULL, work, &p) != 0)
            exit(1);
    for (int i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return fprintf(stderr, "usage: %s uniform|clip|all|files THREADS REPEATS FILE...\n", argv[0]), 2;
    int threads = atoi(argv[2]), repeats = atoi(argv[3]);
    if (threads < 1 || threads > 64 || repeats < 1 || repeats > MOST)
        return 2;
    double second[MOST];
    job j = {argv[1], argv[4], threads, 0};
    bool files = strcmp(argv[1], "files") == 0;
    for (int i = -1; i < repeats; i++) {
        double begun = reel_now();
        if (files)
            all_files(threads, argv + 4, argc - 4);
        else
            carry_out(&j);
        if (i >= 0)
            second[i] = reel_now() - begun;
    }
    qsort(second, (size_t)repeats, sizeof *second, compare);
    printf("{\"program\": \"reel\", \"case\": \"%s\", \"file\": \"%s\", \"files\": %d, \"threads\": %d, \"frames\": %zu, \"median_ms\": %.3f, "
           "\"least_ms\": %.3f}\n", argv[1], argv[4], argc - 4, threads, j.frames, second[repeats / 2] * 1e3, second[0] * 1e3);
    return 0;
}
