/* Frames of a time window, with exact arithmetic, and lengths. */
#include <math.h>

#include "base/cpu.h"
#include "video/media.h"

enum { FACTOR_LIMIT = 1 << 20 };

/* ceil(factor seconds / base) for a double taken exactly as m 2^e. Far beyond any timestamp it saturates. */
static int64_t ticks_up(double seconds, int factor, AVRational base)
{
    const int64_t far = INT64_MAX / 4;
    if (isnan(seconds))
        return far;
    int e;
    double fraction = frexp(seconds, &e);  /* |fraction| in [0.5, 1) or 0 */
    if (!isfinite(seconds) || e > 40)
        return seconds > 0 ? far : -far;
    __extension__ typedef __int128 wide;
    wide m = (wide)(int64_t)ldexp(fraction, 53) * factor;
    e -= 53;  /* -13 at most */
    if (m == 0)
        return 0;
    if (e < -110)  /* m den 2^e is below 1 in size */
        return m > 0 ? 1 : 0;
    /* m den / (num 2^-e): the numerator has at most 105 bits, so what a larger shift drops decides only whether something is
     * left. */
    wide top = m * base.den;
    int shift = -e;
    if (shift > 90)
        return m > 0 ? 1 : 0;
    wide bottom = (wide)base.num << shift;
    wide q = top / bottom;
    if (top % bottom != 0 && top > 0)
        q++;
    return q > far ? far : q < -far ? -far : (int64_t)q;
}

typedef struct instant { double seconds; int factor; } instant;

static reel_status window(reel_video *v, instant start, instant end, int64_t *first, int64_t *stop, reel_error *err)
{
    int64_t frames;
    *first = *stop = 0;
    reel_status status = reel_video_count(v, &frames, err);  /* makes the index */
    if (status != REEL_OK)
        return status;
    const reel_index *x = &v->index;
    int64_t a, b;
    if (__builtin_add_overflow(ticks_up(start.seconds, start.factor, x->base), x->start, &a))
        a = start.seconds < 0 ? INT64_MIN : INT64_MAX;
    if (__builtin_add_overflow(ticks_up(end.seconds, end.factor, x->base), x->start, &b))
        b = end.seconds < 0 ? INT64_MIN : INT64_MAX;
    *first = (int64_t)reel_index_first_at(x, a);
    *stop = (int64_t)reel_index_first_at(x, b);
    if (*stop < *first)
        *stop = *first;
    return REEL_OK;
}

reel_status reel_video_window(reel_video *v, double start, double end, int64_t *first, int64_t *stop, reel_error *err)
{
    return window(v, (instant){start, 1}, (instant){end, 1}, first, stop, err);
}

reel_status reel_video_window_at(reel_video *v, double seconds, int k, int64_t *first, int64_t *stop, reel_error *err)
{
    *first = *stop = 0;
    if (k < 0 || k >= FACTOR_LIMIT)
        return reel_fail(err, REEL_ERR_ARG, "%s: there is no window number %d", v->path, k);
    return window(v, (instant){seconds, k}, (instant){seconds, k + 1}, first, stop, err);
}

int64_t reel_video_claimed_frames(const reel_video *v)
{
    return v->stream != NULL && v->stream->nb_frames > 0 ? v->stream->nb_frames : 0;
}

double reel_video_frame_time(const reel_video *v, int64_t i)
{
    if (!v->index.made || i < 0 || i >= (int64_t)v->index.n)
        return 0;
    return ((double)v->index.time[i] - (double)v->index.start) * av_q2d(v->index.base);
}

/* What the container claims, in seconds; 0: nothing. */
static double claimed(const reel_video *v)
{
    double d = 0;
    if (v->stream->duration != AV_NOPTS_VALUE && v->stream->duration > 0)
        d = (double)v->stream->duration * av_q2d(v->stream->time_base);
    else if (v->format->duration != AV_NOPTS_VALUE && v->format->duration > 0)
        d = (double)v->format->duration / AV_TIME_BASE;
    return isfinite(d) && d > 0 ? d : 0;
}

static double counted(const reel_video *v)
{
    const reel_index *x = &v->index;
    double last = (double)x->last * av_q2d(x->base);
    return reel_video_frame_time(v, (int64_t)x->n - 1) + last;
}

double reel_known_duration(const reel_video *v)
{
    if (v->stream == NULL)
        return 0;
    double claim = claimed(v);
    if (!v->index.made)
        return claim;
    /* A container's figure is believed if it is the frames' own to within two frames: headers lie. */
    double sum = counted(v), frame = sum / (double)v->index.n;
    return claim > 0 && fabs(claim - sum) <= 2 * frame ? claim : sum;
}

double reel_video_duration(reel_video *v, reel_error *err, reel_status *status)
{
    reel_work_begin(v, reel_now());
    reel_av_forget();
    *status = v->codec != NULL || v->asleep ? reel_index_make(v, err) : reel_fail(err, REEL_ERR_IO, "%s: could not be opened again", v->path);
    reel_work_end(v, reel_now());
    return *status == REEL_OK ? reel_known_duration(v) : 0;
}
