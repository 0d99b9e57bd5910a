#include "train/score.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"

static const reel_plan *plan_at(const reel_scoring *s, size_t i)
{
    return &s->loader.plan[i];
}

/* Forward of a batch in parts that the run was planned for. */
static reel_status batch_score(reel_scoring *s, const reel_batch *batch, float *logits, reel_error *err)
{
    reel_status status = REEL_OK;
    for (size_t at = 0; at < batch->n && status == REEL_OK; at += s->run_batch) {
        size_t n = batch->n - at < s->run_batch ? batch->n - at : s->run_batch;
        status = reel_run_forward(s->run, batch->pixels + at * s->loader.clip_floats, n, logits + at * s->labels,
                                  NULL, err);
    }
    for (size_t i = 0; i < batch->n && status == REEL_OK; i++)
        status = s->scored(plan_at(s, batch->plan[i]), logits + i * s->labels, s->user, err);
    for (size_t i = 0; i < batch->bads && status == REEL_OK; i++)
        status = s->unscored(plan_at(s, batch->bad[i].plan), batch->bad[i].reason, s->user, err);
    return status;
}

reel_status reel_score_clips(reel_context *ctx, reel_scoring *s, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_loader *loader = NULL;
    const reel_batch *batch = NULL;
    float *logits = NULL;
    size_t cells, batches = (s->loader.plans + s->loader.batch - 1) / s->loader.batch;
    s->waited = 0;
    if (!reel_mul(&cells, s->loader.batch, s->labels) || (logits = reel_calloc(cells, sizeof *logits)) == NULL) {
        status = reel_fail_nomem(err, "the scores of a batch");
        goto done;
    }
    REEL_TRY(reel_loader_open(ctx, &s->loader, &loader, err));
    for (size_t i = 0; ; i++) {
        REEL_TRY(reel_loader_next(loader, &batch, err));
        if (batch == NULL)
            break;
        s->waited += batch->waited;
        REEL_TRY(batch_score(s, batch, logits, err));
        if (reel_cancelled(ctx) || (s->step != NULL && !s->step(i + 1, batches, s->user))) {
            status = reel_fail_cancelled(err);
            goto done;
        }
    }
done:
    reel_loader_close(&loader);
    reel_free(logits);
    return status;
}

int reel_train_loaders(const reel_context *ctx, int64_t wanted, bool is_packed)
{
    if (wanted > 0)
        return wanted < 256 ? (int)wanted : 256;
    if (is_packed || ctx->threads < 1)
        return 1;
    return ctx->threads < 8 ? ctx->threads : 8;
}

size_t reel_cache_bytes(int64_t megabytes)
{
    return (size_t)megabytes * 1000000;
}

reel_status reel_packed_check(const reel_dataset *ds, const reel_config *c, reel_error *err)
{
    const reel_tensor *pixels = reel_tensors_find(&ds->packed, "pixel_values");
    char have[128] = "nothing", want[128];
    reel_shape shape = {.rank = 5, .dim = {0, c->frames, c->channels, c->height, c->width}};
    if (pixels != NULL) {
        reel_shape_text(&pixels->shape, have, sizeof have);
        shape.dim[0] = pixels->shape.rank == 5 ? pixels->shape.dim[0] : 0;
        if (pixels->dtype == REEL_F32 && reel_shape_equal(&pixels->shape, &shape))
            return REEL_OK;
    }
    reel_shape_text(&shape, want, sizeof want);
    return reel_fail(err, REEL_ERR_MISMATCH,
                     "%s: pixel_values is %s%s, the model takes float32 %s; pack it for this model with "
                     "reel data pack --model",
                     ds->path, have, pixels != NULL && pixels->dtype != REEL_F32 ? " of another type" : "", want);
}

const char *reel_reason_short(const char *reason, const char *path)
{
    char shown[REEL_ERROR_SIZE];
    reel_escape(shown, sizeof shown, path);  /* messages hold names as people see them */
    size_t n = strlen(shown);
    if (strncmp(reason, shown, n) == 0 && strncmp(reason + n, ": ", 2) == 0)
        return reason + n + 2;
    return reason;
}
