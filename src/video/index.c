/* The index: how many frames there are in display order, their times, and where decoding can begin.
 *
 * Where a container tells the time of every picture (mov, Matroska) and the codec makes one picture of one packet, the packets
 * are enough; two frames are decoded to see that they agree. Elsewhere (AVI, raw streams, transport streams …) headers,
 * counts, key flags and times are often wrong, and everything is decoded once; frames are kept while they are few. */
#include <stdlib.h>

#include "video/media.h"

enum { CHECKED_FRAMES = 2 };

/* Where the container does not tell the size, the first frame does. */
static void learn_size(reel_video *v)
{
    if (v->width > 0 && v->height > 0)
        return;
    v->width = v->frame->width;
    v->height = v->frame->height;
}

int64_t reel_frame_pts(const AVFrame *f)
{
    return f->pts != AV_NOPTS_VALUE ? f->pts : f->best_effort_timestamp;
}

size_t reel_index_first_at(const reel_index *x, int64_t time)
{
    size_t lo = 0, hi = x->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (x->time[mid] < time)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

int64_t reel_index_find(const reel_index *x, int64_t pts)
{
    size_t i = reel_index_first_at(x, pts);
    return i < x->n && x->time[i] == pts ? (int64_t)i : -1;
}

int64_t reel_index_follow(const reel_index *x, const AVFrame *f, int64_t next, bool entered)
{
    int64_t number = next;
    if (next < 0)
        return -1;
    if (x->scanned && !x->placed) {
        number = reel_index_find(x, reel_frame_pts(f));
        /* Behind an open group's key frame come, first, frames that are shown before it and lack their references. */
        if (number < next)
            return entered && number >= 0 ? REEL_LEADING : -1;
    } else {
        while (x->placed && number < (int64_t)x->n && x->shown[number].spare && x->shown[number].pos != f->pkt_pos)
            number++;  /* left out */
        if (number >= (int64_t)x->n || x->shown[number].pos != f->pkt_pos)
            return -1;
    }
    /* The first frame behind a seek must be a key frame, whatever the container says of it. */
    return x->scanned && entered && next > 0 && !f->key_frame ? -1 : number;
}

const reel_entry *reel_index_entry(const reel_index *x, int64_t number)
{
    size_t lo = 0, hi = x->entries;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (x->entry[mid].frame <= number)
            lo = mid;
        else
            hi = mid;
    }
    return x->entries > 0 ? &x->entry[lo] : NULL;
}

void reel_index_free(reel_video *v)
{
    for (size_t i = 0; v->kept != NULL && i < v->index.n; i++)
        av_frame_free(&v->kept[i]);
    reel_free(v->kept);
    v->kept = NULL;
    v->kept_bytes = 0;
    reel_free(v->index.shown);
    reel_free(v->index.time);
    reel_free(v->index.entry);
    reel_free(v->index.number);
    v->index = (reel_index){0};
    reel_free(v->seen);
    v->seen = NULL;
    v->seen_n = v->seen_room = 0;
}

AVRational reel_frame_rate(const AVStream *s)
{
    const AVRational claim[] = {s->avg_frame_rate, s->r_frame_rate};
    for (size_t i = 0; i < 2; i++)
        if (claim[i].num > 0 && claim[i].den > 0 && av_q2d(claim[i]) < 1000)
            return claim[i];
    return (AVRational){0, 1};
}

static AVRational frame_rate(const AVStream *s)
{
    AVRational rate = reel_frame_rate(s);
    return rate.num > 0 ? rate : (AVRational){25, 1};
}

/* One frame's duration in the stream's time base, at least 1. */
static int64_t usual_duration(const AVStream *s)
{
    int64_t d = av_rescale_q(1, av_inv_q(frame_rate(s)), s->time_base);
    return d > 0 ? d : 1;
}

static int compare_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void set_start(reel_video *v)
{
    v->index.base = v->stream->time_base;
    v->index.start = v->stream->start_time != AV_NOPTS_VALUE ? v->stream->start_time : 0;
}

/* ---- from packets ---- */

typedef struct row { int64_t pts, dts, pos, duration; bool key, shown; } row;

/* AVI has no true times and its key flags lie, but MPEG-4 pictures say themselves in what order they are shown. */
static bool vops_suffice(const reel_video *v)
{
    return av_match_name("avi", v->format->iformat->name) && v->stream->codecpar->codec_id == AV_CODEC_ID_MPEG4;
}

static bool packets_suffice(const reel_video *v)
{
    const char *name = v->format->iformat->name;
    if (!av_match_name("mov", name) && !av_match_name("matroska", name))
        return false;
    enum AVCodecID id = v->stream->codecpar->codec_id;
    if (id != AV_CODEC_ID_H264 && id != AV_CODEC_ID_HEVC && id != AV_CODEC_ID_VP9 && id != AV_CODEC_ID_AV1)
        return false;
    /* An interlaced picture may be two packets. */
    return v->stream->codecpar->field_order <= AV_FIELD_PROGRESSIVE;
}

static reel_status read_rows(reel_video *v, row **rows, size_t *n, bool *honest, reel_error *err)
{
    size_t room = 0;
    *honest = true;
    for (;;) {
        bool end;
        reel_status status = reel_reader_packet(v, &end, err);
        if (status != REEL_OK)
            return status;
        if (end) {
            v->store.whole = v->store.n > 0 && v->store.n == *n;
            return REEL_OK;
        }
        status = reel_store_add(v, err);
        if (status != REEL_OK)
            return status;
        if (!reel_grow((void **)rows, &room, *n, sizeof **rows))
            return reel_fail_nomem(err, v->path);
        const AVPacket *p = v->packet;
        /* A packet is damaged where the file is cut. */
        *honest &= p->pts != AV_NOPTS_VALUE && p->size > 0 && (p->flags & AV_PKT_FLAG_CORRUPT) == 0;
        (*rows)[(*n)++] = (row){p->pts, p->dts, p->pos, p->duration, (p->flags & AV_PKT_FLAG_KEY) != 0,
                                (p->flags & AV_PKT_FLAG_DISCARD) == 0};
    }
}

static int compare_rows(const void *a, const void *b)
{
    return compare_time(&((const row *)a)->pts, &((const row *)b)->pts);
}

/* Fills the index from rows, which are sorted by time here. *good: false where two frames share a time. */
static reel_status rows_to_index(reel_video *v, row *rows, size_t rows_n, bool *good, reel_error *err)
{
    reel_index *x = &v->index;
    const row first = rows[0];
    qsort(rows, rows_n, sizeof *rows, compare_rows);
    x->shown = reel_calloc(rows_n, sizeof *x->shown);
    x->time = reel_calloc(rows_n, sizeof *x->time);
    x->entry = reel_calloc(rows_n + 1, sizeof *x->entry);
    v->kept = reel_calloc(rows_n, sizeof(AVFrame *));
    if (x->shown == NULL || x->time == NULL || x->entry == NULL || v->kept == NULL)
        return reel_fail_nomem(err, v->path);
    *good = true;
    x->entry[x->entries++] = (reel_entry){0, first.pts, first.dts, first.pos};
    for (size_t i = 0; i < rows_n; i++) {
        const row *r = &rows[i];
        if (!r->shown)
            continue;
        *good &= x->n == 0 || r->pts > x->time[x->n - 1];
        if (r->key && r->pos != first.pos && r->pts > first.pts)
            x->entry[x->entries++] = (reel_entry){(int64_t)x->n, r->pts, r->dts, r->pos};
        x->shown[x->n] = (reel_shown){r->pts, r->pos, r->key, false};
        x->time[x->n++] = r->pts;
        x->last = r->duration > 0 ? r->duration : usual_duration(v->stream);
    }
    *good &= x->n > 0;
    return REEL_OK;
}

static reel_status vops_to_index(reel_video *v, bool *good, reel_error *err)
{
    *good = v->store.whole;
    reel_status status = *good ? reel_vops_index(v, good, err) : REEL_OK;
    if (status != REEL_OK || !*good)
        return status;
    v->kept = reel_calloc(v->index.n, sizeof(AVFrame *));
    if (v->kept == NULL)
        return reel_fail_nomem(err, v->path);
    v->index.placed = true;
    return reel_index_times(v, err);
}

/* Is frame i the one that has just been decoded? */
static bool agrees(const reel_video *v, size_t i)
{
    const reel_index *x = &v->index;
    if (!x->placed)
        return reel_frame_pts(v->frame) == x->time[i];
    /* A decoder that does not expect B-frames gives the first picture at once, and would give others in a wrong order. */
    bool ordered = v->codec->has_b_frames > 0;
    for (size_t k = 0; k < x->n && !ordered; k++)
        if (x->shown[k].spare)
            return false;
    return v->frame->pkt_pos == x->shown[i].pos && reel_frame_pts(v->frame) == x->shown[i].pts && (i > 0 || v->frame->key_frame);
}

/* Do the first frames come out as the packets say? They are kept: they are asked for most often. */
static reel_status check_first(reel_video *v, bool *agree, reel_error *err)
{
    reel_status status = REEL_OK;
    *agree = false;
    REEL_TRY(reel_reader_restart(v, err));
    v->next = 0;
    for (size_t i = 0; i < CHECKED_FRAMES && i < v->index.n; i++) {
        bool end;
        REEL_TRY(reel_reader_frame(v, &end, err));
        if (end || !agrees(v, i))
            goto done;
        learn_size(v);
        v->kept[i] = av_frame_clone(v->frame);
        if (v->kept[i] == NULL) {
            status = reel_fail_nomem(err, v->path);
            goto done;
        }
        v->next = (int64_t)i + 1;
        v->current = (int64_t)i;
    }
    *agree = true;
done:
    return status;
}

static reel_status index_by_packets(reel_video *v, bool *agree, reel_error *err)
{
    reel_status status = REEL_OK;
    row *rows = NULL;
    size_t n = 0;
    bool honest;
    *agree = false;
    v->next = -1;  /* the packets are used up */
    REEL_TRY(read_rows(v, &rows, &n, &honest, err));
    if (n == 0 || (!honest && !vops_suffice(v)))
        goto done;
    set_start(v);
    REEL_TRY(vops_suffice(v) ? vops_to_index(v, agree, err) : rows_to_index(v, rows, n, agree, err));
    v->index.scanned = *agree;
    if (*agree)
        REEL_TRY(check_first(v, agree, err));
    v->index.made = v->index.scanned = *agree;
done:
    reel_free(rows);
    return status;
}

/* ---- by decoding ---- */

static void drop_kept(reel_video *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        av_frame_free(&v->kept[i]);
}

size_t reel_frame_bytes(const AVFrame *f)
{
    size_t sum = 0;
    for (size_t i = 0; i < AV_NUM_DATA_POINTERS && f->buf[i] != NULL; i++)
        sum += (size_t)f->buf[i]->size;
    return sum;
}

/* Keeps frame n, unless the sum has become too large: then none is kept. */
static reel_status keep(reel_video *v, size_t n, bool *keeping, reel_error *err)
{
    v->kept[n] = NULL;
    if (!*keeping)
        return REEL_OK;
    v->kept_bytes += reel_frame_bytes(v->frame);
    if (v->kept_bytes > v->keep_limit) {
        *keeping = false;
        v->kept_bytes = 0;
        drop_kept(v, n);
        return REEL_OK;
    }
    v->kept[n] = av_frame_clone(v->frame);
    return v->kept[n] != NULL ? REEL_OK : reel_fail_nomem(err, v->path);
}

static reel_status decode_all(reel_video *v, reel_error *err)
{
    reel_index *x = &v->index;
    size_t room = 0, kept_room = 0;
    bool keeping = true;
    for (;;) {
        bool end;
        reel_status status = reel_reader_frame(v, &end, err);
        if (status != REEL_OK)
            return status;
        if (end)
            return REEL_OK;
        if (!reel_grow((void **)&x->shown, &room, x->n, sizeof *x->shown) ||
            !reel_grow((void **)&v->kept, &kept_room, x->n, sizeof(AVFrame *)))
            return reel_fail_nomem(err, v->path);
        const AVFrame *f = v->frame;
        learn_size(v);
        x->last = f->pkt_duration;
        x->shown[x->n] = (reel_shown){reel_frame_pts(f), f->pkt_pos, f->key_frame && f->pict_type == AV_PICTURE_TYPE_I,
                                        false};
        status = keep(v, x->n, &keeping, err);
        x->n++;
        if (status != REEL_OK)
            return status;
    }
}

/* The i-th frame gets the i-th smallest time. Without times, frames follow each other at the stream's rate. */
reel_status reel_index_times(reel_video *v, reel_error *err)
{
    reel_index *x = &v->index;
    size_t timed = 0;
    x->time = reel_calloc(x->n, sizeof *x->time);
    if (x->time == NULL)
        return reel_fail_nomem(err, v->path);
    for (size_t i = 0; i < x->n; i++)
        timed += x->shown[i].pts != AV_NOPTS_VALUE;
    set_start(v);
    int64_t step = usual_duration(v->stream);
    if (timed == 0) {
        x->base = av_inv_q(frame_rate(v->stream));
        x->start = 0;
        step = 1;
        x->last = 1;
    }
    for (size_t i = 0; i < x->n; i++) {
        int64_t before = i > 0 ? x->time[i - 1] : x->start - step;
        x->time[i] = x->shown[i].pts != AV_NOPTS_VALUE && timed > 0 ? x->shown[i].pts : before + step;
    }
    qsort(x->time, x->n, sizeof *x->time, compare_time);
    if (x->last <= 0)
        x->last = step;
    return REEL_OK;
}

/* Real key frames, with what their packets said. */
static reel_status entries_from_shown(reel_video *v, reel_error *err)
{
    reel_index *x = &v->index;
    x->entry = reel_calloc(x->n + 1, sizeof *x->entry);
    if (x->entry == NULL)
        return reel_fail_nomem(err, v->path);
    if (v->seen_n == 0)
        return REEL_OK;
    x->entry[x->entries] = v->seen[0];
    x->entry[x->entries++].frame = 0;
    size_t at = 0;
    for (size_t i = 1; i < x->n; i++) {
        if (!x->shown[i].key || x->shown[i].pos < 0)
            continue;
        size_t j = at;
        while (j < v->seen_n && v->seen[j].pos != x->shown[i].pos)
            j++;
        if (j == v->seen_n)
            continue;
        at = j;
        x->entry[x->entries] = v->seen[j];
        x->entry[x->entries++].frame = (int64_t)i;
    }
    return REEL_OK;
}

reel_status reel_index_by_decoding(reel_video *v, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_index_free(v);
    if (v->next != 0)
        REEL_TRY(reel_reader_restart(v, err));
    REEL_TRY(reel_work_share(v, INT64_MAX, err));
    v->record = true;
    v->next = -1;
    REEL_TRY(decode_all(v, err));
    if (v->index.n == 0) {
        status = reel_av_fail(v, v->failed_read, REEL_ERR_FORMAT, "no frame of its video can be decoded", err);
        goto done;
    }
    REEL_TRY(reel_index_times(v, err));
    REEL_TRY(entries_from_shown(v, err));
    v->index.made = true;
done:
    v->record = false;
    reel_free(v->seen);
    v->seen = NULL;
    v->seen_n = v->seen_room = 0;
    if (status != REEL_OK)
        reel_index_free(v);
    return status;
}

reel_status reel_index_make(reel_video *v, reel_error *err)
{
    if (v->index.made)
        return REEL_OK;
    if (packets_suffice(v) || vops_suffice(v)) {
        bool agree;
        reel_status status = index_by_packets(v, &agree, err);
        if (status != REEL_OK)
            reel_index_free(v);
        if (status != REEL_OK || agree)
            return status;
        v->next = -1;
    }
    return reel_index_by_decoding(v, err);
}
