/* Attention forward. K and V of a head are packed once; a block of query rows has all its scores in the second cache, so that the
 * maximum of a row is known before its exponentials and nothing is ever rescaled. Probabilities take the scores' place. The (Nq, Nk)
 * matrix is never there. Threads share the blocks of all heads; rows do not depend on each other, so neither do they on the shares. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "backend/cpu/attention.h"

/* What keeps a block of scores, K and V in a second cache of 1 MiB. */
enum { ROWS = 64, ROWS_F32 = 48 };

typedef struct forward {
    const reel_cpu_type *t;
    bool int8;          /* scores in whole numbers */
    reel_attention_shape p;
    reel_view o, q, k, v;
    float *lse;
} forward;

/* A thread's memory: packed K and V, rows of Q, scores, rows of the result. */
typedef struct room {
    void *k, *v, *q;
    float *s, *out;
    size_t lds, ldo, rows;
    /* int8: a group of keys by rows; their mean; a scale a panel of keys; what the sums begin with */
    int8_t *keys;
    float *mean, *scale;
    int32_t *start;
    /* and a group of values in pairs; a factor and a scale a column of V; a weight a row and group; a block's whole sums */
    uint16_t *pairs;
    float *factor, *weight;
    int32_t *whole;
    size_t groups;
} room;

static size_t lay_out(const reel_cpu *c, const forward *f, room *m, unsigned char *scratch)
{
    const reel_cpu_type *t = f->t;
    size_t at = 0;
    m->rows = t->rows(c, t->size == sizeof(float) ? ROWS_F32 : ROWS);
    m->lds = (f->p.nk + 15) & ~(size_t)15;
    m->ldo = (f->p.d + 15) & ~(size_t)15;
    if (m->lds % 256 == 0)
        m->lds += 16;  /* rows a power of two apart would fall into the same cache sets */
    m->k = reel_cpu_carve(scratch, &at, t->packed(f->p.d, f->p.nk) * t->size);
    m->groups = (f->p.nk + REEL_GROUP - 1) / REEL_GROUP;
    m->v = reel_cpu_carve(scratch, &at, f->int8 ? m->groups * reel_quads_size(REEL_GROUP, f->p.d) : t->packed(f->p.nk, f->p.d) * t->size);
    m->q = reel_cpu_carve(scratch, &at, ROWS * t->depth(f->p.d) * t->size);
    m->s = reel_cpu_carve(scratch, &at, ROWS * m->lds * sizeof(float));
    m->out = reel_cpu_carve(scratch, &at, ROWS * m->ldo * sizeof(float));
    if (f->int8) {
        m->keys = reel_cpu_carve(scratch, &at, REEL_PANEL * reel_cpu_fours(f->p.d));
        m->mean = reel_cpu_carve(scratch, &at, 2 * f->p.d * sizeof(float));
        m->scale = reel_cpu_carve(scratch, &at, reel_panel_columns(f->p.nk) / REEL_PANEL * sizeof(float));
        m->start = reel_cpu_carve(scratch, &at, reel_panel_columns(f->p.nk) * sizeof(int32_t));
        m->pairs = reel_cpu_carve(scratch, &at, REEL_GROUP / 2 * f->p.d * sizeof(uint16_t));
        m->factor = reel_cpu_carve(scratch, &at, 2 * f->p.d * sizeof(float));
        m->weight = reel_cpu_carve(scratch, &at, ROWS * m->groups * sizeof(float));
        m->whole = reel_cpu_carve(scratch, &at, ROWS * m->ldo * sizeof(int32_t));
    }
    return at;
}

/* K as whole numbers, a panel of keys after the other: in words of four they lie as bfloat16 does in words of two. */
static void pack_keys(const reel_cpu *c, const forward *f, const uint16_t *k, const room *m)
{
    const size_t d = f->p.d, nk = f->p.nk, half = reel_cpu_fours(d) / 2;
    float *row = m->mean + d;
    memset(m->mean, 0, d * sizeof(float));
    for (size_t r = 0; r < nk; r++) {
        c->low.from_bf16(row, k + r * f->k.ld, d);
        c->k.add_bias(m->mean, row, d);
    }
    c->k.scale(m->mean, m->mean, 1.0f / (float)nk, d);
    for (size_t key = 0; key < nk; key += REEL_PANEL) {
        const size_t rows = reel_cpu_min(REEL_PANEL, nk - key);
        c->low.quantise_keys(m->keys, &m->scale[key / REEL_PANEL], k + key * f->k.ld, f->k.ld, m->mean, rows, d);
        for (size_t r = 0; r < REEL_PANEL; r++) {
            int32_t sum = 0;
            for (size_t i = 0; r < rows && i < reel_cpu_fours(d); i++)
                sum += m->keys[r * reel_cpu_fours(d) + i];
            m->start[key + r] = -128 * sum;
        }
        c->low.pack_turned_bf16((uint16_t *)m->k + key * half, (const uint16_t *)(const void *)m->keys, half, half, rows);
    }
}

/* V as whole numbers with a scale a column, a right operand a group of keys. */
static void pack_values(const reel_cpu *c, const forward *f, const uint16_t *v, const room *m)
{
    const size_t d = f->p.d, nk = f->p.nk, operand = reel_quads_size(REEL_GROUP, d);
    float *most = m->factor, *scale = m->factor + d, *row = m->mean + d;
    memset(most, 0, d * sizeof *most);
    for (size_t r = 0; r < nk; r++) {
        c->low.from_bf16(row, v + r * f->v.ld, d);
        for (size_t i = 0; i < d; i++) {
            const float size = fabsf(row[i]);
            most[i] = size > most[i] ? size : most[i];
        }
    }
    for (size_t i = 0; i < d; i++) {
        scale[i] = most[i] / 127.0f;
        m->factor[i] = reel_quantise_factor(most[i]);
    }
    for (size_t g = 0; g < m->groups; g++) {
        const size_t first = g * REEL_GROUP, rows = reel_cpu_min(REEL_GROUP, nk - first);
        c->low.quantise_values(m->pairs, v + first * f->v.ld, f->v.ld, m->factor, rows, d);
        c->low.pack_bf16((uint16_t *)m->v + g * operand / 2, m->pairs, d, (rows + 1) / 2, d);
    }
}

/* Scores, probabilities and their products with V in whole numbers; m->out gets sums of p v that are to be divided by `sum`. */
static void rows_int8(const reel_cpu *c, const forward *f, size_t b, size_t h, size_t first, size_t rows, const room *m, float *sum)
{
    const size_t d = f->p.d, lda = reel_cpu_fours(d), nk = f->p.nk, operand = reel_quads_size(REEL_GROUP, d);
    uint8_t *q = m->q, *p = (uint8_t *)(void *)m->s;
    int32_t *s = (int32_t *)(void *)m->s;
    float scale[ROWS], *row = m->mean + d;
    for (size_t r = 0; r < rows; r++) {
        memset(q + r * lda, 128, lda);
        c->low.from_bf16(row, reel_attention_head(f->q, b, f->p.nq, h, d, first + r), d);
        c->low.quantise_row(q + r * lda, row, d, &scale[r]);
    }
    c->low.int8_block(s, m->lds, q, lda, m->k, m->start, rows, nk, d);
    for (size_t r = 0; r < rows; r++)
        c->low.softmax_int8(p + 4 * r * m->lds, m->weight + r * m->groups, s + r * m->lds, nk, reel_cpu_fours(nk), f->p.scale * scale[r], m->scale,
                            &sum[r]);
    memset(m->out, 0, rows * m->ldo * sizeof *m->out);
    for (size_t g = 0; g < m->groups; g++) {
        const size_t key = g * REEL_GROUP;
        c->low.int8_block(m->whole, m->ldo, p + key, 4 * m->lds, (const int8_t *)m->v + g * operand, NULL, rows, d,
                          reel_cpu_min(REEL_GROUP, nk - key));
        for (size_t r = 0; r < rows; r++)
            c->low.add_whole(m->out + r * m->ldo, m->whole + r * m->ldo, m->weight[r * m->groups + g], d);
    }
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < d; i++)
            m->out[r * m->ldo + i] *= m->factor[d + i];
}

static void scores(const reel_cpu *c, const forward *f, size_t job, size_t b, size_t h, size_t first, size_t rows, const room *m, float *sum)
{
    const reel_cpu_type *t = f->t;
    const reel_attention_shape *p = &f->p;
    float lse;
    reel_cpu_copy_rows(t, m->q, reel_attention_head(f->q, b, p->nq, h, p->d, first), f->q.ld, rows, p->d);
    t->block(c, m->s, m->lds, m->q, t->depth(p->d), m->k, rows, p->nk, p->d, false);
    for (size_t r = 0; r < rows; r++) {
        t->softmax(c, m->s + r * m->lds, p->nk, t->depth(p->nk), p->scale, &lse, &sum[r]);
        if (f->lse != NULL)
            f->lse[job * p->nq + first + r] = lse;
    }
}

static void block(const reel_cpu *c, const forward *f, size_t job, size_t first, size_t rows, const room *m)
{
    const reel_cpu_type *t = f->t;
    const reel_attention_shape *p = &f->p;
    const size_t b = job / p->heads, h = job % p->heads;
    float sum[ROWS];
    if (f->int8) {
        rows_int8(c, f, b, h, first, rows, m, sum);
    } else {
        scores(c, f, job, b, h, first, rows, m, sum);
    reel_cpu_multiply(c, t, m->out, m->ldo, m->s, m->lds * (sizeof(float) / t->size), m->v, rows, p->d, p->nk, false);
    }
    for (size_t r = 0; r < rows; r++) {
        float *out = m->out + r * m->ldo;
        c->k.scale(out, out, 1.0f / sum[r], p->d);
        t->store(c, reel_attention_head(f->o, b, p->nq, h, p->d, first + r), out, p->d);
    }
}

static void share(const reel_cpu *c, const forward *f, size_t slot, size_t slots, const room *m)
{
    const reel_attention_shape *p = &f->p;
    const size_t blocks = (p->nq + m->rows - 1) / m->rows, all = p->batch * p->heads * blocks, first = all * slot / slots;
    const size_t last = all * (slot + 1) / slots;
    for (size_t i = first; i < last; i++) {
        const size_t job = i / blocks, b = job / p->heads, h = job % p->heads, row = i % blocks * m->rows;
        if (i == first || row == 0) {
            if (f->int8) {
                pack_keys(c, f, reel_attention_head(f->k, b, p->nk, h, p->d, 0), m);
                pack_values(c, f, reel_attention_head(f->v, b, p->nk, h, p->d, 0), m);
                block(c, f, job, row, reel_cpu_min(m->rows, p->nq - row), m);
                continue;
            }
            f->t->pack_turned(c, m->k, reel_attention_head(f->k, b, p->nk, h, p->d, 0), f->k.ld, p->d, p->nk);
            f->t->pack(c, m->v, reel_attention_head(f->v, b, p->nk, h, p->d, 0), f->v.ld, p->nk, p->d);
        }
        block(c, f, job, row, reel_cpu_min(m->rows, p->nq - row), m);
    }
}

bool reel_attention_takes(reel_cpu *c, const char *op, const reel_view *views, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!reel_cpu_takes(c, op, views[i], views[i]))
            return false;
        if (views[i].dtype != views[0].dtype) {
            reel_backend_fail(&c->base, REEL_ERR_UNSUPPORTED, "%s: the operands are of different types", op);
            return false;
        }
    }
    return true;
}

static void run(reel_cpu *c, const forward *f)
{
    room sizes;
    const size_t bytes = lay_out(c, f, &sizes, NULL);
    unsigned char *scratch = reel_cpu_scratch(c, bytes * (size_t)c->threads);
    if (scratch == NULL || c->base.planning)
        return;
#pragma omp parallel num_threads(c->threads)
    {
        const size_t slot = (size_t)omp_get_thread_num();
        room mine;
        lay_out(c, f, &mine, scratch + slot * bytes);
        share(c, f, slot, (size_t)omp_get_num_threads(), &mine);
    }
}

void reel_cpu_attention_fwd(reel_backend *be, reel_view o, float *lse, reel_view q, reel_view k, reel_view v, size_t batch,
                            size_t heads, float scale)
{
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL || !reel_attention_takes(c, "attention_fwd", (reel_view[]){o, q, k, v}, 4) || q.rows == 0)
        return;
    const forward f = {.t = reel_cpu_type_of(q), .p = reel_attention_shape_of(q, k, batch, heads, scale), .o = o, .q = q, .k = k, .v = v,
                       .lse = lse};
    run(c, &f);
}

void reel_cpu_attention_int8(reel_backend *be, reel_view o, reel_view q, reel_view k, reel_view v, size_t batch, size_t heads,
                             float scale)
{
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL || !reel_attention_takes(c, "attention_int8", (reel_view[]){o, q, k, v}, 4) || q.rows == 0)
        return;
    if (q.dtype != REEL_BF16) {
        reel_backend_fail(be, REEL_ERR_UNSUPPORTED, "attention_int8: views must be BF16");
        return;
    }
    const forward f = {.t = &reel_cpu_bf16, .int8 = true, .p = reel_attention_shape_of(q, k, batch, heads, scale), .o = o, .q = q, .k = k,
                       .v = v};
    run(c, &f);
}
