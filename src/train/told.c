#include "train/told.h"

#include <string.h>

#include "base/file.h"
#include "base/text.h"

void reel_told_data(reel_context *ctx, const reel_dataset *ds)
{
    reel_text t = {0};
    reel_text_printf(&t, "%s: %zu classes", ds->path, ds->n_classes);
    if (ds->is_packed) {
        const reel_tensor *labels = reel_tensors_find(&ds->packed, "labels");
        if (labels != NULL && labels->shape.rank == 1)
            reel_text_printf(&t, ", %lld packed clips, used as they are", (long long)labels->shape.dim[0]);
    } else {
        for (size_t i = 0; i < ds->n_splits; i++) {
            size_t first;
            reel_text_printf(&t, "%s %zu %s", i == 0 ? "," : i + 1 < ds->n_splits ? "," : " and",
                             reel_dataset_items(ds, (int)i, &first), ds->splits[i]);
        }
        reel_text_puts(&t, " videos");
    }
    if (!t.failed)
        reel_log(ctx, REEL_LOG_NOTE, "data", "%s", t.s);
    reel_text_free(&t);
    for (size_t i = 0; i < ds->n_warnings; i++)
        reel_log(ctx, REEL_LOG_WARNING, "warning", "%s", ds->warning[i]);
}

static size_t stem(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot != NULL ? (size_t)(dot - name) : strlen(name);
}

/* "decoder.*, mask_token": names that begin alike are told once. */
static void names_add(reel_text *t, char *const *name, size_t n)
{
    enum { MOST = 6 };
    size_t told = 0;
    for (size_t i = 0; i < n && told < MOST; i++) {
        size_t len = stem(name[i]), alike = 0;
        bool before = false;
        for (size_t k = 0; k < n; k++)
            if (stem(name[k]) == len && strncmp(name[k], name[i], len) == 0) {
                alike++;
                before = before || k < i;
            }
        bool as_group = alike > 2;
        if (as_group && before)
            continue;
        reel_text_puts(t, told > 0 ? ", " : "");
        reel_text_add(t, name[i], as_group ? len : strlen(name[i]));
        reel_text_puts(t, as_group ? ".*" : "");
        told++;
    }
    if (told == MOST)
        reel_text_puts(t, ", …");
}

static void report_told(reel_context *ctx, const reel_load_report *r)
{
    reel_text t = {0};
    if (r->n_unused > 0) {
        reel_text_printf(&t, "%zu tensors not used (", r->n_unused);
        names_add(&t, r->unused, r->n_unused);
        reel_text_puts(&t, ")");
    }
    if (r->n_fresh > 0) {
        reel_text_puts(&t, t.len > 0 ? "    new: " : "new: ");
        names_add(&t, r->fresh, r->n_fresh);
    }
    if (t.len > 0 && !t.failed)
        reel_log(ctx, REEL_LOG_NOTE, "model", "%s", t.s);
    reel_text_free(&t);
    if (r->labels_replaced)
        reel_log(ctx, REEL_LOG_NOTE, "model",
                 "the classifier is new: the checkpoint knows another number of labels than the data");
    else if (r->names_differ)
        reel_log(ctx, REEL_LOG_WARNING, "warning",
                 "the checkpoint's classifier is kept, though its labels have other names than the data's classes");
}

void reel_told_model(reel_context *ctx, const reel_model *model, const char *source, const reel_load_report *report)
{
    char text[256];
    reel_model_describe(model, text, sizeof text);
    reel_log(ctx, REEL_LOG_NOTE, "model", "%s: %s", source, text);
    report_told(ctx, report);
    if (model->processor.place == REEL_PROCESSOR_NOWHERE)
        reel_log(ctx, REEL_LOG_NOTE, "model",
                 "no processor file: mean and std are those of its class, and are written beside the model");
}

void reel_told_no_processor(reel_context *ctx, const reel_model *model, const char *source)
{
    if (model->processor.place == REEL_PROCESSOR_NOWHERE)
        reel_log(ctx, REEL_LOG_WARNING, "warning",
                 "%s: no preprocessor_config.json nor another file that says how its pixels are made; mean, std and size are those of its "
                 "class, and labels may be wrong where it was trained with others", source);
}
