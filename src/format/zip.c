#include "format/zip.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
    MAX_ENTRIES = 1000000, END = 22, LOCATOR = 20, END64 = 56, CENTRAL = 46, LOCAL = 30, MAX_COMMENT = 65535,
    ENCRYPTED = 1, DESCRIPTOR = 8, ZIP64_EXTRA = 1
};
#define ALL32 0xFFFFFFFFu  /* "too large for this field: it is in the zip64 record" */

typedef struct reader {
    const uint8_t *file;
    size_t size;
    const char *what;
    uint64_t entries, at, end;   /* of the directory: its number of entries, where it begins and ends */
} reader;

static uint16_t u16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static uint32_t u32(const uint8_t *p) { return u16(p) | (uint32_t)u16(p + 2) << 16; }
static uint64_t u64(const uint8_t *p) { return u32(p) | (uint64_t)u32(p + 4) << 32; }

static bool is(const uint8_t *p, uint8_t a, uint8_t b)
{
    return p[0] == 'P' && p[1] == 'K' && p[2] == a && p[3] == b;
}

static reel_status fail(const reader *r, const char *fault, reel_error *err)
{
    return reel_fail(err, REEL_ERR_FORMAT, "%s: damaged zip: %s%s Fetch or save the file again.", r->what, fault,
                     fault[strlen(fault) - 1] == '?' ? "" : ".");
}

/* The record at the very end; a comment may stand behind it. */
static reel_status find_end(const reader *r, size_t *at, reel_error *err)
{
    *at = 0;
    for (size_t comment = 0; comment <= MAX_COMMENT && comment + END <= r->size; comment++) {
        *at = r->size - END - comment;
        if (is(r->file + *at, 5, 6) && u16(r->file + *at + 20) == comment)
            return REEL_OK;
    }
    return fail(r, "its end (the central directory) is missing; is the file truncated?", err);
}

/* The record of large files, where there is one; it must not contradict the other. */
static reel_status read_end64(reader *r, size_t end, size_t *limit, reel_error *err)
{
    const uint8_t *small = r->file + end, *locator = small - LOCATOR;
    uint64_t at = u64(locator + 8);
    if (end < LOCATOR + END64 || at > end - LOCATOR - END64)
        return fail(r, "the zip64 record lies outside the file", err);
    const uint8_t *p = r->file + at;
    if (!is(p, 6, 6) || u64(p + 4) < END64 - 12 || u64(p + 4) != end - LOCATOR - at - 12)
        return fail(r, "the zip64 record is not where the end of the file says", err);
    if (u32(locator + 4) != 0 || u32(locator + 16) > 1 || u32(p + 16) != 0 || u32(p + 20) != 0 || u64(p + 24) != u64(p + 32))
        return fail(r, "it is spread over several disks", err);
    r->entries = u64(p + 32);
    r->at = u64(p + 48);
    if (__builtin_add_overflow(r->at, u64(p + 40), &r->end))
        return fail(r, "the directory lies outside the file", err);
    if ((u16(small + 10) != 0xFFFFu && u16(small + 10) != r->entries) || (u32(small + 12) != ALL32 && u32(small + 12) != r->end - r->at) ||
        (u32(small + 16) != ALL32 && u32(small + 16) != r->at))
        return fail(r, "its two end records contradict each other", err);
    *limit = (size_t)at;
    return REEL_OK;
}

/* Where the directory is. Nothing may lie between it and the records at the end. */
static reel_status read_end(reader *r, reel_error *err)
{
    size_t end, limit;
    reel_status status = REEL_OK;
    REEL_TRY(find_end(r, &end, err));
    const uint8_t *p = r->file + end;
    limit = end;
    if (u16(p + 4) != 0 || u16(p + 6) != 0 || u16(p + 8) != u16(p + 10))
        return fail(r, "it is spread over several disks", err);
    r->entries = u16(p + 10);
    r->at = u32(p + 16);
    r->end = r->at + u32(p + 12);
    if (end >= LOCATOR && is(p - LOCATOR, 6, 7))
        REEL_TRY(read_end64(r, end, &limit, err));
    if (r->at > r->end || r->end != limit)
        return fail(r, "the directory is not where the end of the file says", err);
    if (r->entries > MAX_ENTRIES)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: a zip of %llu entries, the limit is %d", r->what,
                         (unsigned long long)r->entries, MAX_ENTRIES);
    if (r->entries > (r->end - r->at) / CENTRAL)
        return fail(r, "the directory is too short for its entries", err);
done:
    return status;
}

/* Size and place that do not fit 32 bits stand in the extra field, in this order, those that are needed alone. */
static reel_status read_extra(const reader *r, const uint8_t *extra, size_t n, uint64_t *value[3], reel_error *err)
{
    size_t at = 0;
    while (n - at >= 4) {
        size_t size = u16(extra + at + 2);
        if (size > n - at - 4)
            return fail(r, "an extra field goes beyond its entry", err);
        if (u16(extra + at) == ZIP64_EXTRA) {
            size_t from = at + 4, end = from + size;
            for (int i = 0; i < 3; i++) {
                if (*value[i] != ALL32)
                    continue;
                if (end - from < 8)
                    return fail(r, "a zip64 field is too short", err);
                *value[i] = u64(extra + from);
                from += 8;
            }
            return REEL_OK;
        }
        at += 4 + size;
    }
    return REEL_OK;
}

static reel_status fail_entry(const reader *r, const reel_zip_entry *e, const char *fault, reel_error *err)
{
    return reel_fail(err, REEL_ERR_FORMAT, "%s: damaged zip: entry %.*s%s %s", r->what, e->name_n < 200 ? (int)e->name_n : 200,
                     e->name, e->name_n < 200 ? "" : "…", fault);
}

static bool size_agrees(uint32_t told, uint64_t size, bool later)
{
    return told == size || told == ALL32 || (later && told == 0);
}

/* The entry's own header, in front of its data, must say the same as the directory; torch writes its sizes behind the data. */
static reel_status read_local(const reader *r, const uint8_t *central, uint64_t packed, reel_zip_entry *e, reel_error *err)
{
    if (e->begin > r->at || r->at - e->begin < LOCAL || !is(r->file + e->begin, 3, 4))
        return fail_entry(r, e, "is not where the directory says", err);
    const uint8_t *p = r->file + e->begin;
    uint64_t head = LOCAL + (uint64_t)u16(p + 26) + u16(p + 28);
    bool later = (u16(p + 6) & DESCRIPTOR) != 0;
    if (head > r->at - e->begin)
        return fail_entry(r, e, "has a header that goes beyond the file", err);
    if (u16(p + 8) != u16(central + 10) || u16(p + 26) != e->name_n || memcmp(p + LOCAL, e->name, e->name_n) != 0)
        return fail_entry(r, e, "has another name or method in its own header than in the directory", err);
    if (packed > r->at - e->begin - head)
        return fail_entry(r, e, "goes beyond the end of the data; is the file truncated?", err);
    if (!size_agrees(u32(p + 18), packed, later) || !size_agrees(u32(p + 22), e->bytes, later))
        return fail_entry(r, e, "has another size in its own header than in the directory", err);
    e->data = e->method == 0 ? p + head : NULL;
    e->end = e->begin + head + packed;
    return REEL_OK;
}

/* One record of the directory at *at. */
static reel_status read_entry(const reader *r, uint64_t *at, reel_zip_entry *e, reel_error *err)
{
    reel_status status = REEL_OK;
    const uint8_t *p = r->file + *at;
    if (r->end - *at < CENTRAL || !is(p, 1, 2))
        return fail(r, "an entry of the directory is missing", err);
    size_t name = u16(p + 28), extra = u16(p + 30), rest = u16(p + 32);
    if (name + extra + rest > r->end - *at - CENTRAL)
        return fail(r, "an entry of the directory goes beyond its end", err);
    uint64_t packed = u32(p + 20), bytes = u32(p + 24), begin = u32(p + 42);
    *e = (reel_zip_entry){.name = (const char *)p + CENTRAL, .name_n = name};
    REEL_TRY(read_extra(r, p + CENTRAL + name, extra, (uint64_t *[]){&bytes, &packed, &begin}, err));
    e->bytes = bytes;
    e->begin = begin;
    e->method = u16(p + 10);
    if (name == 0)
        return fail(r, "an entry has no name", err);
    if ((u16(p + 8) & ENCRYPTED) != 0)
        return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: entry %.*s is encrypted", r->what, (int)name, e->name);
    if (e->method == 0 && packed != bytes)
        return fail_entry(r, e, "is stored but has two sizes", err);
    if (u16(p + 34) != 0)
        return fail(r, "it is spread over several disks", err);
    REEL_TRY(read_local(r, p, packed, e, err));
    *at += CENTRAL + name + extra + rest;
done:
    return status;
}

static int compare_text(const char *a, size_t an, const char *b, size_t bn)
{
    int order = memcmp(a, b, an < bn ? an : bn);
    return order != 0 ? order : (an > bn) - (an < bn);
}

static int compare_names(const void *a, const void *b)
{
    const reel_zip_entry *x = a, *y = b;
    return compare_text(x->name, x->name_n, y->name, y->name_n);
}

static int compare_places(const void *a, const void *b)
{
    const reel_zip_entry *x = a, *y = b;
    return (x->begin > y->begin) - (x->begin < y->begin);
}

/* Two entries in the same bytes: how a small file claims to be a large one. */
static reel_status check_apart(const reader *r, reel_zip *zip, reel_error *err)
{
    if (zip->n > 0)
        qsort(zip->entry, zip->n, sizeof *zip->entry, compare_places);
    for (size_t i = 1; i < zip->n; i++)
        if (zip->entry[i - 1].end > zip->entry[i].begin)
            return fail_entry(r, &zip->entry[i], "overlaps another entry", err);
    return REEL_OK;
}

static reel_status check_names(const reader *r, reel_zip *zip, reel_error *err)
{
    if (zip->n > 0)
        qsort(zip->entry, zip->n, sizeof *zip->entry, compare_names);
    for (size_t i = 1; i < zip->n; i++)
        if (compare_names(&zip->entry[i - 1], &zip->entry[i]) == 0)
            return fail_entry(r, &zip->entry[i], "is there twice", err);
    return REEL_OK;
}

reel_status reel_zip_read(const uint8_t *file, size_t size, const char *what, reel_zip *out, reel_error *err)
{
    reel_status status = REEL_OK;
    reader r = {.file = file, .size = size, .what = what};
    reel_zip zip = {0};
    *out = (reel_zip){0};
    REEL_TRY(read_end(&r, err));
    zip.entry = reel_calloc((size_t)r.entries, sizeof *zip.entry);
    if (zip.entry == NULL) {
        status = reel_fail_nomem(err, what);
        goto done;
    }
    uint64_t at = r.at;
    for (; zip.n < r.entries; zip.n++)
        REEL_TRY(read_entry(&r, &at, &zip.entry[zip.n], err));
    if (at != r.end) {
        status = fail(&r, "the directory has more entries than the end of the file says", err);
        goto done;
    }
    REEL_TRY(check_apart(&r, &zip, err));
    REEL_TRY(check_names(&r, &zip, err));
    *out = zip;
    zip = (reel_zip){0};
done:
    reel_zip_free(&zip);
    return status;
}

reel_status reel_zip_check_stored(const reel_zip *zip, const char *what, reel_error *err)
{
    for (size_t i = 0; i < zip->n; i++) {
        const reel_zip_entry *e = &zip->entry[i];
        if (e->method != 0)
            return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: entry %.*s is compressed (method %d); torch.save stores every record as "
                             "it is. Unpack the file and pack it without compression (zip -0), or save it again.", what,
                             e->name_n < 200 ? (int)e->name_n : 200, e->name, e->method);
    }
    return REEL_OK;
}

void reel_zip_free(reel_zip *zip)
{
    reel_free(zip->entry);
    *zip = (reel_zip){0};
}

const reel_zip_entry *reel_zip_find(const reel_zip *zip, const char *name, size_t name_n)
{
    reel_zip_entry key = {.name = name, .name_n = name_n};
    return zip->n > 0 ? bsearch(&key, zip->entry, zip->n, sizeof *zip->entry, compare_names) : NULL;
}
