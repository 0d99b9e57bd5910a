/* A model becomes a checkpoint folder that transformers loads. */
#include "base/file.h"
#include "base/mem.h"
#include "format/safetensors.h"
#include "models/config.h"

static reel_status save_weights(const reel_model *m, const char *dir, const float *weights, reel_error *err)
{
    size_t n = 0;
    char *path = reel_path_join(dir, "model.safetensors");
    reel_st_entry *entry = reel_calloc(m->params.n, sizeof *entry);
    reel_status status = path == NULL || entry == NULL ? reel_fail_nomem(err, dir) : REEL_OK;
    for (size_t i = 0; status == REEL_OK && i < m->params.n; i++) {
        const reel_param *p = &m->params.param[i];
        if (p->name != NULL)
            entry[n++] = (reel_st_entry){p->name, REEL_F32, p->shape, weights + p->offset};
    }
    if (status == REEL_OK)
        status = reel_st_write(path, entry, n, NULL, 0, err);
    reel_free(path);
    reel_free(entry);
    return status;
}

reel_status reel_model_save(const reel_model *model, const char *dir, const char *problem_type, const float *weights,
                            reel_error *err)
{
    reel_status status;
    REEL_TRY(reel_file_write_text(dir, "config.json", reel_config_text(&model->config, model->arch, problem_type), err));
    REEL_TRY(reel_processor_save(&model->processor, dir, err));
    status = save_weights(model, dir, weights != NULL ? weights : model->weights, err);
done:
    return status;
}
