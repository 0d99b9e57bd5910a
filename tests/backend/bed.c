#include "bed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { GUARD = 64 };  /* floats behind the last row */
static const uint32_t pattern = 0x5a5a5a5au;

const char *bed_kind = "cpu";
reel_context *bed_context;
reel_backend *bed;
static uint32_t seed = 1;

void bed_seed(uint32_t s)
{
    seed = s;
}

float bed_random(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (float)((int32_t)(seed >> 8) - (1 << 23)) / (float)(1 << 23);
}

void bed_open(int threads)
{
    reel_error err = {0};
    char text[16];
    snprintf(text, sizeof text, "%d", threads);
    assert_int_equal(reel_context_open(&bed_context, &err), REEL_OK);
    assert_int_equal(reel_context_set(bed_context, "threads", text, &err), REEL_OK);
    if (strcmp(bed_kind, "plain") == 0)
        assert_int_equal(reel_context_set(bed_context, "isa", "c", &err), REEL_OK);
    reel_status status = strcmp(bed_kind, "fence") == 0 ? reel_backend_fence_open(bed_context, &bed, &err)
                                                        : reel_backend_open(bed_context, &bed, &err);
    if (status != REEL_OK)
        fail_msg("%s", err.message);
}

void bed_close(void)
{
    reel_backend_close(&bed);
    reel_context_close(&bed_context);
}

static mat mat_make(size_t rows, size_t cols, size_t ld, bool numbers)
{
    mat m = {.bytes = (rows * ld + GUARD) * sizeof(float)};
    reel_error err;
    m.host = malloc(m.bytes);
    assert_non_null(m.host);
    memset(m.host, 0x5a, m.bytes);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            m.host[r * ld + c] = numbers ? bed_random() : NAN;
    m.v = (reel_view){.dtype = REEL_F32, .rows = rows, .cols = cols, .ld = ld};
    assert_int_equal(bed->ops->mem_alloc(bed, m.bytes, &m.v.dev, &err), REEL_OK);
    assert_int_equal((uintptr_t)m.v.dev % 64, 0);
    mat_put(&m);
    return m;
}

mat mat_new(size_t rows, size_t cols, size_t ld) { return mat_make(rows, cols, ld, true); }
mat mat_empty(size_t rows, size_t cols, size_t ld) { return mat_make(rows, cols, ld, false); }
mat mat_row(size_t n) { return mat_make(1, n, n, true); }
mat mat_none(void) { return (mat){.v = {.dtype = REEL_F32}}; }

void mat_free(mat *m)
{
    if (m->host == NULL)
        return;
    bed->ops->mem_free(bed, m->v.dev);
    free(m->host);
    *m = (mat){0};
}

void mat_put(mat *m)
{
    bed->ops->upload(bed, m->v.dev, m->host, m->bytes);
}

void mat_get(mat *m)
{
    reel_error err = {0};
    bed->ops->download(bed, m->host, m->v.dev, m->bytes);
    if (bed->ops->sync(bed, &err) != REEL_OK)
        fail_msg("sync: %s", err.message);
}

double mat_at(const mat *m, size_t r, size_t c)
{
    return (double)m->host[r * m->v.ld + c];
}

static void check_pattern(const char *what, const mat *m)
{
    const size_t all = m->bytes / sizeof(float);
    for (size_t i = 0; i < all; i++) {
        uint32_t word;
        memcpy(&word, &m->host[i], sizeof word);
        bool inside = i / m->v.ld < m->v.rows && i % m->v.ld < m->v.cols;
        if (!inside && word != pattern)
            fail_msg("%s (%s): wrote outside of its rows, at element %zu", what, bed_kind, i);
    }
}

void mat_check_absolute(const char *what, mat *got, const double *want, double bound)
{
    double worst = 0;
    size_t at = 0;
    mat_get(got);
    for (size_t i = 0; i < got->v.rows * got->v.cols; i++) {
        double off = fabs(mat_at(got, i / got->v.cols, i % got->v.cols) - want[i]);
        if (!(off <= worst)) {  /* true also for no number */
            worst = off;
            at = i;
        }
    }
    if (!(worst <= bound))
        fail_msg("%s (%s), (%zu, %zu): element %zu is %.9g, wanted %.9g; off by %.3g, %.3g is allowed", what, bed_kind,
                 got->v.rows, got->v.cols, at, mat_at(got, at / got->v.cols, at % got->v.cols), want[at], worst, bound);
    check_pattern(what, got);
}

void mat_check(const char *what, mat *got, const double *want, double tolerance)
{
    double most = 0;
    for (size_t i = 0; i < got->v.rows * got->v.cols; i++)
        most = fabs(want[i]) > most ? fabs(want[i]) : most;
    mat_check_absolute(what, got, want, tolerance * most);
}

double *doubles(size_t n)
{
    double *d = calloc(n > 0 ? n : 1, sizeof *d);
    assert_non_null(d);
    return d;
}

static int group_open(void **state)
{
    (void)state;
    bed_open(2);
    return 0;
}

static int group_close(void **state)
{
    (void)state;
    bed_close();
    return 0;
}

int bed_main(int argc, char **argv, const struct CMUnitTest *tests, size_t count)
{
    bed_kind = argc > 1 ? argv[1] : "cpu";
    return _cmocka_run_group_tests(bed_kind, tests, count, group_open, group_close);
}
