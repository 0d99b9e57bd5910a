/* The packets of a video in memory: a video that is decoded in pieces is read once, and no container has to be trusted with a seek. */
#include "video/media.h"

enum { STORE_BYTES = 64 << 20 };

void reel_store_free(reel_store *s)
{
    for (size_t i = 0; i < s->n; i++)
        av_packet_free(&s->packet[i]);
    reel_free(s->packet);
    *s = (reel_store){0};
}

reel_status reel_store_add(reel_video *v, reel_error *err)
{
    reel_store *s = &v->store;
    if (s->bytes > STORE_BYTES)
        return REEL_OK;  /* given up */
    s->bytes += (size_t)v->packet->size + sizeof *v->packet;
    if (s->bytes > STORE_BYTES) {
        size_t bytes = s->bytes;
        reel_store_free(s);
        s->bytes = bytes;
        return REEL_OK;
    }
    if (!reel_grow((void **)&s->packet, &s->room, s->n, sizeof(AVPacket *)))
        return reel_fail_nomem(err, v->path);
    AVPacket *p = av_packet_alloc();
    if (p == NULL)
        return reel_fail_nomem(err, v->path);
    s->packet[s->n++] = p;
    return av_packet_ref(p, v->packet) == 0 ? REEL_OK : reel_fail_nomem(err, v->path);
}

size_t reel_store_find(const reel_store *s, int64_t pos, int64_t pts)
{
    size_t i = 0;
    while (i < s->n && (s->packet[i]->pos != pos || s->packet[i]->pts != pts))
        i++;
    return i;
}
