/* The linear layer: one product each way. The right operand is packed at every call where the product is large enough to pay
 * for it, from weight_pack's copy where there is one. */
#include <string.h>

#include "backend/cpu/cpu.h"
#include "base/mem.h"

/* Packing costs about as much as 60 rows of the product (measured) and wins 3 to 5 %. */
enum { PACK_ROWS = 1024, NOMINAL_ROWS = 1568 };

/* What reel_weight.packed points to. */
typedef struct packed_weight { reel_product *made_by; void *numbers; } packed_weight;

/* Rows whose length is a large power of two (times a small number) fall into few cache sets when read down a column. */
static bool pays_to_pack(const reel_product_spec *s)
{
    bool collides = !s->b_turned && s->ldb % 1024 == 0;
    return s->m >= PACK_ROWS || (collides && s->m >= PACK_ROWS / 8);
}

static reel_product_spec spec_of(size_t m, size_t n, size_t k)
{
    return (reel_product_spec){.m = m, .n = n, .k = k};
}

static reel_product_spec forward_spec(const reel_weight *w, size_t m, size_t ldx, size_t ldy)
{
    reel_product_spec s = spec_of(m, w->plain.rows, w->plain.cols);
    s.lda = ldx;
    s.ldb = w->plain.ld;
    s.ldc = ldy;
    s.b_turned = true;
    return s;
}

/* Makes the product and, unless planning, runs it, with B packed on the way where that pays. */
static void multiply(reel_cpu *c, reel_product_spec *s, float *out, const float *a, const float *b, const float *bias)
{
    void *packed = NULL;
    if (s->m == 0 || s->n == 0)
        return;
    s->packed = pays_to_pack(s);
    reel_product *p = reel_cpu_product(c, s);
    if (p != NULL && s->packed)
        packed = reel_cpu_scratch(c, reel_product_packed_bytes(p));
    if (p == NULL || c->base.planning || (s->packed && packed == NULL))
        return;
    if (s->packed)
        reel_cpu_pack(c, p, packed, b);
    reel_cpu_run(c, p, out, a, s->packed ? packed : b, bias);
}

void reel_cpu_weight_unpack(reel_backend *be, reel_weight *w)
{
    (void)be;
    if (w->kind != REEL_PACK_F32) {
        reel_cpu_low_unpack(w->packed);
        w->packed = NULL;
        return;
    }
    packed_weight *pw = w->packed;
    if (pw != NULL)
        reel_free(pw->numbers);
    reel_free(pw);
    w->packed = NULL;
}

static packed_weight *packed_weight_new(reel_cpu *c, const reel_weight *w)
{
    reel_product_spec s = forward_spec(w, NOMINAL_ROWS, w->plain.cols, w->plain.rows);
    s.ldb = w->plain.cols;
    s.packed = true;
    reel_product *p = reel_cpu_product(c, &s);
    packed_weight *pw = p != NULL ? reel_calloc(1, sizeof *pw) : NULL;
    if (pw != NULL) {
        pw->made_by = p;
        pw->numbers = reel_alloc_aligned(reel_product_packed_bytes(p), 1);
    }
    if (p != NULL && (pw == NULL || pw->numbers == NULL)) {
        reel_free(pw);
        pw = NULL;
        reel_backend_fail(&c->base, REEL_ERR_NOMEM, "out of memory: packed weight (%zu, %zu)", w->plain.rows, w->plain.cols);
    }
    return pw;
}

/* float32 where the library may read it: numbers themselves, or in scratch. */
static const float *floats_of(reel_cpu *c, const reel_weight *w, const void *numbers, reel_dtype type)
{
    const size_t n = w->plain.rows * w->plain.cols;
    if (type == REEL_F32 && (uintptr_t)numbers % sizeof(float) == 0)
        return numbers;
    float *all = reel_cpu_scratch(c, n * sizeof *all);
    if (all != NULL)
        reel_dtype_to_float(all, numbers, type, n);
    return all;
}

void reel_cpu_weight_load(reel_backend *be, reel_weight *w, const void *numbers, reel_dtype type)
{
    reel_cpu *c = reel_cpu_running(be);
    if (c == NULL)
        return;
    if (w->kind != REEL_PACK_F32) {
        w->packed = reel_cpu_low_pack(c, w, numbers, type);
        return;
    }
    packed_weight *pw = w->packed != NULL ? w->packed : packed_weight_new(c, w);
    const float *floats = pw != NULL ? floats_of(c, w, numbers, type) : NULL;
    w->packed = pw;
    if (floats != NULL)
        reel_cpu_pack(c, pw->made_by, pw->numbers, floats);
}

static void multiply_weight(reel_cpu *c, reel_product_spec *s, float *out, const float *x, const reel_weight *w,
                            const float *bias)
{
    const packed_weight *pw = w->packed;
    if (pw == NULL) {
        multiply(c, s, out, x, w->plain.dev, bias);
        return;
    }
    s->packed = true;
    s->layout = pw->made_by;
    reel_product *p = s->m > 0 ? reel_cpu_product(c, s) : NULL;
    if (p != NULL && !c->base.planning)
        reel_cpu_run(c, p, out, x, pw->numbers, bias);
}

static void copy_rows(reel_cpu *c, reel_view y, reel_view x)
{
#pragma omp parallel for num_threads(c->threads) schedule(static) if (y.rows * y.cols >= REEL_CPU_SHARE)
    for (size_t r = 0; r < y.rows; r++)
        memcpy(reel_cpu_row(y, r), reel_cpu_row(x, r), y.cols * sizeof(float));
}

/* y = act(pre) + residual */
static void finish_from_pre(reel_cpu *c, reel_view y, reel_view pre, reel_act act, reel_view residual)
{
    const bool add = reel_cpu_given(c, residual), same = y.dev == pre.dev;
#pragma omp parallel for num_threads(c->threads) schedule(static) if (y.rows * y.cols >= REEL_CPU_SHARE)
    for (size_t r = 0; r < y.rows; r++) {
        float *to = reel_cpu_row(y, r), *rest = add ? reel_cpu_row(residual, r) : NULL;
        if (act == REEL_ACT_NONE && add) {
            c->k.add(to, reel_cpu_row(pre, r), rest, y.cols);
        } else if (add && rest == to) {  /* the residual is in the way of act's result: by parts through a small buffer */
            float part[512];
            for (size_t i = 0, n; i < y.cols; i += n) {
                n = reel_cpu_min(y.cols - i, sizeof part / sizeof *part);
                c->k.act_fwd(part, reel_cpu_row(pre, r) + i, n, (int)act);
                c->k.add_bias(to + i, part, n);
            }
        } else {
            if (act != REEL_ACT_NONE || !same)
                c->k.act_fwd(to, reel_cpu_row(pre, r), y.cols, (int)act);
            if (add)
                c->k.add_bias(to, rest, y.cols);
        }
    }
}

void reel_cpu_linear_fwd(reel_backend *be, reel_view y, reel_view pre, reel_view x, const reel_weight *w, const float *bias,
                         reel_act act, reel_view residual)
{
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL || !reel_cpu_takes(c, "linear_fwd", y, pre) || !reel_cpu_takes(c, "linear_fwd", x, residual) ||
        !reel_cpu_takes(c, "linear_fwd", w->plain, w->plain))
        return;
    if (w->kind != REEL_PACK_F32) {
        reel_cpu_low_fwd(c, y, pre, x, w, bias, act, residual);
        return;
    }
    if (!reel_cpu_takes_float(c, "linear_fwd", y, pre) || !reel_cpu_takes_float(c, "linear_fwd", x, residual))
        return;
    const bool keep = reel_cpu_given(c, pre), add = reel_cpu_given(c, residual);
    reel_product_spec s = forward_spec(w, x.rows, x.ld, keep ? pre.ld : y.ld);
    s.bias = bias != NULL;
    if (keep) {
        multiply_weight(c, &s, pre.dev, x.dev, w, bias);
        if (!be->planning && be->failed.status == REEL_OK)
            finish_from_pre(c, y, pre, act, residual);
        return;
    }
    s.act = act;
    s.sum = add;
    if (add && !be->planning && residual.dev != y.dev)
        copy_rows(c, y, residual);
    multiply_weight(c, &s, y.dev, x.dev, w, bias);
}

void reel_cpu_linear_bwd_input(reel_backend *be, reel_view dx, reel_view dy, const reel_weight *w, bool accumulate)
{
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL || !reel_cpu_takes(c, "linear_bwd_input", dx, dy) || !reel_cpu_takes(c, "linear_bwd_input", w->plain, w->plain))
        return;
    if (w->kind != REEL_PACK_F32) {
        reel_cpu_low_bwd_input(c, dx, dy, w, accumulate);
        return;
    }
    if (!reel_cpu_takes_float(c, "linear_bwd_input", dx, dy))
        return;
    reel_product_spec s = spec_of(dy.rows, w->plain.cols, w->plain.rows);
    s.lda = dy.ld;
    s.ldb = w->plain.ld;
    s.ldc = dx.ld;
    s.sum = accumulate;
    multiply(c, &s, dx.dev, dy.dev, w->plain.dev, NULL);
}

void reel_cpu_linear_bwd_weight(reel_backend *be, reel_view dw, float *db, reel_view dy, reel_view x, bool accumulate)
{
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL || !reel_cpu_takes(c, "linear_bwd_weight", dw, dy) || !reel_cpu_takes(c, "linear_bwd_weight", x, x))
        return;
    const reel_turned_product t = {dw.rows, dw.cols, x.rows, dy.ld, x.ld, dw.ld, accumulate};
    if (x.dtype == REEL_BF16)
        reel_cpu_low_bwd_weight(c, dw, dy, x, accumulate);
    else if (reel_cpu_takes_float(c, "linear_bwd_weight", dy, x) && !be->planning)
        reel_cpu_run_turned(c, &t, dw.dev, dy.dev, x.dev);
    if (db != NULL)
        reel_cpu_column_sums(c, db, dy, accumulate);
}
