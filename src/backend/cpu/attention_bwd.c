/* Attention backward; the probabilities are made again from the saved log of the sum of exponentials. For a block of keys the
 * queries come by in panels. S^T = K Q^T and dP^T = V dO^T are computed turned, for then P^T and dS^T are left operands of
 * dV = P^T dO and dK = dS^T Q as they leave the softmax, and only dS^T is packed, for dQ^T = K^T dS^T (Dao 2023, FlashAttention-2,
 * arXiv:2307.08691, has the order of loops). dV and dK of a block stay in the cache, dQ^T adds up. Threads share heads. */
#include <omp.h>

#include "backend/cpu/attention.h"

enum { KEYS = 240, QUERIES = REEL_PANEL };

typedef struct backward {
    const reel_cpu_type *t;
    reel_attention_shape p;
    reel_view dq, dk, dv, do_, o, q, k, v;
    const float *lse;
} backward;

/* A thread's memory. */
typedef struct room {
    size_t keys, query_blocks, ldq, ldk, ldd;
    void *k, *v, *kt;             /* a head's K and V by rows; K^T */
    void *q_turned, *do_turned;   /* right operands of S^T and dP^T: a panel a block of queries */
    void *q, *do_;                /* right operands of dK and dV: one a block of queries */
    void *ds;                     /* right operand of dQ^T */
    float *delta, *s, *dp, *dk, *dv, *dq;
} room;

/* Keys in even blocks of at most `most`, whole tiles of the product if that does not make them larger. */
static size_t block_of_keys(size_t keys, size_t most, size_t tile)
{
    const size_t blocks = (keys + most - 1) / most, even = ((keys + blocks - 1) / blocks + 1) & ~(size_t)1;
    const size_t whole = (even + tile - 1) / tile * tile;
    return whole <= most ? whole : even;
}

static size_t lay_out(const reel_cpu *c, const backward *g, room *m, unsigned char *scratch)
{
    const reel_cpu_type *t = g->t;
    const reel_attention_shape *p = &g->p;
    const size_t size = t->size, depth = t->depth(p->d), operand = t->packed(QUERIES, p->d);
    size_t at = 0;
    m->keys = block_of_keys(p->nk, t->rows(c, KEYS), t->rows(c, 32));
    m->query_blocks = (p->nq + QUERIES - 1) / QUERIES;
    m->ldq = m->query_blocks * QUERIES;
    m->ldk = t->depth(p->nk);
    m->ldd = (p->d + 15) & ~(size_t)15;
    m->k = reel_cpu_carve(scratch, &at, p->nk * depth * size);
    m->v = reel_cpu_carve(scratch, &at, p->nk * depth * size);
    m->kt = reel_cpu_carve(scratch, &at, p->d * m->ldk * size);
    m->q_turned = reel_cpu_carve(scratch, &at, t->packed(p->d, p->nq) * size);
    m->do_turned = reel_cpu_carve(scratch, &at, t->packed(p->d, p->nq) * size);
    m->q = reel_cpu_carve(scratch, &at, m->query_blocks * operand * size);
    m->do_ = reel_cpu_carve(scratch, &at, m->query_blocks * operand * size);
    m->ds = reel_cpu_carve(scratch, &at, t->packed(m->keys, QUERIES) * size);
    m->delta = reel_cpu_carve(scratch, &at, p->nq * sizeof(float));
    m->s = reel_cpu_carve(scratch, &at, m->keys * QUERIES * sizeof(float));
    m->dp = reel_cpu_carve(scratch, &at, m->keys * QUERIES * sizeof(float));
    m->dk = reel_cpu_carve(scratch, &at, m->keys * m->ldd * sizeof(float));
    m->dv = reel_cpu_carve(scratch, &at, m->keys * m->ldd * sizeof(float));
    m->dq = reel_cpu_carve(scratch, &at, p->d * m->ldq * sizeof(float));
    return at;
}

static void pack(const reel_cpu *c, const backward *g, size_t b, size_t h, const room *m)
{
    const reel_cpu_type *t = g->t;
    const reel_attention_shape *p = &g->p;
    const size_t operand = t->packed(QUERIES, p->d);
    char *q = reel_attention_head(g->q, b, p->nq, h, p->d, 0), *dy = reel_attention_head(g->do_, b, p->nq, h, p->d, 0);
    const void *k = reel_attention_head(g->k, b, p->nk, h, p->d, 0);
    reel_cpu_copy_rows(t, m->k, k, g->k.ld, p->nk, p->d);
    reel_cpu_copy_rows(t, m->v, reel_attention_head(g->v, b, p->nk, h, p->d, 0), g->v.ld, p->nk, p->d);
    t->turn(c, m->kt, m->ldk, k, g->k.ld, p->nk, p->d);
    for (size_t i = 0; m->ldk > p->nk && i < p->d; i++)  /* read as a pair */
        ((uint16_t *)m->kt)[i * m->ldk + p->nk] = 0;
    t->pack_turned(c, m->q_turned, q, g->q.ld, p->d, p->nq);
    t->pack_turned(c, m->do_turned, dy, g->do_.ld, p->d, p->nq);
    for (size_t i = 0; i < m->query_blocks; i++) {
        const size_t first = i * QUERIES, n = reel_cpu_min(QUERIES, p->nq - first);
        t->pack(c, reel_cpu_at(t, m->q, i * operand), q + first * g->q.ld * t->size, g->q.ld, n, p->d);
        t->pack(c, reel_cpu_at(t, m->do_, i * operand), dy + first * g->do_.ld * t->size, g->do_.ld, n, p->d);
    }
}

/* The sum over a row of P dP, which is dO . O. */
static void row_deltas(const reel_cpu *c, const backward *g, size_t b, size_t h, const room *m)
{
    enum { PART = 64 };
    const reel_attention_shape *p = &g->p;
    for (size_t r = 0; r < p->nq; r++) {
        double sum = 0, some;
        for (size_t i = 0; i < p->d; i += PART) {
            float x[PART], y[PART];
            const size_t n = reel_cpu_min(PART, p->d - i), col = h * p->d + i;
            c->k.dot(&some, reel_cpu_load(c, g->do_, b * p->nq + r, col, n, x), reel_cpu_load(c, g->o, b * p->nq + r, col, n, y), n);
            sum += some;
        }
        m->delta[r] = (float)sum;
    }
}

/* Keys [key, key + rows) with queries of block i. */
static void tile(const reel_cpu *c, const backward *g, const float *lse, size_t key, size_t rows, size_t i, const room *m)
{
    const reel_cpu_type *t = g->t;
    const size_t d = g->p.d, depth = t->depth(d), query = i * QUERIES, n = reel_cpu_min(QUERIES, g->p.nq - query);
    const size_t operand = t->packed(QUERIES, d), lds = QUERIES * (sizeof(float) / t->size), panel = depth * REEL_PANEL;
    t->block(c, m->s, QUERIES, reel_cpu_at(t, m->k, key * depth), depth, reel_cpu_at(t, m->q_turned, i * panel), rows, n, d,
             false);
    t->block(c, m->dp, QUERIES, reel_cpu_at(t, m->v, key * depth), depth, reel_cpu_at(t, m->do_turned, i * panel), rows, n,
             d, false);
    for (size_t r = 0; r < rows; r++)
        t->softmax_bwd(c, m->s + QUERIES * r, m->dp + QUERIES * r, n, g->p.scale, lse + query, m->delta + query);
    t->block(c, m->dv, m->ldd, m->s, lds, reel_cpu_at(t, m->do_, i * operand), rows, d, n, i > 0);
    t->block(c, m->dk, m->ldd, m->dp, lds, reel_cpu_at(t, m->q, i * operand), rows, d, n, i > 0);
    t->pack(c, m->ds, m->dp, lds, rows, n);
    t->block(c, m->dq + query, m->ldq, reel_cpu_at(t, m->kt, key), m->ldk, m->ds, d, n, rows, key > 0);
}

/* dQ from the sums of dQ^T, which are rounded in place, row by row from the first. */
static void write_dq(const reel_cpu *c, const backward *g, size_t b, size_t h, const room *m)
{
    const reel_attention_shape *p = &g->p;
    for (size_t i = 0; i < p->d; i++) {
        float *row = m->dq + i * m->ldq;
        c->k.scale(row, row, p->scale, p->nq);
        g->t->store(c, reel_cpu_at(g->t, m->dq, i * m->ldq), row, p->nq);
    }
    g->t->turn(c, reel_attention_head(g->dq, b, p->nq, h, p->d, 0), g->dq.ld, m->dq, m->ldq, p->d, p->nq);
}

static void head(const reel_cpu *c, const backward *g, size_t job, const room *m)
{
    const reel_attention_shape *p = &g->p;
    const size_t b = job / p->heads, h = job % p->heads;
    pack(c, g, b, h, m);
    row_deltas(c, g, b, h, m);
    for (size_t key = 0; key < p->nk; key += m->keys) {
        const size_t rows = reel_cpu_min(m->keys, p->nk - key);
        for (size_t i = 0; i < m->query_blocks; i++)
            tile(c, g, g->lse + job * p->nq, key, rows, i, m);
        for (size_t r = 0; r < rows; r++) {
            float *dk = m->dk + r * m->ldd;
            c->k.scale(dk, dk, p->scale, p->d);
            g->t->store(c, reel_attention_head(g->dk, b, p->nk, h, p->d, key + r), dk, p->d);
            g->t->store(c, reel_attention_head(g->dv, b, p->nk, h, p->d, key + r), m->dv + r * m->ldd, p->d);
        }
    }
    write_dq(c, g, b, h, m);
}

void reel_cpu_attention_bwd(reel_backend *be, reel_view dq, reel_view dk, reel_view dv, reel_view do_, reel_view o,
                            const float *lse, reel_view q, reel_view k, reel_view v, size_t batch, size_t heads, float scale)
{
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL || !reel_attention_takes(c, "attention_bwd", (reel_view[]){dq, dk, dv, do_, o, q, k, v}, 8) || q.rows == 0)
        return;
    const backward g = {reel_cpu_type_of(q), reel_attention_shape_of(q, k, batch, heads, scale), dq, dk, dv, do_, o, q, k, v, lse};
    room sizes;
    const size_t bytes = lay_out(c, &g, &sizes, NULL);
    unsigned char *scratch = reel_cpu_scratch(c, bytes * (size_t)c->threads);
    if (scratch == NULL || be->planning)
        return;
#pragma omp parallel num_threads(c->threads)
    {
        room mine;
        lay_out(c, &g, &mine, scratch + (size_t)omp_get_thread_num() * bytes);
#pragma omp for schedule(static)
        for (size_t job = 0; job < batch * heads; job++)
            head(c, &g, job, &mine);
    }
}
