/* What the packets foretell is what decoding gives: the index of AVI files from picture headers equals the one made by decoding everything, and
 * frames decoded in pieces, side by side, with others left out, are those of a decoding from the start. Real files and, where the command ffmpeg
 * is there, files with B-frames, open groups of pictures and varying rates made by it. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "shared.h"
#include "video/media.h"

enum { MOST_FILES = 300 };

static char *file[MOST_FILES];
static size_t files_n;
static char dir[64];

static void must(reel_status status, const reel_error *err)
{
    if (status != REEL_OK)
        fail_msg("%s", err->message);
}

static void add_folder(const char *path, int depth)
{
    DIR *d = opendir(path);
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        char name[5000];
        snprintf(name, sizeof name, "%.4000s/%.255s", path, e->d_name);
        if (e->d_name[0] == '.' || strcmp(e->d_name, "broken") == 0)
            continue;
        if (reel_is_file(name) && strstr(name, ".md") == NULL && files_n < MOST_FILES)
            file[files_n++] = strdup(name);
        else if (depth > 0)
            add_folder(name, depth - 1);
    }
    if (d != NULL)
        closedir(d);
}

static bool is_vop_avi(const reel_video *v)
{
    return av_match_name("avi", v->format->iformat->name) && v->stream->codecpar->codec_id == AV_CODEC_ID_MPEG4;
}

static reel_video *open_indexed(const char *path, int threads)
{
    reel_error err = {0};
    reel_video *v = NULL;
    int64_t n;
    must(reel_video_open_with(NULL, path, true, threads, NULL, &v, &err), &err);
    v->keep_limit = 0;
    must(reel_video_count(v, &n, &err), &err);
    return v;
}

static bool same_index(const char *path)
{
    reel_error err = {0};
    reel_video *a = open_indexed(path, 1), *b = NULL;
    bool looked = is_vop_avi(a) && a->index.scanned;
    if (looked) {
        must(reel_video_open_with(NULL, path, true, 1, NULL, &b, &err), &err);
        must(reel_index_by_decoding(b, &err), &err);
        const reel_index *x = &a->index, *y = &b->index;
        assert_true(x->placed && !y->scanned);
        if (x->n != y->n || x->start != y->start || x->last != y->last || x->entries != y->entries || av_cmp_q(x->base, y->base) != 0)
            fail_msg("%s: %zu frames and %zu entries foretold, %zu and %zu decoded (last %lld, %lld)", path, x->n, x->entries, y->n, y->entries,
                     (long long)x->last, (long long)y->last);
        for (size_t i = 0; i < x->n; i++)
            if (x->time[i] != y->time[i] || x->shown[i].pos != y->shown[i].pos || x->shown[i].pts != y->shown[i].pts ||
                x->shown[i].key != y->shown[i].key)
                fail_msg("%s: frame %zu is foretold otherwise than it decodes", path, i);
        for (size_t i = 0; i < x->entries; i++)
            assert_true(x->entry[i].frame == y->entry[i].frame && x->entry[i].pos == y->entry[i].pos);
    } else if (is_vop_avi(a)) {
        print_message("# left to decoding: %s\n", path);
    }
    reel_video_close(&a);
    reel_video_close(&b);
    return looked;
}

static void test_index(void **state)
{
    (void)state;
    size_t looked = 0;
    for (size_t i = 0; i < files_n; i++)
        looked += same_index(file[i]);
    print_message("# %zu of %zu files by their picture headers\n", looked, files_n);
    if (files_n > 50)
        assert_true(looked >= 21);
}

static uint64_t hash(const uint8_t *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; n > 0; p++, n--)
        h = (h ^ *p) * 0x100000001b3u;
    return h;
}

typedef struct sums { uint64_t *hash; uint8_t *rgb; size_t room, calls; } sums;

/* A part of the picture is enough to tell frames apart. */
static reel_status add_hash(reel_frame *f, size_t k, void *user, reel_error *err)
{
    sums *s = user;
    int w = reel_frame_width(f), h = reel_frame_height(f), x = w > 96 ? w / 3 : 0, y = h > 64 ? h / 3 : 0;
    reel_rect r = {x, y, w - x > 80 ? 80 : w - x, h - y > 48 ? 48 : h - y};
    uint8_t rgb[80 * 48 * 3];
    assert_true(k == s->calls);  /* in order, none left out */
    s->calls++;
    reel_status status = reel_frame_rgb(f, &r, rgb, 3 * (size_t)r.w, err);
    if (status == REEL_OK)
        s->hash[k] = hash(rgb, 3 * (size_t)r.w * (size_t)r.h);
    return status;
}

static uint32_t seed = 11;

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static size_t by_runs;

static void same_frames(const char *path)
{
    reel_error err = {0};
    reel_video *v = open_indexed(path, 1);
    if ((int64_t)v->width * v->height > 900000) {  /* tests/video/files reads them: here they take too long */
        reel_video_close(&v);
        return;
    }
    int64_t n = (int64_t)v->index.n, *numbers = calloc((size_t)n, sizeof *numbers);
    sums all = {.hash = calloc((size_t)n, sizeof *all.hash)};
    for (int64_t i = 0; i < n; i++)
        numbers[i] = i;
    v->no_seek = v->no_skip = true;
    must(reel_video_decode(v, numbers, (size_t)n, add_hash, &all, &err), &err);
    reel_video_close(&v);
    for (int threads = 1; threads <= 3; threads += 2)
        for (int round = 0; round < 3; round++) {
            int64_t want[16];
            uint64_t got[16];
            sums some = {.hash = got};
            v = open_indexed(path, threads);
            for (size_t i = 0; i < 16; i++) {
                seed = seed * 1664525u + 1013904223u;
                want[i] = round == 0 ? (int64_t)i * n / 16 : round == 1 ? (n / 3 + (int64_t)i) % n : (int64_t)((seed >> 8) % (uint64_t)n);
            }
            qsort(want, 16, sizeof *want, compare);
            by_runs += reel_runs_worth(v, want, 16);
            must(reel_video_decode(v, want, 16, add_hash, &some, &err), &err);
            assert_int_equal(some.calls, 16);
            for (size_t i = 0; i < 16; i++)
                if (got[i] != all.hash[want[i]])
                    fail_msg("%s, %d threads, round %d: frame %lld is another one", path, threads, round, (long long)want[i]);
            if ((v->no_seek || v->no_skip) && strstr(path, "interlaced") == NULL && strstr(path, "open.") == NULL)
                /* (FFmpeg drops B-frames of the one, and the last frames of the other, when it begins at a key frame inside) */
                fail_msg("%s: frames came only by decoding from the start", path);
            some.calls = 0;  /* and again, from wherever the decoder stands now */
            must(reel_video_decode(v, want, 16, add_hash, &some, &err), &err);
            for (size_t i = 0; i < 16; i++)
                assert_true(got[i] == all.hash[want[i]]);
            reel_video_close(&v);
        }
    free(numbers);
    free(all.hash);
}

static void test_frames(void **state)
{
    (void)state;
    by_runs = 0;
    for (size_t i = 0; i < files_n; i++)
        same_frames(file[i]);
    print_message("# %zu lists were decoded side by side\n", by_runs);
    if (files_n > 0)
        assert_true(by_runs > 10);
}

/* Several threads that convert what they have decoded write the same pictures. */
static void test_read(void **state)
{
    (void)state;
    if (files_n == 0)
        skip();
    for (size_t f = 0; f < files_n; f += 3) {
        enum { WANTED = 24 };
        reel_error err = {0};
        reel_video_info info = {.size = sizeof info};
        uint8_t *rgb[2];
        int64_t want[WANTED];
        size_t bytes = 0;
        for (int i = 0; i < 2; i++) {
            reel_video *v = open_indexed(file[f], i == 0 ? 1 : 3);
            must(reel_video_get_info(v, &info, &err), &err);
            for (int k = 0; k < WANTED; k++)  /* some twice */
                want[k] = k * (info.frames - 1) / (WANTED - 1);
            bytes = (size_t)info.width * (size_t)info.height * 3 * WANTED;
            rgb[i] = malloc(bytes);
            memset(rgb[i], i, bytes);
            must(reel_video_read(v, want, WANTED, rgb[i], &err), &err);
            reel_video_close(&v);
        }
        if (memcmp(rgb[0], rgb[1], bytes) != 0)
            fail_msg("%s: another picture with 3 threads", file[f]);
        free(rgb[0]);
        free(rgb[1]);
    }
}

/* Frames that were kept can be had when the file is closed; others cannot. */
static void test_sleep(void **state)
{
    (void)state;
    if (files_n == 0)
        skip();
    for (size_t f = 0; f < files_n; f += files_n / 8 + 1)
        for (int threads = 1; threads <= 2; threads++) {
            reel_error err = {0};
            reel_video *v = NULL;
            uint64_t first[2] = {0}, again[2] = {0};
            sums a = {.hash = first}, b = {.hash = again};
            int64_t n, m;
            must(reel_video_open_with(NULL, file[f], true, threads, NULL, &v, &err), &err);
            reel_video_keep(v, 64 << 20);
            must(reel_video_count(v, &n, &err), &err);
            int64_t want[2] = {n / 4, n - 1};
            must(reel_video_decode(v, want, 2, add_hash, &a, &err), &err);
            assert_true(reel_video_keeps(v, want, 2));
            assert_true(reel_video_sleep(v, NULL) > 1000 && v->codec == NULL && v->fd < 0);
            must(reel_video_decode(v, want, 2, add_hash, &b, &err), &err);
            assert_memory_equal(first, again, sizeof first);
            must(reel_video_count(v, &m, &err), &err);
            assert_int_equal(n, m);
            for (int64_t i = 0; i < n; i++)
                if (!reel_video_keeps(v, &i, 1)) {
                    assert_int_equal(reel_video_decode(v, &i, 1, add_hash, &b, &err), REEL_ERR_ARG);
                    break;
                }
            reel_video_close(&v);
        }
}

static const struct { const char *name, *options; } made[] = {
    {"plain.avi", "-c:v mpeg4 -vtag XVID -g 12 -bf 0"},
    {"b2.avi", "-c:v mpeg4 -vtag XVID -g 15 -bf 2"},
    {"long.avi", "-c:v mpeg4 -g 300 -bf 1"},
    {"strict.avi", "-c:v mpeg4 -g 10 -bf 2 -flags +cgop"},
    {"qpel.avi", "-c:v mpeg4 -g 12 -bf 2 -flags +qpel"},
    {"scenes.avi", "-c:v mpeg4 -g 12 -bf 3 -b_strategy 1"},
    {"interlaced.avi", "-c:v mpeg4 -g 12 -bf 1 -flags +ildct+ilme"},
    {"open.mp4", "-c:v libx264 -preset fast -g 24 -bf 3 -x264opts open-gop=1:keyint=24:b-pyramid=normal"},
    {"open.mkv", "-c:v libx264 -preset fast -bf 4 -x264opts open-gop=1:keyint=20:b-pyramid=strict"},
    {"varying.mp4", "-vf select='not(eq(mod(n\\,7)\\,3))' -vsync vfr -c:v libx264 -preset fast -g 30 -bf 2"},
    {"hevc.mp4", "-c:v libx265 -preset ultrafast -x265-params keyint=24:bframes=3:open-gop=1:log-level=none"},
    {"intra.mp4", "-c:v libx264 -preset ultrafast -g 1"},
};

static void make_files(void)
{
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        char command[1000], path[200];
        snprintf(path, sizeof path, "%s/%s", dir, made[i].name);
        snprintf(command, sizeof command, "ffmpeg -nostdin -v quiet -f lavfi -i testsrc2=s=192x144:r=25:d=4 %s -y %s", made[i].options, path);
        if (system(command) == 0 && files_n < MOST_FILES)
            file[files_n++] = strdup(path);
    }
}

static int begin(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/reel_order_XXXXXX");
    if (mkdtemp(dir) == NULL)
        return 1;
    add_folder(shared_root(), 4);
    if (files_n == 0)
        print_message("# skipped: no videos at %s\n", shared_root());
    size_t before = files_n;
    make_files();
    if (files_n == before)
        print_message("# skipped: there is no command ffmpeg to make files with\n");
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (size_t i = 0; i < files_n; i++)
        free(file[i]);
    return reel_dir_remove(dir, NULL) != REEL_OK;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_index), cmocka_unit_test(test_frames), cmocka_unit_test(test_read), cmocka_unit_test(test_sleep)};
    return cmocka_run_group_tests_name("video order", tests, begin, end);
}
