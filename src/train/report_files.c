/* The folder of an evaluation's report. */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "train/report.h"
#include "train/text_csv.h"

static const char *const files[] = {"predictions.csv", "confusion.csv", "confusion.svg", "report.json"};
enum { FILES = sizeof files / sizeof *files };

reel_status reel_report_dir_check(const char *dir, bool overwrite, reel_error *err)
{
    reel_names names = {0};
    reel_status status = REEL_OK;
    if (!reel_exists(dir))
        return REEL_OK;
    if (!reel_is_dir(dir))
        return reel_fail(err, REEL_ERR_EXISTS, "--output_dir %s is there and is not a folder", dir);
    REEL_TRY(reel_dir_list(dir, &names, err));
    for (size_t i = 0; i < names.n && status == REEL_OK; i++) {
        bool ours = false;
        for (size_t k = 0; k < FILES; k++)
            ours = ours || strcmp(names.name[i], files[k]) == 0;
        if (!ours)
            status = reel_fail(err, REEL_ERR_EXISTS,
                               "%s is not empty (it holds %s). Choose a new --output_dir for the report.", dir,
                               names.name[i]);
        else if (!overwrite)
            status = reel_fail(err, REEL_ERR_EXISTS,
                               "%s already holds a report. Choose another --output_dir, or --overwrite_output_dir to "
                               "replace it.",
                               dir);
    }
done:
    reel_names_free(&names);
    return status;
}

static reel_status text_write(const char *dir, const char *name, const char *text, reel_error *err)
{
    char *path = reel_path_join(dir, name);
    reel_status status =
        path == NULL || text == NULL ? reel_fail_nomem(err, dir) : reel_file_write(path, text, strlen(text), err);
    reel_free(path);
    return status;
}

static reel_status table_write(const char *dir, const char *name, reel_text *t, reel_error *err)
{
    reel_status status = text_write(dir, name, t->failed ? NULL : t->s, err);
    reel_text_free(t);
    return status;
}

/* One line a video that was scored: what it is, what the model says, how sure. */
static reel_status predictions_write(const reel_report_source *s, const char *dir, reel_error *err)
{
    reel_text t = {0};
    char buf[64];
    size_t K = s->tally->labels;
    reel_text_puts(&t, "video,label,predicted,score,clips\n");
    for (size_t v = 0; v < s->tally->videos; v++) {
        const double *p = &s->tally->sum[v * K];
        if (s->tally->clips[v] == 0)
            continue;
        size_t answer = reel_argmax(p, K);
        reel_csv_field(&t, reel_samples_name(s->samples, s->data, v, buf));
        reel_text_puts(&t, ",");
        reel_csv_field(&t, reel_model_label(s->model, s->tally->label[v]));
        reel_text_puts(&t, ",");
        reel_csv_field(&t, reel_model_label(s->model, (int)answer));
        reel_text_printf(&t, ",%.6f,%u\n", p[answer] / s->tally->clips[v], (unsigned)s->tally->clips[v]);
    }
    return table_write(dir, files[0], &t, err);
}

static reel_status confusion_write(const reel_eval_report *r, const char *dir, reel_error *err)
{
    reel_text t = {0};
    reel_text_puts(&t, "true \\ predicted");
    for (size_t k = 0; k < r->classes; k++) {
        reel_text_puts(&t, ",");
        reel_csv_field(&t, r->cls[k].name);
    }
    for (size_t i = 0; i < r->classes; i++) {
        reel_text_puts(&t, "\n");
        reel_csv_field(&t, r->cls[i].name);
        for (size_t k = 0; k < r->classes; k++)
            reel_text_printf(&t, ",%zu", r->confusion[i * r->classes + k]);
    }
    reel_text_puts(&t, "\n");
    return table_write(dir, files[1], &t, err);
}

/* --- report.json --- */

static bool number_or_null(reel_json *j, const char *key, double value)
{
    return isnan(value) ? reel_json_set_string(j, key, NULL) : reel_json_set_double(j, key, value);
}

static bool class_push(reel_json *list, const reel_class_score *c)
{
    reel_json *j = reel_json_object();
    bool ok = j != NULL && reel_json_set_string(j, "label", c->name) &&
              reel_json_set_int(j, "videos", (int64_t)c->videos) && number_or_null(j, "precision", c->precision) &&
              number_or_null(j, "recall", c->recall) && number_or_null(j, "f1", c->f1) &&
              reel_json_set_string(j, "confused_with", c->confused_with) &&
              reel_json_set_int(j, "confused", (int64_t)c->confused);
    return reel_json_push(list, j) && ok;
}

static bool skip_push(reel_json *list, const char *path, const char *reason)
{
    reel_json *j = reel_json_object();
    bool ok = j != NULL && reel_json_set_string(j, "video", path) && reel_json_set_string(j, "reason", reason);
    return reel_json_push(list, j) && ok;
}

static reel_json *lists_make(const reel_eval_report *r, bool classes)
{
    reel_json *list = reel_json_array();
    bool ok = list != NULL;
    for (size_t i = 0; ok && classes && i < r->classes; i++)
        ok = class_push(list, &r->cls[i]);
    for (size_t i = 0; ok && !classes && i < r->skipped; i++)
        ok = skip_push(list, r->skipped_path[i], r->skipped_reason[i]);
    if (ok)
        return list;
    reel_json_free(list);
    return NULL;
}

static reel_status json_write(const reel_report_source *s, const reel_eval_report *r, const char *dir, reel_error *err)
{
    reel_json *j = reel_json_object();
    bool ok = j != NULL && reel_json_set_string(j, "data", s->data->path) &&
              reel_json_set_string(j, "model", s->model->path) && reel_json_set_string(j, "split", r->split) &&
              reel_json_set_string(j, "protocol", r->protocol) &&
              reel_json_set_int(j, "videos", (int64_t)r->videos) &&
              reel_json_set_int(j, "scored", (int64_t)r->scored) &&
              reel_json_set_int(j, "clips", (int64_t)r->clips) && number_or_null(j, "accuracy", r->accuracy) &&
              number_or_null(j, "top5", r->top5) && number_or_null(j, "mean_class_accuracy", r->mean_class_accuracy) &&
              number_or_null(j, "loss", r->loss) && number_or_null(j, "clip_accuracy", r->clip_accuracy) &&
              number_or_null(j, "clip_loss", r->clip_loss) && number_or_null(j, "seconds", r->seconds) &&
              reel_json_set(j, "classes", lists_make(r, true)) && reel_json_set(j, "skipped", lists_make(r, false));
    reel_status status = ok ? reel_json_write(dir, files[3], j, 2, "\n", err) : reel_fail_nomem(err, dir);
    reel_json_free(j);
    return status;
}

reel_status reel_report_write(const reel_report_source *s, reel_eval_report *report, const char *dir, reel_error *err)
{
    reel_status status = REEL_OK;
    char *svg = reel_confusion_svg(report);
    REEL_TRY(reel_dir_make(dir, err));
    REEL_TRY(predictions_write(s, dir, err));
    REEL_TRY(confusion_write(report, dir, err));
    REEL_TRY(text_write(dir, files[2], svg, err));
    REEL_TRY(json_write(s, report, dir, err));
    status = reel_report_set_dir(report, dir, err);
done:
    reel_free(svg);
    return status;
}
