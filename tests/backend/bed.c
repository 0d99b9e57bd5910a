#include "bed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { GUARD = 64 };  /* numbers behind the last row */
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

uint16_t half_bits(float x)
{
    uint32_t u, low;
    memcpy(&u, &x, sizeof u);
    if (isnan(x))
        return 0x7fc0;
    low = u & 0xffff;
    u >>= 16;
    return (uint16_t)(low > 0x8000 || (low == 0x8000 && u % 2 == 1) ? u + 1 : u);
}

static float half_value(uint16_t bits)
{
    const uint32_t u = (uint32_t)bits << 16;
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

float half_round(float x) { return half_value(half_bits(x)); }
double half_unit(reel_dtype t) { return t == REEL_BF16 ? 0x1p-8 : 0x1p-24; }

static mat mat_make(reel_dtype t, size_t rows, size_t cols, size_t ld, bool numbers)
{
    const size_t guard = strcmp(bed_kind, "fence") == 0 ? 0 : GUARD, size = reel_dtype_size(t);
    mat m = {.bytes = (rows * ld + guard) * size};
    reel_error err;
    m.host = malloc((rows * ld + guard + 1) * sizeof(float));
    m.raw = t == REEL_F32 ? m.host : malloc(m.bytes + size);
    assert_true(m.host != NULL && m.raw != NULL);
    memset(m.host, 0x5a, (rows * ld + guard) * sizeof(float));
    memset(m.raw, 0x5a, m.bytes);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            m.host[r * ld + c] = numbers ? bed_random() : NAN;
    m.v = (reel_view){.dtype = t, .rows = rows, .cols = cols, .ld = ld};
    assert_int_equal(bed->ops->mem_alloc(bed, m.bytes, &m.v.dev, &err), REEL_OK);
    assert_int_equal((uintptr_t)m.v.dev % 64, 0);
    mat_put(&m);
    return m;
}

mat mat_new_of(reel_dtype t, size_t rows, size_t cols, size_t ld) { return mat_make(t, rows, cols, ld, true); }
mat mat_empty_of(reel_dtype t, size_t rows, size_t cols, size_t ld) { return mat_make(t, rows, cols, ld, false); }
mat mat_new(size_t rows, size_t cols, size_t ld) { return mat_make(REEL_F32, rows, cols, ld, true); }
mat mat_empty(size_t rows, size_t cols, size_t ld) { return mat_make(REEL_F32, rows, cols, ld, false); }
mat mat_row(size_t n) { return mat_make(REEL_F32, 1, n, n, true); }
mat mat_none(void) { return (mat){.v = {.dtype = REEL_F32}}; }

mat mat_copy(const mat *m)
{
    mat copy = mat_make(m->v.dtype, m->v.rows, m->v.cols, m->v.ld, false);
    memcpy(copy.host, m->host, m->v.rows * m->v.ld * sizeof(float));
    mat_put(&copy);
    return copy;
}

void mat_free(mat *m)
{
    if (m->host == NULL)
        return;
    bed->ops->mem_free(bed, m->v.dev);
    if (m->raw != m->host)
        free(m->raw);
    free(m->host);
    *m = (mat){0};
}

static size_t place(const mat *m, size_t i) { return i / m->v.cols * m->v.ld + i % m->v.cols; }

void mat_put(mat *m)
{
    uint16_t *half = m->raw;
    for (size_t i = 0; m->v.dtype == REEL_BF16 && i < m->v.rows * m->v.cols; i++) {
        half[place(m, i)] = half_bits(m->host[place(m, i)]);
        m->host[place(m, i)] = half_value(half[place(m, i)]);
    }
    bed->ops->upload(bed, m->v.dev, m->raw, m->bytes);
}

void mat_get(mat *m)
{
    reel_error err = {0};
    const uint16_t *half = m->raw;
    bed->ops->download(bed, m->raw, m->v.dev, m->bytes);
    if (bed->ops->sync(bed, &err) != REEL_OK)
        fail_msg("sync: %s", err.message);
    for (size_t i = 0; m->v.dtype == REEL_BF16 && i < m->v.rows * m->v.cols; i++)
        m->host[place(m, i)] = half_value(half[place(m, i)]);
}

double mat_at(const mat *m, size_t r, size_t c)
{
    return (double)m->host[r * m->v.ld + c];
}

static void check_pattern(const char *what, const mat *m)
{
    const size_t size = reel_dtype_size(m->v.dtype), all = m->bytes / size;
    for (size_t i = 0; i < all; i++) {
        const bool inside = i / m->v.ld < m->v.rows && i % m->v.ld < m->v.cols;
        if (!inside && memcmp((const char *)m->raw + i * size, &pattern, size) != 0)
            fail_msg("%s (%s): wrote outside of its rows, at element %zu", what, bed_kind, i);
    }
}

/* Where `off` is most above what is allowed; both by element. */
static void fail_at(const char *what, const mat *got, size_t at, double want, double allowed)
{
    const size_t n = got->v.cols;
    fail_msg("%s (%s, %s), (%zu, %zu): element (%zu, %zu) is %.9g, wanted %.9g; off by %.3g, %.3g is allowed", what, bed_kind,
             reel_dtype_name(got->v.dtype), got->v.rows, n, at / n, at % n, mat_at(got, at / n, at % n), want,
             fabs(mat_at(got, at / n, at % n) - want), allowed);
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
        fail_at(what, got, at, want[at], bound);
    check_pattern(what, got);
}

void mat_check(const char *what, mat *got, const double *want, double tolerance)
{
    double most = 0;
    for (size_t i = 0; i < got->v.rows * got->v.cols; i++)
        most = fabs(want[i]) > most ? fabs(want[i]) : most;
    mat_check_absolute(what, got, want, tolerance * most);
}

void mat_check_each(const char *what, mat *got, const double *want, const double *slack)
{
    const double unit = half_unit(got->v.dtype);
    mat_get(got);
    for (size_t i = 0; i < got->v.rows * got->v.cols; i++) {
        const double allowed = slack[i] + unit * (fabs(want[i]) + slack[i]);
        if (!(fabs(mat_at(got, i / got->v.cols, i % got->v.cols) - want[i]) <= allowed))
            fail_at(what, got, i, want[i], allowed);
    }
    check_pattern(what, got);
}

void mat_check_rms(const char *what, mat *got, const double *want, double bound)
{
    double off = 0, all = 0;
    mat_get(got);
    for (size_t i = 0; i < got->v.rows * got->v.cols; i++) {
        off += pow(mat_at(got, i / got->v.cols, i % got->v.cols) - want[i], 2);
        all += want[i] * want[i];
    }
    if (!(sqrt(off) <= bound * sqrt(all)))
        fail_msg("%s (%s), (%zu, %zu): off by %.3g of its root mean square, %.3g is allowed", what, bed_kind, got->v.rows, got->v.cols,
                 sqrt(off / all), bound);
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
