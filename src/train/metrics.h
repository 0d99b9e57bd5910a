/* Figures of an evaluation: clips put together by video, accuracy, confusion. */
#ifndef REEL_TRAIN_METRICS_H
#define REEL_TRAIN_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* x to 1/unit, as the Trainer rounds run times. */
double reel_rounded(double x, double unit);

/* softmax of n numbers, in double. */
void reel_softmax(const float *logits, size_t n, double *out);

/* Place of the largest, the first among equals. */
size_t reel_argmax(const double *x, size_t n);

/* Probabilities of videos, added up clip by clip in the order of the clips. */
typedef struct reel_tally {
    size_t videos, labels;
    double *sum;             /* (videos, labels) */
    uint32_t *clips;         /* of each video so far */
    int *label;              /* true label of each video (the model's number); -1 until a clip came */
    double *softmax;         /* one clip */
    size_t n_clips, right_clips;
    double clip_loss;        /* sum of -log p */
} reel_tally;

reel_status reel_tally_open(reel_tally *t, size_t videos, size_t labels, reel_error *err);
void reel_tally_free(reel_tally *t);
/* One clip. REEL_ERR_NUMERIC: a logit is not finite. */
reel_status reel_tally_add(reel_tally *t, size_t video, int label, const float *logits, reel_error *err);

typedef struct reel_tally_totals {
    size_t scored;           /* videos with a clip */
    double accuracy, top5, mean_class_accuracy, loss;  /* of videos; NaN where nothing was scored */
    double clip_accuracy, clip_loss;
} reel_tally_totals;

/* confusion: labels x labels counts (row: true), zeroed by the caller, or NULL. */
reel_status reel_tally_total(const reel_tally *t, reel_tally_totals *out, size_t *confusion, reel_error *err);

#endif
