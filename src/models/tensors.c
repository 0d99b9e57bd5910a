#include "models/tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

typedef struct entry { const char *name; size_t index; } entry;

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const entry *)a)->name, ((const entry *)b)->name);
}

/* Parameters by name, for a file may hold a million tensors. */
static entry *index_params(const reel_params *params, size_t *n)
{
    entry *all = reel_calloc(params->n, sizeof *all);
    *n = 0;
    for (size_t i = 0; all != NULL && i < params->n; i++)
        if (params->param[i].name != NULL)
            all[(*n)++] = (entry){params->param[i].name, i};
    if (all != NULL && *n > 0)
        qsort(all, *n, sizeof *all, compare_entries);
    return all;
}

static const entry *look_up(const entry *all, size_t n, const char *name)
{
    entry key = {name, 0};
    return n > 0 ? bsearch(&key, all, n, sizeof *all, compare_entries) : NULL;
}

/* Prefixes of programs that wrap a model: data parallel, training frameworks, torch.compile. */
static const char *without_wrappers(const char *name)
{
    static const char *const wrapper[] = {"module.", "model.", "_orig_mod."};
    for (size_t i = 0; i < sizeof wrapper / sizeof *wrapper;) {
        size_t n = strlen(wrapper[i]);
        bool wrapped = strncmp(name, wrapper[i], n) == 0;
        name += wrapped ? n : 0;
        i = wrapped ? 0 : i + 1;  /* they stand behind one another in any order */
    }
    return name;
}

/* Norms of files from the time of TensorFlow: gamma is the weight, beta the bias. Other modules have a gamma of their own.
 * False where the name is none of these. */
static bool without_greek(const char *name, char buf[REEL_TENSOR_NAME])
{
    static const struct { const char *old, *now; } ends[] = {{".gamma", ".weight"}, {".beta", ".bias"}};
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t m = strlen(ends[i].old);
        if (n <= m || n >= REEL_TENSOR_NAME - 2 || strcmp(name + n - m, ends[i].old) != 0)
            continue;
        snprintf(buf, REEL_TENSOR_NAME, "%.*s", (int)(n - m), name);
        const char *dot = strrchr(buf, '.');
        if (strcasestr(dot != NULL ? dot : buf, "norm") == NULL)
            return false;
        memcpy(buf + n - m, ends[i].now, strlen(ends[i].now) + 1);
        return true;
    }
    return false;
}

static const char *rename_for(const reel_arch *arch, const char *name, char buf[REEL_TENSOR_NAME])
{
    return arch->rename != NULL ? arch->rename(name, buf, REEL_TENSOR_NAME) : NULL;
}

const char *reel_tensor_plain_name(const reel_arch *arch, const char *name, char buf[REEL_TENSOR_NAME])
{
    char greek[REEL_TENSOR_NAME];
    const char *plain = without_wrappers(name);
    bool changed = without_greek(plain, greek);
    const char *renamed = rename_for(arch, changed ? greek : plain, buf);
    if (renamed != NULL)
        return renamed;
    return changed ? memcpy(buf, greek, sizeof greek) : plain;
}

/* The parameter that a tensor of another spelling means; files of the inner model do not have its prefix. */
static const entry *look_up_other(const entry *all, size_t n, const reel_arch *arch, const char *name)
{
    char plain[REEL_TENSOR_NAME], prefixed[2 * REEL_TENSOR_NAME];
    const char *candidate = reel_tensor_plain_name(arch, name, plain);
    const entry *found = look_up(all, n, candidate);
    if (found != NULL)
        return found;
    int written = snprintf(prefixed, sizeof prefixed, "%s%s", arch->base_prefix, candidate);
    return written > 0 && (size_t)written < sizeof prefixed ? look_up(all, n, prefixed) : NULL;
}

/* A parameter that the index of shards promises and no shard has is lost; it must not be drawn anew, as a new head is. */
static reel_status check_absent(const reel_tensors *st, const reel_arch *arch, const entry *all, size_t n, const reel_matching *match,
                                const char *what, reel_error *err)
{
    for (size_t i = 0; i < st->absents; i++) {
        const entry *e = look_up(all, n, st->absent[i]);
        if (e == NULL)
            e = look_up_other(all, n, arch, st->absent[i]);
        if (e != NULL && match->source[e->index] == NULL)
            return reel_fail(err, REEL_ERR_NOT_FOUND, "%s: it names tensor %s, which none of its shards has; fetch or save the "
                             "checkpoint again", what, st->absent[i]);
    }
    return REEL_OK;
}

reel_status reel_match(const reel_tensors *st, const reel_arch *arch, const reel_params *params, const char *what, reel_matching *out,
                       reel_error *err)
{
    size_t n = 0;
    entry *all = index_params(params, &n);
    *out = (reel_matching){reel_calloc(params->n, sizeof *out->source), reel_calloc(st->n, sizeof *out->used)};
    if (all == NULL || out->source == NULL || out->used == NULL) {
        reel_free(all);
        reel_matching_free(out);
        return reel_fail_nomem(err, what);
    }
    /* exact names first: they win over other spellings */
    for (int pass = 0; pass < 2; pass++)
        for (size_t t = 0; t < st->n; t++) {
            const char *name = st->tensor[t].name;
            const entry *e = out->used[t] ? NULL : pass == 0 ? look_up(all, n, name) : look_up_other(all, n, arch, name);
            if (e != NULL && out->source[e->index] == NULL) {
                out->source[e->index] = &st->tensor[t];
                out->used[t] = true;
            }
        }
    reel_status status = check_absent(st, arch, all, n, out, what, err);
    reel_free(all);
    if (status != REEL_OK)
        reel_matching_free(out);
    return status;
}

void reel_matching_free(reel_matching *m)
{
    reel_free(m->source);
    reel_free(m->used);
    *m = (reel_matching){0};
}

reel_status reel_tensor_check_type(const reel_tensor *t, const char *what, reel_error *err)
{
    if (reel_dtype_is_float(t->dtype))
        return REEL_OK;
    return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: %s has dtype %s; weights must be F32, F16, BF16, F64, F8_E4M3 or F8_E5M2", what,
                     t->name, reel_dtype_name(t->dtype));
}

reel_status reel_tensor_check(const reel_tensor *t, const reel_param *p, const char *what, reel_error *err)
{
    char have[128], want[128];
    if (!reel_shape_equal(&t->shape, &p->shape)) {
        reel_shape_text(&t->shape, have, sizeof have);
        reel_shape_text(&p->shape, want, sizeof want);
        return reel_fail(err, REEL_ERR_MISMATCH, "%s: shape mismatch: %s is %s, config.json wants %s; do weights and config "
                         "belong together?", what, t->name, have, want);
    }
    return reel_tensor_check_type(t, what, err);
}

/* All ones in the exponent: NaN or infinity. Whole numbers and no branch, so that it runs at the speed of memory. */
static bool all_finite(const float *x, size_t n)
{
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bad |= (uint32_t)((bits & 0x7F800000u) == 0x7F800000u);
    }
    return bad == 0;
}

static reel_status fail_finite(const reel_tensor *t, const char *what, reel_error *err)
{
    return reel_fail(err, REEL_ERR_NUMERIC, "%s: %s holds a weight that is not finite (NaN or infinity); the checkpoint is "
                     "damaged or its training diverged", what, t->name);
}

reel_status reel_tensor_check_finite(const reel_tensor *t, const char *what, reel_error *err)
{
    enum { BLOCK = 4096 };
    float block[BLOCK];
    size_t size = reel_dtype_size(t->dtype), n = (size_t)t->bytes / size;
    for (size_t at = 0; at < n; at += BLOCK) {
        size_t m = n - at < BLOCK ? n - at : BLOCK;
        reel_dtype_to_float(block, t->data + at * size, t->dtype, m);
        if (!all_finite(block, m))
            return fail_finite(t, what, err);
    }
    return REEL_OK;
}

reel_status reel_tensor_read(float *out, const reel_tensor *t, const char *what, reel_error *err)
{
    size_t n = (size_t)t->bytes / reel_dtype_size(t->dtype);
    reel_dtype_to_float(out, t->data, t->dtype, n);
    return all_finite(out, n) ? REEL_OK : fail_finite(t, what, err);
}
