/* Packets in, frames out, and the ways to another place of the file. */
#include "base/cpu.h"
#include "video/media.h"

enum { SILENT_PACKETS = 5000, DROPPED_PACKETS = 5000, READ_RETRIES = 100 };

/* The next packet of our stream in v->packet, or *end. */
reel_status reel_reader_packet(reel_video *v, bool *end, reel_error *err)
{
    *end = false;
    int retries = 0, dropped = 0;
    for (;;) {
        reel_status status = reel_work_check(v, err);
        if (status != REEL_OK)
            return status;
        av_packet_unref(v->packet);
        if (v->store.whole) {
            *end = v->store.at == v->store.n;
            if (!*end && av_packet_ref(v->packet, v->store.packet[v->store.at++]) < 0)
                return reel_fail_nomem(err, v->path);
            return REEL_OK;
        }
        int code = av_read_frame(v->format, v->packet);
        if (code == AVERROR(EAGAIN) && retries++ < READ_RETRIES)
            continue;
        if (code == AVERROR(ENOMEM))
            return reel_fail_nomem(err, v->path);
        if (code < 0) {
            v->failed_read = code == AVERROR_EOF ? 0 : code;
            *end = true;
            return REEL_OK;
        }
        if (v->packet->stream_index != v->stream->index)
            continue;
        if (v->await_pos >= 0 && v->packet->pos != v->await_pos) {
            if (dropped++ < DROPPED_PACKETS && (v->packet->pos < 0 || v->packet->pos < v->await_pos))
                continue;
            *end = true;  /* the place was missed */
            return REEL_OK;
        }
        v->await_pos = -1;
        return REEL_OK;
    }
}

bool reel_is_wanted(const int64_t *want, size_t n, int64_t number)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (want[mid] < number)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && want[lo] == number;
}

int64_t reel_index_spare(const reel_index *x, size_t at, int64_t pts, const int64_t *want, size_t n)
{
    int64_t number = x->placed ? x->number[at] : reel_index_find(x, pts);
    if (number < 0 || (x->placed && !x->shown[number].spare) || reel_is_wanted(want, n, number))
        return -1;
    return number;
}

/* A frame that nobody asked for and no other refers to need not be decoded. Only where packets can be told apart. */
static void decide_skip(reel_video *v)
{
    v->codec->skip_frame = AVDISCARD_DEFAULT;
    if (v->no_skip || !v->index.scanned || v->want == NULL)
        return;
    int64_t number = reel_index_spare(&v->index, v->store.at - 1, v->packet->pts, v->want, v->want_n);
    if (number < 0)
        return;
    v->codec->skip_frame = AVDISCARD_NONREF;
    if (number > v->skipped)
        v->skipped = number;
}

static bool note(reel_video *v)
{
    if (!v->record)
        return true;
    if (!reel_grow((void **)&v->seen, &v->seen_room, v->seen_n, sizeof *v->seen))
        return false;
    v->seen[v->seen_n++] = (reel_entry){-1, v->packet->pts, v->packet->dts, v->packet->pos};
    return true;
}

static reel_status feed(reel_video *v, reel_error *err)
{
    bool end;
    reel_status status = reel_reader_packet(v, &end, err);
    if (status != REEL_OK)
        return status;
    if (end) {
        avcodec_send_packet(v->codec, NULL);
        v->drained = true;
        return REEL_OK;
    }
    decide_skip(v);
    if (!note(v))
        return reel_fail_nomem(err, v->path);
    if (++v->silent > SILENT_PACKETS)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: %d packets in a row gave no picture; the file is damaged", v->path,
                         SILENT_PACKETS);
    int code = avcodec_send_packet(v->codec, v->packet);
    if (code == AVERROR(ENOMEM))
        return reel_fail_nomem(err, v->path);
    if (code < 0)
        v->damaged++;  /* the next packet may be good */
    return REEL_OK;
}

/* The next frame in display order in v->frame, or *end. */
reel_status reel_reader_frame(reel_video *v, bool *end, reel_error *err)
{
    *end = false;
    av_frame_unref(v->frame);
    v->current = -1;
    for (;;) {
        int code = avcodec_receive_frame(v->codec, v->frame);
        if (code == AVERROR_EOF || (code == AVERROR(EAGAIN) && v->drained)) {
            *end = true;
            return REEL_OK;
        }
        if (code == AVERROR(ENOMEM))
            return reel_fail_nomem(err, v->path);
        if (code >= 0) {
            v->silent = 0;
            if (v->frame->width > 0 && v->frame->height > 0 && v->frame->data[0] != NULL)
                return reel_work_check(v, err);
            av_frame_unref(v->frame);
            continue;
        }
        if (code != AVERROR(EAGAIN)) {
            v->damaged++;
            if (v->drained) {
                reel_status status = reel_work_check(v, err);
                if (status != REEL_OK)
                    return status;
                if (++v->silent > SILENT_PACKETS) {
                    *end = true;
                    return REEL_OK;
                }
            }
            continue;
        }
        reel_status status = feed(v, err);
        if (status != REEL_OK)
            return status;
    }
}

void reel_reader_flush(reel_video *v)
{
    avcodec_flush_buffers(v->codec);
    av_frame_unref(v->frame);
    v->drained = false;
    v->silent = 0;
    v->skipped = v->lost = -1;
    v->current = -1;
    v->failed_read = 0;
}

/* Containers whose index leads back to the very first packet; elsewhere the file is opened again. */
static bool seekable(const reel_video *v)
{
    const char *name = v->format->iformat->name;
    return av_match_name("mov", name) || av_match_name("matroska", name) || av_match_name("avi", name);
}

static int64_t seek_time(const reel_video *v, const reel_entry *e)
{
    bool by_pts = av_match_name("matroska", v->format->iformat->name) || e->dts == AV_NOPTS_VALUE;
    return by_pts ? e->pts : e->dts;
}

/* Goes to `entry`. *done false: the container leads elsewhere, and the reader's place is undefined. */
reel_status reel_reader_seek(reel_video *v, const reel_entry *entry, bool *done, reel_error *err)
{
    *done = false;
    v->next = -1;
    if (v->store.whole) {
        size_t at = reel_store_find(&v->store, entry->pos, entry->pts);
        if (at == v->store.n)
            return REEL_OK;
        reel_reader_flush(v);
        v->store.at = at;
        v->next = entry->frame;
        *done = true;
        return REEL_OK;
    }
    int64_t time = seek_time(v, entry);
    if (!seekable(v) || entry->pos < 0 || time == AV_NOPTS_VALUE)
        return REEL_OK;
    reel_reader_flush(v);
    if (av_seek_frame(v->format, v->stream->index, time, AVSEEK_FLAG_BACKWARD) < 0)
        return reel_work_check(v, err);
    v->await_pos = entry->pos;
    v->next = entry->frame;
    *done = true;
    return REEL_OK;
}

reel_status reel_reader_restart(reel_video *v, reel_error *err)
{
    reel_status status = REEL_OK;
    bool done = false;
    if (v->index.entries > 0 && !v->no_seek)
        REEL_TRY(reel_reader_seek(v, &v->index.entry[0], &done, err));
    if (done)
        return REEL_OK;
    if (v->store.whole) {
        v->store.at = 0;
        v->next = 0;
        v->await_pos = -1;
        return reel_source_redecode(v, v->codec_threads, err);
    }
    reel_source_close(v);
    REEL_TRY(reel_source_open(v, err));
done:
    return status;
}
