/* The report of an evaluation: figures, and the files of its folder. */
#ifndef REEL_TRAIN_REPORT_H
#define REEL_TRAIN_REPORT_H

#include <reel/train.h>

#include "data/dataset.h"
#include "models/model.h"
#include "train/metrics.h"
#include "train/samples.h"
#include "train/state.h"

/* What a report is made of: all are the caller's, and must outlive only the call. */
typedef struct reel_report_source {
    const reel_dataset *data;
    const reel_samples *samples;
    const reel_model *model;
    const reel_tally *tally;
    const reel_state *skips;       /* its list of videos that could not be read */
    const char *split, *protocol;
    double seconds;
    double scoring, waited;        /* seconds: of it while clips were computed, of that waiting for clips */
} reel_report_source;

reel_status reel_report_make(const reel_report_source *s, reel_eval_report **out, reel_error *err);

/* Checked before any work: a folder that holds something is refused, unless `overwrite` and all in it is an old
 * report. */
reel_status reel_report_dir_check(const char *dir, bool overwrite, reel_error *err);
/* report.json, predictions.csv, confusion.csv, confusion.svg. report->output_dir is set. */
reel_status reel_report_write(const reel_report_source *s, reel_eval_report *report, const char *dir, reel_error *err);

/* Sets report->output_dir to a copy. */
reel_status reel_report_set_dir(reel_eval_report *report, const char *dir, reel_error *err);

/* A picture of the confusion matrix: one square a pair of classes, rows are true labels. Text for a file, or NULL. */
char *reel_confusion_svg(const reel_eval_report *report);

#endif
