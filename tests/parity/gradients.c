/* For the comparison with Python: the gradients of one batch.
 *   reel_gradients MODEL IN.safetensors OUT.safetensors [PRECISION [checkpointing]]
 * IN: pixel_values (B,T,C,H,W) float32, labels (B) int64. PRECISION: as --dtype; the run must compute in it. OUT: every
 * gradient by its parameter's name, loss, logits. */
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "base/mem.h"
#include "format/safetensors.h"
#include "models/run.h"

static reel_status write_gradients(const reel_model *m, const float *block, const char *path, double loss, const float *logits,
                                   size_t batch, reel_error *err)
{
    size_t n = 0;
    float loss32 = (float)loss;
    reel_st_entry *entry = reel_calloc(m->params.n + 2, sizeof *entry);
    if (entry == NULL)
        return reel_fail_nomem(err, path);
    for (size_t i = 0; i < m->params.n; i++) {
        const reel_param *p = &m->params.param[i];
        if (p->name != NULL)
            entry[n++] = (reel_st_entry){p->name, REEL_F32, p->shape, block + p->offset};
    }
    entry[n++] = (reel_st_entry){"loss", REEL_F32, {.rank = 1, .dim = {1}}, &loss32};
    entry[n++] = (reel_st_entry){"logits", REEL_F32, {.rank = 2, .dim = {(int64_t)batch, m->config.labels}}, logits};
    reel_status status = reel_st_write(path, entry, n, NULL, 0, err);
    reel_free(entry);
    return status;
}

int main(int argc, char **argv)
{
    reel_error err = {0};
    reel_status status = REEL_OK;
    reel_context *ctx = NULL;
    reel_model *model = NULL;
    reel_run *run = NULL;
    reel_tensors in = {0};
    float *block = NULL, *pixels = NULL, *logits = NULL;
    int64_t *labels = NULL;
    double value;
    reel_run_settings settings = {.mode = REEL_RUN_TRAIN, .checkpointing = argc == 6};
    if (argc < 4 || argc > 6 || (argc > 4 && !reel_precision_parse(argv[4], &settings.precision)))
        return 2;
    REEL_TRY(reel_context_open(&ctx, &err));
    REEL_TRY(reel_model_load(ctx, argv[1], NULL, &model, NULL, &err));
    REEL_TRY(reel_st_open(argv[2], &in, &err));
    const reel_tensor *px = reel_tensors_find(&in, "pixel_values"), *lb = reel_tensors_find(&in, "labels");
    if (px == NULL || lb == NULL) {
        status = reel_fail(&err, REEL_ERR_NOT_FOUND, "%s: pixel_values and labels are wanted", argv[2]);
        goto done;
    }
    size_t batch = (size_t)px->shape.dim[0];
    pixels = reel_alloc_aligned(px->bytes, 1);
    labels = reel_alloc_aligned(lb->bytes, 1);
    block = reel_alloc_aligned(model->params.floats, sizeof *block);
    logits = reel_alloc_aligned(batch * (size_t)model->config.labels, sizeof *logits);
    if (pixels == NULL || labels == NULL || block == NULL || logits == NULL) {
        status = reel_fail_nomem(&err, argv[0]);
        goto done;
    }
    memcpy(pixels, px->data, px->bytes);
    memcpy(labels, lb->data, lb->bytes);
    settings.max_batch = batch;
    REEL_TRY(reel_run_open_with(model, &settings, NULL, &run, &err));
    if (reel_run_precision(run) != settings.precision) {
        status = reel_fail(&err, REEL_ERR_UNSUPPORTED, "this processor computes %s in %s", argv[4],
                           reel_precision_name(reel_run_precision(run)));
        goto done;
    }
    const reel_loss loss = {.kind = REEL_LOSS_SINGLE, .label = labels, .items = (double)batch};
    REEL_TRY(reel_run_train(run, pixels, batch, &loss, false, 0, 0, &value, logits, &err));
    REEL_TRY(reel_run_get(run, REEL_BLOCK_GRADS, block, &err));
    REEL_TRY(write_gradients(model, block, argv[3], value, logits, batch, &err));
done:
    if (status != REEL_OK)
        fprintf(stderr, "%s\n", err.message);
    reel_run_close(&run);
    reel_model_close(&model);
    reel_tensors_close(&in);
    reel_context_close(&ctx);
    reel_free(block);
    reel_free(logits);
    reel_free(pixels);
    reel_free(labels);
    return status == REEL_OK ? 0 : 1;
}
