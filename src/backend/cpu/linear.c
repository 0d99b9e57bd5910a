/* The linear layer, on blocks of products. Each thread takes a range of rows and goes through it in blocks whose sums stay in the
 * second cache until bias, activation, residual and rounding are done. The right operand is packed at every call unless it is there
 * packed (weight.c): that costs about as much as 40 rows of the product. Measured (bench/limit): blocks of 96 rows run at the rate of the
 * whole product.
 *
 * A row's sums do not depend on the cut into blocks, nor on the number of threads. */
#include <omp.h>
#include <string.h>

#include "backend/cpu/weight.h"

enum { ROWS = 96, GROUP = 4 * REEL_PANEL };

/* A product by rows: y = f(x B). */
typedef struct job {
    reel_cpu *c;
    const reel_cpu_type *t;
    size_t m, n, k;
    reel_view x;
    const void *panels;          /* B, where it is packed; int8 with `quantised` */
    const reel_cpu_weight *quantised;
    /* what becomes of the sums */
    reel_view y, pre, residual;
    const float *bias;
    reel_act act;
    bool accumulate;
    /* a thread's scratch */
    size_t acc_bytes, left_bytes, row_bytes, bytes;
} job;

/* x lies as the block wants it: no copy. */
static bool in_place(const job *j)
{
    return j->quantised == NULL && j->x.dtype == (j->t == &reel_cpu_f32 ? REEL_F32 : REEL_BF16) && j->t->depth(j->k) == j->k;
}

static void plan_scratch(job *j)
{
    j->acc_bytes = reel_cpu_round(ROWS * GROUP * sizeof(float));
    j->left_bytes = j->quantised != NULL ? reel_cpu_round(ROWS * (reel_cpu_fours(j->k) + sizeof(float)))
                    : in_place(j)        ? 0
                                         : reel_cpu_round(ROWS * j->t->depth(j->k) * j->t->size);
    j->row_bytes = in_place(j) ? 0 : reel_cpu_round(j->k * sizeof(float));
    j->bytes = j->acc_bytes + j->left_bytes + j->row_bytes;
}

/* Sums of row r, columns [col, col + n), on their way to y; sums may be overwritten. */
static void finish(const job *j, float *sums, const float *bias, size_t r, size_t col, size_t n)
{
    const reel_cpu *c = j->c;
    float other[GROUP];
    if (bias != NULL)
        c->k.add_bias(sums, bias + col, n);
    if (reel_cpu_given(c, j->pre)) {
        if (j->pre.dtype == REEL_F32)
            memcpy(reel_cpu_row(j->pre, r) + col, sums, n * sizeof *sums);
        reel_cpu_store(c, j->pre, r, col, n, sums);
    }
    if (j->act == REEL_ACT_GELU && j->y.dtype == REEL_BF16)
        c->low.gelu_near(sums, sums, n);
    else if (j->act != REEL_ACT_NONE)
        c->k.act_fwd(sums, sums, n, (int)j->act);
    if (reel_cpu_given(c, j->residual) || j->accumulate) {
        const reel_view added = j->accumulate ? j->y : j->residual;
        float *to = reel_cpu_target(j->y, r, col, sums);
        c->k.add(to, sums, reel_cpu_load(c, added, r, col, n, other), n);
        reel_cpu_store(c, j->y, r, col, n, to);
        return;
    }
    if (j->y.dtype == REEL_F32)
        memcpy(reel_cpu_row(j->y, r) + col, sums, n * sizeof *sums);
    reel_cpu_store(c, j->y, r, col, n, sums);
}

static void block(const job *j, size_t first, size_t rows, float *acc, void *left, float *row)
{
    const reel_cpu_type *t = j->t;
    const size_t depth = t->depth(j->k), lda = in_place(j) ? j->x.ld : depth;
    const void *a = in_place(j) ? reel_cpu_type_row(t, j->x, first) : left;
    for (size_t r = 0; r < rows && !in_place(j); r++) {
        memset(reel_cpu_at(t, left, r * depth + j->k), 0, (depth - j->k) * t->size);
        t->store(j->c, reel_cpu_at(t, left, r * depth), reel_cpu_load(j->c, j->x, first + r, 0, j->k, row), j->k);
    }
    for (size_t col = 0; col < j->n; col += GROUP) {
        const size_t n = reel_cpu_min(GROUP, j->n - col);
        reel_cpu_multiply(j->c, t, acc, GROUP, a, lda, reel_cpu_at_const(t, j->panels, col * depth), rows, n, j->k, false);
        for (size_t r = 0; r < rows; r++)
            finish(j, acc + r * GROUP, j->bias, first + r, col, n);
    }
}

static void block_int8(const job *j, size_t first, size_t rows, float *acc, uint8_t *left, float *row)
{
    const reel_low_kernels *low = &j->c->low;
    const size_t lda = reel_cpu_fours(j->k);
    const reel_cpu_weight *w = j->quantised;
    float *scale = (float *)(void *)(left + ROWS * lda);
    int32_t *whole = (int32_t *)(void *)acc;
    for (size_t r = 0; r < rows; r++) {
        low->quantise_row(left + r * lda, reel_cpu_load(j->c, j->x, first + r, 0, j->k, row), j->k, &scale[r]);
        memset(left + r * lda + j->k, 0, lda - j->k);
    }
    for (size_t col = 0; col < j->n; col += GROUP) {
        const size_t n = reel_cpu_min(GROUP, j->n - col);
        low->int8_block(whole, GROUP, left, lda, (const int8_t *)j->panels + col * lda, w->start + col, rows, n, j->k);
        for (size_t r = 0; r < rows; r++) {
            float sums[GROUP];
            low->dequantise_row(sums, whole + r * GROUP, n, scale[r], w->column + col, j->bias != NULL ? j->bias + col : NULL);
            finish(j, sums, NULL, first + r, col, n);
        }
    }
}

/* The rows of one thread. */
static void share(const job *j, unsigned char *scratch, size_t thread, size_t threads)
{
    float *acc = (float *)(void *)scratch, *row = (float *)(void *)(scratch + j->acc_bytes + j->left_bytes);
    unsigned char *left = scratch + j->acc_bytes;
    const size_t last = j->m * (thread + 1) / threads;
    for (size_t first = j->m * thread / threads; first < last; first += ROWS) {
        const size_t rows = reel_cpu_min(ROWS, last - first);
        if (j->quantised != NULL)
            block_int8(j, first, rows, acc, left, row);
        else
            block(j, first, rows, acc, left, row);
    }
}

typedef void (*pack_fn)(const reel_cpu *c, void *panel, const float *w, size_t ld, size_t k, size_t n);

/* Runs a job; where its right operand is not there yet, it is packed first from w, `step` numbers from column to column. */
static void run(job *j, pack_fn pack, const float *w, size_t ld, size_t step)
{
    reel_cpu *c = j->c;
    plan_scratch(j);
    const bool packs = j->panels == NULL;
    const size_t panel_bytes = packs ? reel_cpu_round(j->t->packed(j->k, j->n) * j->t->size) : 0;
    unsigned char *scratch = reel_cpu_scratch(c, panel_bytes + (size_t)c->threads * j->bytes);
    if (scratch == NULL || reel_cpu_running(&c->base) == NULL)
        return;
    if (packs)
        j->panels = scratch;
#pragma omp parallel num_threads(c->threads)
    {
        if (packs) {
#pragma omp for schedule(static)
            for (size_t n = 0; n < j->n; n += REEL_PANEL)
                pack(c, reel_cpu_at(j->t, scratch, n * j->t->depth(j->k)), w + n * step, ld, j->k, reel_cpu_min(REEL_PANEL, j->n - n));
        }
        const size_t thread = (size_t)omp_get_thread_num();
        share(j, scratch + panel_bytes + thread * j->bytes, thread, (size_t)omp_get_num_threads());
    }
}

void reel_cpu_linear_fwd(reel_backend *be, reel_view y, reel_view pre, reel_view x, const reel_weight *w, const float *bias,
                         reel_act act, reel_view residual)
{
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL || !reel_cpu_takes(c, "linear_fwd", y, pre) || !reel_cpu_takes(c, "linear_fwd", x, residual) ||
        !reel_cpu_takes_float(c, "linear_fwd", w->plain, w->plain))
        return;
    const reel_cpu_weight *cw = w->packed;
    const reel_cpu_type *t = reel_cpu_type_of_pack(w->kind);
    job j = {.c = c, .t = t, .m = x.rows, .n = w->plain.rows, .k = w->plain.cols, .x = x, .y = y, .pre = pre, .residual = residual,
             .bias = bias, .act = act, .panels = cw != NULL ? cw->panels : NULL,
             .quantised = w->kind == REEL_PACK_INT8 ? cw : NULL};
    run(&j, t->pack_turned_float, w->plain.dev, w->plain.ld, w->plain.ld);
}

void reel_cpu_linear_bwd_input(reel_backend *be, reel_view dx, reel_view dy, const reel_weight *w, bool accumulate)
{
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL || !reel_cpu_takes(c, "linear_bwd_input", dx, dy) || !reel_cpu_takes_float(c, "linear_bwd_input", w->plain, w->plain))
        return;
    const reel_cpu_type *t = reel_cpu_type_of_pack(w->kind);
    job j = {.c = c, .t = t, .m = dy.rows, .n = w->plain.cols, .k = w->plain.rows, .x = dy, .y = dx, .accumulate = accumulate};
    run(&j, t->pack_float, w->plain.dev, w->plain.ld, 1);
}

/* ---- weight gradients ---- */

/* dW = dY^T X: dY is turned by blocks of its columns into left operands, X is packed once for all. */
typedef struct gradient {
    reel_cpu *c;
    const reel_cpu_type *t;
    reel_view dw, dy, x;
    bool accumulate;
    size_t rows;                 /* of dW a block: what keeps the left operand in the second cache */
    size_t lda, ldc;             /* ldc 0: sums go straight into dW */
    size_t left_bytes, bytes;    /* a thread */
} gradient;

static void gradient_block(const gradient *g, size_t o, unsigned char *scratch, const void *panels)
{
    const reel_cpu *c = g->c;
    const reel_cpu_type *t = g->t;
    const size_t rows = reel_cpu_min(g->rows, g->dw.rows - o), m = g->x.rows, in = g->dw.cols;
    float *sums = (float *)(void *)(scratch + g->left_bytes), *dw = reel_cpu_row(g->dw, o);
    t->turn(c, scratch, g->lda, reel_cpu_at(t, g->dy.dev, o), g->dy.ld, m, rows);
    for (size_t r = 0; r < rows; r++)
        memset(reel_cpu_at(t, scratch, r * g->lda + m), 0, (g->lda - m) * t->size);
    if (g->ldc == 0) {
        reel_cpu_multiply(c, t, dw, g->dw.ld, scratch, g->lda, panels, rows, in, m, g->accumulate);
        return;
    }
    reel_cpu_multiply(c, t, sums, g->ldc, scratch, g->lda, panels, rows, in, m, false);
    for (size_t r = 0; r < rows; r++)
        if (g->accumulate)
            c->k.add_bias(dw + r * g->dw.ld, sums + r * g->ldc, in);
        else
            memcpy(dw + r * g->dw.ld, sums + r * g->ldc, in * sizeof *dw);
}

static void weight_gradient(reel_cpu *c, reel_view dw, reel_view dy, reel_view x, bool accumulate)
{
    enum { LEFT = 304 * 1024 };
    const reel_cpu_type *t = reel_cpu_type_of(x);
    const size_t m = x.rows, in = dw.cols, depth = t->depth(m), fit = t->rows(c, reel_cpu_min(ROWS, LEFT / (t->size * (depth + 1))));
    gradient g = {.c = c, .t = t, .dw = dw, .dy = dy, .x = x, .accumulate = accumulate, .rows = fit > 0 ? fit : 6, .lda = depth,
                  .ldc = in % 16 == 0 ? 0 : (in + 15) & ~(size_t)15};
    g.left_bytes = reel_cpu_round(g.rows * g.lda * t->size);
    g.bytes = g.left_bytes + reel_cpu_round(g.rows * g.ldc * sizeof(float));
    const size_t panels = reel_cpu_round(t->packed(m, in) * t->size);
    unsigned char *scratch = reel_cpu_scratch(c, panels + (size_t)c->threads * g.bytes);
    if (scratch == NULL || reel_cpu_running(&c->base) == NULL)
        return;
#pragma omp parallel num_threads(c->threads)
    {
#pragma omp for schedule(static)
        for (size_t i = 0; i < in; i += REEL_PANEL)
            t->pack(c, reel_cpu_at(t, scratch, i * depth), reel_cpu_at(t, x.dev, i), x.ld, m, reel_cpu_min(REEL_PANEL, in - i));
        unsigned char *mine = scratch + panels + (size_t)omp_get_thread_num() * g.bytes;
#pragma omp for schedule(static)
        for (size_t o = 0; o < dw.rows; o += g.rows)
            gradient_block(&g, o, mine, scratch);
    }
}

void reel_cpu_linear_bwd_weight(reel_backend *be, reel_view dw, float *db, reel_view dy, reel_view x, bool accumulate)
{
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL || !reel_cpu_takes_float(c, "linear_bwd_weight", dw, dw) || !reel_cpu_takes(c, "linear_bwd_weight", x, dy))
        return;
    if (x.dtype != dy.dtype) {
        reel_backend_fail(be, REEL_ERR_UNSUPPORTED, "linear_bwd_weight: dy and x are of different types");
        return;
    }
    weight_gradient(c, dw, dy, x, accumulate);
    if (db != NULL)
        reel_cpu_column_sums(c, db, dy, accumulate);
}
