/* MPEG-4 part 2 (ISO/IEC 14496-2, 6.2.3 to 6.2.5): the order of display from the headers of the pictures (VOPs), so that a file whose
 * container keeps no true times need not be decoded to be counted.
 *
 * What is foretold is what FFmpeg's decoder gives: a reference picture is shown when the next one has been decoded, a B picture at once. With
 * "packed B-frames" (DivX, XviD) a packet holds a reference and the B behind it, which is decoded when the next packet, a placeholder, is
 * sent. Whatever is out of the ordinary is left to decoding: nothing is guessed here. */
#include <stdio.h>
#include <string.h>

#include "video/media.h"

enum { I_VOP = 0, P_VOP = 1, B_VOP = 2, PLACEHOLDER = 19 };  /* bytes of the longest placeholder that FFmpeg takes for one */

typedef struct bits { const uint8_t *p; size_t n, at; bool short_of; } bits;

static unsigned take(bits *b, unsigned n)
{
    unsigned v = 0;
    for (; n > 0; n--, b->at++) {
        if (b->at / 8 >= b->n) {
            b->short_of = true;
            return 0;
        }
        v = v << 1 | ((unsigned)b->p[b->at / 8] >> (7 - b->at % 8) & 1u);
    }
    return v;
}

/* The decoder's clock, in ticks of 1 / resolution seconds. */
typedef struct stream {
    unsigned resolution, time_bits;     /* 0: no header yet */
    bool packed;
    int64_t base, last_base, last_time, gap;  /* seconds; seconds; ticks of the last reference; and from the one before it */
} stream;

typedef struct vop { int type; bool coded; } vop;

static unsigned bits_for(unsigned n)
{
    unsigned k = 1;
    while (n >> k != 0)
        k++;
    return k;
}

/* The header of the layer. false: a kind of video that is left to decoding. */
static bool read_layer(stream *s, bits b)
{
    unsigned resolution;
    take(&b, 1);
    take(&b, 8);
    if (take(&b, 1))
        take(&b, 7);
    if (take(&b, 4) == 15)
        take(&b, 16);
    if (take(&b, 1)) {  /* vol_control_parameters */
        take(&b, 3);
        if (take(&b, 1)) {
            take(&b, 32);
            take(&b, 32);
            take(&b, 15);
        }
    }
    if (take(&b, 2) != 0 || take(&b, 1) != 1)  /* rectangular */
        return false;
    resolution = take(&b, 16);
    if (resolution == 0 || take(&b, 1) != 1 || b.short_of)
        return false;
    unsigned time_bits = bits_for(resolution - 1);
    if (take(&b, 1))
        take(&b, time_bits);
    take(&b, 1 + 13 + 1 + 13);
    bool marked = take(&b, 1) == 1, interlaced = take(&b, 1) == 1;
    if (!marked || interlaced || b.short_of || (s->resolution != 0 && s->resolution != resolution))
        return false;
    s->resolution = resolution;
    s->time_bits = time_bits;
    return true;
}

/* The time code of a group of pictures sets the clock. */
static bool read_group(stream *s, bits b)
{
    unsigned hours = take(&b, 5), minutes = take(&b, 6), marker = take(&b, 1), seconds = take(&b, 6);
    if (marker != 1 || b.short_of)
        return false;
    s->base = (int64_t)seconds + 60 * ((int64_t)minutes + 60 * (int64_t)hours);
    return true;
}

static bool read_vop(stream *s, bits b, vop *out)
{
    int64_t seconds = 0;
    if (s->resolution == 0)
        return false;
    out->type = (int)take(&b, 2);
    while (take(&b, 1) == 1 && !b.short_of)
        seconds++;
    if (take(&b, 1) != 1)
        return false;
    int64_t ticks = take(&b, s->time_bits);
    if (take(&b, 1) != 1)
        return false;
    out->coded = take(&b, 1) == 1;
    if (b.short_of)
        return false;
    if (out->type != B_VOP) {
        s->last_base = s->base;
        s->base += seconds;
        int64_t time = s->base * s->resolution + ticks;
        s->gap = time - s->last_time;
        s->last_time = time;
        return true;
    }
    /* A B picture that does not lie between its references is thrown away by the decoder. */
    int64_t before = s->last_time - ((s->last_base + seconds) * s->resolution + ticks), after = s->gap - before;
    return before > 0 && after > 0 && s->gap <= UINT16_MAX;
}

/* 00 00 01 and a byte behind. Looks at every third byte where it can. */
static const uint8_t *start_code(const uint8_t *p, const uint8_t *end)
{
    if (end - p < 4)
        return NULL;
    for (p += 2; p + 1 < end;) {
        if (*p == 0)
            p++;
        else if (*p == 1 && p[-1] == 0 && p[-2] == 0)
            return p - 2;
        else
            p += 3;
    }
    return NULL;
}

/* "DivX503b1393p": the p says that B-frames are packed. */
static void read_words(stream *s, const uint8_t *p, const uint8_t *end)
{
    char text[64];
    int version, build;
    char last = 0;
    size_t n = 0;
    while (n + 1 < sizeof text && p + n < end && p[n] != 0)
        n++;
    memcpy(text, p, n);
    text[n] = '\0';
    if (sscanf(text, "DivX%dBuild%d%c", &version, &build, &last) >= 2 || sscanf(text, "DivX%db%d%c", &version, &build, &last) >= 2)
        s->packed = last == 'p';
}

/* All headers of a packet. At most `room` VOPs; -1: left to decoding. */
static int read_headers(stream *s, const uint8_t *p, size_t size, vop *vops, int room)
{
    const uint8_t *end = p + size;
    int n = 0;
    while ((p = start_code(p, end)) != NULL) {
        bits b = {p + 4, (size_t)(end - p) - 4, 0, false};
        unsigned code = p[3];
        bool ok = true;
        if (code >= 0x20 && code <= 0x2f)
            ok = read_layer(s, b);
        else if (code == 0xb3)
            ok = read_group(s, b);
        else if (code == 0xb2)
            read_words(s, p + 4, end);
        else if (code == 0xb6)
            ok = n < room && read_vop(s, b, &vops[n++]);
        if (!ok)
            return -1;
        p += 4;
    }
    return n;
}

/* What is decoded when a packet is sent: a kind of picture, or -1. `leads`: the packet holds the picture that is decoded next. */
typedef struct outcome { int type; bool leads; } outcome;

/* A packet behind one whose B picture waits: that is decoded now. The packet is a placeholder, or holds the next B picture. */
static bool take_waiting(stream s, const AVPacket *p, outcome *out)
{
    vop v;
    int n = read_headers(&s, p->data, (size_t)p->size, &v, 1);  /* of a copy: a placeholder is not read */
    bool placeholder = p->size <= PLACEHOLDER && (n == 0 || (n == 1 && !v.coded && v.type == P_VOP));
    bool next = n == 1 && v.coded && v.type == B_VOP && p->size > 4 && p->data[3] == 0xb6;
    *out = (outcome){B_VOP, next};
    return placeholder || next;
}

/* false: not an ordinary stream. */
static bool foretell(const reel_video *v, outcome *out)
{
    stream s = {0};
    vop none[1];
    bool waiting = false;  /* a B picture of the packet before */
    const AVCodecParameters *par = v->stream->codecpar;
    if (par->extradata_size > 0 && read_headers(&s, par->extradata, (size_t)par->extradata_size, none, 0) < 0)
        return false;
    for (size_t i = 0; i < v->store.n; i++) {
        const AVPacket *p = v->store.packet[i];
        vop vops[2];
        out[i].type = -1;
        if (p->size == 0)
            continue;
        if ((p->flags & AV_PKT_FLAG_CORRUPT) != 0)
            return false;
        if (waiting) {
            if (!take_waiting(s, p, &out[i]))
                return false;
            waiting = out[i].leads;
            continue;
        }
        int n = read_headers(&s, p->data, (size_t)p->size, vops, 2);
        if (n < 0 || (n == 0 && p->size > 1))
            return false;
        if (n == 0 || (n == 1 && !vops[0].coded))
            continue;  /* a placeholder for nothing */
        if (n == 2 && (!s.packed || !vops[0].coded || vops[0].type == B_VOP || !vops[1].coded || vops[1].type != B_VOP))
            return false;
        waiting = n == 2;
        out[i].type = vops[0].type;
    }
    return true;  /* a B picture that waits at the end is never decoded */
}

/* The picture of a packet is shown when packet `by` is sent. Without a time of its own it gets, from FFmpeg, that packet's. */
static void add(reel_index *x, const reel_store *s, size_t packet, outcome sent, size_t by)
{
    int type = sent.type;
    const AVPacket *p = s->packet[packet];
    if (type == I_VOP)
        x->entry[x->entries++] = (reel_entry){(int64_t)x->n, p->pts, p->dts, p->pos};
    x->number[packet] = (int64_t)x->n;
    x->last = p->duration;
    int64_t pts = p->pts != AV_NOPTS_VALUE ? p->pts : by < s->n ? s->packet[by]->dts : AV_NOPTS_VALUE;
    x->shown[x->n++] = (reel_shown){pts, p->pos, type == I_VOP, type == B_VOP && !sent.leads};  /* left out, it would take the next one with it */
}

/* Fills the index but for the times. *good: false where the stream is not an ordinary one. */
reel_status reel_vops_index(reel_video *v, bool *good, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_index *x = &v->index;
    const size_t n = v->store.n, nothing = SIZE_MAX;
    size_t held = nothing, references = 0;
    outcome *type = reel_calloc(n, sizeof *type);
    x->shown = reel_calloc(n, sizeof *x->shown);
    x->number = reel_calloc(n, sizeof *x->number);
    x->entry = reel_calloc(n + 1, sizeof *x->entry);
    if (type == NULL || x->shown == NULL || x->number == NULL || x->entry == NULL) {
        status = reel_fail_nomem(err, v->path);
        goto done;
    }
    *good = foretell(v, type);
    for (size_t i = 0; *good && i < n; i++) {
        x->number[i] = -1;
        if (type[i].type < 0)
            continue;
        if (type[i].type == B_VOP) {
            if (references >= 2)  /* else the decoder drops it */
                add(x, &v->store, i, type[i], i);
            continue;
        }
        if (held != nothing)
            add(x, &v->store, held, type[held], i);
        held = i;
        references++;
    }
    if (*good && held != nothing)
        add(x, &v->store, held, type[held], n);
    *good = *good && x->n > 0 && x->shown[0].key;
done:
    reel_free(type);
    return status;
}
