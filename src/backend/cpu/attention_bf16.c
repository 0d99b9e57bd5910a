/* Attention over bfloat16, on the blocks of kernels/low.h; sums, softmax and its log of the sum are float32.
 *
 * Forward: K and V of a head are packed once; a block of query rows has all its scores in the second cache, so that the maximum
 * of a row is known before its exponentials, and nothing is ever rescaled. Probabilities are rounded in the scores' own place.
 *
 * Backward: for a block of keys the queries come by in panels. S^T = K Q^T and dP^T = V dO^T are computed turned, for then P^T and
 * dS^T are left operands of dV = P^T dO and dK = dS^T Q as they leave the softmax, and only dS^T is packed, for dQ^T = K^T dS^T
 * (Dao 2023, FlashAttention-2, arXiv:2307.08691, has the order of loops). dV and dK of a block stay in the cache, dQ^T adds up. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "backend/cpu/cpu.h"

enum { ROWS = 48, KEYS = 240, QUERIES = REEL_PANEL };

typedef struct shape { size_t batch, heads, nq, nk, d; float scale; } shape;

static size_t even(size_t n) { return (n + 1) & ~(size_t)1; }
static size_t wide(size_t n) { return (n + 15) & ~(size_t)15; }

static shape shape_of(reel_view q, reel_view k, size_t batch, size_t heads, float scale)
{
    return (shape){batch, heads, q.rows / batch, k.rows / batch, q.cols / heads, scale};
}

/* Columns of head h, from row r of clip b on. */
static uint16_t *head_of(reel_view v, size_t b, size_t n, size_t h, size_t d, size_t r)
{
    return reel_cpu_half_row(v, b * n + r) + h * d;
}

/* Rows of a head side by side, an odd width filled up with zeros. */
static void copy_rows(uint16_t *to, const uint16_t *from, size_t ld, size_t rows, size_t d)
{
    for (size_t r = 0; r < rows; r++) {
        to[r * even(d) + even(d) - 1] = 0;
        memcpy(to + r * even(d), from + r * ld, d * sizeof *to);
    }
}

/* Cuts `bytes` off the scratch, which is NULL while its size is being found. */
static void *cut(unsigned char *scratch, size_t *at, size_t bytes)
{
    void *p = scratch != NULL ? scratch + *at : NULL;
    *at += reel_cpu_round(bytes);
    return p;
}

/* ---- forward ---- */

typedef struct fwd_room { uint16_t *k, *v, *q; float *s, *out; size_t lds; } fwd_room;

static size_t fwd_lay_out(const shape *p, fwd_room *room, unsigned char *scratch)
{
    size_t at = 0;
    room->lds = wide(p->nk);
    if (room->lds % 256 == 0)
        room->lds += 16;  /* rows a power of two apart would fall into the same cache sets */
    room->k = cut(scratch, &at, reel_panels_size(p->d, p->nk) * sizeof(uint16_t));
    room->v = cut(scratch, &at, reel_panels_size(p->nk, p->d) * sizeof(uint16_t));
    room->q = cut(scratch, &at, ROWS * even(p->d) * sizeof(uint16_t));
    room->s = cut(scratch, &at, ROWS * room->lds * sizeof(float));
    room->out = cut(scratch, &at, ROWS * wide(p->d) * sizeof(float));
    return at;
}

typedef struct forward { reel_view o, q, k, v; float *lse; } forward;

static void fwd_block(const reel_cpu *c, const shape *p, const forward *f, size_t job, size_t first, size_t rows, const fwd_room *m)
{
    const size_t b = job / p->heads, h = job % p->heads, d = p->d;
    copy_rows(m->q, head_of(f->q, b, p->nq, h, d, first), f->q.ld, rows, d);
    c->low.bf16_block(m->s, m->lds, m->q, even(d), m->k, rows, p->nk, d, false);
    float sum[ROWS];
    for (size_t r = 0; r < rows; r++) {
        float *s = m->s + r * m->lds, top;
        c->low.softmax_bf16((uint16_t *)(void *)s, s, p->nk, even(p->nk), p->scale, &top, &sum[r]);
        if (f->lse != NULL)
            f->lse[job * p->nq + first + r] = p->scale * top + logf(sum[r]);
    }
    c->low.bf16_block(m->out, wide(d), (const uint16_t *)(const void *)m->s, 2 * m->lds, m->v, rows, d, p->nk, false);
    for (size_t r = 0; r < rows; r++) {
        float *out = m->out + r * wide(d);
        c->k.scale(out, out, 1.0f / sum[r], d);
        c->low.to_bf16(head_of(f->o, b, p->nq, h, d, first + r), out, d);
    }
}

/* A thread's share of all blocks of all heads. */
static void fwd_share(const reel_cpu *c, const shape *p, const forward *f, size_t slot, size_t slots, const fwd_room *m)
{
    const size_t blocks = (p->nq + ROWS - 1) / ROWS, all = p->batch * p->heads * blocks, first = all * slot / slots;
    const size_t last = all * (slot + 1) / slots;
    for (size_t i = first; i < last; i++) {
        const size_t job = i / blocks, b = job / p->heads, h = job % p->heads, row = i % blocks * ROWS;
        if (i == first || row == 0) {
            c->low.pack_turned_bf16(m->k, head_of(f->k, b, p->nk, h, p->d, 0), f->k.ld, p->d, p->nk);
            c->low.pack_bf16(m->v, head_of(f->v, b, p->nk, h, p->d, 0), f->v.ld, p->nk, p->d);
        }
        fwd_block(c, p, f, job, row, reel_cpu_min(ROWS, p->nq - row), m);
    }
}

void reel_cpu_attention_bf16_fwd(reel_cpu *c, reel_view o, float *lse, reel_view q, reel_view k, reel_view v, size_t batch,
                                 size_t heads, float scale)
{
    const shape p = shape_of(q, k, batch, heads, scale);
    const forward f = {o, q, k, v, lse};
    fwd_room room;
    const size_t bytes = fwd_lay_out(&p, &room, NULL);
    unsigned char *scratch = reel_cpu_scratch(c, bytes * (size_t)c->threads);
    if (scratch == NULL || reel_cpu_running(&c->base) == NULL)
        return;
#pragma omp parallel num_threads(c->threads)
    {
        const size_t slot = (size_t)omp_get_thread_num();
        fwd_room mine;
        fwd_lay_out(&p, &mine, scratch + slot * bytes);
        fwd_share(c, &p, &f, slot, (size_t)omp_get_num_threads(), &mine);
    }
}

/* ---- backward ---- */

typedef struct bwd_room {
    size_t keys, key_blocks, query_blocks, ldq;
    uint16_t *k, *v, *kt;             /* a head's K and V by rows; K^T */
    uint16_t *q_turned, *do_turned;   /* right operands of S^T and dP^T: a panel a block of queries */
    uint16_t *q, *do_;                /* right operands of dK and dV: likewise */
    uint16_t *ds;                     /* right operand of dQ^T */
    float *delta, *s, *dp, *dk, *dv, *dq;
} bwd_room;

static size_t bwd_lay_out(const shape *p, bwd_room *m, unsigned char *scratch)
{
    size_t at = 0;
    const size_t half = sizeof(uint16_t);
    m->key_blocks = (p->nk + KEYS - 1) / KEYS;
    m->keys = even((p->nk + m->key_blocks - 1) / m->key_blocks);
    m->query_blocks = (p->nq + QUERIES - 1) / QUERIES;
    m->ldq = m->query_blocks * QUERIES;
    m->k = cut(scratch, &at, p->nk * even(p->d) * half);
    m->v = cut(scratch, &at, p->nk * even(p->d) * half);
    m->kt = cut(scratch, &at, p->d * even(p->nk) * half);
    m->q_turned = cut(scratch, &at, reel_panels_size(p->d, p->nq) * half);
    m->do_turned = cut(scratch, &at, reel_panels_size(p->d, p->nq) * half);
    m->q = cut(scratch, &at, m->query_blocks * reel_panels_size(QUERIES, p->d) * half);
    m->do_ = cut(scratch, &at, m->query_blocks * reel_panels_size(QUERIES, p->d) * half);
    m->ds = cut(scratch, &at, reel_panels_size(m->keys, QUERIES) * half);
    m->delta = cut(scratch, &at, p->nq * sizeof(float));
    m->s = cut(scratch, &at, m->keys * QUERIES * sizeof(float));
    m->dp = cut(scratch, &at, m->keys * QUERIES * sizeof(float));
    m->dk = cut(scratch, &at, m->keys * wide(p->d) * sizeof(float));
    m->dv = cut(scratch, &at, m->keys * wide(p->d) * sizeof(float));
    m->dq = cut(scratch, &at, p->d * m->ldq * sizeof(float));
    return at;
}

typedef struct backward { reel_view dq, dk, dv, do_, o, q, k, v; const float *lse; } backward;

static void bwd_pack(const reel_cpu *c, const shape *p, const backward *g, size_t b, size_t h, const bwd_room *m)
{
    const size_t d = p->d, panel = reel_panels_size(QUERIES, d);
    const uint16_t *q = head_of(g->q, b, p->nq, h, d, 0), *dy = head_of(g->do_, b, p->nq, h, d, 0);
    const uint16_t *k = head_of(g->k, b, p->nk, h, d, 0);
    copy_rows(m->k, k, g->k.ld, p->nk, d);
    copy_rows(m->v, head_of(g->v, b, p->nk, h, d, 0), g->v.ld, p->nk, d);
    if (p->nk % 2 != 0)
        for (size_t i = 0; i < d; i++)
            m->kt[i * even(p->nk) + p->nk] = 0;
    c->low.turn_bf16(m->kt, even(p->nk), k, g->k.ld, p->nk, d);
    c->low.pack_turned_bf16(m->q_turned, q, g->q.ld, d, p->nq);
    c->low.pack_turned_bf16(m->do_turned, dy, g->do_.ld, d, p->nq);
    for (size_t i = 0; i < m->query_blocks; i++) {
        const size_t first = i * QUERIES, n = reel_cpu_min(QUERIES, p->nq - first);
        c->low.pack_bf16(m->q + i * panel, q + first * g->q.ld, g->q.ld, n, d);
        c->low.pack_bf16(m->do_ + i * panel, dy + first * g->do_.ld, g->do_.ld, n, d);
    }
}

/* The sum over a row of P dP, which is dO . O. */
static void bwd_delta(const reel_cpu *c, const shape *p, const backward *g, size_t b, size_t h, const bwd_room *m)
{
    enum { PART = 64 };
    for (size_t r = 0; r < p->nq; r++) {
        const uint16_t *dy = head_of(g->do_, b, p->nq, h, p->d, r), *o = head_of(g->o, b, p->nq, h, p->d, r);
        double sum = 0, some;
        for (size_t i = 0; i < p->d; i += PART) {
            float x[PART], y[PART];
            const size_t n = reel_cpu_min(PART, p->d - i);
            c->low.from_bf16(x, dy + i, n);
            c->low.from_bf16(y, o + i, n);
            c->k.dot(&some, x, y, n);
            sum += some;
        }
        m->delta[r] = (float)sum;
    }
}

/* Keys [key, key + rows) with queries of block i. */
static void bwd_tile(const reel_cpu *c, const shape *p, const float *lse, size_t key, size_t rows, size_t i, const bwd_room *m)
{
    const size_t d = p->d, query = i * QUERIES, n = reel_cpu_min(QUERIES, p->nq - query), panel = even(d) * REEL_PANEL;
    const size_t operand = reel_panels_size(QUERIES, d);
    uint16_t *pt = (uint16_t *)(void *)m->s, *dst = (uint16_t *)(void *)m->dp;
    c->low.bf16_block(m->s, QUERIES, m->k + key * even(d), even(d), m->q_turned + i * panel, rows, n, d, false);
    c->low.bf16_block(m->dp, QUERIES, m->v + key * even(d), even(d), m->do_turned + i * panel, rows, n, d, false);
    for (size_t r = 0; r < rows; r++) {
        uint16_t *pr = pt + 2 * QUERIES * r, *dr = dst + 2 * QUERIES * r;
        c->low.softmax_bwd_bf16(pr, dr, m->s + QUERIES * r, m->dp + QUERIES * r, n, p->scale, lse + query, m->delta + query);
        if (n % 2 != 0)
            pr[n] = dr[n] = 0;
    }
    c->low.bf16_block(m->dv, wide(d), pt, 2 * QUERIES, m->do_ + i * operand, rows, d, n, i > 0);
    c->low.bf16_block(m->dk, wide(d), dst, 2 * QUERIES, m->q + i * operand, rows, d, n, i > 0);
    c->low.pack_bf16(m->ds, dst, 2 * QUERIES, rows, n);
    c->low.bf16_block(m->dq + query, m->ldq, m->kt + key, even(p->nk), m->ds, d, n, rows, key > 0);
}

static void bwd_head(const reel_cpu *c, const shape *p, const backward *g, size_t job, const bwd_room *m)
{
    const size_t b = job / p->heads, h = job % p->heads, d = p->d;
    bwd_pack(c, p, g, b, h, m);
    bwd_delta(c, p, g, b, h, m);
    for (size_t key = 0; key < p->nk; key += m->keys) {
        const size_t rows = reel_cpu_min(m->keys, p->nk - key);
        for (size_t i = 0; i < m->query_blocks; i++)
            bwd_tile(c, p, g->lse + job * p->nq, key, rows, i, m);
        for (size_t r = 0; r < rows; r++) {
            float *dk = m->dk + r * wide(d);
            c->k.scale(dk, dk, p->scale, d);
            c->low.to_bf16(head_of(g->dk, b, p->nk, h, d, key + r), dk, d);
            c->low.to_bf16(head_of(g->dv, b, p->nk, h, d, key + r), m->dv + r * wide(d), d);
        }
    }
    uint16_t *turned = (uint16_t *)(void *)m->dq;  /* rounded in place, row by row from the first */
    for (size_t i = 0; i < d; i++) {
        c->k.scale(m->dq + i * m->ldq, m->dq + i * m->ldq, p->scale, p->nq);
        c->low.to_bf16(turned + i * m->ldq, m->dq + i * m->ldq, p->nq);
    }
    c->low.turn_bf16(head_of(g->dq, b, p->nq, h, d, 0), g->dq.ld, turned, m->ldq, d, p->nq);
}

void reel_cpu_attention_bf16_bwd(reel_cpu *c, reel_view dq, reel_view dk, reel_view dv, reel_view do_, reel_view o,
                                 const float *lse, reel_view q, reel_view k, reel_view v, size_t batch, size_t heads, float scale)
{
    const shape p = shape_of(q, k, batch, heads, scale);
    const backward g = {dq, dk, dv, do_, o, q, k, v, lse};
    bwd_room room;
    const size_t bytes = bwd_lay_out(&p, &room, NULL);
    unsigned char *scratch = reel_cpu_scratch(c, bytes * (size_t)c->threads);
    if (scratch == NULL || reel_cpu_running(&c->base) == NULL)
        return;
#pragma omp parallel num_threads(c->threads)
    {
        bwd_room mine;
        bwd_lay_out(&p, &mine, scratch + (size_t)omp_get_thread_num() * bytes);
#pragma omp for schedule(static)
        for (size_t job = 0; job < batch * heads; job++)
            bwd_head(c, &p, &g, job, &mine);
    }
}
