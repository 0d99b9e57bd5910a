/* Forward, and forward with loss and backward, over a batch cut into chunks. */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "models/run_state.h"

static reel_status check_batch(const reel_run *run, size_t batch, reel_error *err)
{
    if (batch < 1 || batch > run->max_batch)
        return reel_fail(err, REEL_ERR_ARG, "a batch of %zu clips: this run was planned for 1 to %zu", batch, run->max_batch);
    return REEL_OK;
}

/* Pixels up, forward, logits down to host_logits. */
static reel_status forward_chunk(reel_run *run, const float *pixels, size_t first, size_t clips, bool train, float *hidden,
                                 reel_error *err)
{
    const reel_backend_ops *ops = run->be->ops;
    size_t one = reel_run_pixels(run->model), labels = (size_t)run->model->config.labels, states = reel_run_tokens(run->model);
    reel_status status = reel_run_prepare(run, clips, err);
    if (status != REEL_OK)
        return status;
    ops->upload(run->be, run->pixels, pixels + first * one, clips * one * sizeof(float));
    reel_run_walk(run, clips, train, hidden != NULL);
    ops->download(run->be, run->host_logits + first * labels, run->logits, clips * labels * sizeof(float));
    if (hidden != NULL)
        ops->download(run->be, hidden + first * states, run->hidden, clips * states * sizeof(float));
    return reel_run_settle(run, err);
}

static reel_status check_finite(const reel_run *run, size_t batch, reel_error *err)
{
    size_t labels = (size_t)run->model->config.labels;
    for (size_t i = 0; i < batch * labels; i++)
        if (!isfinite(run->host_logits[i]))
            return reel_fail(err, REEL_ERR_NUMERIC, "clip %zu of the batch: a logit is not finite; are all pixel values finite, "
                             "and the weights sound?", i / labels);
    return REEL_OK;
}

reel_status reel_run_forward(reel_run *run, const float *pixels, size_t batch, float *logits, float *hidden, reel_error *err)
{
    reel_status status = check_batch(run, batch, err);
    if (status == REEL_OK && hidden != NULL && run->mode == REEL_RUN_TRAIN)
        status = reel_fail(err, REEL_ERR_UNSUPPORTED, "a training run does not give hidden states");
    for (size_t at = 0; status == REEL_OK && at < batch; at += run->chunk)
        status = forward_chunk(run, pixels, at, batch - at < run->chunk ? batch - at : run->chunk, false, hidden, err);
    if (status == REEL_OK)
        status = check_finite(run, batch, err);
    if (status == REEL_OK)
        memcpy(logits, run->host_logits, batch * (size_t)run->model->config.labels * sizeof *logits);
    return status;
}

static reel_status check_loss(const reel_run *run, const reel_loss *loss, size_t batch, reel_error *err)
{
    int64_t labels = run->model->config.labels;
    for (size_t b = 0; loss->kind == REEL_LOSS_SINGLE && b < batch; b++)
        if (loss->label[b] != -100 && (loss->label[b] < 0 || loss->label[b] >= labels))
            return reel_fail(err, REEL_ERR_ARG, "clip %zu of the batch has label %lld, but the model has labels 0 to %lld", b,
                             (long long)loss->label[b], (long long)labels - 1);
    return REEL_OK;
}

/* The part of a loss that belongs to the clips from `first` on. */
static reel_loss loss_from(const reel_loss *loss, size_t first, size_t labels)
{
    reel_loss part = *loss;
    if (part.label != NULL)
        part.label += first;
    if (part.target != NULL)
        part.target += first * labels;
    return part;
}

/* Dropout's key is a Philox word of all that tells one walk from another; the places in the model count up from there. */
static void set_dropout(reel_pass *p, uint64_t seed, uint64_t draw, size_t chunk)
{
    uint32_t words[4];
    reel_draw(seed, REEL_PURPOSE_DROPOUT, (uint32_t)chunk, draw, 0, words);
    memcpy(p->seed, words, sizeof p->seed);
    p->draw[0] = words[2];
    p->draw[1] = 0;
}

reel_status reel_run_train(reel_run *run, const float *pixels, size_t batch, const reel_loss *loss, bool accumulate,
                           uint64_t seed, uint64_t dropout_draw, double *loss_value, float *logits, reel_error *err)
{
    size_t labels = (size_t)run->model->config.labels;
    double sum = 0;
    reel_status status;
    REEL_TRY(check_batch(run, batch, err));
    REEL_TRY(check_loss(run, loss, batch, err));
    if (run->mode != REEL_RUN_TRAIN) {
        status = reel_fail(err, REEL_ERR_ARG, "this run was opened for inference, not for training");
        goto done;
    }
    for (size_t at = 0; at < batch; at += run->chunk) {
        size_t clips = batch - at < run->chunk ? batch - at : run->chunk;
        reel_loss part = loss_from(loss, at, labels);
        set_dropout(&run->pass, seed, dropout_draw, at / run->chunk);
        REEL_TRY(forward_chunk(run, pixels, at, clips, true, NULL, err));
        sum += reel_loss_compute(&part, run->host_logits + at * labels, clips, labels, run->host_dlogits);
        run->be->ops->upload(run->be, run->dlogits, run->host_dlogits, clips * labels * sizeof(float));
        run->pass.accumulate = accumulate || at > 0;
        reel_run_walk_back(run);
        REEL_TRY(reel_run_settle(run, err));
    }
    *loss_value = sum;
    if (logits != NULL)
        memcpy(logits, run->host_logits, batch * labels * sizeof *logits);
done:
    return status;
}
