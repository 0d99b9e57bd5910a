#include "bed.h"

#include <math.h>

#include "base/context.h"
#include "models/config.h"

static uint32_t fnv1a(const char *text)
{
    uint32_t h = 2166136261u;
    for (; *text != '\0'; text++)
        h = (h ^ (unsigned char)*text) * 16777619u;
    return h;
}

void bed_fill(const char *name, size_t n, double scale, double offset, float *out)
{
    uint32_t from = fnv1a(name);
    for (size_t i = 0; i < n; i++) {
        uint32_t x = (uint32_t)i * 0x9E3779B9u + from;
        x ^= x >> 16;
        x *= 0x85EBCA6Bu;
        x ^= x >> 13;
        x *= 0xC2B2AE35u;
        x ^= x >> 16;
        out[i] = (float)(offset + scale * (((double)(x >> 8) - 8388608.0) / 8388608.0));
    }
}

void bed_weight(const char *name, int rank, size_t n, float *out)
{
    bool norm = rank == 1 && strlen(name) > 7 && strcmp(name + strlen(name) - 7, ".weight") == 0;
    bed_fill(name, n, 0.25, norm ? 1.0 : 0.0, out);
}

void bed_golden_open(const char *name, reel_tensors *st)
{
    char path[600];
    snprintf(path, sizeof path, "%s/tests/golden/%s.safetensors", getenv("REEL_SOURCE"), name);
    BED_OK(reel_st_open(path, st, bed_err));
}

const float *bed_golden(const reel_tensors *st, const char *name, size_t *n)
{
    const reel_tensor *t = reel_tensors_find(st, name);
    if (t == NULL || t->dtype != REEL_F32)
        fail_msg("golden value %s is missing", name);
    float *copy = malloc(t->bytes + 4);
    memcpy(copy, t->data, t->bytes);
    if (n != NULL)
        *n = t->bytes / sizeof *copy;
    return copy;
}

void bed_write_text(const char *dir, const char *name, const char *text)
{
    char path[700];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    BED_OK(reel_file_write(path, text, strlen(text), bed_err));
}

void bed_write_model(const char *dir, const char *config_text)
{
    char path[700];
    reel_config config;
    const reel_arch *arch;
    reel_params params = {0};
    bed_write_text(dir, "config.json", config_text);
    snprintf(path, sizeof path, "%s/config.json", dir);
    BED_OK(reel_config_read(path, &config, &arch, bed_err));
    BED_OK(arch->params_list(&config, &params, bed_err));
    float *weights = calloc(params.floats, sizeof *weights);
    reel_st_entry *entry = calloc(params.n, sizeof *entry);
    size_t n = 0;
    for (size_t i = 0; i < params.n; i++) {
        const reel_param *p = &params.param[i];
        if (p->name == NULL)
            continue;
        bed_weight(p->name, p->shape.rank, p->count, weights + p->offset);
        entry[n++] = (reel_st_entry){p->name, REEL_F32, p->shape, weights + p->offset};
    }
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    BED_OK(reel_st_write(path, entry, n, NULL, 0, bed_err));
    free(entry);
    free(weights);
    reel_params_free(&params);
    reel_config_free(&config);
}

const bed_table bed_tables[] = {
    {"cpu", 1, "auto", false}, {"cpu, 2 threads", 2, "auto", false}, {"cpu, plain C kernels", 1, "c", false},
    {"fence", 1, "auto", true}, {"fence, 2 threads", 2, "auto", true},
};
const size_t bed_table_count = sizeof bed_tables / sizeof *bed_tables;

reel_context *bed_context(const bed_table *t)
{
    reel_context *ctx;
    char threads[16];
    BED_OK(reel_context_open(&ctx, bed_err));
    snprintf(threads, sizeof threads, "%d", t->threads);
    BED_OK(reel_context_set(ctx, "threads", threads, bed_err));
    BED_OK(reel_context_set(ctx, "isa", t->isa, bed_err));
    return ctx;
}

reel_backend *bed_backend(const bed_table *t, reel_context *ctx)
{
    reel_backend *be;
    BED_OK(t->fence ? reel_backend_fence_open(ctx, &be, bed_err) : reel_backend_open(ctx, &be, bed_err));
    return be;
}

void bed_close(const char *what, const float *a, const float *b, size_t n, double bound)
{
    double worst = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        if (!(d <= worst))
            worst = d;  /* a NaN sticks */
        if (fabs((double)b[i]) > largest)
            largest = fabs((double)b[i]);
    }
    if (!(worst <= bound * largest))
        fail_msg("%s: relative error %.2e, bound %.0e", what, worst / largest, bound);
}
