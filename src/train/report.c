#include "train/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* The public struct and what it points to. */
typedef struct owned_report {
    reel_eval_report shown;
    reel_class_score *cls;
    size_t *confusion;
    char **text; size_t texts, capacity;   /* every string handed out */
    const char **path, **reason;
} owned_report;

static const char *keep(owned_report *r, const char *text)
{
    void *items = r->text;
    bool room = reel_grow(&items, &r->capacity, r->texts, sizeof *r->text);
    r->text = items;
    char *copy = room ? reel_strdup(text) : NULL;
    if (copy != NULL)
        r->text[r->texts++] = copy;
    return copy;
}

static double ratio(size_t a, size_t b) { return b > 0 ? (double)a / (double)b : NAN; }

static void class_fill(owned_report *r, size_t k, size_t labels)
{
    reel_class_score *c = &r->cls[k];
    size_t answered = 0, right = r->confusion[k * labels + k];
    for (size_t i = 0; i < labels; i++) {
        c->videos += r->confusion[k * labels + i];
        answered += r->confusion[i * labels + k];
        if (i != k && r->confusion[k * labels + i] > c->confused) {
            c->confused = r->confusion[k * labels + i];
            c->confused_with = r->cls[i].name;
        }
    }
    c->precision = ratio(right, answered);
    c->recall = ratio(right, c->videos);
    c->f1 = c->videos + answered > 0 ? 2 * (double)right / (double)(c->videos + answered) : NAN;
}

static bool skips_fill(owned_report *r, const reel_state *skips)
{
    r->path = reel_calloc(skips->n_skips, sizeof *r->path);
    r->reason = reel_calloc(skips->n_skips, sizeof *r->reason);
    bool ok = r->path != NULL && r->reason != NULL;
    for (size_t i = 0; ok && i < skips->n_skips; i++) {
        r->path[i] = keep(r, skips->skip[i].video);
        r->reason[i] = keep(r, skips->skip[i].reason);
        ok = r->path[i] != NULL && r->reason[i] != NULL;
    }
    return ok;
}

reel_status reel_report_make(const reel_report_source *s, reel_eval_report **out, reel_error *err)
{
    size_t K = s->tally->labels, cells;
    reel_tally_totals totals;
    reel_status status = REEL_OK;
    *out = NULL;
    owned_report *r = reel_calloc(1, sizeof *r);
    if (r == NULL)
        return reel_fail_nomem(err, "the report");
    r->cls = reel_calloc(K, sizeof *r->cls);
    if (reel_mul(&cells, K, K))
        r->confusion = reel_calloc(cells, sizeof *r->confusion);
    const char *split = keep(r, s->split), *protocol = keep(r, s->protocol);
    bool ok = r->cls != NULL && r->confusion != NULL && split != NULL && protocol != NULL && skips_fill(r, s->skips);
    for (size_t k = 0; ok && k < K; k++)
        ok = (r->cls[k].name = keep(r, reel_model_label(s->model, (int)k))) != NULL;
    if (!ok) {
        status = reel_fail_nomem(err, "the report");
        goto done;
    }
    REEL_TRY(reel_tally_total(s->tally, &totals, r->confusion, err));
    for (size_t k = 0; k < K; k++)
        class_fill(r, k, K);
    r->shown = (reel_eval_report){.split = split,
                                  .protocol = protocol,
                                  .videos = s->tally->videos,
                                  .scored = totals.scored,
                                  .clips = s->tally->n_clips,
                                  .classes = K,
                                  .accuracy = totals.accuracy,
                                  .top5 = totals.top5,
                                  .mean_class_accuracy = totals.mean_class_accuracy,
                                  .loss = totals.loss,
                                  .clip_accuracy = totals.clip_accuracy,
                                  .clip_loss = totals.clip_loss,
                                  .cls = r->cls,
                                  .confusion = r->confusion,
                                  .skipped = s->skips->n_skips,
                                  .skipped_path = r->path,
                                  .skipped_reason = r->reason,
                                  .seconds = s->seconds,
                                  .clips_per_second = s->scoring > 0 ? (double)s->tally->n_clips / s->scoring : NAN,
                                  .wait_share = s->scoring > 0 ? s->waited / s->scoring : 0};
    *out = &r->shown;
    r = NULL;
done:
    if (r != NULL) {
        reel_eval_report *shown = &r->shown;
        reel_eval_report_close(&shown);
    }
    return status;
}

void reel_eval_report_close(reel_eval_report **report)
{
    if (report == NULL || *report == NULL)
        return;
    owned_report *r = (owned_report *)(void *)*report;
    for (size_t i = 0; i < r->texts; i++)
        reel_free(r->text[i]);
    reel_free(r->text);
    reel_free(r->cls);
    reel_free(r->confusion);
    reel_free(r->path);
    reel_free(r->reason);
    reel_free(r);
    *report = NULL;
}

/* --- here because it must keep a string --- */

reel_status reel_report_set_dir(reel_eval_report *report, const char *dir, reel_error *err)
{
    owned_report *r = (owned_report *)(void *)report;
    report->output_dir = keep(r, dir);
    return report->output_dir != NULL ? REEL_OK : reel_fail_nomem(err, dir);
}
