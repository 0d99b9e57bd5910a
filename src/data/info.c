/* `reel data info`: opens and measures every video, on all threads, and sums up by split. */
#include <reel/data.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args/args.h"
#include "args/jobs.h"
#include "base/mem.h"
#include "base/text.h"
#include "data/dataset.h"
#include "data/frames.h"
#include "data/parallel.h"

enum { SHOWN_VALUES = 6 };  /* sizes, rates, codecs in one cell of the table */

typedef struct measure {
    bool read;               /* opened, and some frame decodes */
    double seconds;
    char size[24], fps[16], codec[32];
    char *reason;            /* why it cannot be read, or only in part */
} measure;

typedef struct info {
    reel_data_info shown;    /* first: what the caller gets */
    reel_dataset *ds;
    measure *m;              /* one an item */
    reel_split_info *split;
    reel_class_info *cls;
    size_t *count;           /* classes x splits */
    reel_unreadable *unreadable;
    reel_context *ctx;
    bool autorotate, quick;
} info;

/* --- one video --- */

static reel_status drop_frame(reel_frame *f, size_t k, void *user, reel_error *err)
{
    (void)f, (void)k, (void)user, (void)err;
    return REEL_OK;
}

/* Numbers as people write them: 25, 29.97. */
static void format_rate(char out[16], double fps)
{
    snprintf(out, 16, "%.2f", fps < 1e6 ? fps : 1e6);
    char *end = out + strlen(out);
    while (end[-1] == '0')
        *--end = 0;
    if (end[-1] == '.')
        end[-1] = 0;
}

static reel_status measure_frames(reel_video *video, const reel_video_info *v, measure *m, const char *path, reel_error *err)
{
    reel_status status = REEL_OK;
    int64_t n = 0, first = 0, promised;
    REEL_TRY(reel_video_count(video, &n, err));
    if (n < 1)
        REEL_TRY(reel_fail(err, REEL_ERR_FORMAT, "%s: opens, but no frame of it can be decoded", path));
    REEL_TRY(reel_video_decode(video, &first, 1, drop_frame, NULL, err));
    promised = reel_frames_promised(video, v);
    if (promised > 0) {
        m->reason = reel_format("truncated after frame %lld of %lld", (long long)n, (long long)promised);
        if (m->reason == NULL)
            REEL_TRY(reel_fail_nomem(err, path));
    }
done:
    return status;
}

/* What the message says behind the file's own name, which the list gives in its own form. */
static const char *behind_path(const char *message, const char *path)
{
    size_t n = strlen(path);
    return strncmp(message, path, n) == 0 && message[n] == ':' ? message + n + 1 + (message[n + 1] == ' ') : message;
}

static reel_status measure_item(void *user, size_t i, reel_error *err)
{
    info *in = user;
    reel_item *item = &in->ds->item[i];
    measure *m = &in->m[i];
    reel_video *video = NULL;
    reel_video_info v = { .size = sizeof v };
    reel_status status = REEL_OK;
    REEL_TRY(reel_video_open_with(in->ctx, item->path, in->autorotate, 1, &reel_video_limits_default, &video, err));
    REEL_TRY(reel_video_get_info(video, &v, err));
    if (!in->quick)
        REEL_TRY(measure_frames(video, &v, m, item->path, err));
    m->seconds = in->quick ? v.duration : reel_video_duration(video, err, &status);
    if (status != REEL_OK)
        goto done;
    item->duration = m->seconds;
    snprintf(m->size, sizeof m->size, "%dx%d", v.width, v.height);
    format_rate(m->fps, v.fps);
    snprintf(m->codec, sizeof m->codec, "%s", v.codec);
    m->read = true;
done:
    reel_video_close(&video);
    if (status == REEL_OK || status == REEL_ERR_NOMEM || status == REEL_ERR_CANCELLED)
        return status;
    m->reason = reel_strdup(behind_path(err->message, item->path));
    return m->reason != NULL ? REEL_OK : reel_fail_nomem(err, item->path);
}

/* --- sums --- */

typedef struct tally { const char *text; size_t n; } tally;

static int compare_tally(const void *pa, const void *pb)
{
    const tally *a = pa, *b = pb;
    return a->n != b->n ? (a->n < b->n ? 1 : -1) : strcmp(a->text, b->text);
}

/* The different texts at `offset` of the measures of a split, the most frequent first; NULL: no memory. */
static char *most_frequent(const info *in, size_t first, size_t n, size_t offset)
{
    tally *t = reel_calloc(n, sizeof *t);
    size_t used = 0;
    reel_text out = { 0 };
    if (t == NULL)
        return NULL;
    for (size_t i = first, k; i < first + n; i++) {
        if (!in->m[i].read)
            continue;
        const char *text = (const char *)&in->m[i] + offset;
        for (k = 0; k < used && strcmp(t[k].text, text) != 0; k++) {}
        if (k == used)
            t[used++].text = text;
        t[k].n++;
    }
    qsort(t, used, sizeof *t, compare_tally);
    reel_text_puts(&out, "");
    for (size_t k = 0; k < used && k < SHOWN_VALUES; k++)
        reel_text_printf(&out, "%s%s", k > 0 ? ", " : "", t[k].text);
    if (used > SHOWN_VALUES)
        reel_text_printf(&out, " and %zu more", used - SHOWN_VALUES);
    reel_free(t);
    return reel_text_take(&out);
}

static reel_status sum_split(info *in, size_t s, reel_error *err)
{
    reel_split_info *out = &in->split[s];
    size_t first, n = reel_dataset_items(in->ds, (int)s, &first);
    *out = (reel_split_info){ .name = in->ds->splits[s], .videos = n };
    bool any = false;
    for (size_t i = first; i < first + n; i++) {
        const measure *m = &in->m[i];
        in->count[(size_t)in->ds->item[i].label * in->ds->n_splits + s]++;
        if (!m->read)
            continue;
        out->seconds_min = any && out->seconds_min < m->seconds ? out->seconds_min : m->seconds;
        out->seconds_max = any && out->seconds_max > m->seconds ? out->seconds_max : m->seconds;
        out->seconds_total += m->seconds;
        any = true;
    }
    for (size_t k = 0; k < in->ds->n_classes; k++)
        out->classes += in->count[k * in->ds->n_splits + s] > 0;
    out->sizes = most_frequent(in, first, n, offsetof(measure, size));
    out->fps = most_frequent(in, first, n, offsetof(measure, fps));
    out->codecs = most_frequent(in, first, n, offsetof(measure, codec));
    return out->sizes != NULL && out->fps != NULL && out->codecs != NULL ? REEL_OK : reel_fail_nomem(err, in->ds->path);
}

/* A packed file has no videos to open: its shape stands for the size. */
static void measure_packed(info *in)
{
    const reel_tensor *t = reel_tensors_find(&in->ds->packed, "pixel_values");
    for (size_t i = 0; i < in->ds->n_items; i++) {
        measure *m = &in->m[i];
        snprintf(m->size, sizeof m->size, "%dx%d", (int)t->shape.dim[4], (int)t->shape.dim[3]);
        snprintf(m->fps, sizeof m->fps, "-");
        snprintf(m->codec, sizeof m->codec, "float32");
        m->read = true;
    }
}

static reel_status fill(info *in, reel_error *err)
{
    const reel_dataset *ds = in->ds;
    reel_status status = REEL_OK;
    size_t cells, bad = 0;
    in->split = reel_calloc(ds->n_splits, sizeof *in->split);
    in->cls = reel_calloc(ds->n_classes, sizeof *in->cls);
    in->unreadable = reel_calloc(ds->n_items, sizeof *in->unreadable);
    in->count = reel_mul(&cells, ds->n_classes, ds->n_splits) ? reel_calloc(cells, sizeof *in->count) : NULL;
    if (in->split == NULL || in->cls == NULL || in->unreadable == NULL || in->count == NULL)
        REEL_TRY(reel_fail_nomem(err, ds->path));
    for (size_t s = 0; s < ds->n_splits; s++)
        REEL_TRY(sum_split(in, s, err));
    for (size_t k = 0; k < ds->n_classes; k++)
        in->cls[k] = (reel_class_info){ ds->classes[k], in->count + k * ds->n_splits };
    for (size_t i = 0; i < ds->n_items; i++)
        if (in->m[i].reason != NULL)
            in->unreadable[bad++] = (reel_unreadable){ ds->item[i].shown, in->m[i].reason };
    in->shown = (reel_data_info){ .path = ds->path, .layout = ds->layout, .splits = ds->n_splits, .split = in->split,
                                  .classes = ds->n_classes, .cls = in->cls, .unreadables = bad,
                                  .unreadable = in->unreadable, .warnings = ds->n_warnings,
                                  .warning = (const char *const *)ds->warning };
done:
    return status;
}

void reel_data_info_close(reel_data_info **out)
{
    info *in = out != NULL ? (info *)*out : NULL;
    if (in == NULL)
        return;
    for (size_t s = 0; in->split != NULL && s < in->ds->n_splits; s++) {
        reel_free((char *)in->split[s].sizes);
        reel_free((char *)in->split[s].fps);
        reel_free((char *)in->split[s].codecs);
    }
    for (size_t i = 0; in->m != NULL && i < in->ds->n_items; i++)
        reel_free(in->m[i].reason);
    reel_free(in->m);
    reel_free(in->split);
    reel_free(in->cls);
    reel_free(in->count);
    reel_free(in->unreadable);
    reel_dataset_close(&in->ds);
    reel_free(in);
    *out = NULL;
}

reel_status reel_data_info_open(reel_context *ctx, const reel_args *args, reel_data_info **out, reel_error *err)
{
    reel_status status = REEL_OK;
    const reel_data_info_args *a = reel_args_values(args, REEL_JOB_DATA_INFO);
    info *in = NULL;
    *out = NULL;
    if (a == NULL)
        return reel_fail(err, REEL_ERR_ARG, "these are not the options of data info");
    in = reel_calloc(1, sizeof *in);
    if (in == NULL)
        return reel_fail_nomem(err, a->data);
    in->ctx = ctx;
    in->autorotate = a->autorotate;
    in->quick = a->quick;
    REEL_TRY(reel_dataset_open(ctx, a->data, &in->ds, err));
    in->m = reel_calloc(in->ds->n_items, sizeof *in->m);
    if (in->m == NULL)
        REEL_TRY(reel_fail_nomem(err, a->data));
    if (in->ds->is_packed)
        measure_packed(in);
    else
        REEL_TRY(reel_parallel(ctx, reel_loader_threads(ctx, a->dataloader_num_workers), in->ds->n_items, measure_item, in, err));
    REEL_TRY(fill(in, err));
    *out = &in->shown;
    in = NULL;
done:
    if (in != NULL) {
        reel_data_info *partial = &in->shown;
        reel_data_info_close(&partial);
    }
    return status;
}
