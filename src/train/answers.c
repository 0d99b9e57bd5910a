#include "train/answers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "train/metrics.h"

reel_status reel_squash_choose(const char *name, const reel_json *config, reel_squash *out, reel_error *err)
{
    static const struct { const char *name; reel_squash squash; } rows[] = {
        {"softmax", REEL_SQUASH_SOFTMAX}, {"sigmoid", REEL_SQUASH_SIGMOID}, {"none", REEL_SQUASH_NONE},
        {"regression", REEL_SQUASH_NONE}, {"multi_label_classification", REEL_SQUASH_SIGMOID},
    };
    *out = REEL_SQUASH_SOFTMAX;
    bool by_config = strcmp(name, "auto") == 0;
    const char *key = by_config ? reel_json_string(reel_json_get(config, "problem_type")) : name;
    for (size_t i = by_config ? 3 : 0; key != NULL && i < sizeof rows / sizeof *rows; i++)
        if (strcmp(key, rows[i].name) == 0) {
            *out = rows[i].squash;
            return REEL_OK;
        }
    return by_config
               ? REEL_OK
               : reel_fail(err, REEL_ERR_ARG, "--function_to_apply %s is none of auto, softmax, sigmoid, none", name);
}

typedef struct answer {
    double *sum;             /* scores added up, labels numbers; NULL until a clip is computed */
    size_t read, computed, scored;  /* clips */
    bool last, not_finite;
    char *path, *reason;
    reel_score *score;
    int64_t *index;
    double *time;
} answer;

/* Lives on as the list that is handed out. */
struct reel_answers {
    reel_prediction_list list;
    reel_prediction *shown;
    answer *item;
    size_t n, labels;
    char **label;
};

reel_status reel_answers_open(const reel_model *model, const reel_inputs *inputs, const char *sampling,
                              reel_answers **out, reel_error *err)
{
    reel_answers *a = reel_calloc(1, sizeof *a);
    *out = NULL;
    if (a == NULL)
        return reel_fail_nomem(err, "the answers");
    a->n = inputs->n;
    a->labels = (size_t)model->config.labels;
    a->shown = reel_calloc(a->n, sizeof *a->shown);
    a->item = reel_calloc(a->n, sizeof *a->item);
    a->label = reel_calloc(a->labels, sizeof *a->label);
    bool ok = a->shown != NULL && a->item != NULL && a->label != NULL;
    for (size_t k = 0; ok && k < a->labels; k++)
        ok = (a->label[k] = reel_strdup(model->config.label[k])) != NULL;
    for (size_t i = 0; ok && i < a->n; i++) {
        ok = (a->item[i].path = reel_strdup(inputs->item[i].path)) != NULL;
        if (ok && inputs->item[i].reason != NULL) {
            ok = (a->item[i].reason = reel_strdup(inputs->item[i].reason)) != NULL;
            a->item[i].last = true;
        }
        a->shown[i] = (reel_prediction){.path = a->item[i].path, .sampling = sampling};
    }
    a->list = (reel_prediction_list){.count = a->n, .item = a->shown, .several = inputs->several};
    if (!ok) {
        reel_answers_close(&a);
        return reel_fail_nomem(err, "the answers");
    }
    *out = a;
    return REEL_OK;
}

void reel_answers_close(reel_answers **answers)
{
    reel_answers *a = answers != NULL ? *answers : NULL;
    if (a == NULL)
        return;
    for (size_t i = 0; a->item != NULL && i < a->n; i++) {
        answer *one = &a->item[i];
        reel_free(one->sum);
        reel_free(one->path);
        reel_free(one->reason);
        reel_free(one->score);
        reel_free(one->index);
        reel_free(one->time);
    }
    for (size_t k = 0; a->label != NULL && k < a->labels; k++)
        reel_free(a->label[k]);
    reel_free(a->label);
    reel_free(a->item);
    reel_free(a->shown);
    reel_free(a);
    *answers = NULL;
}

void reel_prediction_list_close(reel_prediction_list **list)
{
    if (list == NULL || *list == NULL)
        return;
    reel_answers *a = (reel_answers *)(void *)*list;
    reel_answers_close(&a);
    *list = NULL;
}

reel_prediction_list *reel_answers_take(reel_answers **a, double seconds, double waited)
{
    reel_prediction_list *list = &(*a)->list;
    for (size_t i = 0; i < (*a)->n; i++)
        list->clips += (*a)->item[i].computed;
    list->seconds = seconds;
    list->wait_share = seconds > 0 ? waited / seconds : 0;
    *a = NULL;
    return list;
}

/* --- clips --- */

static bool append(void **list, size_t have, const void *more, size_t n, size_t size)
{
    size_t total;
    void *grown = reel_add(&total, have, n) ? reel_realloc(*list, total, size) : NULL;
    if (grown == NULL)
        return false;
    memcpy((char *)grown + have * size, more, n * size);
    *list = grown;
    return true;
}

reel_status reel_answers_trace(reel_answers *a, size_t i, const reel_plan_trace *trace, int frames, reel_error *err)
{
    answer *one = &a->item[i];
    reel_prediction *p = &a->shown[i];
    void *index = one->index, *time = one->time;
    bool ok = append(&index, p->sampled, trace->index, (size_t)frames, sizeof *one->index);
    one->index = index;
    ok = ok && append(&time, p->sampled, trace->time, (size_t)frames, sizeof *one->time);
    one->time = time;
    if (!ok)
        return reel_fail_nomem(err, one->path);
    p->sampled += (size_t)frames;
    p->index = one->index;
    p->time = one->time;
    p->seconds = trace->duration;
    p->repeated = p->repeated || trace->repeated;
    one->read++;
    return REEL_OK;
}

reel_status reel_answers_add(reel_answers *a, size_t i, const float *logits, reel_squash squash, reel_error *err)
{
    answer *one = &a->item[i];
    double *scores = reel_calloc(a->labels, sizeof *scores);
    if (one->sum == NULL)
        one->sum = reel_calloc(a->labels, sizeof *one->sum);
    if (scores == NULL || one->sum == NULL) {
        reel_free(scores);
        return reel_fail_nomem(err, one->path);
    }
    if (squash == REEL_SQUASH_SOFTMAX)
        reel_softmax(logits, a->labels, scores);
    for (size_t k = 0; k < a->labels; k++) {
        double x = (double)logits[k];
        if (squash != REEL_SQUASH_SOFTMAX)
            scores[k] = squash == REEL_SQUASH_SIGMOID ? 1 / (1 + exp(-x)) : x;
        one->sum[k] += scores[k];
    }
    one->computed++;
    one->scored++;
    reel_free(scores);
    return REEL_OK;
}

reel_status reel_answers_fail(reel_answers *a, size_t i, const char *reason, bool was_read, reel_error *err)
{
    answer *one = &a->item[i];
    one->computed += was_read;
    one->not_finite = one->not_finite || was_read;
    if (one->reason == NULL)
        one->reason = reel_strdup(reason);
    return one->reason != NULL ? REEL_OK : reel_fail_nomem(err, one->path);
}

void reel_answers_last(reel_answers *a, size_t i) { a->item[i].last = true; }

bool reel_answers_is_complete(const reel_answers *a, size_t i)
{
    return a->item[i].last && a->item[i].computed == a->item[i].read;
}

static int compare_scores(const void *a, const void *b)
{
    const reel_score *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

reel_status reel_answers_finish(reel_answers *a, size_t i, size_t top_k, const reel_prediction **out, reel_error *err)
{
    answer *one = &a->item[i];
    reel_prediction *p = &a->shown[i];
    *out = p;
    p->clips = one->computed;
    if (one->scored == 0 || one->not_finite) {
        p->reason = one->reason != NULL ? one->reason : "no clip could be read";
        a->list.failed++;
        return REEL_OK;
    }
    one->score = reel_calloc(a->labels, sizeof *one->score);
    if (one->score == NULL)
        return reel_fail_nomem(err, one->path);
    for (size_t k = 0; k < a->labels; k++)
        one->score[k] =
            (reel_score){.score = (float)(one->sum[k] / (double)one->scored), .index = (int)k, .label = a->label[k]};
    qsort(one->score, a->labels, sizeof *one->score, compare_scores);
    p->score = one->score;
    p->scores = top_k < a->labels ? top_k : a->labels;
    reel_free(one->sum);
    one->sum = NULL;
    return REEL_OK;
}
