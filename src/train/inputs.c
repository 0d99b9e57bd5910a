#include "train/inputs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "video/decode.h"

enum { DEPTH = 32 };  /* folders in folders */

static reel_status add(reel_inputs *in, const char *path, const char *reason, reel_error *err)
{
    void *items = in->item;
    bool room = reel_grow(&items, &in->capacity, in->n, sizeof *in->item);
    in->item = items;
    char *copy = room ? reel_strdup(path) : NULL;
    if (copy == NULL)
        return reel_fail_nomem(err, path);
    in->item[in->n++] = (reel_input){.path = copy, .reason = reason};
    return REEL_OK;
}

/* The folders that a walk is in: a link back to one of them is not followed. */
typedef struct visited { dev_t dev; ino_t ino; const struct visited *up; } visited;

static reel_status walk(reel_inputs *in, const char *dir, int depth, const visited *up, reel_error *err)
{
    struct stat st;
    if (stat(dir, &st) != 0)
        return REEL_OK;  /* gone since it was listed */
    for (const visited *v = up; v != NULL; v = v->up)
        if (v->dev == st.st_dev && v->ino == st.st_ino)
            return REEL_OK;
    const visited here = {st.st_dev, st.st_ino, up};
    reel_names names = {0};
    reel_status status = reel_dir_list(dir, &names, err);
    for (size_t i = 0; i < names.n && status == REEL_OK; i++) {
        if (names.name[i][0] == '.' || strcmp(names.name[i], "__MACOSX") == 0)
            continue;
        char *path = reel_path_join(dir, names.name[i]);
        if (path == NULL)
            status = reel_fail_nomem(err, dir);
        else if (reel_is_dir(path))
            status = depth < DEPTH ? walk(in, path, depth + 1, &here, err)
                                   : reel_fail(err, REEL_ERR_LIMIT, "%s: folders are nested deeper than %d", dir, DEPTH);
        else if (reel_video_name(path))
            status = add(in, path, NULL, err);
        reel_free(path);
    }
    reel_names_free(&names);
    return status;
}

static int compare_inputs(const void *a, const void *b)
{
    const reel_input *x = a, *y = b;
    return strcmp(x->path, y->path);
}

reel_status reel_inputs_open(const char *const *given, size_t n, reel_inputs *out, reel_error *err)
{
    reel_status status = REEL_OK;
    *out = (reel_inputs){.several = n > 1};
    for (size_t i = 0; i < n; i++) {
        size_t first = out->n;
        if (!reel_is_dir(given[i])) {
            REEL_TRY(add(out, given[i], NULL, err));
            continue;
        }
        out->several = true;
        REEL_TRY(walk(out, given[i], 0, NULL, err));
        if (out->n == first)
            REEL_TRY(add(out, given[i], "a folder with no video in it", err));
        qsort(out->item + first, out->n - first, sizeof *out->item, compare_inputs);
    }
done:
    if (status != REEL_OK)
        reel_inputs_free(out);
    return status;
}

void reel_inputs_free(reel_inputs *in)
{
    for (size_t i = 0; i < in->n; i++)
        reel_free(in->item[i].path);
    reel_free(in->item);
    *in = (reel_inputs){0};
}
