#include "train/state.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "train/text_csv.h"

reel_status reel_state_init(reel_state *s, reel_error *err)
{
    *s = (reel_state){.grad_norm = NAN,
                      .learning_rate = NAN,
                      .eval_steps = 500,
                      .save_steps = 500,
                      .stage = REEL_STAGE_DONE};
    s->log_history = reel_json_array();
    return s->log_history == NULL ? reel_fail_nomem(err, "the state of a run") : REEL_OK;
}

void reel_state_free(reel_state *s)
{
    for (size_t i = 0; i < s->n_skips; i++) {
        reel_free(s->skip[i].video);
        reel_free(s->skip[i].reason);
    }
    reel_free(s->skip);
    reel_json_free(s->log_history);
    reel_json_free(s->by_class);
    *s = (reel_state){0};
}

reel_status reel_state_log(reel_state *s, reel_json *entry_taken, reel_error *err)
{
    if (entry_taken == NULL)
        return reel_fail_nomem(err, "the log");
    bool ok = reel_json_set_double(entry_taken, "epoch", s->epoch) && reel_json_set_int(entry_taken, "step", s->step);
    ok = reel_json_push(s->log_history, entry_taken) && ok;
    return ok ? REEL_OK : reel_fail_nomem(err, "the log");
}

const reel_json *reel_state_evaluation(const reel_state *s, int64_t step)
{
    for (size_t i = reel_json_size(s->log_history); i > 0; i--) {
        const reel_json *entry = reel_json_at(s->log_history, i - 1);
        int64_t at;
        if (reel_json_get(entry, "eval_runtime") != NULL && reel_json_integer(reel_json_get(entry, "step"), &at) &&
            at == step)
            return entry;
    }
    return NULL;
}

/* Sums of a confusion matrix: of rows, of columns, the diagonal. */
static reel_json *sums_make(const size_t *confusion, size_t n, int which)
{
    reel_json *list = reel_json_array();
    bool ok = list != NULL;
    for (size_t i = 0; i < n && ok; i++) {
        size_t sum = which == 2 ? confusion[i * n + i] : 0;
        for (size_t k = 0; k < n && which != 2; k++)
            sum += which == 0 ? confusion[i * n + k] : confusion[k * n + i];
        reel_json *number = reel_json_new_int((int64_t)sum);
        ok = number != NULL && reel_json_push(list, number);
    }
    if (ok)
        return list;
    reel_json_free(list);
    return NULL;
}

reel_status reel_state_classes(reel_state *s, const size_t *confusion, size_t classes, reel_error *err)
{
    char now[32], best[32];
    reel_json *kept = reel_json_object(), *figures = reel_json_object();
    snprintf(now, sizeof now, "%lld", (long long)s->step);
    snprintf(best, sizeof best, "%lld", (long long)s->best_step);
    const reel_json *old = s->by_class != NULL && strcmp(now, best) != 0 ? reel_json_get(s->by_class, best) : NULL;
    bool ok = kept != NULL && figures != NULL && reel_json_set(figures, "videos", sums_make(confusion, classes, 0)) &&
              reel_json_set(figures, "answers", sums_make(confusion, classes, 1)) &&
              reel_json_set(figures, "right", sums_make(confusion, classes, 2)) &&
              (old == NULL || reel_json_set(kept, best, reel_json_copy(old)));
    if (ok) {
        ok = reel_json_set(kept, now, figures);
        figures = NULL;
    }
    if (ok) {
        reel_json_free(s->by_class);
        s->by_class = kept;
        kept = NULL;
    }
    reel_json_free(kept);
    reel_json_free(figures);
    return ok ? REEL_OK : reel_fail_nomem(err, "the figures of the classes");
}

reel_status reel_state_skip(reel_state *s, const char *video, const char *reason, bool *is_new, reel_error *err)
{
    char name[1024];  /* names of files may hold anything; lists and JSON must stay text */
    *is_new = false;
    reel_escape(name, sizeof name, video);
    for (size_t i = 0; i < s->n_skips; i++)
        if (strcmp(s->skip[i].video, name) == 0)
            return REEL_OK;
    void *items = s->skip;
    bool room = reel_grow(&items, &s->skip_capacity, s->n_skips, sizeof *s->skip);
    s->skip = items;
    reel_skip skip = {.video = reel_strdup(name), .reason = reel_strdup(reason)};
    if (!room || skip.video == NULL || skip.reason == NULL) {
        reel_free(skip.video);
        reel_free(skip.reason);
        return reel_fail_nomem(err, name);
    }
    s->skip[s->n_skips++] = skip;
    *is_new = true;
    return REEL_OK;
}

reel_status reel_skips_write(const reel_state *s, const char *dir, reel_error *err)
{
    reel_text t = {0};
    if (s->n_skips == 0)
        return REEL_OK;
    reel_text_puts(&t, "video,reason\n");
    for (size_t i = 0; i < s->n_skips; i++) {
        reel_csv_field(&t, s->skip[i].video);
        reel_text_puts(&t, ",");
        reel_csv_field(&t, s->skip[i].reason);
        reel_text_puts(&t, "\n");
    }
    char *path = reel_path_join(dir, "skipped.csv");
    reel_status status = t.failed || path == NULL ? reel_fail_nomem(err, dir) : reel_file_write(path, t.s, t.len, err);
    reel_free(path);
    reel_text_free(&t);
    return status;
}

reel_status reel_json_write(const char *dir, const char *name, const reel_json *json, int indent, const char *end,
                            reel_error *err)
{
    char *text = reel_json_dump(json, indent, REEL_JSON_SORTED), *whole = text != NULL ? reel_format("%s%s", text, end) : NULL;
    reel_free(text);
    return reel_file_write_text(dir, name, whole, err);
}
