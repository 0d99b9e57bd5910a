#include "train/samples.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/parallel.h"

/* --- packed files: rows are clips that are ready --- */

static reel_status packed_open(reel_dataset *ds, reel_samples *out, reel_error *err)
{
    const reel_tensor *labels = reel_tensors_find(&ds->packed, "labels");
    if (labels == NULL || labels->dtype != REEL_I64 || labels->shape.rank != 1 || labels->shape.dim[0] < 1)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: labels is not a list of int64 numbers", ds->path);
    size_t n = (size_t)labels->shape.dim[0];
    out->plan = reel_calloc(n, sizeof *out->plan);
    if (out->plan == NULL)
        return reel_fail_nomem(err, ds->path);
    for (size_t i = 0; i < n; i++) {
        int64_t label;
        memcpy(&label, labels->data + i * sizeof label, sizeof label);
        if (label < 0 || (uint64_t)label >= ds->n_classes)
            return reel_fail(err, REEL_ERR_FORMAT,
                             "%s: label %lld of row %zu is outside the %zu classes that it names", ds->path,
                             (long long)label, i, ds->n_classes);
        out->plan[i] = (reel_plan){.row = i, .label = (int)label};
    }
    out->n = out->videos = n;
    out->is_packed = true;
    return REEL_OK;
}

/* --- videos --- */

typedef struct probing { reel_context *ctx; reel_item *item; bool autorotate; } probing;

/* What cannot be opened stays unmeasured. */
static reel_status probe_one(void *user, size_t i, reel_error *err)
{
    const probing *p = user;
    (void)err;
    if (p->item[i].duration < 0)
        reel_item_probe(p->ctx, &p->item[i], p->autorotate, NULL);
    return REEL_OK;
}

static int clips_of(const reel_item *item, const reel_sampling *s, size_t *unreadable)
{
    if (s->sampler == REEL_SAMPLER_RANDOM)
        return 1;
    if (s->sampler == REEL_SAMPLER_VIEWS)
        return s->clips;
    if (item->duration < 0) {
        ++*unreadable;
        return 1;
    }
    return reel_uniform_clips(item->duration, s->seconds);
}

static const reel_frames_mode modes[] = {REEL_FRAMES_RANDOM, REEL_FRAMES_WINDOW, REEL_FRAMES_VIEW};

static reel_status add_video(reel_samples *out, size_t *capacity, const reel_item *item, int clips,
                             const reel_sampling *s, reel_error *err)
{
    int crops = s->sampler == REEL_SAMPLER_VIEWS ? s->crops : 1;
    for (int c = 0; c < clips; c++)
        for (int k = 0; k < crops; k++) {
            void *plans = out->plan;
            bool room = reel_grow(&plans, capacity, out->n, sizeof *out->plan);
            out->plan = plans;
            if (!room)
                return reel_fail_nomem(err, item->shown);
            out->plan[out->n++] = (reel_plan){.item = item,
                                              .label = item->label,
                                              .mode = modes[s->sampler],
                                              .seconds = s->seconds,
                                              .clip = c,
                                              .clips = clips,
                                              .crop = k,
                                              .crops = crops};
        }
    return REEL_OK;
}

reel_status reel_samples_open(reel_context *ctx, reel_dataset *ds, int split, const reel_sampling *sampling,
                              reel_samples *out, reel_error *err)
{
    reel_status status = REEL_OK;
    size_t capacity = 0;
    *out = (reel_samples){0};
    if (ds->is_packed) {
        REEL_TRY(packed_open(ds, out, err));
        return REEL_OK;
    }
    out->videos = reel_dataset_items(ds, split, &out->first);
    if (sampling->sampler == REEL_SAMPLER_UNIFORM) {
        probing p = {ctx, ds->item + out->first, sampling->autorotate};
        REEL_TRY(reel_parallel(ctx, reel_loader_threads(ctx, 0), out->videos, probe_one, &p, err));
    }
    for (size_t i = 0; i < out->videos; i++) {
        if (reel_cancelled(ctx)) {
            status = reel_fail_cancelled(err);
            goto done;
        }
        reel_item *item = &ds->item[out->first + i];
        if (item->label < 0 || (size_t)item->label >= ds->n_classes) {
            status = reel_fail(err, REEL_ERR_MISMATCH, "%s: %s has no label", ds->path, item->shown);
            goto done;
        }
        REEL_TRY(add_video(out, &capacity, item, clips_of(item, sampling, &out->unreadable), sampling, err));
    }
done:
    if (status != REEL_OK)
        reel_samples_free(out);
    return status;
}

void reel_samples_free(reel_samples *s)
{
    reel_free(s->plan);
    *s = (reel_samples){0};
}

size_t reel_samples_video(const reel_samples *s, const reel_dataset *ds, const reel_plan *plan)
{
    return s->is_packed ? plan->row : (size_t)(plan->item - ds->item) - s->first;
}

const char *reel_samples_name(const reel_samples *s, const reel_dataset *ds, size_t video, char buf[64])
{
    if (!s->is_packed)
        return ds->item[s->first + video].shown;
    snprintf(buf, 64, "row %zu", video);
    return buf;
}

reel_status reel_samples_epoch(const reel_samples *s, uint64_t seed, uint32_t epoch, bool shuffle, size_t wanted,
                               reel_plan **out, reel_error *err)
{
    reel_status status = REEL_OK;
    int64_t *order = reel_calloc(s->n, sizeof *order);
    reel_plan *plans = reel_calloc(wanted, sizeof *plans);
    reel_mt *mt = reel_calloc(1, sizeof *mt);
    *out = NULL;
    if (order == NULL || plans == NULL || mt == NULL) {
        status = reel_fail_nomem(err, "the order of an epoch");
        goto done;
    }
    for (size_t i = 0; i < s->n; i++)
        order[i] = (int64_t)i;
    if (shuffle) {
        reel_mt_seed(mt, seed + epoch);
        reel_mt_permutation(mt, order, s->n);
    }
    for (size_t i = 0; i < wanted && i < s->n; i++) {
        plans[i] = s->plan[order[i]];
        if (!s->is_packed)
            reel_plan_draw(&plans[i], seed, epoch, (uint64_t)order[i]);
    }
    *out = plans;
    plans = NULL;
done:
    reel_free(order);
    reel_free(plans);
    reel_free(mt);
    return status;
}
