/* The inside of a reel_video, for the files of this folder only: they alone know FFmpeg. */
#ifndef REEL_VIDEO_MEDIA_H
#define REEL_VIDEO_MEDIA_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
#include <libswscale/swscale.h>

#include "base/context.h"
#include "base/mem.h"
#include "video/decode.h"

/* How coded pixels become shown ones: X counts along x or (transposed) along y, from the other end if mirrored. */
typedef struct reel_orientation { bool transposed, mirror_x, mirror_y; int degrees; } reel_orientation;

/* A frame in display order. */
typedef struct reel_shown {
    int64_t pts, pos;   /* as the decoder gives them; pos is its packet's place in the file */
    bool key;
    bool spare;         /* known to be needed by no other frame */
} reel_shown;

/* A place where decoding can begin: reading its packet yields frame number `frame` first. */
typedef struct reel_entry { int64_t frame, pts, dts, pos; } reel_entry;

/* All frames of the video. `scanned`: made from the packets, not by decoding. A frame is then told by its time, where the
 * container's times are honest, or by its packet's place (`placed`), where they are not but the pictures' headers tell the order. */
typedef struct reel_index {
    bool made, scanned, placed;
    size_t n;
    reel_shown *shown;       /* (n) in display order */
    int64_t *time;           /* (n) the i-th smallest timestamp, in units of `base` */
    AVRational base;
    int64_t start, last;     /* stream start (0: none), duration of the last frame, in units of `base` */
    reel_entry *entry;       /* (entries) rising in `frame`; the first is the start of the stream */
    size_t entries;
    int64_t *number;         /* placed: by stored packet, the frame that is decoded when it is sent, or -1 */
} reel_index;

/* The compressed video in memory, as far as it was small enough: read once, decoded from any place without seeking. */
typedef struct reel_store {
    AVPacket **packet;
    size_t n, room, bytes, at;   /* at: the next one that is read */
    bool whole;                  /* all packets are here */
} reel_store;

struct reel_video {
    reel_context *ctx;           /* may be NULL */
    char *path;
    bool autorotate;
    int threads;
    reel_video_limits limits;
    reel_pixel_kernels kernels;

    int fd;
    uint64_t bytes, at;
    AVIOContext *io;
    AVFormatContext *format;
    AVStream *stream;            /* of `format` */
    const AVCodec *decoder;
    AVCodecContext *codec;
    int codec_threads;           /* that `codec` was opened with */
    bool asleep;                 /* the file is closed; only kept frames can be had */
    reel_store store;
    AVPacket *packet;
    AVFrame *frame;              /* the frame decoded last */
    bool drained;                /* the decoder was told that no packet follows */
    int failed_read;             /* what ended reading if it was not the end of the file, or 0 */
    int64_t await_pos;           /* packets before this place are dropped after a seek; -1: none are */
    int silent;                  /* packets since the last frame */
    int64_t damaged;             /* packets that the decoder refused */
    double begun, worked;        /* start of the call in progress; seconds of the calls before */

    reel_orientation orientation;
    int width, height;           /* coded, of the stream */
    bool has_audio;

    reel_index index;
    AVFrame **kept;              /* (index.n) frames kept while the index was made, or NULL where not */
    size_t kept_bytes, keep_limit;
    bool keep_wanted;            /* frames that are asked for are kept, up to keep_limit */
    int64_t next;                /* display number of the frame that the decoder gives next; -1: unknown */
    int64_t current;             /* display number of `frame`; -1: none */
    int64_t skipped;             /* largest display number whose packet was not decoded; -1: none */
    int64_t lost;                /* the same, of the calls before: what a wanted frame must lie behind */
    bool entered;                /* the next frame is the first behind a seek */
    bool any_order;              /* frames of the call in progress may be handed over in any order, by several threads */
    bool mended;                 /* the index was found wrong and made anew by decoding */
    bool no_seek, no_skip;       /* seeking, or leaving out frames, has disappointed */
    bool record;                 /* the index is being made: */
    reel_entry *seen;            /* (seen_n) every packet given to the decoder */
    size_t seen_n, seen_room;
    const int64_t *want;         /* (want_n) rising: the frames of the call in progress */
    size_t want_n;

    struct SwsContext *sws;
    uint8_t *picture, *turned;   /* scratch: a whole converted frame; a rectangle before it is turned */
    size_t picture_size, turned_size;
};

struct reel_frame { reel_video *video; const AVFrame *av; };

/* message.c: FFmpeg's words. */
void reel_av_forget(void);
reel_status reel_av_fail(const reel_video *v, int code, reel_status status, const char *what, reel_error *err);

/* source.c: the file, the container, the decoder. */
reel_status reel_source_open(reel_video *v, reel_error *err);
reel_status reel_source_decoder(const reel_video *v, int threads, AVCodecContext **out, reel_error *err);
reel_status reel_source_redecode(reel_video *v, int threads, reel_error *err);  /* a fresh decoder; the reader's place stays */
void reel_source_close(reel_video *v);
reel_status reel_work_check(reel_video *v, reel_error *err);
int reel_work_interrupted(void *video);

/* decode.c: several codec threads for so many frames, where that is quicker. Only where nothing has been decoded or behind a restart. */
reel_status reel_work_share(reel_video *v, int64_t frames, reel_error *err);

/* store.c: the packets in memory. */
reel_status reel_store_add(reel_video *v, reel_error *err);   /* v->packet's data; past the limit, all are dropped */
void reel_store_free(reel_store *s);
size_t reel_store_find(const reel_store *s, int64_t pos, int64_t pts);  /* n: not there */

/* vop.c: what the headers of MPEG-4 pictures say. */
reel_status reel_vops_index(reel_video *v, bool *good, reel_error *err);

/* runs.c: frames behind several key frames, decoded side by side. */
typedef reel_status (*reel_deliver_fn)(void *user, const AVFrame *av, size_t k, reel_error *err);
bool reel_runs_worth(const reel_video *v, const int64_t *want, size_t n);
reel_status reel_runs_decode(reel_video *v, const int64_t *want, size_t n, reel_deliver_fn deliver, void *user, size_t *delivered, reel_error *err);

/* reader.c: packets in, frames out. */
reel_status reel_reader_packet(reel_video *v, bool *end, reel_error *err);
reel_status reel_reader_frame(reel_video *v, bool *end, reel_error *err);
reel_status reel_reader_restart(reel_video *v, reel_error *err);
reel_status reel_reader_seek(reel_video *v, const reel_entry *entry, bool *done, reel_error *err);
void reel_reader_flush(reel_video *v);
/* Among the wanted (rising) numbers? */
bool reel_is_wanted(const int64_t *want, size_t n, int64_t number);
/* The frame that packet `at` of the store (or, without one, a packet of that time) stands for, if it need not be decoded; else -1. */
int64_t reel_index_spare(const reel_index *x, size_t at, int64_t pts, const int64_t *want, size_t n);

/* index.c. */
reel_status reel_index_make(reel_video *v, reel_error *err);
reel_status reel_index_by_decoding(reel_video *v, reel_error *err);
void reel_index_free(reel_video *v);
/* Display number of a frame that is decoded where `next` may be expected (behind a seek: `entered`); -1: not one that may come;
 * REEL_LEADING: one to be thrown away. */
enum { REEL_LEADING = -2 };
int64_t reel_index_follow(const reel_index *x, const AVFrame *f, int64_t next, bool entered);
const reel_entry *reel_index_entry(const reel_index *x, int64_t number);   /* the last one at or before frame `number`; NULL: none */
reel_status reel_index_times(reel_video *v, reel_error *err);
int64_t reel_index_find(const reel_index *x, int64_t pts);         /* display number of the frame shown at pts, or -1 */
size_t reel_index_first_at(const reel_index *x, int64_t time);     /* first frame whose timestamp is not below `time` */
size_t reel_frame_bytes(const AVFrame *f);
int64_t reel_frame_pts(const AVFrame *f);
AVRational reel_frame_rate(const AVStream *s);                     /* 0/1 where nothing believable is known */

/* frame.c. */
/* time.c: the container's length, or the counted one where that is known to be wrong. */
double reel_known_duration(const reel_video *v);

/* Is the frame converted without the video's scratch memory, so that several threads may do it? */
bool reel_frame_alone(const reel_frame *f);
reel_orientation reel_orientation_of(const AVStream *stream);
bool reel_buffer_need(uint8_t **buffer, size_t *size, size_t wanted);

static inline void reel_work_begin(reel_video *v, double now) { v->begun = now; }
static inline void reel_work_end(reel_video *v, double now) { v->worked += now - v->begun; }

#endif
