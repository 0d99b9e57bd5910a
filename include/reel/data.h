/* Data sets: what is in one, making one, packing one, looking at what the model sees. */
#ifndef REEL_DATA_H
#define REEL_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <reel/args.h>
#include <reel/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Figures of one split, for `reel data info`. */
typedef struct reel_split_info {
    const char *name;               /**< "train", "val", "test", or "all" where the data has no splits */
    size_t videos, classes;         /**< classes that have a video here */
    double seconds_min, seconds_max, seconds_total;
    const char *sizes, *fps, *codecs;  /**< the most frequent first, as text: "320x240, 640x480" */
} reel_split_info;

typedef struct reel_class_info {
    const char *name;
    const size_t *videos;           /**< one count a split */
} reel_class_info;

typedef struct reel_unreadable {
    const char *path, *reason;
} reel_unreadable;

/** What a data set holds. Allocated by the library; fields may be added at the end. */
typedef struct reel_data_info {
    const char *path;
    const char *layout;             /**< "folders", "archive", "csv", "packed" */
    size_t splits;
    const reel_split_info *split;
    size_t classes;
    const reel_class_info *cls;
    size_t unreadables;
    const reel_unreadable *unreadable;
    size_t warnings;                /**< leaking groups, empty classes, splits with other classes */
    const char *const *warning;
} reel_data_info;

/** `reel data info`: lists, opens and measures every video. */
REEL_API reel_status reel_data_info_open(reel_context *ctx, const reel_args *args, reel_data_info **out, reel_error *err);
REEL_API void reel_data_info_close(reel_data_info **info);

/** `reel data synth`: writes clips of moving shapes in UCF101 layout whose classes differ in motion alone. */
REEL_API reel_status reel_data_synth(reel_context *ctx, const reel_args *args, reel_error *err);

/** `reel data pack`: decoded and transformed clips of one split as pixel_values (N,T,C,H,W) float32 and labels (N) int64. */
REEL_API reel_status reel_data_pack(reel_context *ctx, const reel_args *args, reel_error *err);

/** What `reel preview` wrote. Allocated by the library. */
typedef struct reel_preview_info {
    const char *output, *video, *label;  /**< label may be NULL */
    int frames, height, width;
    size_t sampled;                 /**< entries of `index` and `time` */
    const int64_t *index;           /**< frame numbers in display order */
    const double *time;             /**< seconds */
} reel_preview_info;

/** `reel preview`: one clip as the model sees it, as .gif (0.25 s a frame), .png (contact sheet) or .safetensors. */
REEL_API reel_status reel_preview(reel_context *ctx, const reel_args *args, reel_preview_info **out, reel_error *err);
REEL_API void reel_preview_info_close(reel_preview_info **info);

#ifdef __cplusplus
}
#endif
#endif
