/* What is worth a warning in a data set that can be used: groups in two splits, classes that a split lacks. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/build.h"

enum { TOLD = 5 };  /* of one kind; the rest is counted */

static int compare_groups(const void *pa, const void *pb)
{
    const reel_item *a = *(const reel_item *const *)pa, *b = *(const reel_item *const *)pb;
    int x = a->label - b->label;
    if (x == 0)
        x = a->group - b->group;
    return x != 0 ? x : a->split - b->split;
}

/* One (class, group) that stands in several splits: items i to j of the sorted list. */
static reel_status tell_leak(reel_builder *b, const reel_item *const *list, size_t i, size_t j, reel_error *err)
{
    const reel_dataset *ds = b->ds;
    char where[96] = "";
    for (size_t k = i; k < j; k++)
        if (k == i || list[k]->split != list[k - 1]->split) {
            if (where[0] != 0)
                strncat(where, " and ", sizeof where - strlen(where) - 1);
            strncat(where, ds->splits[list[k]->split], sizeof where - strlen(where) - 1);
        }
    return reel_build_warning(b, err, "group %s g%02d stands in %s: the %s score will flatter", ds->classes[list[i]->label],
                              list[i]->group, where, ds->splits[list[j - 1]->split]);
}

static reel_status check_leaks(reel_builder *b, reel_error *err)
{
    reel_status status = REEL_OK;
    size_t n = 0, leaks = 0;
    const reel_item **list = reel_calloc(b->ds->n_items, sizeof *list);
    if (list == NULL)
        REEL_TRY(reel_fail_nomem(err, b->ds->path));
    for (size_t i = 0; i < b->ds->n_items; i++)
        if (b->ds->item[i].group >= 0)
            list[n++] = &b->ds->item[i];
    if (n > 0)
        qsort(list, n, sizeof *list, compare_groups);
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && list[j]->label == list[i]->label && list[j]->group == list[i]->group; j++) {}
        if (list[i]->split == list[j - 1]->split)
            continue;
        if (++leaks <= TOLD)
            REEL_TRY(tell_leak(b, list, i, j, err));
    }
    if (leaks > TOLD)
        REEL_TRY(reel_build_warning(b, err, "%zu more groups stand in more than one split", leaks - TOLD));
done:
    reel_free(list);
    return status;
}

/* Classes without a video in a split that has videos of others. */
static reel_status check_classes(reel_builder *b, reel_error *err)
{
    reel_status status = REEL_OK;
    const reel_dataset *ds = b->ds;
    size_t *count = reel_calloc(ds->n_classes, sizeof *count);
    if (count == NULL)
        REEL_TRY(reel_fail_nomem(err, ds->path));
    for (size_t s = 0; s < ds->n_splits; s++) {
        size_t first, n = reel_dataset_items(ds, (int)s, &first), lacking = 0;
        memset(count, 0, ds->n_classes * sizeof *count);
        for (size_t i = first; i < first + n; i++)
            count[ds->item[i].label]++;
        if (n == 0)
            REEL_TRY(reel_build_warning(b, err, "split %s holds no video", ds->splits[s]));
        for (size_t k = 0; n > 0 && k < ds->n_classes; k++)
            if (count[k] == 0 && ++lacking <= TOLD)
                REEL_TRY(reel_build_warning(b, err, "class %s has no video in %s", ds->classes[k],
                                            ds->n_splits > 1 ? ds->splits[s] : "the data"));
        if (lacking > TOLD)
            REEL_TRY(reel_build_warning(b, err, "%zu more classes have no video in %s", lacking - TOLD, ds->splits[s]));
    }
    if (ds->n_classes == 1)
        REEL_TRY(reel_build_warning(b, err, "there is one class only (%s): nothing to tell apart", ds->classes[0]));
done:
    reel_free(count);
    return status;
}

reel_status reel_check_splits(reel_builder *b, reel_error *err)
{
    reel_status status = check_classes(b, err);
    return status != REEL_OK ? status : check_leaks(b, err);
}
