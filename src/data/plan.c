/* The one way from a file to pixels: choose frames, decode each once, transform it into its slot. */
#include "data/plan.h"

#include <stdbool.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/cache.h"
#include "data/frames.h"

enum { WHOLE_FRAMES = 4000 };  /* of a video that is decoded as a whole for a cache */

void reel_plan_draw(reel_plan *plan, uint64_t seed, uint32_t epoch, uint64_t sample)
{
    uint32_t u[4];
    reel_draw(seed, REEL_PURPOSE_CLIP, epoch, sample, 0, u);
    plan->draws = (reel_transform_draws){ u[0], u[1], u[2], u[3] };
    reel_draw(seed, REEL_PURPOSE_CLIP, epoch, sample, 1, u);
    plan->start_u = reel_unit_double(u[0], u[1]);
}

reel_status reel_item_probe(reel_context *ctx, reel_item *item, bool autorotate, reel_error *err)
{
    reel_video *video = NULL;
    reel_status status = reel_video_open_with(ctx, item->path, autorotate, 1, &reel_video_limits_default, &video, err);
    if (status == REEL_OK) {
        double duration = reel_video_duration(video, err, &status);
        if (status == REEL_OK)
            item->duration = duration;
    }
    reel_video_close(&video);
    return status;
}

/* A clip on its way: distinct[d] is decoded once, for place[d] and those behind it with the same number. */
typedef struct carry {
    reel_clip *clip;
    int64_t *index, *distinct;
    int *place;            /* first of the places 0 … T-1 that distinct frame d goes to */
    bool *done;            /* by place */
    int frames, distincts;
} carry;

static reel_status carry_begin(carry *c, const reel_plan *plan, const reel_transform *transform, int frames, float *out,
                               reel_error *err)
{
    reel_transform t = *transform;
    size_t n = (size_t)frames;
    *c = (carry){ .frames = frames };
    if (plan->crops > 1) {
        t.crop = plan->crop;
        t.crops = plan->crops;
    }
    c->index = reel_calloc(n, sizeof *c->index);
    c->distinct = reel_calloc(n, sizeof *c->distinct);
    c->place = reel_calloc(n, sizeof *c->place);
    c->done = reel_calloc(n, sizeof *c->done);
    if (c->index == NULL || c->distinct == NULL || c->place == NULL || c->done == NULL)
        return reel_fail_nomem(err, plan->item->path);
    return reel_clip_begin(&t, &plan->draws, frames, out, &c->clip, err);
}

static void carry_end(carry *c)
{
    reel_clip_end(&c->clip);
    reel_free(c->index);
    reel_free(c->distinct);
    reel_free(c->place);
    reel_free(c->done);
}

static reel_status put_frame(reel_frame *frame, size_t d, void *user, reel_error *err)
{
    carry *c = user;
    reel_status status = reel_clip_put(c->clip, frame, c->place[d], err);
    c->done[c->place[d]] = status == REEL_OK;
    return status;
}

/* Decodes the distinct frames. A file that breaks off on the way keeps what was decoded. */
static reel_status decode_frames(reel_video *video, carry *c, const char *path, reel_error *err)
{
    bool any = false;
    for (int i = 0; i < c->frames; i++)
        if (i == 0 || c->index[i] != c->index[i - 1]) {
            c->distinct[c->distincts] = c->index[i];
            c->place[c->distincts++] = i;
        }
    reel_status status = reel_video_decode(video, c->distinct, (size_t)c->distincts, put_frame, c, err);
    for (int i = 0; i < c->frames; i++)
        any = any || c->done[i];
    if (status == REEL_OK && !any)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: no frame of the clip can be decoded", path);
    return status == REEL_ERR_FORMAT && any ? REEL_OK : status;
}

/* Places that got no frame of their own take the one before them, or the first there is. */
static void fill_places(carry *c)
{
    int first = 0;
    while (first < c->frames && !c->done[first])
        first++;
    for (int i = 0; i < c->frames; i++)
        if (!c->done[i]) {
            int from = i < first ? first : i - 1;
            reel_clip_repeat(c->clip, from, i);
            c->index[i] = c->index[from];
        }
}

static void fill_trace(reel_plan_trace *trace, reel_video *video, const reel_video_info *claimed, const carry *c,
                       int64_t available)
{
    reel_video_info info = { .size = sizeof info };
    trace->promised = reel_frames_promised(video, claimed);
    reel_video_get_info(video, &info, NULL);
    trace->repeated = available < c->frames;
    trace->sampled = 0;
    for (int i = 0; i < c->frames; i++) {
        trace->sampled += i == 0 || c->index[i] != c->index[i - 1];
        if (trace->index != NULL)
            trace->index[i] = c->index[i];
        if (trace->time != NULL)
            trace->time[i] = reel_video_frame_time(video, c->index[i]);
    }
    trace->duration = info.duration;
    trace->frames = info.frames;
}

/* The clip from an open video. */
static reel_status from_video(carry *c, reel_video *video, const reel_plan *plan, const reel_video_info *claimed, reel_plan_trace *trace,
                              reel_error *err)
{
    int64_t available = 0;
    reel_status status = reel_frames_choose(video, plan, plan->item->path, c->frames, c->index, &available, err);
    if (status == REEL_OK)
        status = decode_frames(video, c, plan->item->path, err);
    if (status != REEL_OK)
        return status;
    fill_places(c);
    if (trace != NULL)
        fill_trace(trace, video, claimed, c, available);
    return REEL_OK;
}

static reel_status keep_only(reel_frame *frame, size_t k, void *user, reel_error *err)
{
    (void)frame;
    (void)k;
    (void)user;
    (void)err;
    return REEL_OK;
}

/* Room in the cache, and for a video of random windows all its frames. *keeps: what is decoded will be kept. False and a failure alike leave the
 * video fit for use, or *video NULL. */
static reel_status keep_frames(reel_cache *cache, reel_cached *entry, reel_video **video, int frames, bool *keeps, reel_error *err)
{
    reel_video_info info = { .size = sizeof info };
    int64_t n = 0, *all = NULL;
    *keeps = false;
    if (reel_video_count(*video, &n, err) != REEL_OK || reel_video_get_info(*video, &info, err) != REEL_OK || n < 1)
        return REEL_OK;  /* choosing frames will tell */
    bool whole = reel_cached_whole(entry);
    if (n > WHOLE_FRAMES && whole)
        return REEL_OK;
    if (!reel_cache_reserve(cache, entry, &info, whole ? (size_t)n : (size_t)frames))
        return REEL_OK;
    *keeps = true;
    reel_video_keep(*video, SIZE_MAX / 2);
    if (!whole)
        return REEL_OK;
    all = reel_calloc((size_t)n, sizeof *all);
    if (all == NULL)
        return reel_fail_nomem(err, "the cache of decoded frames");
    for (int64_t i = 0; i < n; i++)
        all[i] = i;
    reel_status status = reel_video_decode(*video, all, (size_t)n, keep_only, NULL, err);
    *keeps = status == REEL_OK && !reel_video_mended(*video);
    if (!*keeps)
        reel_video_close(video);  /* damage that the clip may not see: it is read as if there were no cache */
    reel_free(all);
    return status == REEL_ERR_NOMEM || status == REEL_ERR_CANCELLED ? status : REEL_OK;
}

/* The clip is there: its video goes into the cache, if it has the frames that another time needs. */
static void give(reel_cache *cache, reel_cached *entry, reel_video **video, const carry *c, const reel_video_info *claimed)
{
    bool good = !reel_video_mended(*video) && reel_video_keeps(*video, c->distinct, (size_t)c->distincts);
    if (good && !reel_cached_whole(entry))
        reel_video_forget(*video, c->distinct, (size_t)c->distincts);
    if (good)
        reel_cache_fill(cache, entry, video, claimed);
    else
        reel_cache_fill(cache, entry, &(reel_video *){ NULL }, claimed);
}

reel_status reel_plan_carry_out_cached(reel_context *ctx, const reel_plan *plan, const reel_transform *transform, int frames,
                                       bool autorotate, int codec_threads, reel_cache *cache, float *out, reel_plan_trace *trace,
                                       reel_error *err)
{
    reel_status status = REEL_OK;
    reel_video *video = NULL, *cached = NULL;
    reel_cached *entry = NULL;
    carry c = { 0 };
    reel_video_info claimed = { .size = sizeof claimed };
    bool keeps = false;
    const char *path = plan->item != NULL ? plan->item->path : NULL;
    if (path == NULL || frames < 1)
        return reel_fail(err, REEL_ERR_ARG, "a plan without a video, or for %d frames, cannot be carried out", frames);
    REEL_TRY(carry_begin(&c, plan, transform, frames, out, err));
    entry = reel_cache_find(cache, plan, frames, autorotate, &cached, &claimed);
    if (cached != NULL) {
        status = from_video(&c, cached, plan, &claimed, trace, err);
        goto done;
    }
    REEL_TRY(reel_video_open_with(ctx, path, autorotate, codec_threads, &reel_video_limits_default, &video, err));
    REEL_TRY(reel_video_get_info(video, &claimed, err));
    if (entry != NULL)
        REEL_TRY(keep_frames(cache, entry, &video, frames, &keeps, err));
    if (video == NULL)
        REEL_TRY(reel_video_open_with(ctx, path, autorotate, codec_threads, &reel_video_limits_default, &video, err));
    REEL_TRY(from_video(&c, video, plan, &claimed, trace, err));
    if (keeps) {
        give(cache, entry, &video, &c, &claimed);
        entry = NULL;
    }
done:
    if (entry != NULL && cached != NULL)
        reel_cache_done(cache, entry);
    else if (entry != NULL)
        reel_cache_fill(cache, entry, &(reel_video *){ NULL }, &claimed);
    reel_video_close(&video);
    carry_end(&c);
    return status;
}

reel_status reel_plan_carry_out(reel_context *ctx, const reel_plan *plan, const reel_transform *transform, int frames,
                                bool autorotate, int codec_threads, float *out, reel_plan_trace *trace, reel_error *err)
{
    return reel_plan_carry_out_cached(ctx, plan, transform, frames, autorotate, codec_threads, NULL, out, trace, err);
}

void reel_plan_warn(reel_context *ctx, const reel_plan_trace *trace, const char *name)
{
    if (trace->promised > 0)
        reel_log(ctx, REEL_LOG_WARNING, "warning", "%s: truncated after frame %lld of %lld", name, (long long)trace->frames,
                 (long long)trace->promised);
}
