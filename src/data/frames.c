#include "data/frames.h"

#include <math.h>
#include <string.h>

/* Today's pipeline of transformers: floor(i N / T) of the whole video; fewer frames than T repeat. */
static reel_status choose_whole(reel_video *video, const char *path, int frames, int64_t *index, int64_t *available,
                                reel_error *err)
{
    int64_t n = 0;
    reel_status status = reel_video_count(video, &n, err);
    if (status != REEL_OK)
        return status;
    if (n < 1)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: opens, but no frame of it can be decoded", path);
    for (int i = 0; i < frames; i++)
        index[i] = n > INT64_MAX / frames ? n / frames * i : i * n / frames;
    *available = n;
    return REEL_OK;
}

/* Where the plan's window begins, in seconds (PyTorchVideo's clip samplers). */
static double start_of(const reel_plan *plan, double duration)
{
    double room = duration - plan->seconds > 0 ? duration - plan->seconds : 0;
    if (plan->mode == REEL_FRAMES_WINDOW)
        return plan->clip * plan->seconds;
    return plan->mode == REEL_FRAMES_RANDOM ? room * plan->start_u
                                            : plan->clip * room / (plan->clips > 1 ? plan->clips - 1 : 1);
}

static reel_status fail_empty(reel_video *video, const char *path, double start, double seconds, reel_error *err)
{
    reel_video_info info = { .size = sizeof info };
    int64_t n = 0;
    if (reel_video_count(video, &n, NULL) != REEL_OK || reel_video_get_info(video, &info, NULL) != REEL_OK || n < 1)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: opens, but no frame of it can be decoded", path);
    return reel_fail(err, REEL_ERR_FORMAT, "%s: no frame stands between %.2f and %.2f s: truncated after frame %lld, at %.2f of "
                     "%.2f s", path, start, start + seconds, (long long)n, reel_video_frame_time(video, n - 1), info.duration);
}

reel_status reel_frames_choose(reel_video *video, const reel_plan *plan, const char *path, int frames, int64_t *index,
                               int64_t *available, reel_error *err)
{
    reel_status status = REEL_OK;
    int64_t first = 0, stop = 0;
    double start, duration;
    if (plan->mode == REEL_FRAMES_WHOLE)
        return choose_whole(video, path, frames, index, available, err);
    if (!(plan->seconds > 0) || !isfinite(plan->seconds) || plan->clip < 0)
        return reel_fail(err, REEL_ERR_ARG, "%s: a clip of %g seconds cannot be taken", path, plan->seconds);
    duration = reel_video_duration(video, err, &status);
    if (status != REEL_OK)
        return status;
    start = start_of(plan, duration);
    status = plan->mode == REEL_FRAMES_WINDOW  /* exactly, so that no frame falls between two windows or into both */
        ? reel_video_window_at(video, plan->seconds, plan->clip, &first, &stop, err)
        : reel_video_window(video, start, start + plan->seconds, &first, &stop, err);
    if (status != REEL_OK)
        return status;
    if (stop <= first)
        return fail_empty(video, path, start, plan->seconds, err);
    reel_subsample(stop - first, frames, index);
    for (int i = 0; i < frames; i++)
        index[i] += first;
    *available = stop - first;
    return REEL_OK;
}

int reel_uniform_clips(double duration, double seconds)
{
    /* A clip whose end passes the video's is dropped, the first excepted; 1e-6 s as PyTorchVideo allows for rounding. */
    double n = seconds > 0 && isfinite(duration) ? floor((duration + 1e-6) / seconds) : 1;
    return n < 1 ? 1 : n > 1000000 ? 1000000 : (int)n;
}

int64_t reel_frames_promised(reel_video *video, const reel_video_info *claimed)
{
    double duration = claimed->duration, promised;
    int64_t n = 0;
    if (strcmp(claimed->container, "avi") == 0 && claimed->fps > 0)  /* FFmpeg shortens a cut AVI's duration, not its count */
        duration = (double)reel_video_claimed_frames(video) / claimed->fps;
    promised = duration * claimed->fps;
    if (!isfinite(promised) || promised < 1 || promised > 1e9 || reel_video_count(video, &n, NULL) != REEL_OK || n < 1)
        return 0;
    if ((double)n >= 0.9 * promised - 2)  /* some containers count a frame or two too many */
        return 0;
    if (reel_video_frame_time(video, n - 1) >= 0.9 * duration - 2 / claimed->fps)
        return 0;  /* few frames, but over the whole length: a variable rate */
    return (int64_t)(promised + 0.5);
}
