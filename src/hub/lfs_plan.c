#include "hub/lfs.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static bool is_number(const char *key) { return key[0] != '\0' && strspn(key, "0123456789") == strlen(key) && strlen(key) < 16; }

static int by_number(const void *a, const void *b)
{
    const int64_t x = ((const reel_lfs_part *)a)->number, y = ((const reel_lfs_part *)b)->number;
    return (x > y) - (x < y);
}

/* A number, or a text of digits; 0 for all else. */
static uint64_t chunk_of(const reel_json *j)
{
    const char *text = reel_json_string(j);
    int64_t n = 0;
    if (text != NULL ? !reel_parse_int(text, &n) : !reel_json_integer(j, &n))
        return 0;
    return n > 0 ? (uint64_t)n : 0;
}

static reel_status take_parts(const reel_json *header, reel_lfs_plan *p, reel_error *err)
{
    size_t at = 0;
    p->part = reel_calloc(reel_json_size(header) + 1, sizeof *p->part);
    if (p->part == NULL)
        return reel_fail_nomem(err, "parts");
    for (void *it = reel_json_first(header); it != NULL; it = reel_json_next(header, it)) {
        const char *url = reel_json_string(reel_json_value(it));
        if (is_number(reel_json_key(it)) && url != NULL)
            p->part[at++] = (reel_lfs_part){strtoll(reel_json_key(it), NULL, 10), url};
    }
    p->n = at;
    qsort(p->part, at, sizeof *p->part, by_number);
    return REEL_OK;
}

reel_status reel_lfs_plan_read(const reel_json *header, uint64_t size, reel_lfs_plan *out, reel_error *err)
{
    const reel_json *chunk = reel_json_get(header, "chunk_size");
    *out = (reel_lfs_plan){0};
    if (!reel_json_is_object(header) || chunk == NULL)
        return REEL_OK;
    out->chunk = chunk_of(chunk);
    if (out->chunk == 0)
        return reel_fail(err, REEL_ERR_FORMAT, "the server names no size of a part");
    reel_status status = take_parts(header, out, err);
    const uint64_t wanted = size / out->chunk + (size % out->chunk != 0);
    bool good = out->n > 0 && out->n == wanted;
    for (size_t i = 0; i < out->n && status == REEL_OK; i++)
        good = good && out->part[i].number == (int64_t)i + 1;
    if (status == REEL_OK && !good)
        status = reel_fail(err, REEL_ERR_FORMAT, "the server names %zu parts, but %llu bytes are %llu parts of %llu", out->n,
                           (unsigned long long)size, (unsigned long long)wanted, (unsigned long long)out->chunk);
    if (status != REEL_OK) {
        reel_free(out->part);
        *out = (reel_lfs_plan){0};
    }
    return status;
}
