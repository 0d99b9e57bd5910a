#include "data/motion.h"

#include <math.h>

double reel_stream_next(reel_stream *s)
{
    uint32_t u[4];
    reel_draw(s->seed, REEL_PURPOSE_SYNTH, s->kind, s->sample, s->draw++, u);
    return reel_unit_double(u[0], u[1]);
}

double reel_stream_between(reel_stream *s, double low, double high) { return low + (high - low) * reel_stream_next(s); }

static double wrap(double v) { return v - floor(v); }

/* 0 to 1 and back to 0 while v goes from 0 to 2: uniform in v, uniform in the result. */
static double fold(double v)
{
    v = 2 * wrap(v / 2);
    return v <= 1 ? v : 2 - v;
}

/* All rates are a second, all ways in widths or heights: what is squashed to a square in evaluation, as the guide does, moves
 * as far sideways as up and down. A clip of the demo lasts 1.07 s and shows eight frames of it. */
typedef enum axis { AXIS_NONE, AXIS_X, AXIS_Y, AXIS_SIZE } axis;
static const struct {
    const char *name;
    axis axis;
    double direction;         /* of steady movement; 0: to and fro */
    double slow, fast;        /* sides, ranges of size, or there-and-backs */
    double near, far;         /* to and fro: half the way */
} motions[REEL_MOTIONS] = {
    { "DriftUp", AXIS_Y, -1, 0.45, 0.75, 0, 0 },
    { "DriftDown", AXIS_Y, 1, 0.45, 0.75, 0, 0 },
    { "SwingSideways", AXIS_X, 0, 0.85, 1.10, 0.16, 0.24 },  /* turns at least every 0.6 s: always inside a clip */
    { "SwingUpDown", AXIS_Y, 0, 0.85, 1.10, 0.16, 0.24 },
    { "Grow", AXIS_SIZE, 1, 0.38, 0.52, 0, 0 },              /* jumps back to small in fewer than half of the clips */
    { "Shrink", AXIS_SIZE, -1, 0.38, 0.52, 0, 0 },
    { "Pulse", AXIS_SIZE, 0, 0.60, 0.85, 0, 0 },
    { "Still", AXIS_NONE, 0, 0, 0, 0, 0 },
};

const char *reel_motion_name(int kind) { return motions[kind].name; }

void reel_motion_draw(reel_motion *m, int kind, reel_stream *s)
{
    m->kind = kind;
    m->x = reel_stream_next(s);
    m->y = reel_stream_next(s);
    m->rate = reel_stream_between(s, motions[kind].slow, motions[kind].fast);
    m->phase = reel_stream_next(s);
    m->reach = reel_stream_between(s, motions[kind].near, motions[kind].far);
    for (int i = 0; i < REEL_COPIES; i++)
        m->size[i] = reel_stream_next(s);
}

reel_pose reel_motion_at(const reel_motion *m, double seconds)
{
    reel_pose p = { .x = m->x, .y = m->y };
    axis along = motions[m->kind].axis;
    double direction = motions[m->kind].direction, way = m->rate * seconds;
    double shift = direction != 0 ? direction * way : m->reach * (2 * fold(2 * (m->phase + way)) - 1);
    if (along == AXIS_X)  /* a shift of a uniform place on a ring leaves it uniform, whatever the shift */
        p.x = wrap(m->x + shift);
    if (along == AXIS_Y)
        p.y = wrap(m->y + shift);
    for (int i = 0; i < REEL_COPIES; i++)  /* no ring in the eye: steady growth jumps, the pulse turns at both ends */
        p.size[i] = along != AXIS_SIZE ? m->size[i]
                  : direction != 0 ? wrap(m->size[i] + direction * way) : fold(2 * (m->size[i] + way));
    return p;
}
