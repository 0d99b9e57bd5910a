#include "data/dataset.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "data/build.h"
#include "format/archive.h"
#include "hub/locate.h"
#include "video/decode.h"

static void free_texts(char **text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        reel_free(text[i]);
    reel_free(text);
}

void reel_dataset_close(reel_dataset **ds)
{
    if (ds == NULL || *ds == NULL)
        return;
    reel_dataset *d = *ds;
    for (size_t i = 0; i < d->n_items; i++) {
        reel_free(d->item[i].path);
        reel_free(d->item[i].shown);
    }
    reel_free(d->item);
    free_texts(d->classes, d->n_classes);
    free_texts(d->splits, d->n_splits);
    free_texts(d->warning, d->n_warnings);
    if (d->is_packed)
        reel_tensors_close(&d->packed);
    reel_free(d->path);
    reel_free(d);
    *ds = NULL;
}

static bool is_list(const char *path)
{
    return reel_ends_with(path, ".csv") || reel_ends_with(path, ".txt") || reel_ends_with(path, ".tsv") ||
           reel_ends_with(path, ".list");
}

static reel_status open_archive(reel_context *ctx, reel_builder *b, const char *path, reel_error *err)
{
    char *dir = NULL;
    reel_status status = reel_archive_extract(ctx, path, &dir, err);
    if (status == REEL_OK)
        status = reel_open_folders(b, dir, path, err);
    reel_free(dir);
    b->ds->layout = "archive";
    return status;
}

static reel_status open_any(reel_context *ctx, reel_builder *b, const char *path, reel_error *err)
{
    if (reel_is_dir(path)) {
        b->ds->layout = "folders";
        return reel_open_folders(b, path, path, err);
    }
    if (!reel_exists(path))
        return reel_fail(err, REEL_ERR_NOT_FOUND, "%s: no such folder or file. --data takes a folder {train,val,test}/CLASS/, "
                         "an archive of one, a csv `path label`, or a packed .safetensors", path);
    if (reel_archive_name(path))
        return open_archive(ctx, b, path, err);
    if (is_list(path)) {
        b->ds->layout = "csv";
        return reel_open_csv(b, path, err);
    }
    if (reel_ends_with(path, ".safetensors")) {
        b->ds->layout = "packed";
        return reel_open_packed(b, path, err);
    }
    return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: %s, not a data set. --data takes a folder {train,val,test}/CLASS/, an "
                     "archive of one (.tar, .tar.gz, .tar.xz, .tar.zst, .zip), a .csv `path label`, or a packed .safetensors",
                     path, reel_video_name(path) ? "a single video" : "a file of another kind");
}

reel_status reel_dataset_open(reel_context *ctx, const char *path, reel_dataset **out, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_builder b = { 0 };
    char *here = NULL;
    size_t n = strlen(path);
    *out = NULL;
    while (n > 1 && path[n - 1] == '/')
        n--;
    b.ds = reel_calloc(1, sizeof *b.ds);
    if (b.ds == NULL || (b.ds->path = reel_strndup(path, n)) == NULL)
        REEL_TRY(reel_fail_nomem(err, path));
    REEL_TRY(reel_hub_locate_data(ctx, b.ds->path, &here, err));
    REEL_TRY(open_any(ctx, &b, here, err));
    if (!b.ds->is_packed)
        REEL_TRY(reel_check_splits(&b, err));
    *out = b.ds;
    b.ds = NULL;
done:
    reel_dataset_close(&b.ds);
    reel_free(here);
    return status;
}

int reel_dataset_split(const reel_dataset *ds, const char *name)
{
    const char *usual = reel_split_name(name);
    for (size_t i = 0; i < ds->n_splits; i++)
        if (strcmp(ds->splits[i], usual != NULL ? usual : name) == 0)
            return (int)i;
    return -1;
}

size_t reel_dataset_items(const reel_dataset *ds, int split, size_t *first)
{
    size_t begin = 0, end;
    while (begin < ds->n_items && ds->item[begin].split != split)
        begin++;
    for (end = begin; end < ds->n_items && ds->item[end].split == split;)
        end++;
    *first = begin;
    return end - begin;
}
