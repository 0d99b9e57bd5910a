/* Between the files that open a data set: growing its arrays, and one form each. */
#ifndef REEL_DATA_BUILD_H
#define REEL_DATA_BUILD_H

#include "data/dataset.h"

enum { REEL_LABEL_LIMIT = 99999 };  /* highest label */

typedef struct reel_builder {
    reel_dataset *ds;
    size_t item_cap, class_cap, split_cap, warning_cap;
} reel_builder;

/* Each copies its text. Duplicates are the caller's business. */
reel_status reel_build_item(reel_builder *b, const char *path, const char *shown, int label, int split, reel_error *err);
reel_status reel_build_class(reel_builder *b, const char *name, reel_error *err);
reel_status reel_build_split(reel_builder *b, const char *name, reel_error *err);
reel_status reel_build_warning(reel_builder *b, reel_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Sorts the classes by code point and drops repeats. */
void reel_build_sort_classes(reel_dataset *ds);
/* Place of a name among sorted classes, or -1. */
int reel_build_class_of(const reel_dataset *ds, const char *name);

/* "train", "val", "test" for a split's name or another usual one ("validation"), or NULL. */
const char *reel_split_name(const char *name);
/* NN of v_<Class>_gNN_cMM.ext, or -1. */
int reel_group_of(const char *base_name);

/* `path` is the folder or file itself; `name` is what the person gave, for messages. */
reel_status reel_open_folders(reel_builder *b, const char *path, const char *name, reel_error *err);
reel_status reel_open_csv(reel_builder *b, const char *path, reel_error *err);
reel_status reel_open_packed(reel_builder *b, const char *path, reel_error *err);

/* Warnings on what was found: leaking groups, classes that a split lacks, classes without a video. */
reel_status reel_check_splits(reel_builder *b, reel_error *err);

#endif
