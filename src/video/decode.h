/* Decoding: the i-th frame in display order, and the frames of a time window. decode.c alone knows libavformat and libavcodec. */
#ifndef REEL_VIDEO_DECODE_H
#define REEL_VIDEO_DECODE_H

#include <reel/video.h>

#include "base/context.h"
#include "base/error.h"
#include "kernels/pixel.h"

typedef struct reel_video_limits {
    int64_t max_pixels;      /* a frame: 35 389 440 */
    double max_seconds;      /* of work on one video: 60 */
    int64_t max_frames;      /* decoded for one clip: 20 000 */
} reel_video_limits;
extern const reel_video_limits reel_video_limits_default;

/* Several loader threads decode side by side: `codec_threads` (0: as many as the context has) for this file. */
reel_status reel_video_open_with(reel_context *ctx, const char *path, bool autorotate, int codec_threads,
                                 const reel_video_limits *limits, reel_video **out, reel_error *err);

/* An exact time: num / den seconds (den > 0), so that frame selection has no rounding. */
typedef struct reel_time { int64_t num, den; } reel_time;

/* Display order numbers [*first, *end) of the frames whose time t satisfies start <= t < end, t being the i-th smallest
 * timestamp for the i-th frame in output order (PyTorchVideo's rule: ceil(start/tb) + s0 <= pts < ceil(end/tb) + s0, with
 * order mended where an AVI's timestamps are not). start and end in seconds as exact doubles. May be empty. */
reel_status reel_video_window(reel_video *video, double start, double end, int64_t *first, int64_t *stop, reel_error *err);

/* The same for window number k of those that follow each other from 0 on, [k seconds, (k + 1) seconds), the products taken
 * exactly: three times the guide's 2.1333… is no double. 0 <= k < 2^20. */
reel_status reel_video_window_at(reel_video *video, double seconds, int k, int64_t *first, int64_t *stop, reel_error *err);

/* Frames that the header claims, 0 where it does not say. Headers lie: see reel_video_count. */
int64_t reel_video_claimed_frames(const reel_video *video);

/* Time of frame i in seconds from the start of the stream. Needs the index (count or window make it). */
double reel_video_frame_time(const reel_video *video, int64_t i);

/* Length in seconds for clip sampling: container's, else counted (last frame's time + its duration). */
double reel_video_duration(reel_video *video, reel_error *err, reel_status *status);

/* A part of a picture, in pixels of the picture as shown. */
typedef struct reel_rect { int x, y, w, h; } reel_rect;

/* One decoded frame on its way to RGB: only the wanted rectangle is converted. */
typedef struct reel_frame reel_frame;
int reel_frame_width(const reel_frame *f);    /* as shown, this very frame (size may change in mid-stream) */
int reel_frame_height(const reel_frame *f);
/* Packed RGB, rect->w * 3 bytes a row, `stride` bytes from row to row. */
reel_status reel_frame_rgb(reel_frame *f, const reel_rect *rect, uint8_t *rgb, size_t stride, reel_error *err);

/* Decodes the frames called `frame` (rising, repeats allowed) once each and hands each to `fn` with its place k in the list
 * (a repeated number: once for each place). fn's failure stops and is passed on. */
typedef reel_status (*reel_frame_fn)(reel_frame *f, size_t k, void *user, reel_error *err);
reel_status reel_video_decode(reel_video *video, const int64_t *frame, size_t n, reel_frame_fn fn, void *user,
                              reel_error *err);

/* Frames that are decoded from now on are kept in memory, up to `limit` bytes of them: they are decoded once. */
void reel_video_keep(reel_video *video, size_t limit);
bool reel_video_keeps(const reel_video *video, const int64_t *frame, size_t n);   /* are all of these kept? */
void reel_video_forget(reel_video *video, const int64_t *frame, size_t n);        /* drops what is kept but for these (rising) */
/* Was the index found wrong and made anew? */
bool reel_video_mended(const reel_video *video);
/* Closes the file and the decoder; what was counted and kept stays to be asked, with `ctx` (may be NULL). Bytes that the video still holds. */
size_t reel_video_sleep(reel_video *video, reel_context *ctx);

/* Is the suffix one of a video (avi mp4 mkv webm mov m4v gif mpg mpeg ts mts wmv flv 3gp)? */
bool reel_video_name(const char *path);

/* Keeps FFmpeg quiet and remembers its last message for errors; called by reel_video_open_with, once a process is enough. */
void reel_video_init(void);

#endif
