/* The linear layer in bfloat16 and int8, on the blocks of kernels/low.h. Each thread takes a range of rows and goes through it in
 * blocks whose sums stay in the second cache until bias, activation, residual and rounding are done: nothing of float32 size
 * is written to memory that is not an operand. Blocks of 96 rows run at the rate of the whole product (bench/limit).
 *
 * A row's sums do not depend on the cut into blocks, nor on the number of threads. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "backend/cpu/cpu.h"
#include "base/mem.h"

enum { ROWS = 96, GROUP = 4 * REEL_PANEL, CHUNK = 256 };

/* What reel_weight.packed points to (kinds BF16 and INT8): W^T as a right operand. */
typedef struct low_weight {
    uint16_t *half;
    int8_t *whole;
    float *column;    /* INT8: scale of each row of W */
    int32_t *shift;   /* 128 times the row's sum: x is stored around 128 */
} low_weight;

static size_t even(size_t n) { return (n + 1) & ~(size_t)1; }
static size_t fours(size_t n) { return (n + 3) & ~(size_t)3; }
static size_t wide(size_t n) { return (n + 15) & ~(size_t)15; }

/* ---- packing ---- */

/* A panel of W^T from rows [j, j + n) of float32 W (O, I). */
static void pack_rows(const reel_cpu *c, uint16_t *panel, const float *w, size_t ld, size_t n, size_t in)
{
    uint16_t part[REEL_PANEL * CHUNK];
    for (size_t i = 0; i < in; i += CHUNK) {
        const size_t k = reel_cpu_min(CHUNK, in - i);
        for (size_t r = 0; r < n; r++)
            c->low.to_bf16(part + r * CHUNK, w + r * ld + i, k);
        c->low.pack_turned_bf16(panel + i * REEL_PANEL, part, CHUNK, k, n);
    }
}

/* A panel of W from columns [j, j + n) of float32 W (O, I). */
static void pack_columns(const reel_cpu *c, uint16_t *panel, const float *w, size_t ld, size_t n, size_t out)
{
    uint16_t part[REEL_PANEL * CHUNK];
    for (size_t i = 0; i < out; i += CHUNK) {
        const size_t k = reel_cpu_min(CHUNK, out - i);
        for (size_t r = 0; r < k; r++)
            c->low.to_bf16(part + r * REEL_PANEL, w + (i + r) * ld, n);
        c->low.pack_bf16(panel + i * REEL_PANEL, part, REEL_PANEL, k, n);
    }
}

static void load_bf16(reel_cpu *c, low_weight *lw, reel_view plain, const unsigned char *numbers, reel_dtype type)
{
    const size_t out = plain.rows, in = plain.cols, size = reel_dtype_size(type), depth = even(in);
    float *rows = reel_cpu_scratch(c, (size_t)c->threads * REEL_PANEL * in * sizeof *rows);
    if (rows == NULL)
        return;
#pragma omp parallel for num_threads(c->threads) schedule(static)
    for (size_t j = 0; j < out; j += REEL_PANEL) {
        const size_t n = reel_cpu_min(REEL_PANEL, out - j);
        const unsigned char *from = numbers + j * in * size;
        uint16_t *panel = lw->half + j * depth;
        if (type == REEL_BF16 && (uintptr_t)from % 2 == 0) {
            c->low.pack_turned_bf16(panel, (const uint16_t *)(const void *)from, in, in, n);
            continue;
        }
        float *mine = rows + (size_t)omp_get_thread_num() * REEL_PANEL * in;
        reel_dtype_to_float(mine, from, type, n * in);
        pack_rows(c, panel, mine, in, n, in);
    }
}

/* Symmetric, a scale a row: w = scale q, q from -127 to 127, to the nearest. */
static void load_int8(reel_cpu *c, low_weight *lw, reel_view plain, const unsigned char *numbers, reel_dtype type)
{
    const size_t out = plain.rows, in = plain.cols, size = reel_dtype_size(type);
    float *rows = reel_cpu_scratch(c, (size_t)c->threads * in * (sizeof *rows + 1));
    if (rows == NULL)
        return;
    memset(lw->whole, 0, reel_quads_size(in, out));
#pragma omp parallel for num_threads(c->threads) schedule(static)
    for (size_t j = 0; j < out; j++) {
        float *row = rows + (size_t)omp_get_thread_num() * in, most = 0;
        int8_t *q = (int8_t *)(rows + (size_t)c->threads * in) + (size_t)omp_get_thread_num() * in;
        int32_t sum = 0;
        reel_dtype_to_float(row, numbers + j * in * size, type, in);
        for (size_t i = 0; i < in; i++)
            most = fabsf(row[i]) > most ? fabsf(row[i]) : most;
        const float factor = most > 0 ? 127.0f / most : 0.0f;
        for (size_t i = 0; i < in; i++) {
            q[i] = (int8_t)nearbyintf(row[i] * factor);
            sum += q[i];
        }
        reel_pack_int8_row(lw->whole, q, j, in);
        lw->column[j] = most / 127.0f;
        lw->shift[j] = 128 * sum;
    }
}

void reel_cpu_low_unpack(void *packed)
{
    low_weight *lw = packed;
    if (lw == NULL)
        return;
    reel_free(lw->half);
    reel_free(lw->whole);
    reel_free(lw->column);
    reel_free(lw->shift);
    reel_free(lw);
}

static low_weight *low_weight_new(const reel_weight *w)
{
    low_weight *lw = reel_calloc(1, sizeof *lw);
    const size_t out = w->plain.rows, in = w->plain.cols;
    if (lw == NULL)
        return NULL;
    if (w->kind == REEL_PACK_BF16) {
        lw->half = reel_alloc_aligned(reel_panels_size(in, out), sizeof *lw->half);
    } else {
        lw->whole = reel_alloc_aligned(reel_quads_size(in, out), 1);
        lw->column = reel_calloc(out, sizeof *lw->column);
        lw->shift = reel_calloc(out, sizeof *lw->shift);
    }
    if (w->kind == REEL_PACK_BF16 ? lw->half == NULL : lw->whole == NULL || lw->column == NULL || lw->shift == NULL) {
        reel_cpu_low_unpack(lw);
        return NULL;
    }
    return lw;
}

void *reel_cpu_low_pack(reel_cpu *c, const reel_weight *w, const void *numbers, reel_dtype type)
{
    low_weight *lw = w->packed != NULL ? w->packed : low_weight_new(w);
    if (lw == NULL) {
        reel_backend_fail(&c->base, REEL_ERR_NOMEM, "out of memory: packed weight (%zu, %zu)", w->plain.rows, w->plain.cols);
        return NULL;
    }
    if (w->kind == REEL_PACK_BF16)
        load_bf16(c, lw, w->plain, numbers, type);
    else
        load_int8(c, lw, w->plain, numbers, type);
    return lw;
}

/* ---- a product by rows ---- */

typedef struct job {
    reel_cpu *c;
    size_t m, n, k;
    reel_view x;
    const uint16_t *half;        /* the right operand, one of these two */
    const low_weight *quantised;
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
    return j->quantised == NULL && j->x.dtype == REEL_BF16 && j->k % 2 == 0;
}

static void plan_scratch(job *j)
{
    j->acc_bytes = reel_cpu_round(ROWS * GROUP * sizeof(float));
    j->left_bytes = j->quantised != NULL ? reel_cpu_round(ROWS * (fours(j->k) + sizeof(float)))
                    : in_place(j)        ? 0
                                         : reel_cpu_round(ROWS * even(j->k) * sizeof(uint16_t));
    j->row_bytes = reel_cpu_round((j->k + 1) * sizeof(float));
    j->bytes = j->acc_bytes + j->left_bytes + j->row_bytes;
}

/* Sums of row r, columns [col, col + n), on their way to y. sums may be overwritten. */
static void finish(const job *j, float *sums, size_t r, size_t col, size_t n)
{
    const reel_cpu *c = j->c;
    float other[GROUP];
    if (j->bias != NULL)
        c->k.add_bias(sums, j->bias + col, n);
    if (reel_cpu_given(c, j->pre)) {
        if (j->pre.dtype == REEL_F32)
            memcpy(reel_cpu_row(j->pre, r) + col, sums, n * sizeof *sums);
        reel_cpu_store(c, j->pre, r, col, n, sums);
    }
    if (j->act != REEL_ACT_NONE)
        c->k.act_fwd(sums, sums, n, (int)j->act);
    if (reel_cpu_given(c, j->residual))
        c->k.add_bias(sums, reel_cpu_load(c, j->residual, r, col, n, other), n);
    if (j->accumulate)
        c->k.add_bias(sums, reel_cpu_load(c, j->y, r, col, n, other), n);
    if (j->y.dtype == REEL_F32)
        memcpy(reel_cpu_row(j->y, r) + col, sums, n * sizeof *sums);
    reel_cpu_store(c, j->y, r, col, n, sums);
}

static void block_bf16(const job *j, size_t first, size_t rows, float *acc, uint16_t *left, float *row)
{
    const reel_low_kernels *low = &j->c->low;
    const uint16_t *a = in_place(j) ? reel_cpu_half_row(j->x, first) : left;
    const size_t lda = in_place(j) ? j->x.ld : even(j->k);
    for (size_t r = 0; r < rows && !in_place(j); r++) {
        left[r * lda + lda - 1] = 0;
        low->to_bf16(left + r * lda, reel_cpu_load(j->c, j->x, first + r, 0, j->k, row), j->k);
    }
    for (size_t col = 0; col < j->n; col += GROUP) {
        const size_t n = reel_cpu_min(GROUP, j->n - col);
        low->bf16_block(acc, GROUP, a, lda, j->half + col * even(j->k), rows, n, j->k, false);
        for (size_t r = 0; r < rows; r++)
            finish(j, acc + r * GROUP, first + r, col, n);
    }
}

static void block_int8(const job *j, size_t first, size_t rows, float *acc, uint8_t *left, float *row)
{
    const reel_low_kernels *low = &j->c->low;
    const size_t lda = fours(j->k);
    const low_weight *w = j->quantised;
    float *scale = (float *)(void *)(left + ROWS * lda);
    int32_t *whole = (int32_t *)(void *)acc;
    for (size_t r = 0; r < rows; r++)
        low->quantise_row(left + r * lda, reel_cpu_load(j->c, j->x, first + r, 0, j->k, row), j->k, &scale[r]);
    for (size_t col = 0; col < j->n; col += GROUP) {
        const size_t n = reel_cpu_min(GROUP, j->n - col);
        low->int8_block(whole, GROUP, left, lda, w->whole + col * lda, rows, n, j->k);
        for (size_t r = 0; r < rows; r++) {
            float sums[GROUP];
            low->dequantise_row(sums, whole + r * GROUP, n, scale[r], w->column + col, w->shift + col, NULL);
            finish(j, sums, first + r, col, n);
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
            block_bf16(j, first, rows, acc, (uint16_t *)(void *)left, row);
    }
}

typedef void (*pack_fn)(const reel_cpu *c, uint16_t *panel, const float *w, size_t ld, size_t n, size_t k);

/* Runs a job; where its right operand is not there yet, it is packed first from w, `step` apart a column of the operand. */
static void run(job *j, pack_fn pack, const float *w, size_t ld, size_t step)
{
    reel_cpu *c = j->c;
    plan_scratch(j);
    const bool packs = j->half == NULL && j->quantised == NULL;
    const size_t panels = packs ? reel_cpu_round(reel_panels_size(j->k, j->n) * sizeof(uint16_t)) : 0;
    unsigned char *scratch = reel_cpu_scratch(c, panels + (size_t)c->threads * j->bytes);
    if (scratch == NULL || reel_cpu_running(&c->base) == NULL)
        return;
    uint16_t *half = (uint16_t *)(void *)scratch;
    if (packs)
        j->half = half;
#pragma omp parallel num_threads(c->threads)
    {
        if (packs) {
#pragma omp for schedule(static)
            for (size_t n = 0; n < j->n; n += REEL_PANEL)
                pack(c, half + n * even(j->k), w + n * step, ld, reel_cpu_min(REEL_PANEL, j->n - n), j->k);
        }
        const size_t thread = (size_t)omp_get_thread_num();
        share(j, scratch + panels + thread * j->bytes, thread, (size_t)omp_get_num_threads());
    }
}

void reel_cpu_low_fwd(reel_cpu *c, reel_view y, reel_view pre, reel_view x, const reel_weight *w, const float *bias, reel_act act,
                      reel_view residual)
{
    const low_weight *lw = w->packed;
    job j = {.c = c, .m = x.rows, .n = w->plain.rows, .k = w->plain.cols, .x = x, .y = y, .pre = pre, .residual = residual,
             .bias = bias, .act = act};
    if (lw != NULL && w->kind == REEL_PACK_INT8)
        j.quantised = lw;
    else if (lw != NULL)
        j.half = lw->half;
    run(&j, pack_rows, w->plain.dev, w->plain.ld, w->plain.ld);
}

void reel_cpu_low_bwd_input(reel_cpu *c, reel_view dx, reel_view dy, const reel_weight *w, bool accumulate)
{
    job j = {.c = c, .m = dy.rows, .n = w->plain.cols, .k = w->plain.rows, .x = dy, .y = dx, .accumulate = accumulate};
    run(&j, pack_columns, w->plain.dev, w->plain.ld, 1);
}

/* ---- weight gradients ---- */

/* dW = dY^T X: dY is turned by blocks of its columns into left operands, X is packed once for all. */
typedef struct gradient {
    reel_cpu *c;
    reel_view dw, dy, x;
    bool accumulate;
    size_t rows;                 /* of dW a block: what keeps the left operand in the second cache */
    size_t lda, ldc;             /* ldc 0: sums go straight into dW */
    size_t left_bytes, bytes;    /* a thread */
} gradient;

static void gradient_block(const gradient *g, size_t o, unsigned char *scratch, const uint16_t *panels)
{
    const reel_cpu *c = g->c;
    const size_t rows = reel_cpu_min(g->rows, g->dw.rows - o), m = g->x.rows, in = g->dw.cols;
    uint16_t *left = (uint16_t *)(void *)scratch;
    float *sums = (float *)(void *)(scratch + g->left_bytes), *dw = reel_cpu_row(g->dw, o);
    c->low.turn_bf16(left, g->lda, reel_cpu_half_row(g->dy, 0) + o, g->dy.ld, m, rows);
    for (size_t r = 0; r < rows && m % 2 != 0; r++)
        left[r * g->lda + m] = 0;
    if (g->ldc == 0) {
        c->low.bf16_block(dw, g->dw.ld, left, g->lda, panels, rows, in, m, g->accumulate);
        return;
    }
    c->low.bf16_block(sums, g->ldc, left, g->lda, panels, rows, in, m, false);
    for (size_t r = 0; r < rows; r++)
        if (g->accumulate)
            c->k.add_bias(dw + r * g->dw.ld, sums + r * g->ldc, in);
        else
            memcpy(dw + r * g->dw.ld, sums + r * g->ldc, in * sizeof *dw);
}

void reel_cpu_low_bwd_weight(reel_cpu *c, reel_view dw, reel_view dy, reel_view x, bool accumulate)
{
    enum { LEFT = 304 * 1024, SMALLEST = 12, LARGEST = 96 };
    const size_t m = x.rows, in = dw.cols, depth = even(m);
    gradient g = {.c = c, .dw = dw, .dy = dy, .x = x, .accumulate = accumulate, .lda = depth, .ldc = in % 16 == 0 ? 0 : wide(in)};
    const size_t fit = LEFT / (2 * depth + 1) / c->low.tile_rows * c->low.tile_rows;
    g.rows = fit < SMALLEST ? SMALLEST : fit > LARGEST ? LARGEST : fit;
    g.left_bytes = reel_cpu_round(g.rows * g.lda * sizeof(uint16_t));
    g.bytes = g.left_bytes + reel_cpu_round(g.rows * g.ldc * sizeof(float));
    const size_t panels = reel_cpu_round(reel_panels_size(m, in) * sizeof(uint16_t));
    unsigned char *scratch = reel_cpu_scratch(c, panels + (size_t)c->threads * g.bytes);
    if (scratch == NULL || reel_cpu_running(&c->base) == NULL)
        return;
    uint16_t *half = (uint16_t *)(void *)scratch;
#pragma omp parallel num_threads(c->threads)
    {
#pragma omp for schedule(static)
        for (size_t i = 0; i < in; i += REEL_PANEL)
            c->low.pack_bf16(half + i * depth, reel_cpu_half_row(x, 0) + i, x.ld, m, reel_cpu_min(REEL_PANEL, in - i));
        unsigned char *mine = scratch + panels + (size_t)omp_get_thread_num() * g.bytes;
#pragma omp for schedule(static)
        for (size_t o = 0; o < dw.rows; o += g.rows)
            gradient_block(&g, o, mine, half);
    }
}
