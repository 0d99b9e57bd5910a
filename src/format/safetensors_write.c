/* Writing safetensors, byte for byte as the reference library does it. */
#include "format/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/* The reference sorts by its list of dtypes from the end, then by name, so that large elements come first and stay aligned. */
static const unsigned char dtype_rank[REEL_DTYPE_COUNT] = {
    [REEL_U64] = 0, [REEL_I64] = 1, [REEL_F64] = 2, [REEL_C64] = 3, [REEL_F32] = 4, [REEL_U32] = 5, [REEL_I32] = 6, [REEL_BF16] = 7,
    [REEL_F16] = 8, [REEL_U16] = 9, [REEL_I16] = 10, [REEL_F8_E5M2FNUZ] = 11, [REEL_F8_E4M3FNUZ] = 12, [REEL_F8_E8M0] = 13,
    [REEL_F8_E4M3] = 14, [REEL_F8_E5M2] = 15, [REEL_I8] = 16, [REEL_U8] = 17, [REEL_BOOL] = 18,
};

typedef struct place { const reel_st_entry *entry; size_t index; } place;

static int compare_places(const void *a, const void *b)
{
    const reel_st_entry *x = ((const place *)a)->entry, *y = ((const place *)b)->entry;
    if (x->dtype != y->dtype)
        return dtype_rank[x->dtype] < dtype_rank[y->dtype] ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* As serde_json escapes: UTF-8 as it is, control bytes as \u00xx. */
static void put_string(reel_text *t, const char *s)
{
    static const char named[] = "\b\f\n\r\t\"\\", letter[] = "bfnrt\"\\";
    reel_text_puts(t, "\"");
    for (; *s != '\0'; s++) {
        const char *known = strchr(named, *s);
        if (known != NULL)
            reel_text_printf(t, "\\%c", letter[known - named]);
        else if ((unsigned char)*s < 0x20)
            reel_text_printf(t, "\\u%04x", (unsigned)(unsigned char)*s);
        else
            reel_text_add(t, s, 1);
    }
    reel_text_puts(t, "\"");
}

static bool entry_bytes(const reel_st_entry *e, uint64_t *bytes)
{
    uint64_t count;
    return (unsigned)e->dtype < REEL_DTYPE_STORED && e->shape.rank >= 0 && e->shape.rank <= REEL_MAX_RANK &&
           reel_shape_count(&e->shape, &count) && !__builtin_mul_overflow(count, (uint64_t)reel_dtype_size(e->dtype), bytes);
}

static reel_status put_entry(reel_text *t, const char *path, const reel_st_entry *e, uint64_t *at, reel_error *err)
{
    uint64_t bytes, end;
    if (!entry_bytes(e, &bytes) || __builtin_add_overflow(*at, bytes, &end))
        return reel_fail(err, REEL_ERR_ARG, "%s: tensor %s: its size does not fit 64 bits", path, e->name);
    put_string(t, e->name);
    reel_text_printf(t, ":{\"dtype\":\"%s\",\"shape\":[", reel_dtype_name(e->dtype));
    for (int i = 0; i < e->shape.rank; i++)
        reel_text_printf(t, "%s%lld", i > 0 ? "," : "", (long long)e->shape.dim[i]);
    reel_text_printf(t, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)*at, (unsigned long long)end);
    *at = end;
    return REEL_OK;
}

static void put_metadata(reel_text *t, const char *const *metadata, size_t n_meta)
{
    reel_text_puts(t, "{\"__metadata__\":{\"format\":\"pt\"");
    for (size_t i = 0; i < n_meta; i++) {
        reel_text_puts(t, ",");
        put_string(t, metadata[2 * i]);
        reel_text_puts(t, ":");
        put_string(t, metadata[2 * i + 1]);
    }
    reel_text_puts(t, "}");
}

static reel_status make_header(reel_text *t, const char *path, const place *places, size_t n, const char *const *metadata,
                               size_t n_meta, uint64_t *data_bytes, reel_error *err)
{
    *data_bytes = 0;
    put_metadata(t, metadata, n_meta);
    for (size_t i = 0; i < n; i++) {
        reel_text_puts(t, ",");
        if (i > 0 && strcmp(places[i - 1].entry->name, places[i].entry->name) == 0)
            return reel_fail(err, REEL_ERR_ARG, "%s: tensor %s would be written twice", path, places[i].entry->name);
        reel_status status = put_entry(t, path, places[i].entry, data_bytes, err);
        if (status != REEL_OK)
            return status;
    }
    reel_text_puts(t, "}");
    while (!t->failed && t->len % 8 != 0)
        reel_text_puts(t, " ");
    return t->failed ? reel_fail_nomem(err, path) : REEL_OK;
}

reel_status reel_st_write_begin(reel_st_writer *w, const char *path, const reel_st_entry *entry, size_t n,
                                const char *const *metadata, size_t n_meta, size_t *order, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_text header = {0};
    uint64_t data_bytes;
    unsigned char length[8];
    *w = (reel_st_writer){.out = {.fd = -1}};
    place *places = reel_calloc(n, sizeof *places);
    if (places == NULL)
        return reel_fail_nomem(err, path);
    for (size_t i = 0; i < n; i++)
        places[i] = (place){&entry[i], i};
    qsort(places, n, sizeof *places, compare_places);
    REEL_TRY(make_header(&header, path, places, n, metadata, n_meta, &data_bytes, err));
    for (size_t i = 0; i < n; i++)
        order[i] = places[i].index;
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)header.len >> 8 * i);
    REEL_TRY(reel_out_begin(&w->out, path, err));
    w->expected = 8 + header.len + data_bytes;
    REEL_TRY(reel_out_write(&w->out, length, sizeof length, err));
    REEL_TRY(reel_out_write(&w->out, header.s, header.len, err));
done:
    if (status != REEL_OK)
        reel_st_write_abort(w);
    reel_text_free(&header);
    reel_free(places);
    return status;
}

reel_status reel_st_write_commit(reel_st_writer *w, reel_error *err)
{
    if (w->out.written != w->expected) {
        reel_status status = reel_fail(err, REEL_ERR_ARG, "%s: %llu bytes were written where the header says %llu", w->out.path,
                                       (unsigned long long)w->out.written, (unsigned long long)w->expected);
        reel_st_write_abort(w);
        return status;
    }
    return reel_out_commit(&w->out, true, err);
}

void reel_st_write_abort(reel_st_writer *w)
{
    reel_out_abort(&w->out);
}

reel_status reel_st_write(const char *path, const reel_st_entry *entry, size_t n, const char *const *metadata, size_t n_meta,
                          reel_error *err)
{
    reel_status status = REEL_OK;
    reel_st_writer w = {.out = {.fd = -1}};
    size_t *order = reel_calloc(n, sizeof *order);
    if (order == NULL)
        return reel_fail_nomem(err, path);
    REEL_TRY(reel_st_write_begin(&w, path, entry, n, metadata, n_meta, order, err));
    for (size_t i = 0; i < n; i++) {
        const reel_st_entry *e = &entry[order[i]];
        uint64_t bytes = 0;
        entry_bytes(e, &bytes);  /* checked by begin */
        status = reel_out_write(&w.out, e->data, (size_t)bytes, err);
        if (status != REEL_OK) {
            reel_st_write_abort(&w);
            goto done;
        }
    }
    status = reel_st_write_commit(&w, err);
done:
    reel_free(order);
    return status;
}
