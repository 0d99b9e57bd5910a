/* The synthetic motions: one moment tells nothing about the class, time tells it all, and a mirror changes no class. */
#include "../test.h"

#include <math.h>
#include <stdbool.h>

#include "data/motion.h"
#include "data/scene.h"

enum { CLIPS = 4000, BINS = 10 };
static const double moments[] = { 0, 0.31, 0.77, 1.24 };

static reel_motion motion_of(int kind, uint64_t i)
{
    reel_stream s = { .seed = 42, .sample = i * REEL_MOTIONS + (uint64_t)kind, .kind = 2 };
    reel_motion m;
    reel_motion_draw(&m, kind, &s);
    return m;
}

enum { PARTS = 2 + REEL_COPIES };
static double part(const reel_pose *p, int which) { return which == 0 ? p->x : which == 1 ? p->y : p->size[which - 2]; }

/* Pearson's chi-square of one figure against the uniform distribution; 9 degrees of freedom: 33.7 is passed once in 10^4. */
static double chi_square(const int bins[BINS])
{
    double sum = 0, want = (double)CLIPS / BINS;
    for (int b = 0; b < BINS; b++)
        sum += (bins[b] - want) * (bins[b] - want) / want;
    return sum;
}

static void one_moment_tells_nothing(void **state)
{
    (void)state;
    for (int kind = 0; kind < REEL_MOTIONS; kind++)
        for (size_t t = 0; t < sizeof moments / sizeof *moments; t++) {
            int bins[PARTS][BINS] = { { 0 } }, pairs[PARTS][BINS] = { { 0 } };
            for (uint64_t i = 0; i < CLIPS; i++) {
                reel_motion m = motion_of(kind, i);
                reel_pose p = reel_motion_at(&m, moments[t]);
                for (int w = 0; w < PARTS; w++) {
                    double v = part(&p, w), other = part(&p, (w + 1) % PARTS);
                    assert_true(v >= 0 && v <= 1);
                    bins[w][v < 1 ? (int)(v * BINS) : BINS - 1]++;
                    double sum = v + other - floor(v + other);  /* uniform if both are and do not hang together */
                    pairs[w][(int)(sum * BINS)]++;
                }
            }
            for (int w = 0; w < PARTS; w++) {
                if (chi_square(bins[w]) > 33.7 || chi_square(pairs[w]) > 33.7)
                    fail_msg("%s at %.2f s: figure %d has chi-square %.1f, with its neighbour %.1f", reel_motion_name(kind),
                             moments[t], w, chi_square(bins[w]), chi_square(pairs[w]));
            }
        }
}

static double ring(double d) { return d - floor(d + 0.5); }  /* the short way round */

/* Names a motion from eight poses over 1.07 s, as eyes would: what changes, and whether it turns back. */
static int judge(const reel_pose p[8])
{
    double way[3] = { 0 }, sum[3] = { 0 };
    int up = 0, down = 0;
    for (int i = 1; i < 8; i++) {
        double d[3] = { ring(p[i].x - p[i - 1].x), ring(p[i].y - p[i - 1].y), p[i].size[0] - p[i - 1].size[0] };
        for (int w = 0; w < 3; w++) {
            way[w] += fabs(d[w]);
            sum[w] += d[w];
        }
        up += d[2] > 0;
        down += d[2] < 0;
    }
    if (way[0] + way[1] + way[2] < 1e-6)
        return 7;
    if (way[2] > 1e-6)  /* one step may jump back to the other end of the range */
        return up >= 6 && down <= 1 ? 4 : down >= 6 && up <= 1 ? 5 : 6;
    if (way[0] > 1e-6)
        return 2;
    return fabs(sum[1]) > 0.9 * way[1] ? (sum[1] < 0 ? 0 : 1) : 3;
}

static void poses(const reel_motion *m, double start, bool mirror, reel_pose out[8])
{
    for (int i = 0; i < 8; i++) {
        out[i] = reel_motion_at(m, start + i * 26.0 / 25 / 7);  /* first to last of 27 frames at 25 a second */
        if (mirror)
            out[i].x = 1 - out[i].x;
    }
}

static void time_tells_the_class_also_in_a_mirror(void **state)
{
    (void)state;
    int wrong = 0, wrong_mirrored = 0, n = 0;
    for (int kind = 0; kind < REEL_MOTIONS; kind++)
        for (uint64_t i = 0; i < 500; i++, n++) {
            reel_motion m = motion_of(kind, i);
            reel_pose p[8], q[8];
            double start = 0.21 * (double)(i % 7) / 6;  /* the clip is shorter than the video */
            poses(&m, start, false, p);
            poses(&m, start, true, q);
            wrong += judge(p) != kind;
            wrong_mirrored += judge(q) != judge(p);
        }
    assert_int_equal(wrong_mirrored, 0);
    assert_true(wrong <= n / 100);
}

/* The mirror image of a clip is a clip that the same class could have drawn. */
static void a_mirror_image_is_of_the_same_kind(void **state)
{
    (void)state;
    for (int kind = 0; kind < REEL_MOTIONS; kind++)
        for (uint64_t i = 0; i < 200; i++) {
            reel_motion m = motion_of(kind, i), twin = m;
            twin.x = 1 - m.x - floor(1 - m.x);
            if (kind == 2)  /* sideways: half a swing later */
                twin.phase = m.phase + 0.5 - floor(m.phase + 0.5);
            for (int f = 0; f < 32; f++) {
                reel_pose p = reel_motion_at(&m, f / 25.0), q = reel_motion_at(&twin, f / 25.0);
                assert_true(fabs(ring(p.x + q.x)) < 1e-9);
                assert_true(fabs(p.y - q.y) < 1e-9 && memcmp(p.size, q.size, sizeof p.size) == 0);
            }
        }
}

static void draws_depend_on_seed_and_sample_alone(void **state)
{
    (void)state;
    reel_motion a = motion_of(3, 5), b = motion_of(3, 5), c = motion_of(3, 6);
    assert_memory_equal(&a.x, &b.x, sizeof(double));
    assert_true(a.x != c.x && a.y != c.y && a.phase != c.phase);
}

/* A picture: the shape has its colour, covers what its size says, and passes through the edges. */
static void a_shape_is_drawn_where_it_should_be(void **state)
{
    (void)state;
    enum { W = 64, H = 48 };
    static uint8_t rgb[W * H * 3];
    reel_scene s;
    double covered[2] = { 0, 0 };
    assert_int_equal(reel_scene_make(1, 1, W, H, &s, NULL), REEL_OK);
    s.shape = 0;  /* a disc */
    for (int big = 0; big < 2; big++)
        for (int edge = 0; edge < 2; edge++) {
            reel_pose p = { edge ? 0 : 0.5, edge ? 0 : 0.5, { 0 } };
            double sum = 0;
            for (int i = 0; i < REEL_COPIES; i++)
                p.size[i] = big;
            reel_scene_render(&s, &p, rgb);
            for (int i = 0; i < W * H; i++) {
                int full = s.color[0] - s.background[i * 3];
                sum += full == 0 ? 0 : (double)(rgb[i * 3] - s.background[i * 3]) / full;
            }
            double radius = W / 3.0 * (big ? 0.5 : 0.2), want = 6 * 3.14159 * radius * radius;  /* three by two of them */
            assert_true(fabs(sum - want) < 0.06 * want + 6);
            if (edge)
                assert_true(fabs(sum - covered[big]) < 6);
            covered[big] = sum;
        }
    reel_scene_free(&s);
}

static void groups_look_different(void **state)
{
    (void)state;
    reel_scene a, b, again;
    assert_int_equal(reel_scene_make(7, 1, 32, 32, &a, NULL), REEL_OK);
    assert_int_equal(reel_scene_make(7, 1, 32, 32, &again, NULL), REEL_OK);
    assert_int_equal(reel_scene_make(7, 2, 32, 32, &b, NULL), REEL_OK);
    assert_memory_equal(a.background, again.background, 32 * 32 * 3);
    assert_memory_not_equal(a.background, b.background, 32 * 32 * 3);
    for (int g = 1; g <= 40; g++) {  /* the shape stands out from every point of its background */
        reel_scene s;
        assert_int_equal(reel_scene_make(7, g, 64, 48, &s, NULL), REEL_OK);
        int shape_light = s.color[0] * 3 + s.color[1] * 6 + s.color[2], brightest = 0;
        for (int i = 0; i < 64 * 48; i++) {
            int light = s.background[i * 3] * 3 + s.background[i * 3 + 1] * 6 + s.background[i * 3 + 2];
            brightest = light > brightest ? light : brightest;
        }
        if (shape_light < brightest + 100)
            fail_msg("group %d: light %d on up to %d", g, shape_light, brightest);
        reel_scene_free(&s);
    }
    reel_scene_free(&a);
    reel_scene_free(&b);
    reel_scene_free(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_moment_tells_nothing), cmocka_unit_test(time_tells_the_class_also_in_a_mirror),
        cmocka_unit_test(a_mirror_image_is_of_the_same_kind), cmocka_unit_test(draws_depend_on_seed_and_sample_alone),
        cmocka_unit_test(a_shape_is_drawn_where_it_should_be), cmocka_unit_test(groups_look_different),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
