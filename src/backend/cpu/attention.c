/* Attention forward. K and V of a head are packed once; a block of query rows has all its scores in the second cache, so that the
 * maximum of a row is known before its exponentials and nothing is ever rescaled. Probabilities take the scores' place. The (Nq, Nk)
 * matrix is never there. Threads share the blocks of all heads; rows do not depend on each other, so neither do they on the shares. */
#include <omp.h>

#include "backend/cpu/attention.h"

/* What keeps a block of scores, K and V in a second cache of 1 MiB. */
enum { ROWS = 64, ROWS_F32 = 48 };

typedef struct forward {
    const reel_cpu_type *t;
    reel_attention_shape p;
    reel_view o, q, k, v;
    float *lse;
} forward;

/* A thread's memory: packed K and V, rows of Q, scores, rows of the result. */
typedef struct room { void *k, *v, *q; float *s, *out; size_t lds, ldo, rows; } room;

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
    m->v = reel_cpu_carve(scratch, &at, t->packed(f->p.nk, f->p.d) * t->size);
    m->q = reel_cpu_carve(scratch, &at, ROWS * t->depth(f->p.d) * t->size);
    m->s = reel_cpu_carve(scratch, &at, ROWS * m->lds * sizeof(float));
    m->out = reel_cpu_carve(scratch, &at, ROWS * m->ldo * sizeof(float));
    return at;
}

static void block(const reel_cpu *c, const forward *f, size_t job, size_t first, size_t rows, const room *m)
{
    const reel_cpu_type *t = f->t;
    const reel_attention_shape *p = &f->p;
    const size_t b = job / p->heads, h = job % p->heads;
    float sum[ROWS], lse;
    reel_cpu_copy_rows(t, m->q, reel_attention_head(f->q, b, p->nq, h, p->d, first), f->q.ld, rows, p->d);
    t->block(c, m->s, m->lds, m->q, t->depth(p->d), m->k, rows, p->nk, p->d, false);
    for (size_t r = 0; r < rows; r++) {
        t->softmax(c, m->s + r * m->lds, p->nk, t->depth(p->nk), p->scale, &lse, &sum[r]);
        if (f->lse != NULL)
            f->lse[job * p->nq + first + r] = lse;
    }
    reel_cpu_multiply(c, t, m->out, m->ldo, m->s, m->lds * (sizeof(float) / t->size), m->v, rows, p->d, p->nk, false);
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

void reel_cpu_attention_fwd(reel_backend *be, reel_view o, float *lse, reel_view q, reel_view k, reel_view v, size_t batch,
                            size_t heads, float scale)
{
    reel_cpu *c = reel_cpu_ready(be);
    if (c == NULL || !reel_attention_takes(c, "attention_fwd", (reel_view[]){o, q, k, v}, 4) || q.rows == 0)
        return;
    const forward f = {reel_cpu_type_of(q), reel_attention_shape_of(q, k, batch, heads, scale), o, q, k, v, lse};
    room sizes;
    const size_t bytes = lay_out(c, &f, &sizes, NULL);
    unsigned char *scratch = reel_cpu_scratch(c, bytes * (size_t)c->threads);
    if (scratch == NULL || be->planning)
        return;
#pragma omp parallel num_threads(c->threads)
    {
        const size_t slot = (size_t)omp_get_thread_num();
        room mine;
        lay_out(c, &f, &mine, scratch + slot * bytes);
        share(c, &f, slot, (size_t)omp_get_num_threads(), &mine);
    }
}
