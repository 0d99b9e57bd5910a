/* A data set: classes, splits, items, whatever form it comes in. */
#ifndef REEL_DATA_DATASET_H
#define REEL_DATA_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/context.h"
#include "base/error.h"
#include "format/safetensors.h"

typedef struct reel_item {
    char *path;              /* as it can be opened */
    char *shown;             /* as a person knows it: relative to the data set */
    int label;               /* place in classes; -1: none known */
    int split;               /* place in splits */
    int group;               /* UCF101's gNN, or -1 */
    double duration;         /* seconds; < 0: not probed yet */
} reel_item;

typedef struct reel_dataset {
    char *path;
    const char *layout;      /* "folders", "archive", "csv", "packed" */
    char **classes; size_t n_classes;   /* sorted by code point */
    char **splits; size_t n_splits;     /* "train", "val", "test" as far as they are there; "all" where there are none */
    reel_item *item; size_t n_items;    /* by split, class, path */
    char **warning; size_t n_warnings;  /* empty classes, leaking groups, splits that lack a class */
    reel_tensors packed; bool is_packed;     /* packed file: pixel_values, labels */
} reel_dataset;

/* Opens a folder {train,val,test}/<Class>/clips (one wrapping folder allowed), a folder <Class>/clips (one split "all"), an
 * archive of either, a csv, or a packed safetensors file. The message of a failure says what was found instead. */
reel_status reel_dataset_open(reel_context *ctx, const char *path, reel_dataset **out, reel_error *err);
void reel_dataset_close(reel_dataset **ds);

/* Place of a split by name ("val" also finds validation, valid, dev), or -1. */
int reel_dataset_split(const reel_dataset *ds, const char *name);
/* Items of a split: *first and the number of them (they are contiguous). */
size_t reel_dataset_items(const reel_dataset *ds, int split, size_t *first);

#endif
