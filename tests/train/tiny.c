#include "tiny.h"

#include <dirent.h>
#include <math.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "format/safetensors.h"
#include "video/encode.h"

/* --- the formula --- */

static uint32_t fnv(const char *s)
{
    uint32_t h = 2166136261u;
    for (; *s != '\0'; s++)
        h = (h ^ (uint8_t)*s) * 16777619u;
    return h;
}

double tiny_value(const char *name, uint64_t i)
{
    uint32_t x = (uint32_t)(i * 0x9E3779B9u + fnv(name));
    x ^= x >> 16;
    x *= 0x85EBCA6Bu;
    x ^= x >> 13;
    x *= 0xC2B2AE35u;
    x ^= x >> 16;
    return ((double)(x >> 8) - 8388608.0) / 8388608.0;
}

/* --- small things --- */

const char *tiny_path(const char *dir, const char *format, ...)
{
    static char ring[16][700];
    static int at;
    char *out = ring[at++ % 16], name[400];
    va_list list;
    va_start(list, format);
    vsnprintf(name, sizeof name, format, list);
    va_end(list);
    snprintf(out, sizeof ring[0], "%s/%s", dir, name);
    return out;
}

char *tiny_folder(void)
{
    if (getenv("TMPDIR") == NULL && access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1);
    return test_folder();
}

void tiny_ok(reel_status status, const reel_error *err)
{
    if (status != REEL_OK)
        fail_msg("%s: %s", reel_status_name(status), err->message);
}

reel_context *tiny_context(void)
{
    reel_context *ctx;
    reel_error err;
    tiny_ok(reel_context_open(&ctx, &err), &err);
    tiny_ok(reel_context_set(ctx, "threads", "2", &err), &err);
    return ctx;
}

static void hear(reel_log_level level, const char *topic, const char *message, void *user)
{
    tiny_log *log = user;
    size_t n = strlen(log->text);
    log->warnings += level == REEL_LOG_WARNING;
    snprintf(log->text + n, sizeof log->text - n, "%s: %s\n", topic, message);
}

void tiny_listen(reel_context *ctx, tiny_log *log)
{
    *log = (tiny_log){0};
    reel_context_set_log(ctx, hear, log);
}

char *tiny_read(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        fail_msg("%s is not there", path);
    fseek(f, 0, SEEK_END);
    size_t size = (size_t)ftell(f);
    rewind(f);
    char *text = malloc(size + 1);
    assert_int_equal(fread(text, 1, size, f), size);
    text[size] = '\0';
    fclose(f);
    if (n != NULL)
        *n = size;
    return text;
}

void tiny_write(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

bool tiny_same_file(const char *a, const char *b)
{
    size_t n, m;
    char *x = tiny_read(a, &n), *y = tiny_read(b, &m);
    bool same = n == m && memcmp(x, y, n) == 0;
    free(x);
    free(y);
    return same;
}

void tiny_without_times(char *text)
{
    char *to = text;
    for (char *line = text; *line != '\0';) {
        char *end = strchr(line, '\n');
        size_t n = end != NULL ? (size_t)(end - line) + 1 : strlen(line);
        char kept = line[n];
        line[n] = '\0';
        bool timed = strstr(line, "_runtime") != NULL || strstr(line, "_per_second") != NULL;
        line[n] = kept;
        if (!timed) {
            memmove(to, line, n);
            to += n;
        }
        line += n;
    }
    *to = '\0';
}

size_t tiny_count(const char *dir, const char *prefix)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += strncmp(e->d_name, prefix, strlen(prefix)) == 0 && strcmp(e->d_name, ".") != 0 &&
             strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

/* --- model and data --- */

static const char config[] =
    "{\"architectures\": [\"VideoMAEForVideoClassification\"], \"model_type\": \"videomae\", \"image_size\": 16,\n"
    " \"patch_size\": 8, \"num_frames\": 4, \"tubelet_size\": 2, \"hidden_size\": 16, \"num_hidden_layers\": 2,\n"
    " \"num_attention_heads\": 2, \"intermediate_size\": 32, \"use_mean_pooling\": true,\n"
    " \"id2label\": {\"0\": \"%s\", \"1\": \"%s\", \"2\": \"%s\"}, \"label2id\": {\"%s\": 0, \"%s\": 1, \"%s\": 2}}\n";

void tiny_model(reel_context *ctx, const char *dir, bool named)
{
    char text[1200];
    const char *l[3] = {named ? "jump" : "a", named ? "run" : "b", named ? "walk" : "c"};
    reel_error err;
    reel_model *model;
    reel_load_options options = {.seed = 1};
    mkdir(dir, 0777);
    snprintf(text, sizeof text, config, l[0], l[1], l[2], l[0], l[1], l[2]);
    tiny_write(tiny_path(dir, "config.json"), text);
    tiny_ok(reel_model_create(ctx, tiny_path(dir, "config.json"), &options, &model, &err), &err);
    for (size_t i = 0; i < model->params.n; i++) {
        const reel_param *p = &model->params.param[i];
        for (size_t k = 0; p->name != NULL && k < p->count; k++) {
            double v = tiny_value(p->name, k) / 4;
            bool is_scale =
                p->shape.rank == 1 && strlen(p->name) > 7 && strcmp(p->name + strlen(p->name) - 7, ".weight") == 0;
            model->weights[p->offset + k] = (float)(is_scale ? 1 + v : v);
        }
    }
    tiny_ok(reel_model_save(model, dir, NULL, NULL, &err), &err);
    reel_model_close(&model);
}

void tiny_packed(const char *path, int clips)
{
    enum { FLOATS = TINY_T * 3 * TINY_SIZE * TINY_SIZE };
    reel_error err;
    char name[32];
    float *pixels = malloc((size_t)clips * FLOATS * sizeof *pixels);
    int64_t *labels = malloc((size_t)clips * sizeof *labels);
    for (int i = 0; i < clips; i++) {
        snprintf(name, sizeof name, "pixel_values.%d", i);
        for (int k = 0; k < FLOATS; k++)
            pixels[(size_t)i * FLOATS + (size_t)k] = (float)(2 * tiny_value(name, (uint64_t)k));
        labels[i] = i * 2 % TINY_LABELS;
    }
    reel_st_entry entry[2] = {
        {"pixel_values", REEL_F32, {5, {clips, TINY_T, 3, TINY_SIZE, TINY_SIZE}}, pixels},
        {"labels", REEL_I64, {1, {clips}}, labels},
    };
    const char *meta[] = {"id2label", "{\"0\": \"a\", \"1\": \"b\", \"2\": \"c\"}"};
    tiny_ok(reel_st_write(path, entry, 2, meta, 1, &err), &err);
    free(pixels);
    free(labels);
}

/* A square that moves right, down, or stays; its grey differs from video to video. */
static void video_make(const char *path, int class, int k, int frames)
{
    enum { W = 48, H = 32 };
    reel_error err;
    uint8_t *rgb = malloc((size_t)frames * W * H * 3 + 64);  /* swscale may look behind the last pixel */
    for (int t = 0; t < frames; t++)
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++) {
                int left = class == 0 ? (t * 3 + k) % (W - 12) : 16, top = class == 1 ? (t * 2 + k) % (H - 12) : 8;
                bool in = x >= left && x < left + 12 && y >= top && y < top + 12;
                uint8_t grey = (uint8_t)(in ? 220 - 7 * k : 40 + 5 * k + (x + y) % 16);
                uint8_t *p = rgb + (((size_t)t * H + (size_t)y) * W + (size_t)x) * 3;
                p[0] = grey;
                p[1] = (uint8_t)(grey / 2 + 20);
                p[2] = (uint8_t)(255 - grey);
            }
    tiny_ok(reel_avi_write(path, rgb, (size_t)frames, W, H, 10, 4, 0, &err), &err);
    free(rgb);
}

void tiny_videos(const char *dir, const char *split, int each, int frames)
{
    static const char *const names[] = {"jump", "run", "walk"};
    mkdir(dir, 0777);
    mkdir(tiny_path(dir, "%s", split), 0777);
    for (int c = 0; c < 3; c++) {
        mkdir(tiny_path(dir, "%s/%s", split, names[c]), 0777);
        for (int k = 0; k < each; k++)
            video_make(tiny_path(dir, "%s/%s/v%d.avi", split, names[c], k), c, k, frames);
    }
}

/* --- runs --- */

reel_status tiny_train_list(reel_context *ctx, reel_event_fn fn, void *user, reel_train_result **out, reel_error *err,
                            const char *const *pairs)
{
    reel_args *args;
    reel_error why;
    tiny_ok(reel_args_open(REEL_JOB_TRAIN, &args, &why), &why);
    for (; *pairs != NULL; pairs += 2)
        tiny_ok(reel_args_set(args, pairs[0], pairs[1], &why), &why);
    reel_status status = reel_train(ctx, args, fn, user, out, err);
    reel_args_close(&args);
    return status;
}

reel_status tiny_train(reel_context *ctx, reel_event_fn fn, void *user, reel_train_result **out, reel_error *err, ...)
{
    const char *pairs[64];
    size_t n = 0;
    va_list list;
    va_start(list, err);
    while (n < 63 && (pairs[n] = va_arg(list, const char *)) != NULL)
        n++;
    va_end(list);
    pairs[n] = NULL;
    return tiny_train_list(ctx, fn, user, out, err, pairs);
}
