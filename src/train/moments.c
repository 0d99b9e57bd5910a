#include "train/moments.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "format/safetensors.h"

static const char *const prefixes[2] = {"exp_avg.", "exp_avg_sq."};
static const reel_run_block blocks[2] = {REEL_BLOCK_EXP_AVG, REEL_BLOCK_EXP_AVG_SQ};

/* Entry e: 0 is step; then each named parameter's two moments. param[e]: which one, so that entry and block are found
 * again. */
typedef struct moments_table {
    reel_st_entry *entry;
    const reel_param **param;
    char **name;
    size_t *order;
    size_t n;
} moments_table;

static void table_free(moments_table *t)
{
    for (size_t i = 0; t->name != NULL && i < t->n; i++)
        reel_free(t->name[i]);
    reel_free(t->name);
    reel_free(t->entry);
    reel_free(t->param);
    reel_free(t->order);
}

static reel_status table_make(moments_table *t, const reel_params *params, const int64_t *step, reel_error *err)
{
    size_t most = 1 + 2 * params->n;
    *t = (moments_table){.entry = reel_calloc(most, sizeof *t->entry), .param = reel_calloc(most, sizeof *t->param),
                         .name = reel_calloc(most, sizeof *t->name), .order = reel_calloc(most, sizeof *t->order)};
    if (t->entry == NULL || t->param == NULL || t->name == NULL || t->order == NULL)
        return reel_fail_nomem(err, REEL_MOMENTS_NAME);
    t->entry[0] = (reel_st_entry){.name = "step", .dtype = REEL_I64, .data = step};
    t->n = 1;
    for (int b = 0; b < 2; b++)
        for (size_t i = 0; i < params->n; i++) {
            const reel_param *p = &params->param[i];
            if (p->name == NULL)
                continue;
            char *name = reel_format("%s%s", prefixes[b], p->name);
            if (name == NULL)
                return reel_fail_nomem(err, REEL_MOMENTS_NAME);
            t->name[t->n] = name;
            t->param[t->n] = p;
            t->entry[t->n] = (reel_st_entry){.name = name, .dtype = REEL_F32, .shape = p->shape};
            t->n++;
        }
    return REEL_OK;
}

/* Names in byte order put all of exp_avg before exp_avg_sq, so each block is lent once. */
static reel_status data_write(reel_st_writer *w, const moments_table *t, reel_run *run, reel_error *err)
{
    int held = -1;
    const float *numbers = NULL;
    float *copy = NULL;
    reel_status status = REEL_OK;
    for (size_t i = 0; i < t->n && status == REEL_OK; i++) {
        size_t e = t->order[i];
        if (e == 0) {
            status = reel_out_write(&w->out, t->entry[0].data, sizeof(int64_t), err);
            continue;
        }
        int block = strncmp(t->entry[e].name, prefixes[1], strlen(prefixes[1])) == 0;
        if (block != held) {
            reel_free(copy);
            status = reel_run_lend(run, blocks[block], &numbers, &copy, err);
        }
        held = block;
        if (status == REEL_OK)
            status = reel_out_write(&w->out, numbers + t->param[e]->offset, t->param[e]->count * sizeof *numbers, err);
    }
    reel_free(copy);
    return status;
}

reel_status reel_moments_write(reel_run *run, const reel_params *params, int64_t step, const char *dir, reel_error *err)
{
    moments_table t = {0};
    reel_st_writer w = {0};
    reel_status status = REEL_OK;
    bool begun = false;
    char *path = reel_path_join(dir, REEL_MOMENTS_NAME);
    if (path == NULL)
        return reel_fail_nomem(err, dir);
    REEL_TRY(table_make(&t, params, &step, err));
    REEL_TRY(reel_st_write_begin(&w, path, t.entry, t.n, NULL, 0, t.order, err));
    begun = true;
    REEL_TRY(data_write(&w, &t, run, err));
    status = reel_st_write_commit(&w, err);
    begun = false;
done:
    if (begun)
        reel_st_write_abort(&w);
    table_free(&t);
    reel_free(path);
    return status;
}

static reel_status tensor_read(reel_run *run, const reel_tensors *st, const reel_params *params, size_t i, int block, const char *path,
                               reel_error *err)
{
    const reel_param *p = &params->param[i];
    char have[128], want[128];
    char *name = reel_format("%s%s", prefixes[block], p->name);
    if (name == NULL)
        return reel_fail_nomem(err, path);
    reel_status status = REEL_OK;
    const reel_tensor *t = reel_tensors_find(st, name);
    if (t == NULL)
        status = reel_fail(err, REEL_ERR_NOT_FOUND, "%s: %s is missing", path, name);
    else if (t->dtype != REEL_F32 || !reel_shape_equal(&t->shape, &p->shape)) {
        reel_shape_text(&t->shape, have, sizeof have);
        reel_shape_text(&p->shape, want, sizeof want);
        status = reel_fail(err, REEL_ERR_MISMATCH, "%s: %s is %s %s, the model wants F32 %s", path, name,
                           reel_dtype_name(t->dtype), have, want);
    } else
        status = reel_run_set_param(run, blocks[block], i, t->data, err);
    reel_free(name);
    return status;
}

reel_status reel_moments_read(reel_run *run, const reel_params *params, int64_t *step, const char *dir, reel_error *err)
{
    reel_tensors st = {0};
    reel_status status = REEL_OK;
    bool opened = false;
    char *path = reel_path_join(dir, REEL_MOMENTS_NAME);
    if (path == NULL)
        return reel_fail_nomem(err, dir);
    if (!reel_is_file(path)) {
        status = reel_fail(err, REEL_ERR_NOT_FOUND,
                           "%s has no " REEL_MOMENTS_NAME " (saved with --save_only_model?), so that the run cannot "
                           "go on from it. A new run can start from its weights: --model %s.",
                           dir, dir);
        goto done;
    }
    REEL_TRY(reel_st_open(path, &st, err));
    opened = true;
    const reel_tensor *t = reel_tensors_find(&st, "step");
    if (t == NULL || t->dtype != REEL_I64 || t->bytes != sizeof *step) {
        status = reel_fail(err, REEL_ERR_FORMAT, "%s: step is missing or not one int64 number", path);
        goto done;
    }
    memcpy(step, t->data, sizeof *step);
    for (int b = 0; b < 2; b++)
        for (size_t i = 0; i < params->n; i++)
            if (params->param[i].name != NULL)
                REEL_TRY(tensor_read(run, &st, params, i, b, path, err));
done:
    if (opened)
        reel_tensors_close(&st);
    reel_free(path);
    return status;
}
