/* Videos: what is in a file, and chosen frames of it. */
#ifndef REEL_VIDEO_H
#define REEL_VIDEO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <reel/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct reel_video reel_video;  /**< one open file; not shared between threads */

/** What a video file says and holds. Filled into the caller's struct of `size` bytes. */
typedef struct reel_video_info {
    size_t size;            /**< set by the caller to sizeof(reel_video_info) */
    int width, height;      /**< as shown: after rotation */
    int rotation;           /**< 0, 90, 180, 270 degrees clockwise that were applied */
    double fps;             /**< average frame rate; 0 where unknown */
    double duration;        /**< seconds, from the container or by counting */
    int64_t frames;         /**< frames that decode, in display order; -1 until reel_video_count has run */
    char codec[32];         /**< FFmpeg's name: "mpeg4", "h264" */
    char container[32];     /**< "avi", "mp4", "matroska" */
    bool has_audio;
} reel_video_info;

/** Opens a regular file of the formats that docs/design.md lists. No other file is opened and no connection made,
 * whatever the file says. Best video stream; rotation metadata applied if `autorotate`; audio ignored. */
REEL_API reel_status reel_video_open(reel_context *ctx, const char *path, bool autorotate, reel_video **out,
                                     reel_error *err);
REEL_API void reel_video_close(reel_video **video);

REEL_API reel_status reel_video_get_info(const reel_video *video, reel_video_info *info, reel_error *err);

/** Counts the frames in display order (decoder output order); the answer is kept. */
REEL_API reel_status reel_video_count(reel_video *video, int64_t *frames, reel_error *err);

/** Decodes frames as RGB, 8 bits, (n, height, width, 3) row-major, display order numbers, rising (repeats allowed).
 * YUV 4:2:0 and 4:2:2 of 8 bits are converted with the arithmetic of libswscale's x86 code (nearest chroma).
 * REEL_ERR_ARG: a number is outside the video; REEL_ERR_FORMAT: nothing could be decoded. */
REEL_API reel_status reel_video_read(reel_video *video, const int64_t *frame, size_t n, uint8_t *rgb, reel_error *err);

#ifdef __cplusplus
}
#endif
#endif
