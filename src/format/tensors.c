#include "format/tensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void reel_tensors_close(reel_tensors *t)
{
    for (size_t i = 0; i < t->n; i++)
        reel_free(t->tensor[i].name);
    reel_free(t->tensor);
    for (size_t i = 0; i < t->maps; i++)
        reel_file_unmap(&t->map[i]);
    reel_free(t->map);
    for (size_t i = 0; i < t->copies; i++)
        reel_free(t->copy[i]);
    reel_free(t->copy);
    for (size_t i = 0; i < t->absents; i++)
        reel_free(t->absent[i]);
    reel_free(t->absent);
    reel_json_free(t->metadata);
    reel_free(t->path);
    *t = (reel_tensors){0};
}

const reel_tensor *reel_tensors_find(const reel_tensors *t, const char *name)
{
    for (size_t low = 0, high = t->n; low < high;) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(name, t->tensor[mid].name);
        if (order == 0)
            return &t->tensor[mid];
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

const char *reel_tensors_metadata(const reel_tensors *t, const char *key)
{
    return t->metadata != NULL ? reel_json_string(reel_json_get(t->metadata, key)) : NULL;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const reel_tensor *)a)->name, ((const reel_tensor *)b)->name);
}

reel_status reel_tensors_sort(reel_tensors *t, const char *what, reel_error *err)
{
    if (t->n > 0)
        qsort(t->tensor, t->n, sizeof *t->tensor, compare_names);
    for (size_t i = 1; i < t->n; i++)
        if (strcmp(t->tensor[i - 1].name, t->tensor[i].name) == 0)
            return reel_fail(err, REEL_ERR_FORMAT, "%s: tensor %s appears twice (duplicate name)", what, t->tensor[i].name);
    return REEL_OK;
}

reel_status reel_tensor_name_check(const char *name, const char *what, reel_error *err)
{
    for (const char *p = name; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return reel_fail(err, REEL_ERR_FORMAT, "%s: the tensor name %s holds a control byte", what, name);
    return REEL_OK;
}

/* The table takes the mapping over (*map is emptied) and remembers the path. */
static reel_status adopt(reel_tensors *t, reel_map *map, const char *path, reel_error *err)
{
    t->path = reel_strdup(path);
    t->map = reel_calloc(1, sizeof *t->map);
    if (t->path == NULL || t->map == NULL)
        return reel_fail_nomem(err, path);
    t->map[0] = *map;
    t->maps = 1;
    t->file_bytes = map->n;
    *map = (reel_map){0};
    return REEL_OK;
}

reel_status reel_tensors_open(const char *path, reel_tensors_reader *read, reel_tensors *out, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_tensors t = {0};
    reel_map map = {0};
    *out = (reel_tensors){0};
    REEL_TRY(reel_file_map(path, &map, err));
    REEL_TRY(read(map.data, map.n, path, &t, err));
    REEL_TRY(adopt(&t, &map, path, err));
    *out = t;
    t = (reel_tensors){0};
done:
    reel_tensors_close(&t);
    reel_file_unmap(&map);
    return status;
}

/* The room that n elements get: the next power of two, so that many small parts are not moved once for each of them. */
static size_t room_for(size_t n)
{
    size_t room = 1;
    while (room < n && room <= SIZE_MAX / 2)
        room *= 2;
    return room < n ? n : room;
}

/* Room for `more` elements behind the n of *items, which grew by this alone (or are none). */
static bool make_room(void **items, size_t n, size_t more, size_t size)
{
    if (*items != NULL && room_for(n + more) == room_for(n))
        return true;
    void *grown = reel_realloc(*items, room_for(n + more), size);
    if (grown != NULL)
        *items = grown;
    return grown != NULL;
}

static void add_all(void *to, size_t n, const void *from, size_t more, size_t size)
{
    if (more > 0)
        memcpy((char *)to + n * size, from, more * size);
}

reel_status reel_tensors_append(reel_tensors *all, reel_tensors *part, const char *what, reel_error *err)
{
    void *tensors = all->tensor, *maps = all->map, *copies = all->copy;
    bool room = make_room(&tensors, all->n, part->n, sizeof *all->tensor);
    all->tensor = tensors;
    room = room && make_room(&maps, all->maps, part->maps, sizeof *all->map);
    all->map = maps;
    room = room && make_room(&copies, all->copies, part->copies, sizeof *all->copy);
    all->copy = copies;
    if (!room)
        return reel_fail_nomem(err, what);
    add_all(all->tensor, all->n, part->tensor, part->n, sizeof *all->tensor);
    add_all(all->map, all->maps, part->map, part->maps, sizeof *all->map);
    add_all(all->copy, all->copies, part->copy, part->copies, sizeof *all->copy);
    all->n += part->n;
    all->maps += part->maps;
    all->copies += part->copies;
    all->file_bytes += part->file_bytes;
    if (all->metadata == NULL) {
        all->metadata = part->metadata;
        part->metadata = NULL;
    }
    part->n = part->maps = part->copies = 0;
    reel_tensors_close(part);
    return REEL_OK;
}
