#include "format/weights.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "format/safetensors.h"
#include "format/torch.h"

enum { INDEX_LIMIT = 64 << 20 };

const reel_weights_form reel_weights_form_of[REEL_WEIGHTS_FORMS] = {
    {"model.safetensors", false}, {"model.safetensors.index.json", true}, {"pytorch_model.bin", false}, {"pytorch_model.bin.index.json", true},
};

/* What reads a form's file, or its shards. */
typedef reel_status open_fn(const char *path, reel_tensors *out, reel_error *err);
static open_fn *const openers[REEL_WEIGHTS_FORMS] = {reel_st_open, reel_st_open, reel_torch_open, reel_torch_open};

static int compare_shards(const void *a, const void *b)
{
    const reel_weights_place *x = a, *y = b;
    return strcmp(x->shard, y->shard);
}

void reel_weights_places_free(reel_weights_places *p)
{
    reel_free(p->place);
    *p = (reel_weights_places){0};
}

size_t reel_weights_places_next(const reel_weights_places *p, size_t i)
{
    size_t next = i + 1;
    while (next < p->n && strcmp(p->place[next].shard, p->place[i].shard) == 0)
        next++;
    return next;
}

reel_status reel_weights_places_read(const reel_json *index, const char *path, reel_weights_places *out, reel_error *err)
{
    const reel_json *map = reel_json_get(index, "weight_map");
    reel_weights_places p = {0};
    *out = p;
    if (!reel_json_is_object(map) || reel_json_size(map) == 0)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: weight_map is missing, empty or not an object {tensor: file}", path);
    p.place = reel_calloc(reel_json_size(map), sizeof *p.place);
    if (p.place == NULL)
        return reel_fail_nomem(err, path);
    for (void *it = reel_json_first(map); it != NULL; it = reel_json_next(map, it)) {
        const char *name = reel_json_string(reel_json_value(it));
        if (name == NULL || !reel_path_is_below(name)) {
            reel_weights_places_free(&p);
            return reel_fail(err, REEL_ERR_FORMAT, "%s: weight_map: tensor %s: the shard %s%.200s%s is not the name of a file in "
                             "the folder or below it", path, reel_json_key(it), name != NULL ? "'" : "",
                             name != NULL ? name : "value", name != NULL ? "'" : "");
        }
        p.place[p.n++] = (reel_weights_place){name, reel_json_key(it), false};
    }
    qsort(p.place, p.n, sizeof *p.place, compare_shards);
    for (size_t i = 0; i < p.n; i = reel_weights_places_next(&p, i))
        p.shards++;
    if (p.shards > REEL_WEIGHTS_SHARDS) {
        reel_status status = reel_fail(err, REEL_ERR_LIMIT, "%s: %zu shards, the limit is %d", path, p.shards, REEL_WEIGHTS_SHARDS);
        reel_weights_places_free(&p);
        return status;
    }
    *out = p;
    return REEL_OK;
}

/* Adds the shard of places [from, to) to `all`. */
static reel_status open_shard(open_fn *open, const char *dir, reel_weights_place *from, const reel_weights_place *to,
                              const char *path, reel_tensors *all, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_tensors shard = {0};
    char *file = reel_path_join(dir, from->shard);
    if (file == NULL)
        return reel_fail_nomem(err, path);
    REEL_TRY(reel_path_check_stays(dir, file, err));
    REEL_TRY(open(file, &shard, err));
    for (reel_weights_place *p = from; p < to; p++)
        p->lacks = reel_tensors_find(&shard, p->tensor) == NULL;
    REEL_TRY(reel_tensors_append(all, &shard, path, err));
done:
    reel_tensors_close(&shard);
    reel_free(file);
    return status;
}

/* A tensor in another shard than the index says is refused: they are not of one checkpoint. In none is for the model to judge. */
static reel_status note_absent(const reel_weights_places *p, const char *path, reel_tensors *all, reel_error *err)
{
    all->absent = reel_calloc(p->n, sizeof *all->absent);
    if (all->absent == NULL)
        return reel_fail_nomem(err, path);
    for (size_t i = 0; i < p->n; i++) {
        if (!p->place[i].lacks)
            continue;
        if (reel_tensors_find(all, p->place[i].tensor) != NULL)
            return reel_fail(err, REEL_ERR_FORMAT, "%s: tensor %s is not in %s, where the index says it is, but in another shard", path,
                             p->place[i].tensor, p->place[i].shard);
        all->absent[all->absents] = reel_strdup(p->place[i].tensor);
        if (all->absent[all->absents] == NULL)
            return reel_fail_nomem(err, path);
        all->absents++;
    }
    return REEL_OK;
}

static reel_status open_index(open_fn *open, const char *dir, const char *path, reel_tensors *out, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_json *index = NULL;
    reel_weights_places p = {0};
    reel_tensors all = {0};
    REEL_TRY(reel_json_read(path, INDEX_LIMIT, false, &index, err));
    REEL_TRY(reel_weights_places_read(index, path, &p, err));
    all.path = reel_strdup(path);
    if (all.path == NULL)
        REEL_TRY(reel_fail_nomem(err, path));
    for (size_t i = 0, next; i < p.n; i = next) {
        next = reel_weights_places_next(&p, i);
        REEL_TRY(open_shard(open, dir, p.place + i, p.place + next, path, &all, err));
    }
    REEL_TRY(reel_tensors_sort(&all, path, err));
    REEL_TRY(note_absent(&p, path, &all, err));
    *out = all;
    all = (reel_tensors){0};
done:
    reel_weights_places_free(&p);
    reel_tensors_close(&all);
    reel_json_free(index);
    return status;
}

reel_status reel_weights_open(const char *dir, reel_tensors *out, reel_error *err)
{
    *out = (reel_tensors){0};
    for (size_t i = 0; i < REEL_WEIGHTS_FORMS; i++) {
        const reel_weights_form *f = &reel_weights_form_of[i];
        char *path = reel_path_join(dir, f->file);
        if (path == NULL)
            return reel_fail_nomem(err, dir);
        bool there = reel_exists(path);
        reel_status status = !there ? REEL_OK : f->index ? open_index(openers[i], dir, path, out, err) : openers[i](path, out, err);
        reel_free(path);
        if (there)
            return status;
    }
    return reel_fail(err, REEL_ERR_NOT_FOUND, "%s: no weights found: none of %s, %s, %s, %s is there", dir,
                     reel_weights_form_of[0].file, reel_weights_form_of[1].file, reel_weights_form_of[2].file, reel_weights_form_of[3].file);
}
