#include "format/torch.h"

#include <string.h>

#include "base/mem.h"
#include "format/pickle.h"
#include "format/zip.h"

enum { MAX_SHARED = 4 };  /* tensors may share storages (tied weights, views of one block), but not be many times the file */

#define RESAVE "Load it in Python with torch.load(FILE, map_location=\"cpu\", weights_only=True) and save it with safetensors' " \
    "save_file, or with torch.save of a current version"

typedef struct reader {
    const char *what;
    reel_zip zip;
    reel_pickle pickle;
    const reel_zip_entry *data;  /* TOP/data.pkl */
    size_t top_n;                /* bytes of its name before "data.pkl": "TOP/" */
    uint64_t bytes, copied;      /* of all tensors so far; of those that were copied */
    reel_tensors tensors;
} reader;

/* --- which form --- */

static bool begins(const uint8_t *file, size_t size, const void *with, size_t n)
{
    return size >= n && memcmp(file, with, n) == 0;
}

/* The number that the legacy form begins with, as a pickle of any protocol from 2 on: its protocol; else 0. From 4 on a frame
 * stands before it. */
static int legacy_protocol(const uint8_t *file, size_t size)
{
    static const uint8_t magic[] = {0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};
    if (size < 2 || file[0] != 0x80 || file[1] < 2 || file[1] > 5)
        return 0;
    const size_t at = size > 2 && file[2] == 0x95 ? 11 : 2;
    return size >= at && begins(file + at, size - at, magic, sizeof magic) ? file[1] : 0;
}

static reel_status check_form(const uint8_t *file, size_t size, const char *what, reel_error *err)
{
    const int protocol = legacy_protocol(file, size);
    if (begins(file, size, "PK", 2))
        return REEL_OK;
    if (size == 0)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: the file is empty", what);
    if (protocol >= 4)
        return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: is in the legacy form of torch.save before version 1.6 (a row of pickles of "
                         "protocol %d), which is not read. If you trust the file (loading this one executes what is in it), load it in "
                         "Python with torch.load(FILE, map_location=\"cpu\", weights_only=False) and save its state dict with "
                         "safetensors' save_file", what, protocol);
    if (protocol != 0 || (size > 262 && memcmp(file + 257, "ustar", 5) == 0))
        return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: is in the legacy form of torch.save before version 1.6 (%s), which is not "
                         "read. " RESAVE, what, protocol != 0 ? "a row of pickles" : "a tar file");
    reel_status status = reel_file_check_pointer(file, size, what, err);
    if (status != REEL_OK)
        return status;
    return reel_fail(err, REEL_ERR_FORMAT, "%s: is not a file of torch.save (a zip file begins with PK)", what);
}

/* --- records --- */

static reel_status find_pickle(reader *r, reel_error *err)
{
    static const char name[] = "data.pkl";
    const size_t n = sizeof name - 1;
    for (size_t i = 0; i < r->zip.n; i++) {
        const reel_zip_entry *e = &r->zip.entry[i];
        if (e->name_n < n + 2 || memcmp(e->name + e->name_n - n, name, n) != 0 ||
            memchr(e->name, '/', e->name_n) != e->name + e->name_n - n - 1)
            continue;
        if (r->data != NULL)
            return reel_fail(err, REEL_ERR_FORMAT, "%s: two folders of the zip have a data.pkl", r->what);
        r->data = e;
        r->top_n = e->name_n - n;
    }
    if (r->data == NULL)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: data.pkl is missing in the zip; is this a file of torch.save?", r->what);
    return REEL_OK;
}

/* The record TOP/FOLDER KEY, or NULL. */
static reel_status find_record(const reader *r, const char *folder, const char *key, size_t key_n, const reel_zip_entry **out,
                               reel_error *err)
{
    size_t folder_n = strlen(folder), n = r->top_n + folder_n + key_n;
    char *name = reel_realloc(NULL, n, 1);
    if (name == NULL)
        return reel_fail_nomem(err, r->what);
    memcpy(name, r->data->name, r->top_n);
    memcpy(name + r->top_n, folder, folder_n);
    memcpy(name + r->top_n + folder_n, key, key_n);
    *out = reel_zip_find(&r->zip, name, n);
    reel_free(name);
    return REEL_OK;
}

/* What torch.jit.save writes: a module and its code, which also has a data.pkl. */
static reel_status check_script(const reader *r, reel_error *err)
{
    static const char folder[] = "code/";
    const reel_zip_entry *e = NULL;
    reel_status status = find_record(r, "", "constants.pkl", 13, &e, err);
    bool script = e != NULL;
    for (size_t i = 0; i < r->zip.n && status == REEL_OK && !script; i++) {
        e = &r->zip.entry[i];
        script = e->name_n > r->top_n && memcmp(e->name, r->data->name, r->top_n) == 0 &&
            begins((const uint8_t *)e->name + r->top_n, e->name_n - r->top_n, folder, sizeof folder - 1);
    }
    return !script ? status : reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: is a scripted module (TorchScript): code, not a state dict. "
                                        "Nothing of it was executed. If you trust the file, load it in Python with torch.jit.load and "
                                        "save its state_dict() with safetensors' save_file", r->what);
}

/* Files before torch 2.1 do not say; they are little-endian as nearly all machines are. */
static reel_status check_byte_order(const reader *r, reel_error *err)
{
    const reel_zip_entry *e;
    reel_status status = find_record(r, "", "byteorder", 9, &e, err);
    if (status != REEL_OK || e == NULL || (e->bytes == 6 && memcmp(e->data, "little", 6) == 0))
        return status;
    return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: its byte order (byteorder) is %.*s, not little; it was saved on a big-endian "
                     "machine. " RESAVE, r->what, e->bytes < 16 ? (int)e->bytes : 16, (const char *)e->data);
}

/* --- tensors --- */

static reel_status fail_tensor(const reader *r, const reel_tensor *t, const char *fault, reel_error *err)
{
    return reel_fail(err, REEL_ERR_FORMAT, "%s: tensor %s %s", r->what, t->name, fault);
}

/* The bytes of the storage, which must be the record's; *room: how many elements of the tensor they are. */
static reel_status storage_of(const reader *r, const reel_pickle_tensor *p, const reel_tensor *t, const uint8_t **bytes,
                              uint64_t *room, reel_error *err)
{
    uint64_t want;
    const reel_zip_entry *e = NULL;
    *bytes = NULL;
    *room = 0;
    reel_status status = find_record(r, "data/", p->key, p->key_n, &e, err);
    if (status != REEL_OK)
        return status;
    int shown = p->key_n < 100 ? (int)p->key_n : 100;
    if (e == NULL)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: tensor %s: the record data/%.*s of its storage is missing in the zip", r->what,
                         t->name, shown, p->key);
    if (__builtin_mul_overflow(p->numel, (uint64_t)reel_dtype_size(p->stored), &want) || want != e->bytes)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: tensor %s: its storage has a size of %llu elements of %s, but the record "
                         "data/%.*s has %llu bytes", r->what, t->name, (unsigned long long)p->numel, reel_dtype_name(p->stored), shown,
                         p->key, (unsigned long long)e->bytes);
    *bytes = e->data;
    *room = e->bytes / reel_dtype_size(p->dtype);
    return REEL_OK;
}

/* Every element lies in a storage of `room`. */
static bool inside(const reel_pickle_tensor *p, uint64_t room, uint64_t count)
{
    uint64_t last = p->offset, step;
    if (count == 0)
        return p->offset <= room;
    for (int i = 0; i < p->shape.rank; i++)
        if (__builtin_mul_overflow((uint64_t)p->shape.dim[i] - 1, (uint64_t)p->stride[i], &step) ||
            __builtin_add_overflow(last, step, &last))
            return false;
    return last < room;
}

static bool row_major(const reel_pickle_tensor *p, uint64_t count)
{
    int64_t want = 1;
    for (int i = p->shape.rank - 1; i >= 0 && count > 0; i--) {
        if (p->shape.dim[i] != 1 && p->stride[i] != want)
            return false;
        want *= p->shape.dim[i];
    }
    return true;
}

/* Elements of a view in the order of its indices. `from` is element 0. The place wraps around where it steps past the end of a
 * dimension, and comes back. */
static void copy_view(uint8_t *to, const uint8_t *from, const reel_pickle_tensor *p, uint64_t count, size_t size)
{
    int64_t index[REEL_MAX_RANK] = {0};
    uint64_t at = 0;
    for (uint64_t n = 0; n < count; n++) {
        memcpy(to + n * size, from + at * size, size);
        for (int i = p->shape.rank - 1; i >= 0; i--) {
            at += (uint64_t)p->stride[i];
            if (++index[i] < p->shape.dim[i])
                break;
            at -= (uint64_t)p->stride[i] * (uint64_t)index[i];
            index[i] = 0;
        }
    }
}

static reel_status copy_tensor(reader *r, const reel_pickle_tensor *p, uint64_t count, const uint8_t *from, reel_tensor *t,
                               reel_error *err)
{
    reel_tensors *all = &r->tensors;
    void *copy = reel_realloc(NULL, (size_t)t->bytes, 1);
    if (copy == NULL)
        return reel_fail_nomem(err, r->what);
    all->copy[all->copies++] = copy;
    copy_view(copy, from, p, count, reel_dtype_size(p->dtype));
    t->data = copy;
    return REEL_OK;
}

/* Sums that a small file could blow up with many views of one storage. */
static reel_status check_sums(reader *r, uint64_t file_bytes, uint64_t room, const reel_tensor *t, uint64_t count, bool copied,
                              reel_error *err)
{
    if (copied && count > room)
        return fail_tensor(r, t, "repeats elements of its storage (an expanded view), which no weights do", err);
    if (__builtin_add_overflow(r->bytes, t->bytes, &r->bytes) || r->bytes / MAX_SHARED > file_bytes ||
        (copied && __builtin_add_overflow(r->copied, t->bytes, &r->copied)) || r->copied > file_bytes)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: its tensors share storages so often that they are far larger than the file "
                         "(limit: %d times)", r->what, MAX_SHARED);
    return REEL_OK;
}

static reel_status add_tensor(reader *r, uint64_t file_bytes, const reel_pickle_tensor *p, reel_error *err)
{
    reel_status status = REEL_OK;
    const uint8_t *storage;
    uint64_t count, room;
    reel_tensor *t = &r->tensors.tensor[r->tensors.n];
    *t = (reel_tensor){.name = reel_strndup(p->name, p->name_n), .dtype = p->dtype, .shape = p->shape};
    if (t->name == NULL)
        return reel_fail_nomem(err, r->what);
    r->tensors.n++;
    REEL_TRY(reel_tensor_name_check(t->name, r->what, err));
    if (!reel_shape_count(&t->shape, &count) || __builtin_mul_overflow(count, (uint64_t)reel_dtype_size(t->dtype), &t->bytes))
        return fail_tensor(r, t, "is too large, its size overflows 64 bits", err);
    REEL_TRY(storage_of(r, p, t, &storage, &room, err));
    if (!inside(p, room, count))
        return fail_tensor(r, t, "reaches outside its storage (offset, size and stride go beyond the end)", err);
    bool in_place = row_major(p, count);
    REEL_TRY(check_sums(r, file_bytes, room, t, count, !in_place, err));
    const uint8_t *from = storage + p->offset * reel_dtype_size(p->dtype);
    if (in_place)
        t->data = from;
    else
        status = copy_tensor(r, p, count, from, t, err);
done:
    return status;
}

static reel_status read_all(reader *r, const uint8_t *file, size_t size, reel_error *err)
{
    reel_status status = REEL_OK;
    REEL_TRY(reel_zip_read(file, size, r->what, &r->zip, err));
    REEL_TRY(find_pickle(r, err));
    REEL_TRY(check_script(r, err));
    REEL_TRY(reel_zip_check_stored(&r->zip, r->what, err));
    REEL_TRY(check_byte_order(r, err));
    REEL_TRY(reel_pickle_read(r->data->data, (size_t)r->data->bytes, r->what, &r->pickle, err));
    r->tensors.tensor = reel_calloc(r->pickle.n, sizeof *r->tensors.tensor);
    r->tensors.copy = reel_calloc(r->pickle.n, sizeof *r->tensors.copy);
    if (r->tensors.tensor == NULL || r->tensors.copy == NULL) {
        status = reel_fail_nomem(err, r->what);
        goto done;
    }
    for (size_t i = 0; i < r->pickle.n; i++)
        REEL_TRY(add_tensor(r, size, &r->pickle.tensor[i], err));
    REEL_TRY(reel_tensors_sort(&r->tensors, r->what, err));
done:
    return status;
}

reel_status reel_torch_read(const uint8_t *file, size_t size, const char *what, reel_tensors *out, reel_error *err)
{
    reader r = {.what = what};
    *out = (reel_tensors){0};
    reel_status status = check_form(file, size, what, err);
    if (status == REEL_OK)
        status = read_all(&r, file, size, err);
    if (status == REEL_OK) {
        *out = r.tensors;
        r.tensors = (reel_tensors){0};
    }
    reel_tensors_close(&r.tensors);
    reel_pickle_free(&r.pickle);
    reel_zip_free(&r.zip);
    return status;
}

reel_status reel_torch_open(const char *path, reel_tensors *out, reel_error *err)
{
    return reel_tensors_open(path, reel_torch_read, out, err);
}
