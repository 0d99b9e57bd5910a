/* Pickles and zips as torch.save writes them, made by hand: what the tests of their readers begin with. */
#ifndef REEL_TEST_TORCH_MADE_H
#define REEL_TEST_TORCH_MADE_H

#include "base/text.h"
#include "format/safetensors.h"

/* --- pickles --- */

static inline void pk_text(reel_text *p, const char *s, size_t n)
{
    const char head[] = {'X', (char)n, (char)(n >> 8), (char)(n >> 16), (char)(n >> 24)};
    reel_text_add(p, head, sizeof head);
    reel_text_add(p, s, n);
}

static inline void pk_int(reel_text *p, int64_t v)
{
    char op[10] = {(char)0x8a, 8};
    memcpy(op + 2, &v, 8);
    reel_text_add(p, op, sizeof op);
}

static inline void pk_global(reel_text *p, const char *module, const char *name)
{
    reel_text_printf(p, "c%s\n%s\n", module, name);
}

static inline void pk_ints(reel_text *p, const int64_t *v, int n)
{
    reel_text_puts(p, "(");
    for (int i = 0; i < n; i++)
        pk_int(p, v[i]);
    reel_text_puts(p, "t");
}

static inline void pk_storage(reel_text *p, const char *type, const char *key, int64_t numel)
{
    reel_text_puts(p, "(");
    pk_text(p, "storage", 7);
    pk_global(p, "torch", type);
    pk_text(p, key, strlen(key));
    pk_text(p, "cpu", 3);
    pk_int(p, numel);
    reel_text_puts(p, "tQ");
}

typedef struct pk_tensor {
    const char *name, *type, *key;
    int64_t numel, offset;
    int rank;
    int64_t dim[9], stride[9];
} pk_tensor;

static inline void pk_tensor_value(reel_text *p, const pk_tensor *t)
{
    pk_global(p, "torch._utils", "_rebuild_tensor_v2");
    reel_text_puts(p, "(");
    pk_storage(p, t->type, t->key, t->numel);
    pk_int(p, t->offset);
    pk_ints(p, t->dim, t->rank);
    pk_ints(p, t->stride, t->rank);
    reel_text_puts(p, "\x89");
    pk_global(p, "collections", "OrderedDict");
    reel_text_puts(p, ")RtR");
}

/* A whole pickle: a dict of these tensors. */
static inline void pk_state(reel_text *p, const pk_tensor *t, size_t n)
{
    reel_text_puts(p, "\x80\x02}(");
    for (size_t i = 0; i < n; i++) {
        pk_text(p, t[i].name, strlen(t[i].name));
        pk_tensor_value(p, &t[i]);
    }
    reel_text_puts(p, "u.");
}

/* --- zips --- */

typedef struct zip_part { const char *name; const void *data; size_t n; } zip_part;

static inline void zip_number(reel_text *z, uint64_t v, size_t bytes)
{
    char b[16] = {0};  /* more than eight: zeros behind */
    for (size_t i = 0; i < bytes && i < 8; i++)
        b[i] = (char)(v >> 8 * i);
    reel_text_add(z, b, bytes);
}

enum { ZIP_DESCRIPTORS = 1, ZIP_64 = 2, ZIP_END64 = 4 };

/* Stored entries: sizes behind the data as torch does it, or in zip64 fields as in files beyond 4 GB. */
static inline void zip_make(reel_text *z, const zip_part *part, size_t n, int flags)
{
    uint64_t at[64];
    reel_text directory = {0};
    const bool later = (flags & ZIP_DESCRIPTORS) != 0, large = (flags & ZIP_64) != 0;
    for (size_t i = 0; i < n; i++) {
        size_t name = strlen(part[i].name);
        uint64_t size = later ? 0 : large ? 0xFFFFFFFFu : part[i].n;
        at[i] = z->len;
        reel_text_puts(z, "PK\x03\x04");
        zip_number(z, 0, 2);
        zip_number(z, later ? 0x0808 : 0x0800, 2);
        zip_number(z, 0, 10);
        zip_number(z, size, 4);
        zip_number(z, size, 4);
        zip_number(z, name, 2);
        zip_number(z, large && !later ? 20 : 7, 2);
        reel_text_puts(z, part[i].name);
        if (large && !later) {
            zip_number(z, 1, 2);
            zip_number(z, 16, 2);
            zip_number(z, part[i].n, 8);
            zip_number(z, part[i].n, 8);
        } else
            reel_text_add(z, "FB\x03\0ZZZ", 7);
        if (part[i].n > 0)
            reel_text_add(z, part[i].data, part[i].n);
        if (later) {
            reel_text_puts(z, "PK\x07\x08");
            zip_number(z, 0, 4);
            zip_number(z, part[i].n, 4);
            zip_number(z, part[i].n, 4);
        }
    }
    for (size_t i = 0; i < n; i++) {
        reel_text_puts(&directory, "PK\x01\x02");
        zip_number(&directory, 0, 4);
        zip_number(&directory, later ? 0x0808 : 0x0800, 2);
        zip_number(&directory, 0, 10);
        zip_number(&directory, large ? 0xFFFFFFFFu : part[i].n, 4);
        zip_number(&directory, large ? 0xFFFFFFFFu : part[i].n, 4);
        zip_number(&directory, strlen(part[i].name), 2);
        zip_number(&directory, large ? 28 : 0, 2);
        zip_number(&directory, 0, 10);
        zip_number(&directory, large ? 0xFFFFFFFFu : at[i], 4);
        reel_text_puts(&directory, part[i].name);
        if (large) {
            zip_number(&directory, 1, 2);
            zip_number(&directory, 24, 2);
            zip_number(&directory, part[i].n, 8);
            zip_number(&directory, part[i].n, 8);
            zip_number(&directory, at[i], 8);
        }
    }
    uint64_t begin = z->len, end = begin + directory.len;
    reel_text_add(z, directory.s, directory.len);
    const bool end64 = (flags & (ZIP_64 | ZIP_END64)) != 0;
    if (end64) {
        reel_text_puts(z, "PK\x06\x06");
        zip_number(z, 44, 8);
        zip_number(z, 0, 12);
        zip_number(z, n, 8);
        zip_number(z, n, 8);
        zip_number(z, directory.len, 8);
        zip_number(z, begin, 8);
        reel_text_puts(z, "PK\x06\x07");
        zip_number(z, 0, 4);
        zip_number(z, end, 8);
        zip_number(z, 1, 4);
    }
    reel_text_puts(z, "PK\x05\x06");
    zip_number(z, 0, 4);
    zip_number(z, large ? 0xFFFFu : n, 2);
    zip_number(z, large ? 0xFFFFu : n, 2);
    zip_number(z, large ? 0xFFFFFFFFu : directory.len, 4);
    zip_number(z, large ? 0xFFFFFFFFu : begin, 4);
    zip_number(z, 0, 2);
    reel_text_free(&directory);
}

/* The storage class of a type. */
static inline const char *pk_class(reel_dtype t)
{
    switch (t) {
    case REEL_F32: return "FloatStorage";
    case REEL_F16: return "HalfStorage";
    case REEL_BF16: return "BFloat16Storage";
    case REEL_F64: return "DoubleStorage";
    case REEL_I64: return "LongStorage";
    default: return "ByteStorage";
    }
}

/* A file of torch.save with these tensors, a storage each. */
static inline void torch_make(reel_text *z, const reel_st_entry *entry, size_t n)
{
    static char names[64][32];
    zip_part part[64];
    pk_tensor tensor[60];
    reel_text pickle = {0};
    for (size_t i = 0; i < n; i++) {
        uint64_t count = 1;
        snprintf(names[i], sizeof names[i], "top/data/%zu", i);
        tensor[i] = (pk_tensor){.name = entry[i].name, .type = pk_class(entry[i].dtype), .key = names[i] + strlen("top/data/"),
                                .rank = entry[i].shape.rank};
        for (int d = entry[i].shape.rank - 1; d >= 0; d--) {
            tensor[i].dim[d] = entry[i].shape.dim[d];
            tensor[i].stride[d] = (int64_t)count;
            count *= (uint64_t)entry[i].shape.dim[d];
        }
        tensor[i].numel = (int64_t)count;
        part[i + 1] = (zip_part){names[i], entry[i].data, (size_t)count * reel_dtype_size(entry[i].dtype)};
    }
    pk_state(&pickle, tensor, n);
    part[0] = (zip_part){"top/data.pkl", pickle.s, pickle.len};
    part[n + 1] = (zip_part){"top/byteorder", "little", 6};
    zip_make(z, part, n + 2, ZIP_DESCRIPTORS | ZIP_END64);
    reel_text_free(&pickle);
}

#endif
