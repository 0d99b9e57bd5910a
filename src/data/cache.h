/* Decoded frames in memory, for data that is seen again: videos of a small data set, the clips of an evaluation.
 *
 * What is kept is decoded pictures at their own size, as the codec gives them (1.5 bytes a pixel), not clips: an evaluation's clip is the same
 * every time, a training clip's frames and crop are drawn anew. So of a video from which windows are drawn at random all frames are kept, if they
 * fit into what is left, and of others the frames of the clip. Nothing is thrown out for something newer: every epoch asks for everything once, so
 * that what came last is what would be needed last. Results are the same bits with and without a cache, and with any number of threads. */
#ifndef REEL_DATA_CACHE_H
#define REEL_DATA_CACHE_H

#include "data/plan.h"

typedef struct reel_cache reel_cache;

/* At most `bytes` of frames; 0: *out is NULL, which is no cache. One cache may serve several loaders, at the same time too, and must outlive them. */
reel_status reel_cache_open(reel_context *ctx, size_t bytes, reel_cache **out, reel_error *err);
void reel_cache_close(reel_cache **cache);

typedef struct reel_cache_figures { size_t bytes, kept, hits, misses; } reel_cache_figures;   /* kept: clips or whole videos */
reel_cache_figures reel_cache_tell(reel_cache *cache);

/* --- for carrying out plans --- */

/* The frames of one clip, or of one video. */
typedef struct reel_cached reel_cached;

/* Looks for what a plan needs. *video: an open video that has the frames, until reel_cache_done; or NULL, and then *entry is what the caller may fill with
 * reel_cache_fill, or NULL where it may not. */
reel_cached *reel_cache_find(reel_cache *cache, const reel_plan *plan, int frames, bool autorotate, reel_video **video, reel_video_info *claimed);
void reel_cache_done(reel_cache *cache, reel_cached *entry);

bool reel_cached_whole(const reel_cached *entry);   /* all frames are wanted, not only the clip's */
/* Room for n frames of the video, for reel_cache_fill. false: there is none, and the entry is given up. */
bool reel_cache_reserve(reel_cache *cache, reel_cached *entry, const reel_video_info *info, size_t n);
/* The video is the cache's from here on (*video NULL); NULL or one without the frames gives the entry up. */
void reel_cache_fill(reel_cache *cache, reel_cached *entry, reel_video **video, const reel_video_info *claimed);

#endif
