/* Which frames of a video a plan takes. */
#ifndef REEL_DATA_FRAMES_H
#define REEL_DATA_FRAMES_H

#include "data/plan.h"
#include "video/decode.h"

/* T frame numbers in display order, rising, into index; *available gets how many frames there were to choose from.
 * REEL_ERR_FORMAT: no frame stands in the plan's window (a file that ends early). */
reel_status reel_frames_choose(reel_video *video, const reel_plan *plan, const char *path, int frames, int64_t *index,
                               int64_t *available, reel_error *err);

/* How many frames the container promises (`claimed`: reel_video_get_info right after opening), if what is there ends well
 * before; else 0. Counts the frames if they were not. */
int64_t reel_frames_promised(reel_video *video, const reel_video_info *claimed);

#endif
