#include "format/weights.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "format/safetensors.h"
#include "format/torch.h"

enum { MAX_SHARDS = 1000, INDEX_LIMIT = 64 << 20 };

const reel_weights_form reel_weights_form_of[REEL_WEIGHTS_FORMS] = {
    {"model.safetensors", false}, {"model.safetensors.index.json", true}, {"pytorch_model.bin", false}, {"pytorch_model.bin.index.json", true},
};

/* What reads a form's file, or its shards. */
typedef reel_status open_fn(const char *path, reel_tensors *out, reel_error *err);
static open_fn *const openers[REEL_WEIGHTS_FORMS] = {reel_st_open, reel_st_open, reel_torch_open, reel_torch_open};

/* A shard lies in the folder of its index: a name with a path in it would make us read another file. */
static bool plain_name(const char *name)
{
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strlen(name) > 255)
        return false;
    for (const char *p = name; *p != '\0'; p++)
        if (*p == '/' || *p == '\\' || (unsigned char)*p < 0x20 || *p == 0x7f)
            return false;
    return true;
}

/* The shards' names, sorted and each once; borrowed from the index. */
static reel_status shard_names(const reel_json *map, const char *path, const char ***out, size_t *n, reel_error *err)
{
    size_t count = 0;
    reel_status status = REEL_OK;
    const char **names = reel_calloc(reel_json_size(map), sizeof *names);
    *out = NULL;
    if (names == NULL)
        return reel_fail_nomem(err, path);
    for (void *it = reel_json_first(map); it != NULL; it = reel_json_next(map, it)) {
        const char *name = reel_json_string(reel_json_value(it));
        if (name == NULL || !plain_name(name)) {
            status = reel_fail(err, REEL_ERR_FORMAT, "%s: weight_map: tensor %s: the shard %s%s%s is not a plain file name (no "
                               "path, nothing outside the folder)", path, reel_json_key(it), name != NULL ? "'" : "",
                               name != NULL ? name : "value", name != NULL ? "'" : "");
            goto done;
        }
        names[count++] = name;
    }
    qsort(names, count, sizeof *names, reel_compare_text);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || strcmp(names[kept - 1], names[i]) != 0)
            names[kept++] = names[i];
    if (kept > MAX_SHARDS) {
        status = reel_fail(err, REEL_ERR_LIMIT, "%s: %zu shards, the limit is %d", path, kept, MAX_SHARDS);
        goto done;
    }
    *out = names;
    *n = kept;
    names = NULL;
done:
    reel_free(names);
    return status;
}

/* The index says which tensor lies in which shard; the shard must agree. */
static reel_status check_shard(const reel_tensors *shard, const reel_json *map, const char *name, const char *path,
                               reel_error *err)
{
    for (void *it = reel_json_first(map); it != NULL; it = reel_json_next(map, it))
        if (strcmp(reel_json_string(reel_json_value(it)), name) == 0 && reel_tensors_find(shard, reel_json_key(it)) == NULL)
            return reel_fail(err, REEL_ERR_FORMAT, "%s: tensor %s is not in %s, where the index says it is", path,
                             reel_json_key(it), name);
    return REEL_OK;
}

/* Adds the shard `name` of the folder to `all`. */
static reel_status open_shard(open_fn *open, const char *dir, const char *name, const reel_json *map, const char *path,
                              reel_tensors *all, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_tensors shard = {0};
    char *file = reel_path_join(dir, name);
    if (file == NULL)
        return reel_fail_nomem(err, path);
    REEL_TRY(open(file, &shard, err));
    REEL_TRY(check_shard(&shard, map, name, path, err));
    REEL_TRY(reel_tensors_append(all, &shard, path, err));
done:
    reel_tensors_close(&shard);
    reel_free(file);
    return status;
}

static reel_status open_index(open_fn *open, const char *dir, const char *path, reel_tensors *out, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_json *index = NULL;
    const char **names = NULL;
    size_t n = 0;
    reel_tensors all = {0};
    REEL_TRY(reel_json_read(path, INDEX_LIMIT, false, &index, err));
    const reel_json *map = reel_json_get(index, "weight_map");
    if (!reel_json_is_object(map) || reel_json_size(map) == 0) {
        status = reel_fail(err, REEL_ERR_FORMAT, "%s: weight_map is missing, empty or not an object {tensor: file}", path);
        goto done;
    }
    REEL_TRY(shard_names(map, path, &names, &n, err));
    all.path = reel_strdup(path);
    if (all.path == NULL) {
        status = reel_fail_nomem(err, path);
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        REEL_TRY(open_shard(open, dir, names[i], map, path, &all, err));
    REEL_TRY(reel_tensors_sort(&all, path, err));
    *out = all;
    all = (reel_tensors){0};
done:
    reel_free(names);
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
