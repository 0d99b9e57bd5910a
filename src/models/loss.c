/* Losses of logits, on the host and in double: a few numbers a clip. */
#include <math.h>

#include "models/run.h"

enum { IGNORED = -100 };  /* torch's label that takes no part */

/* log of the sum of exponentials, from the largest so that nothing overflows */
static double log_sum_exp(const float *x, size_t k)
{
    double top = x[0], sum = 0;
    for (size_t j = 1; j < k; j++)
        top = x[j] > top ? x[j] : top;
    for (size_t j = 0; j < k; j++)
        sum += exp(x[j] - top);
    return top + log(sum);
}

/* (1 - e) (-log p[label]) + e mean_j(-log p[j]) (Szegedy et al., arXiv:1512.00567, section 7). */
static double single(const float *x, size_t k, int64_t label, double smoothing, double scale, float *dx)
{
    double lse = log_sum_exp(x, k), loss = 0;
    for (size_t j = 0; j < k; j++) {
        double wanted = smoothing / (double)k + (j == (size_t)label ? 1 - smoothing : 0);
        loss += wanted > 0 ? wanted * (lse - x[j]) : 0;
        if (dx != NULL)
            dx[j] = (float)(scale * (exp(x[j] - lse) - wanted));
    }
    return scale * loss;
}

/* Binary cross entropy with logits: max(x, 0) - x y + log(1 + exp(-|x|)). */
static double multi(const float *x, size_t k, const float *y, double scale, float *dx)
{
    double loss = 0;
    for (size_t j = 0; j < k; j++) {
        double v = x[j];
        loss += (v > 0 ? v : 0) - v * y[j] + log1p(exp(-fabs(v)));
        if (dx != NULL)
            dx[j] = (float)(scale * (1 / (1 + exp(-v)) - y[j]));
    }
    return scale * loss;
}

static double squared(const float *x, size_t k, const float *y, double scale, float *dx)
{
    double loss = 0;
    for (size_t j = 0; j < k; j++) {
        double v = (double)x[j] - y[j];
        loss += v * v;
        if (dx != NULL)
            dx[j] = (float)(scale * 2 * v);
    }
    return scale * loss;
}

double reel_loss_compute(const reel_loss *loss, const float *logits, size_t batch, size_t labels, float *dlogits)
{
    double sum = 0, scale = loss->items > 0 ? 1 / loss->items : NAN;
    if (loss->kind != REEL_LOSS_SINGLE)
        scale /= (double)labels;
    if (isnan(scale))
        sum = NAN;
    for (size_t b = 0; b < batch; b++) {
        const float *x = logits + b * labels;
        float *dx = dlogits != NULL ? dlogits + b * labels : NULL;
        if (loss->kind == REEL_LOSS_MULTI)
            sum += multi(x, labels, loss->target + b * labels, scale, dx);
        else if (loss->kind == REEL_LOSS_REGRESSION)
            sum += squared(x, labels, loss->target + b * labels, scale, dx);
        else if (loss->label[b] != IGNORED)
            sum += single(x, labels, loss->label[b], loss->label_smoothing, scale, dx);
        else
            for (size_t j = 0; dx != NULL && j < labels; j++)
                dx[j] = 0;
    }
    return sum;
}
