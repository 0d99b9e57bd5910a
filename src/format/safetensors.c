/* safetensors files, mapped: one file, or the shards that an index names. */
#include "format/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { MAX_SHARDS = 1000, INDEX_LIMIT = 64 << 20 };

void reel_st_close(reel_st *st)
{
    for (size_t i = 0; i < st->n; i++)
        reel_free(st->tensor[i].name);
    reel_free(st->tensor);
    for (size_t i = 0; i < st->maps; i++)
        reel_file_unmap(&st->map[i]);
    reel_free(st->map);
    reel_json_free(st->metadata);
    *st = (reel_st){0};
}

static reel_status parse_map(const reel_map *map, const char *path, reel_st *out, reel_error *err)
{
    uint64_t n = 0;
    if (map->n < 8)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: %s (a safetensors file begins with an 8 byte header length)", path,
                         map->n == 0 ? "the file is empty" : "the file is too short to have a header; is it truncated?");
    for (int i = 7; i >= 0; i--)
        n = n << 8 | map->data[i];
    if (n > 100000000)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: the header would have %llu bytes, too large (limit 100 000 000); is this a "
                         "safetensors file?", path, (unsigned long long)n);
    if (n > map->n - 8)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: the header of %llu bytes goes beyond the end of the file; is it truncated?",
                         path, (unsigned long long)n);
    const uint8_t *data = map->data + 8 + n;
    reel_status status = reel_st_parse((const char *)map->data + 8, (size_t)n, map->n - 8 - n, path, out, err);
    if (status == REEL_OK)
        for (size_t i = 0; i < out->n; i++)
            out->tensor[i].data = data + out->tensor[i].offset;
    return status;
}

reel_status reel_st_open(const char *path, reel_st *out, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_st st = {0};
    reel_map map = {0};
    *out = (reel_st){0};
    REEL_TRY(reel_file_map(path, &map, err));
    REEL_TRY(parse_map(&map, path, &st, err));
    st.map = reel_calloc(1, sizeof *st.map);
    if (st.map == NULL) {
        status = reel_fail_nomem(err, path);
        goto done;
    }
    st.map[0] = map;
    st.maps = 1;
    st.file_bytes = map.n;
    map = (reel_map){0};
    *out = st;
    st = (reel_st){0};
done:
    reel_st_close(&st);
    reel_file_unmap(&map);
    return status;
}

const reel_st_tensor *reel_st_find(const reel_st *st, const char *name)
{
    for (size_t low = 0, high = st->n; low < high;) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(name, st->tensor[mid].name);
        if (order == 0)
            return &st->tensor[mid];
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

const char *reel_st_metadata(const reel_st *st, const char *key)
{
    return st->metadata != NULL ? reel_json_string(reel_json_get(st->metadata, key)) : NULL;
}

/* --- shards --- */

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_tensors(const void *a, const void *b)
{
    return strcmp(((const reel_st_tensor *)a)->name, ((const reel_st_tensor *)b)->name);
}

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
    qsort(names, count, sizeof *names, compare_text);
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
static reel_status check_shard(const reel_st *shard, const reel_json *map, const char *name, const char *path, reel_error *err)
{
    for (void *it = reel_json_first(map); it != NULL; it = reel_json_next(map, it))
        if (strcmp(reel_json_string(reel_json_value(it)), name) == 0 && reel_st_find(shard, reel_json_key(it)) == NULL)
            return reel_fail(err, REEL_ERR_FORMAT, "%s: tensor %s is not in %s, where the index says it is", path,
                             reel_json_key(it), name);
    return REEL_OK;
}

/* Moves all that `shard` owns to the end of `all`. */
static reel_status merge_shard(reel_st *all, reel_st *shard, const char *path, reel_error *err)
{
    reel_st_tensor *tensors = reel_realloc(all->tensor, all->n + shard->n, sizeof *tensors);
    if (tensors == NULL)
        return reel_fail_nomem(err, path);
    all->tensor = tensors;
    reel_map *maps = reel_realloc(all->map, all->maps + 1, sizeof *maps);
    if (maps == NULL)
        return reel_fail_nomem(err, path);
    all->map = maps;
    if (shard->n > 0)
        memcpy(all->tensor + all->n, shard->tensor, shard->n * sizeof *shard->tensor);
    all->n += shard->n;
    all->map[all->maps++] = shard->map[0];
    all->file_bytes += shard->file_bytes;
    if (all->metadata == NULL) {
        all->metadata = shard->metadata;
        shard->metadata = NULL;
    }
    shard->n = 0;
    shard->maps = 0;
    reel_st_close(shard);
    return REEL_OK;
}

static reel_status open_shard(const char *dir, const char *name, const reel_json *map, const char *path, reel_st *all,
                              reel_error *err)
{
    reel_status status = REEL_OK;
    reel_st shard = {0};
    char *file = reel_path_join(dir, name);
    if (file == NULL)
        return reel_fail_nomem(err, path);
    REEL_TRY(reel_st_open(file, &shard, err));
    REEL_TRY(check_shard(&shard, map, name, path, err));
    REEL_TRY(merge_shard(all, &shard, path, err));
done:
    reel_st_close(&shard);
    reel_free(file);
    return status;
}

static reel_status open_index(const char *dir, const char *path, reel_st *out, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_json *index = NULL;
    const char **names = NULL;
    size_t n = 0;
    reel_st st = {0};
    REEL_TRY(reel_json_read(path, INDEX_LIMIT, false, &index, err));
    const reel_json *map = reel_json_get(index, "weight_map");
    if (!reel_json_is_object(map) || reel_json_size(map) == 0) {
        status = reel_fail(err, REEL_ERR_FORMAT, "%s: weight_map is missing, empty or not an object {tensor: file}", path);
        goto done;
    }
    REEL_TRY(shard_names(map, path, &names, &n, err));
    for (size_t i = 0; i < n; i++)
        REEL_TRY(open_shard(dir, names[i], map, path, &st, err));
    if (st.n > 0)
        qsort(st.tensor, st.n, sizeof *st.tensor, compare_tensors);
    for (size_t i = 1; i < st.n; i++)
        if (strcmp(st.tensor[i - 1].name, st.tensor[i].name) == 0) {
            status = reel_fail(err, REEL_ERR_FORMAT, "%s: tensor %s is in two shards", path, st.tensor[i].name);
            goto done;
        }
    *out = st;
    st = (reel_st){0};
done:
    reel_free(names);
    reel_st_close(&st);
    reel_json_free(index);
    return status;
}

reel_status reel_st_open_folder(const char *dir, reel_st *out, reel_error *err)
{
    reel_status status = REEL_OK;
    char *file = reel_path_join(dir, "model.safetensors");
    char *index = reel_path_join(dir, "model.safetensors.index.json");
    char *pickle = reel_path_join(dir, "pytorch_model.bin");
    *out = (reel_st){0};
    if (file == NULL || index == NULL || pickle == NULL)
        status = reel_fail_nomem(err, dir);
    else if (reel_exists(file))
        status = reel_st_open(file, out, err);
    else if (reel_exists(index))
        status = open_index(dir, index, out, err);
    else if (reel_exists(pickle))
        status = reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: pytorch_model.bin is not read yet; save the model as safetensors "
                           "(save_pretrained with safe_serialization)", dir);
    else
        status = reel_fail(err, REEL_ERR_NOT_FOUND, "%s: no weights found: neither model.safetensors nor "
                           "model.safetensors.index.json is there", dir);
    reel_free(file);
    reel_free(index);
    reel_free(pickle);
    return status;
}
