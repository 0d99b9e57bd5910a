/* Attention: a head goes through in blocks of query rows, so that a block of scores stays in the cache and the (Nq, Nk) matrix
 * is never there. Forward, the threads share blocks; backward, whole heads, for the gradients of K and V add up over blocks. The
 * backward makes the probabilities of a block again from the row's log of the sum of exponentials (Dao et al. 2022,
 * FlashAttention, section 3.1 and appendix B.2).
 *
 * K and V of a head are packed once into what the products like, straight from the fused matrix: reading them in place at
 * every block costs 40 % (measured). */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "backend/cpu/cpu.h"

/* Zen 4, 1568 tokens: 56 to 392 rows differ by less than the noise, whole heads cost 5 to 8 % more. */
enum { FWD_ROWS = 112, BWD_ROWS = 112 };

/* One product for the full blocks and one for the last, shorter one; both take B as the first packed it. */
typedef struct block_product { reel_product *full, *last; } block_product;

/* The parts of a thread's scratch: packed K (for S, for dQ) and V, a block of S and dP, rows of the result, dK and dV. */
typedef enum part { PART_K, PART_V, PART_K2, PART_S, PART_DP, PART_ROW, PART_DK, PART_DV, PARTS } part;

typedef struct attention_plan {
    size_t batch, heads, nq, nk, d, rows, last_rows, blocks, lds;
    float scale;
    block_product scores, values;     /* S = Q K^T, O = P V */
    block_product dp, dv, dk, dq;     /* dP = dO V^T, dV += P^T dO, dK += dS^T Q, dQ = dS K */
    size_t room[PARTS], bytes;        /* of a thread's scratch */
} attention_plan;

static void plan_shape(attention_plan *p, reel_view q, reel_view k, size_t batch, size_t heads, float scale, size_t rows)
{
    memset(p, 0, sizeof *p);
    p->batch = batch;
    p->heads = heads;
    p->nq = q.rows / batch;
    p->nk = k.rows / batch;
    p->d = q.cols / heads;
    p->scale = scale;
    p->blocks = (p->nq + rows - 1) / rows;
    p->rows = (p->nq + p->blocks - 1) / p->blocks;   /* even blocks */
    p->blocks = (p->nq + p->rows - 1) / p->rows;
    p->last_rows = p->nq - (p->blocks - 1) * p->rows;
    p->lds = (p->nk + 15) & ~(size_t)15;
    if (p->lds % 256 == 0)
        p->lds += 16;  /* rows a power of two apart would fall into the same cache sets */
}

static void plan_product(reel_cpu *c, const attention_plan *p, block_product *b, reel_product_spec s, bool rows_are_k)
{
    size_t *rows = rows_are_k ? &s.k : &s.m;
    s.serial = true;
    *rows = p->rows;
    b->full = b->last = reel_cpu_product(c, &s);
    if (b->full == NULL || p->last_rows == p->rows)
        return;
    *rows = p->last_rows;
    s.layout = s.packed ? b->full : NULL;
    b->last = reel_cpu_product(c, &s);
}

static reel_product_spec spec_of(size_t m, size_t n, size_t k, size_t lda, size_t ldb, size_t ldc)
{
    return (reel_product_spec){.m = m, .n = n, .k = k, .lda = lda, .ldb = ldb, .ldc = ldc};
}

/* S or dP: rows of a times b^T, over the head's width. */
static reel_product_spec scores_spec(const attention_plan *p, reel_view a, reel_view b)
{
    reel_product_spec s = spec_of(0, p->nk, p->d, a.ld, b.ld, p->lds);
    s.b_turned = s.packed = true;
    return s;
}

/* O or dQ: a block of (rows, Nk) times a head. */
static reel_product_spec values_spec(const attention_plan *p, reel_view b, size_t ldc)
{
    reel_product_spec s = spec_of(0, p->d, p->nk, p->lds, b.ld, ldc);
    s.packed = true;
    return s;
}

/* dV or dK: a block of (rows, Nk), turned, times as many rows of b. */
static reel_product_spec turned_spec(const attention_plan *p, reel_view b)
{
    reel_product_spec s = spec_of(p->nk, p->d, 0, p->lds, b.ld, p->d);
    s.a_turned = s.sum = true;
    return s;
}

static void plan_room(attention_plan *p, part which, size_t bytes)
{
    p->room[which] = reel_cpu_round(bytes);
    p->bytes += p->room[which];
}

static void plan_fwd(reel_cpu *c, attention_plan *p, reel_view q, reel_view k, reel_view v)
{
    plan_product(c, p, &p->scores, scores_spec(p, q, k), false);
    plan_product(c, p, &p->values, values_spec(p, v, p->d), false);
    if (c->base.failed.status != REEL_OK)
        return;
    plan_room(p, PART_K, reel_product_packed_bytes(p->scores.full));
    plan_room(p, PART_V, reel_product_packed_bytes(p->values.full));
    plan_room(p, PART_S, p->rows * p->lds * sizeof(float));
    plan_room(p, PART_ROW, p->rows * (p->d + 1) * sizeof(float));
}

static void plan_bwd(reel_cpu *c, attention_plan *p, reel_view dq, reel_view do_, reel_view q, reel_view k, reel_view v)
{
    plan_product(c, p, &p->scores, scores_spec(p, q, k), false);
    plan_product(c, p, &p->dp, scores_spec(p, do_, v), false);
    plan_product(c, p, &p->dq, values_spec(p, k, dq.ld), false);
    plan_product(c, p, &p->dv, turned_spec(p, do_), true);
    plan_product(c, p, &p->dk, turned_spec(p, q), true);
    if (c->base.failed.status != REEL_OK)
        return;
    plan_room(p, PART_K, reel_product_packed_bytes(p->scores.full));
    plan_room(p, PART_V, reel_product_packed_bytes(p->dp.full));
    plan_room(p, PART_K2, reel_product_packed_bytes(p->dq.full));
    plan_room(p, PART_S, p->rows * p->lds * sizeof(float));
    plan_room(p, PART_DP, p->rows * p->lds * sizeof(float));
    plan_room(p, PART_DK, p->nk * p->d * sizeof(float));
    plan_room(p, PART_DV, p->nk * p->d * sizeof(float));
}

/* The scratch of one thread, cut up. */
static void lay_out(const attention_plan *p, unsigned char *scratch, float *parts[PARTS])
{
    for (int i = 0; i < PARTS; i++) {
        parts[i] = (float *)(void *)scratch;
        scratch += p->room[i];
    }
}

/* Columns of head h in the rows of clip b. */
static float *head_of(reel_view v, size_t b, size_t n, size_t h, size_t d)
{
    return reel_cpu_row(v, b * n) + h * d;
}

typedef struct forward { reel_view o, q, k, v; float *lse; } forward;

static bool forward_pack(const attention_plan *p, const forward *f, size_t job, int slot, float *const *parts)
{
    const size_t b = job / p->heads, h = job % p->heads;
    return reel_product_pack(p->scores.full, slot, parts[PART_K], head_of(f->k, b, p->nk, h, p->d)) &&
           reel_product_pack(p->values.full, slot, parts[PART_V], head_of(f->v, b, p->nk, h, p->d));
}

static bool forward_block(reel_cpu *c, const attention_plan *p, const forward *f, size_t job, size_t i, int slot,
                          float *const *parts)
{
    const size_t b = job / p->heads, h = job % p->heads, d = p->d, first = i * p->rows;
    const bool last = i + 1 == p->blocks;
    const size_t rows = last ? p->last_rows : p->rows;
    float *s = parts[PART_S], *out = parts[PART_ROW], *sums = out + p->rows * d;
    const float *q = head_of(f->q, b, p->nq, h, d) + first * f->q.ld;
    float *o = head_of(f->o, b, p->nq, h, d) + first * f->o.ld;
    bool ok = reel_product_run(last ? p->scores.last : p->scores.full, slot, s, q, parts[PART_K], NULL);
    for (size_t r = 0; ok && r < rows; r++) {
        float max;
        c->k.softmax_row(s + r * p->lds, p->nk, p->scale, &max, &sums[r]);
        if (f->lse != NULL)
            f->lse[job * p->nq + first + r] = max + logf(sums[r]);
    }
    ok = ok && reel_product_run(last ? p->values.last : p->values.full, slot, out, s, parts[PART_V], NULL);
    for (size_t r = 0; ok && r < rows; r++)
        c->k.scale(o + r * f->o.ld, out + r * d, 1.0f / sums[r], d);
    return ok;
}

/* A thread's share of all blocks of all heads. Rows do not depend on each other, so neither do they on the shares. */
static bool forward_share(reel_cpu *c, const attention_plan *p, const forward *f, int slot, int slots, float *const *parts)
{
    const size_t all = p->batch * p->heads * p->blocks, first = all * (size_t)slot / (size_t)slots;
    const size_t last = all * ((size_t)slot + 1) / (size_t)slots;
    bool ok = true;
    for (size_t i = first; ok && i < last; i++) {
        if (i == first || i % p->blocks == 0)
            ok = forward_pack(p, f, i / p->blocks, slot, parts);
        ok = ok && forward_block(c, p, f, i / p->blocks, i % p->blocks, slot, parts);
    }
    return ok;
}

void reel_cpu_attention_fwd(reel_backend *be, reel_view o, float *lse, reel_view q, reel_view k, reel_view v, size_t batch,
                            size_t heads, float scale)
{
    reel_cpu *c = reel_cpu_ready(be);
    attention_plan p;
    if (c == NULL || !reel_cpu_takes(c, "attention_fwd", o, q) || !reel_cpu_takes(c, "attention_fwd", k, v) || q.rows == 0)
        return;
    if (q.dtype == REEL_BF16) {
        reel_cpu_attention_bf16_fwd(c, o, lse, q, k, v, batch, heads, scale);
        return;
    }
    plan_shape(&p, q, k, batch, heads, scale, FWD_ROWS);
    plan_fwd(c, &p, q, k, v);
    unsigned char *scratch = be->failed.status == REEL_OK ? reel_cpu_scratch(c, p.bytes * (size_t)c->threads) : NULL;
    if (scratch == NULL || be->planning)
        return;
    const forward f = {o, q, k, v, lse};
    const int before = omp_get_max_threads();
    bool failed = false;
    omp_set_num_threads(c->threads);
#pragma omp parallel num_threads(c->threads)
    {
        const int slot = omp_get_thread_num();
        float *parts[PARTS];
        lay_out(&p, scratch + (size_t)slot * p.bytes, parts);
        if (!forward_share(c, &p, &f, slot, omp_get_num_threads(), parts)) {
#pragma omp atomic write
            failed = true;
        }
    }
    omp_set_num_threads(before);
    if (failed)
        reel_cpu_fail_run(c);
}

typedef struct backward { reel_view dq, dk, dv, do_, o, q, k, v; const float *lse; } backward;

static bool backward_block(reel_cpu *c, const attention_plan *p, const backward *g, size_t job, size_t i, int slot,
                           float *const *parts)
{
    const size_t b = job / p->heads, h = job % p->heads, d = p->d, first = i * p->rows;
    const bool last = i + 1 == p->blocks;
    const size_t rows = last ? p->last_rows : p->rows;
    const float *q = head_of(g->q, b, p->nq, h, d) + first * g->q.ld, *o = head_of(g->o, b, p->nq, h, d) + first * g->o.ld;
    const float *dy = head_of(g->do_, b, p->nq, h, d) + first * g->do_.ld, *lse = g->lse + job * p->nq + first;
    float *dq = head_of(g->dq, b, p->nq, h, d) + first * g->dq.ld, *s = parts[PART_S], *dp = parts[PART_DP];
    bool ok = reel_product_run(last ? p->scores.last : p->scores.full, slot, s, q, parts[PART_K], NULL) &&
              reel_product_run(last ? p->dp.last : p->dp.full, slot, dp, dy, parts[PART_V], NULL);
    for (size_t r = 0; ok && r < rows; r++) {
        double delta;  /* sum over the row of P dP, which is dO . O */
        c->k.dot(&delta, dy + r * g->do_.ld, o + r * g->o.ld, d);
        c->k.softmax_bwd_row(s + r * p->lds, dp + r * p->lds, p->nk, p->scale, lse[r], (float)delta);
    }
    return ok && reel_product_run(last ? p->dv.last : p->dv.full, slot, parts[PART_DV], s, dy, NULL) &&
           reel_product_run(last ? p->dk.last : p->dk.full, slot, parts[PART_DK], dp, q, NULL) &&
           reel_product_run(last ? p->dq.last : p->dq.full, slot, dq, dp, parts[PART_K2], NULL);
}

static bool backward_head(reel_cpu *c, const attention_plan *p, const backward *g, size_t job, int slot, float *const *parts)
{
    const size_t b = job / p->heads, h = job % p->heads, d = p->d;
    const float *k = head_of(g->k, b, p->nk, h, d);
    bool ok = reel_product_pack(p->scores.full, slot, parts[PART_K], k) &&
              reel_product_pack(p->dq.full, slot, parts[PART_K2], k) &&
              reel_product_pack(p->dp.full, slot, parts[PART_V], head_of(g->v, b, p->nk, h, d));
    memset(parts[PART_DK], 0, p->room[PART_DK]);
    memset(parts[PART_DV], 0, p->room[PART_DV]);
    for (size_t i = 0; ok && i < p->blocks; i++)
        ok = backward_block(c, p, g, job, i, slot, parts);
    for (size_t r = 0; ok && r < p->nk; r++) {
        memcpy(head_of(g->dk, b, p->nk, h, d) + r * g->dk.ld, parts[PART_DK] + r * d, d * sizeof(float));
        memcpy(head_of(g->dv, b, p->nk, h, d) + r * g->dv.ld, parts[PART_DV] + r * d, d * sizeof(float));
    }
    return ok;
}

void reel_cpu_attention_bwd(reel_backend *be, reel_view dq, reel_view dk, reel_view dv, reel_view do_, reel_view o,
                            const float *lse, reel_view q, reel_view k, reel_view v, size_t batch, size_t heads, float scale)
{
    reel_cpu *c = reel_cpu_ready(be);
    attention_plan p;
    if (c == NULL || !reel_cpu_takes(c, "attention_bwd", dq, dk) || !reel_cpu_takes(c, "attention_bwd", dv, do_) ||
        !reel_cpu_takes(c, "attention_bwd", o, q) || !reel_cpu_takes(c, "attention_bwd", k, v) || q.rows == 0)
        return;
    if (q.dtype == REEL_BF16) {
        reel_cpu_attention_bf16_bwd(c, dq, dk, dv, do_, o, lse, q, k, v, batch, heads, scale);
        return;
    }
    plan_shape(&p, q, k, batch, heads, scale, BWD_ROWS);
    plan_bwd(c, &p, dq, do_, q, k, v);
    unsigned char *scratch = be->failed.status == REEL_OK ? reel_cpu_scratch(c, p.bytes * (size_t)c->threads) : NULL;
    if (scratch == NULL || be->planning)
        return;
    const backward g = {dq, dk, dv, do_, o, q, k, v, lse};
    const int before = omp_get_max_threads();
    bool failed = false;
    omp_set_num_threads(c->threads);
#pragma omp parallel num_threads(c->threads)
    {
        const int slot = omp_get_thread_num();
        float *parts[PARTS];
        lay_out(&p, scratch + (size_t)slot * p.bytes, parts);
#pragma omp for schedule(static)
        for (size_t job = 0; job < batch * heads; job++)
            if (!backward_head(c, &p, &g, job, slot, parts)) {
#pragma omp atomic write
                failed = true;
            }
    }
    omp_set_num_threads(before);
    if (failed)
        reel_cpu_fail_run(c);
}
