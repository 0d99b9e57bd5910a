/* `reel model convert`: any stored form of a checkpoint as one safetensors file of a chosen precision. Tensors go by name,
 * whatever they are used for, so that a pre-training checkpoint keeps its decoder and gets no head; older spellings of names
 * become those that transformers saves. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <reel/model.h>

#include "args/args.h"
#include "args/jobs.h"
#include "base/context.h"
#include "base/mem.h"
#include "base/text.h"
#include "format/processor_names.h"
#include "format/safetensors.h"
#include "format/weights.h"
#include "hub/locate.h"
#include "models/config.h"
#include "models/folder.h"
#include "models/load.h"

enum { BLOCK = 1 << 16 };  /* numbers at a time */

typedef struct converter {
    reel_context *ctx;
    const char *from;
    reel_dtype to;
    const char *name;        /* of the type, as config.json has it */
    reel_tensors st;
    char **name_out;         /* st.n: under which tensor i is written; NULL: as it is called */
    float *numbers;          /* BLOCK of them */
    uint16_t *halves;
} converter;

/* --- rounding, to nearest, ties to even --- */

static uint16_t to_bfloat(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

/* For |x| below 2^-14 the result is a multiple of 2^-24: adding 0.5 to the magnitude rounds there. */
static uint16_t to_half(float x)
{
    uint32_t bits, sign;
    memcpy(&bits, &x, sizeof bits);
    sign = bits >> 16 & 0x8000u;
    bits &= 0x7FFFFFFFu;
    if (bits < 0x38800000u) {
        float magnitude, moved;
        memcpy(&magnitude, &bits, sizeof magnitude);
        moved = magnitude + 0.5f;
        memcpy(&bits, &moved, sizeof bits);
        return (uint16_t)(sign | (bits - 0x3F000000u));
    }
    bits += 0xFFFu + (bits >> 13 & 1u);
    return (uint16_t)(sign | (bits - 0x38000000u) >> 13);
}

/* The greatest magnitude that rounds to a finite number. */
static float greatest(reel_dtype t)
{
    return t == REEL_F16 ? 0x1.ffdffep15f : t == REEL_BF16 ? 0x1.fefffep127f : FLT_MAX;
}

/* --- tensors --- */

static reel_status check_range(const converter *c, const reel_tensor *t, size_t n, reel_error *err)
{
    const float most = greatest(c->to);
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(c->numbers[i]) <= most))
            return isfinite(c->numbers[i])
                ? reel_fail(err, REEL_ERR_NUMERIC, "%s: %s holds %g, which is too large for %s. Convert to %s.",
                            c->from, t->name, (double)c->numbers[i], c->name, c->to == REEL_F16 ? "bf16 or float32" : "float32")
                : reel_fail(err, REEL_ERR_NUMERIC, "%s: %s holds a weight that is not finite in float32 (NaN or infinity); the "
                            "checkpoint is damaged or its training diverged", c->from, t->name);
    return REEL_OK;
}

/* Other than floating tensors (counters, indices) stay as they are: none is a parameter. */
static reel_status tensor_write(converter *c, reel_st_writer *w, const reel_tensor *t, reel_error *err)
{
    const size_t size = reel_dtype_size(t->dtype), all = (size_t)t->bytes / size;
    reel_status status = REEL_OK;
    if (!reel_dtype_is_float(t->dtype))
        return reel_out_write(&w->out, t->data, (size_t)t->bytes, err);
    for (size_t at = 0; at < all; at += BLOCK) {
        const size_t n = all - at < BLOCK ? all - at : BLOCK;
        if (reel_cancelled(c->ctx))
            return reel_fail_cancelled(err);
        reel_dtype_to_float(c->numbers, t->data + at * size, t->dtype, n);
        REEL_TRY(check_range(c, t, n, err));
        for (size_t i = 0; i < n && c->to != REEL_F32; i++)
            c->halves[i] = c->to == REEL_F16 ? to_half(c->numbers[i]) : to_bfloat(c->numbers[i]);
        const void *data = c->to == REEL_F32 ? (const void *)c->numbers : c->halves;
        REEL_TRY(reel_out_write(&w->out, data, n * reel_dtype_size(c->to), err));
    }
done:
    return status;
}

static const char *name_of(const converter *c, size_t i)
{
    return c->name_out[i] != NULL ? c->name_out[i] : c->st.tensor[i].name;
}

static reel_status weights_write(converter *c, const char *dir, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_st_writer w = {.out = {.fd = -1}};
    bool begun = false;
    char *path = reel_path_join(dir, "model.safetensors");
    reel_st_entry *entry = reel_calloc(c->st.n, sizeof *entry);
    size_t *order = reel_calloc(c->st.n, sizeof *order);
    if (path == NULL || entry == NULL || order == NULL) {
        status = reel_fail_nomem(err, c->from);
        goto done;
    }
    for (size_t i = 0; i < c->st.n; i++) {
        const reel_tensor *t = &c->st.tensor[i];
        entry[i] = (reel_st_entry){name_of(c, i), reel_dtype_is_float(t->dtype) ? c->to : t->dtype, t->shape, NULL};
    }
    REEL_TRY(reel_st_write_begin(&w, path, entry, c->st.n, NULL, 0, order, err));
    begun = true;
    for (size_t i = 0; i < c->st.n; i++)
        REEL_TRY(tensor_write(c, &w, &c->st.tensor[order[i]], err));
    begun = false;  /* commit ends it either way */
    status = reel_st_write_commit(&w, err);
done:
    if (begun)
        reel_st_write_abort(&w);
    reel_free(path);
    reel_free(entry);
    reel_free(order);
    return status;
}

/* --- what stands beside them --- */

/* As it was, but for the type: transformers 5 calls it dtype, before it was torch_dtype. */
static reel_status config_write(const converter *c, const char *dir, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_json *config = NULL;
    char *path = reel_path_join(c->from, "config.json"), *line = NULL;
    if (path == NULL) {
        status = reel_fail_nomem(err, c->from);
        goto done;
    }
    REEL_TRY(reel_json_read(path, REEL_JSON_LIMIT, false, &config, err));
    if (!reel_json_is_object(config)) {
        status = reel_fail(err, REEL_ERR_FORMAT, "%s: is not a JSON object {...}", path);
        goto done;
    }
    REEL_TRY(reel_config_check_plain(config, path, err));
    reel_json_remove(config, "torch_dtype");
    if (reel_json_set_string(config, "dtype", c->name))
        line = reel_json_file_text(config, REEL_JSON_KEEP);
    status = reel_file_write_text(dir, "config.json", line, err);
done:
    reel_json_free(config);
    reel_free(path);
    return status;
}

static reel_status file_copy(const converter *c, const char *name, const char *dir, reel_error *err)
{
    char *from = reel_path_join(c->from, name), *to = reel_path_join(dir, name), *data = NULL;
    size_t n;
    reel_status status = from == NULL || to == NULL ? reel_fail_nomem(err, c->from) : REEL_OK;
    if (status == REEL_OK && reel_exists(from)) {
        status = reel_file_read(from, REEL_JSON_LIMIT, &data, &n, err);
        if (status == REEL_OK)
            status = reel_file_write(to, data, n, err);
    }
    reel_free(data);
    reel_free(from);
    reel_free(to);
    return status;
}

static reel_status folder_fill(converter *c, const char *dir, reel_error *err)
{
    static const char *const beside[] = {REEL_PROCESSOR_NAMES};
    reel_status status = REEL_OK;
    REEL_TRY(config_write(c, dir, err));
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++)
        REEL_TRY(file_copy(c, beside[i], dir, err));
    REEL_TRY(weights_write(c, dir, err));
    status = reel_dir_sync(dir, err);
done:
    return status;
}

/* Under a hidden name beside it until all is there. */
static reel_status folder_write(converter *c, const char *output, reel_error *err)
{
    reel_status status = REEL_OK;
    bool made = false;
    char *dir = reel_path_trim(output), *parent = dir != NULL ? reel_path_parent(dir) : NULL;
    char *temp = parent != NULL ? reel_format("%s/.%s.%d.tmp", parent, reel_path_base(dir), (int)getpid()) : NULL;
    if (temp == NULL) {
        status = reel_fail_nomem(err, output);
        goto done;
    }
    REEL_TRY(reel_dir_make(parent, err));
    REEL_TRY(reel_dir_make(temp, err));
    made = true;
    REEL_TRY(folder_fill(c, temp, err));
    rmdir(dir);  /* an empty one gives way; a full one makes the rename fail */
    REEL_TRY(reel_dir_rename(temp, dir, err));
    made = false;
done:
    if (made)
        reel_dir_remove(temp, NULL);
    reel_free(temp);
    reel_free(parent);
    reel_free(dir);
    return status;
}

/* --- names --- */

static reel_status name_set(converter *c, size_t i, const char *name, reel_error *err)
{
    if (strcmp(c->st.tensor[i].name, name) == 0)
        return REEL_OK;
    c->name_out[i] = reel_strdup(name);
    return c->name_out[i] != NULL ? REEL_OK : reel_fail_nomem(err, c->from);
}

static reel_status names_unique(const converter *c, bool *unique, reel_error *err)
{
    const char **name = reel_calloc(c->st.n, sizeof *name);
    if (name == NULL)
        return reel_fail_nomem(err, c->from);
    for (size_t i = 0; i < c->st.n; i++)
        name[i] = name_of(c, i);
    qsort(name, c->st.n, sizeof *name, reel_compare_text);
    *unique = true;
    for (size_t i = 1; i < c->st.n; i++)
        *unique = *unique && strcmp(name[i - 1], name[i]) != 0;
    reel_free(name);
    return REEL_OK;
}

/* The tensors that are no parameters: all under plain names, or, where two would have the same one, under their own. */
static reel_status names_of_rest(converter *c, const reel_arch *arch, const bool *used, reel_error *err)
{
    reel_status status = REEL_OK;
    char buf[REEL_TENSOR_NAME];
    bool unique = false;
    for (size_t t = 0; t < c->st.n; t++)
        if (!used[t])
            REEL_TRY(name_set(c, t, reel_tensor_plain_name(arch, c->st.tensor[t].name, buf), err));
    REEL_TRY(names_unique(c, &unique, err));
    for (size_t t = 0; t < c->st.n && !unique; t++)
        if (!used[t]) {
            reel_free(c->name_out[t]);
            c->name_out[t] = NULL;
        }
done:
    return status;
}

/* Parameters get their own names; the others (a decoder) lose wrappers and old spellings. A config.json that is none of ours
 * leaves all names as they are. */
static reel_status names_choose(converter *c, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_model *m = NULL;
    reel_load_report report = {0};
    reel_matching match = {0};
    char *config = reel_path_join(c->from, "config.json");
    c->name_out = reel_calloc(c->st.n, sizeof *c->name_out);
    if (config == NULL || c->name_out == NULL) {
        status = reel_fail_nomem(err, c->from);
        goto done;
    }
    if (reel_model_begin(c->ctx, config, &(reel_load_options){0}, &m, &report, NULL) != REEL_OK)
        goto done;
    REEL_TRY(reel_match(&c->st, m->arch, &m->params, c->st.path, &match, err));
    for (size_t i = 0; i < m->params.n; i++)
        if (match.source[i] != NULL) {
            REEL_TRY(reel_tensor_check_type(match.source[i], c->st.path, err));
            REEL_TRY(name_set(c, (size_t)(match.source[i] - c->st.tensor), m->params.param[i].name, err));
        }
    status = names_of_rest(c, m->arch, match.used, err);
done:
    reel_matching_free(&match);
    reel_load_report_free(&report);
    reel_model_close(&m);
    reel_free(config);
    return status;
}

/* What is no parameter is written as it is: all of it must be there, and of a type that a safetensors file has. */
static reel_status check_kept(const converter *c, reel_error *err)
{
    for (size_t i = 0; i < c->st.n; i++)
        if (c->st.tensor[i].dtype >= REEL_DTYPE_STORED)
            return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: %s has dtype %s, which a safetensors file cannot hold", c->st.path,
                             c->st.tensor[i].name, reel_dtype_name(c->st.tensor[i].dtype));
    if (c->st.absents > 0)
        reel_log(c->ctx, REEL_LOG_WARNING, "model", "%s: it names %zu tensor%s that none of its shards has, such as %s: not written",
                 c->st.path, c->st.absents, c->st.absents == 1 ? "" : "s", c->st.absent[0]);
    return REEL_OK;
}

static reel_status converter_open(converter *c, const reel_model_convert_args *a, reel_error *err)
{
    static const struct { const char *word, *name; reel_dtype to; } types[] = {
        {"float32", "float32", REEL_F32}, {"fp32", "float32", REEL_F32}, {"bf16", "bfloat16", REEL_BF16},
        {"bfloat16", "bfloat16", REEL_BF16}, {"fp16", "float16", REEL_F16}, {"float16", "float16", REEL_F16},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(a->dtype, types[i].word) == 0) {
            c->to = types[i].to;
            c->name = types[i].name;
        }
    c->numbers = reel_alloc_aligned(BLOCK, sizeof *c->numbers);
    c->halves = reel_alloc_aligned(BLOCK, sizeof *c->halves);
    if (c->numbers == NULL || c->halves == NULL)
        return reel_fail_nomem(err, a->model);
    if (!reel_is_dir(c->from))
        return reel_fail(err, REEL_ERR_NOT_FOUND, "%s: no such model folder (a folder with config.json and weights)",
                         a->model);
    return reel_weights_open(c->from, &c->st, err);
}

reel_status reel_model_convert(reel_context *ctx, const reel_args *args, reel_error *err)
{
    const reel_model_convert_args *a = reel_args_values(args, REEL_JOB_MODEL_CONVERT);
    converter c = {.ctx = ctx};
    char *from = NULL;
    reel_status status = REEL_OK;
    if (a == NULL)
        return reel_fail(err, REEL_ERR_ARG, "these are not the options of 'model convert'");
    REEL_TRY(reel_args_check(args, err));
    REEL_TRY(reel_folder_check_free(a->output, err));
    REEL_TRY(reel_hub_locate_model(ctx, a->model, &from, err));
    c.from = from;
    REEL_TRY(converter_open(&c, a, err));
    REEL_TRY(names_choose(&c, err));
    REEL_TRY(check_kept(&c, err));
    status = folder_write(&c, a->output, err);
done:
    for (size_t i = 0; c.name_out != NULL && i < c.st.n; i++)
        reel_free(c.name_out[i]);
    reel_free(c.name_out);
    reel_tensors_close(&c.st);
    reel_free(c.numbers);
    reel_free(c.halves);
    reel_free(from);
    return status;
}
