#include "train/metrics.h"

#include <math.h>

#include "base/mem.h"

double reel_rounded(double x, double unit)
{
    return round(x * unit) / unit;
}

void reel_softmax(const float *logits, size_t n, double *out)
{
    double top = logits[0], sum = 0;
    for (size_t i = 1; i < n; i++)
        top = fmax(top, (double)logits[i]);
    for (size_t i = 0; i < n; i++)
        sum += out[i] = exp((double)logits[i] - top);
    for (size_t i = 0; i < n; i++)
        out[i] /= sum;
}

size_t reel_argmax(const double *x, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

reel_status reel_tally_open(reel_tally *t, size_t videos, size_t labels, reel_error *err)
{
    size_t cells;
    *t = (reel_tally){.videos = videos, .labels = labels};
    if (reel_mul(&cells, videos, labels)) {
        t->sum = reel_calloc(cells, sizeof *t->sum);
        t->clips = reel_calloc(videos, sizeof *t->clips);
        t->label = reel_calloc(videos, sizeof *t->label);
        t->softmax = reel_calloc(labels, sizeof *t->softmax);
    }
    if (t->sum == NULL || t->clips == NULL || t->label == NULL || t->softmax == NULL) {
        reel_tally_free(t);
        return reel_fail_nomem(err, "the scores of an evaluation");
    }
    for (size_t i = 0; i < videos; i++)
        t->label[i] = -1;
    return REEL_OK;
}

void reel_tally_free(reel_tally *t)
{
    reel_free(t->sum);
    reel_free(t->clips);
    reel_free(t->label);
    reel_free(t->softmax);
    *t = (reel_tally){0};
}

reel_status reel_tally_add(reel_tally *t, size_t video, int label, const float *logits, reel_error *err)
{
    for (size_t k = 0; k < t->labels; k++)
        if (!isfinite(logits[k]))
            return reel_fail(err, REEL_ERR_NUMERIC,
                             "the model's score for label %zu is not a finite number; are its weights damaged?", k);
    reel_softmax(logits, t->labels, t->softmax);
    double *sum = &t->sum[video * t->labels];
    for (size_t k = 0; k < t->labels; k++)
        sum[k] += t->softmax[k];
    t->clips[video]++;
    t->label[video] = label;
    t->n_clips++;
    t->right_clips += (int)reel_argmax(t->softmax, t->labels) == label;
    /* from the logits: log of a probability that rounds to 0 would be infinite */
    double top = logits[0], e = 0;
    for (size_t k = 1; k < t->labels; k++)
        top = fmax(top, (double)logits[k]);
    for (size_t k = 0; k < t->labels; k++)
        e += exp((double)logits[k] - top);
    t->clip_loss += log(e) + top - (double)logits[label];
    return REEL_OK;
}

/* Is the true label among the five highest? Equal scores are taken in the order of the labels. */
static bool in_top5(const double *p, size_t n, size_t label)
{
    size_t before = 0;
    for (size_t k = 0; k < n; k++)
        before += p[k] > p[label] || (p[k] == p[label] && k < label);
    return before < 5;
}

reel_status reel_tally_total(const reel_tally *t, reel_tally_totals *out, size_t *confusion, reel_error *err)
{
    size_t K = t->labels, right = 0, top5 = 0, classes = 0;
    double loss = 0, recalls = 0;
    *out = (reel_tally_totals){0};
    size_t *of_class = reel_calloc(K, 2 * sizeof *of_class);  /* videos, right ones */
    if (of_class == NULL)
        return reel_fail_nomem(err, "the figures of an evaluation");
    for (size_t v = 0; v < t->videos; v++) {
        if (t->clips[v] == 0)
            continue;
        const double *p = &t->sum[v * K];
        size_t label = (size_t)t->label[v], answer = reel_argmax(p, K);
        out->scored++;
        right += answer == label;
        top5 += in_top5(p, K, label);
        loss -= log(fmax(p[label] / t->clips[v], 1e-300));
        of_class[2 * label]++;
        of_class[2 * label + 1] += answer == label;
        if (confusion != NULL)
            confusion[label * K + answer]++;
    }
    for (size_t k = 0; k < K; k++)
        if (of_class[2 * k] > 0) {
            classes++;
            recalls += (double)of_class[2 * k + 1] / (double)of_class[2 * k];
        }
    double n = (double)out->scored, clips = (double)t->n_clips;  /* 0 / 0 is the NaN that is promised */
    out->accuracy = (double)right / n;
    out->top5 = (double)top5 / n;
    out->loss = loss / n;
    out->mean_class_accuracy = recalls / (double)classes;
    out->clip_accuracy = (double)t->right_clips / clips;
    out->clip_loss = t->clip_loss / clips;
    reel_free(of_class);
    return REEL_OK;
}
