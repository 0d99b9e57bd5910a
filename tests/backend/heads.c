#include "heads.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

heads heads_new(heads_shape s, reel_dtype t)
{
    heads p = {.s = s, .scale = (float)(1 / sqrt((double)s.d))};
    const size_t w = s.heads * s.d;
    const bool self = s.nq == s.nk;
    p.qkv = mat_new_of(t, s.batch * s.nq, self ? 3 * w : w, (self ? 3 * w : w) + s.pad);
    p.dqkv = mat_empty_of(t, p.qkv.v.rows, p.qkv.v.cols, p.qkv.v.ld);
    p.kv = mat_new_of(t, s.batch * s.nk, 2 * w, 2 * w + s.pad);
    p.dkv = mat_empty_of(t, p.kv.v.rows, p.kv.v.cols, p.kv.v.ld);
    p.o = mat_empty_of(t, s.batch * s.nq, w, w + 2 * s.pad);
    p.do_ = mat_new_of(t, s.batch * s.nq, w, w + s.pad);
    p.lse = mat_empty(1, s.batch * s.heads * s.nq, s.batch * s.heads * s.nq);
    for (size_t i = 0; i < p.qkv.v.rows; i++)
        for (size_t c = 0; c < p.qkv.v.cols; c++)
            p.qkv.host[i * p.qkv.v.ld + c] *= 3;
    mat_put(&p.qkv);
    p.q = reel_view_cols(p.qkv.v, 0, w);
    p.k = self ? reel_view_cols(p.qkv.v, w, w) : reel_view_cols(p.kv.v, 0, w);
    p.v = self ? reel_view_cols(p.qkv.v, 2 * w, w) : reel_view_cols(p.kv.v, w, w);
    p.dq = reel_view_cols(p.dqkv.v, 0, w);
    p.dk = self ? reel_view_cols(p.dqkv.v, w, w) : reel_view_cols(p.dkv.v, 0, w);
    p.dv = self ? reel_view_cols(p.dqkv.v, 2 * w, w) : reel_view_cols(p.dkv.v, w, w);
    return p;
}

void heads_free(heads *p)
{
    mat *all[] = {&p->qkv, &p->kv, &p->o, &p->lse, &p->do_, &p->dqkv, &p->dkv};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        mat_free(all[i]);
}

void heads_run_forward(heads *p, bool with_lse)
{
    bed->ops->attention_fwd(bed, p->o.v, with_lse ? mat_dev(&p->lse) : NULL, p->q, p->k, p->v, p->s.batch, p->s.heads, p->scale);
}

void heads_run_backward(heads *p)
{
    bed->ops->attention_bwd(bed, p->dq, p->dk, p->dv, p->do_.v, p->o.v, mat_dev(&p->lse), p->q, p->k, p->v, p->s.batch, p->s.heads,
                            p->scale);
}

/* Where element c of head h of token t of clip b lies in a host copy. */
static double at(const mat *m, size_t col, const heads_shape *s, size_t n, size_t b, size_t h, size_t t, size_t c)
{
    return mat_at(m, b * n + t, col + h * s->d + c);
}
static double q_at(const heads *p, size_t b, size_t h, size_t t, size_t c) { return at(&p->qkv, 0, &p->s, p->s.nq, b, h, t, c); }
static double k_at(const heads *p, size_t b, size_t h, size_t t, size_t c)
{
    const size_t w = p->s.heads * p->s.d;
    return p->s.nq == p->s.nk ? at(&p->qkv, w, &p->s, p->s.nk, b, h, t, c) : at(&p->kv, 0, &p->s, p->s.nk, b, h, t, c);
}
static double v_at(const heads *p, size_t b, size_t h, size_t t, size_t c)
{
    const size_t w = p->s.heads * p->s.d;
    return p->s.nq == p->s.nk ? at(&p->qkv, 2 * w, &p->s, p->s.nk, b, h, t, c) : at(&p->kv, w, &p->s, p->s.nk, b, h, t, c);
}

/* The probabilities of one row, and its log of the sum of exponentials. */
static double row_softmax(const heads *p, size_t b, size_t h, size_t t, double *out)
{
    double max = -INFINITY, sum = 0;
    for (size_t j = 0; j < p->s.nk; j++) {
        double dot = 0;
        for (size_t c = 0; c < p->s.d; c++)
            dot += q_at(p, b, h, t, c) * k_at(p, b, h, j, c);
        out[j] = dot * (double)p->scale;
        max = fmax(max, out[j]);
    }
    for (size_t j = 0; j < p->s.nk; j++)
        sum += out[j] = exp(out[j] - max);
    for (size_t j = 0; j < p->s.nk; j++)
        out[j] /= sum;
    return max + log(sum);
}

void heads_forward(const heads *p, double *o, double *lse, double *size)
{
    const heads_shape *s = &p->s;
    double *prob = doubles(s->nk);
    for (size_t b = 0; b < s->batch; b++)
        for (size_t h = 0; h < s->heads; h++)
            for (size_t t = 0; t < s->nq; t++) {
                const size_t mine = (b * s->nq + t) * s->heads * s->d + h * s->d;
                lse[(b * s->heads + h) * s->nq + t] = row_softmax(p, b, h, t, prob);
                for (size_t j = 0; j < s->nk; j++)
                    for (size_t c = 0; c < s->d; c++) {
                        o[mine + c] += prob[j] * v_at(p, b, h, j, c);
                        if (size != NULL)
                            size[mine + c] += prob[j] * fabs(v_at(p, b, h, j, c));
                    }
            }
    free(prob);
}

heads_gradients heads_gradients_new(const heads *p)
{
    const size_t w = p->s.heads * p->s.d, q = p->s.batch * p->s.nq * w, k = p->s.batch * p->s.nk * w;
    return (heads_gradients){doubles(q), doubles(k), doubles(k)};
}

void heads_gradients_free(heads_gradients *g)
{
    free(g->dq);
    free(g->dk);
    free(g->dv);
}

/* What query t does to the gradients of head h of clip b. */
static void backward_row(const heads *p, size_t b, size_t h, size_t t, const double *o, const double *prob, heads_gradients *g,
                         heads_gradients *size)
{
    const heads_shape *s = &p->s;
    const size_t w = s->heads * s->d, mine = (b * s->nq + t) * w + h * s->d;
    double delta = 0;
    for (size_t c = 0; c < s->d; c++)
        delta += mat_at(&p->do_, b * s->nq + t, h * s->d + c) * o[mine + c];
    for (size_t j = 0; j < s->nk; j++) {
        const size_t other = (b * s->nk + j) * w + h * s->d;
        double dp = 0;
        for (size_t c = 0; c < s->d; c++)
            dp += mat_at(&p->do_, b * s->nq + t, h * s->d + c) * v_at(p, b, h, j, c);
        const double ds = prob[j] * (dp - delta) * (double)p->scale;
        for (size_t c = 0; c < s->d; c++) {
            const double q = q_at(p, b, h, t, c), k = k_at(p, b, h, j, c), dy = mat_at(&p->do_, b * s->nq + t, h * s->d + c);
            g->dq[mine + c] += ds * k;
            g->dk[other + c] += ds * q;
            g->dv[other + c] += prob[j] * dy;
            if (size == NULL)
                continue;
            size->dq[mine + c] += fabs(ds * k);
            size->dk[other + c] += fabs(ds * q);
            size->dv[other + c] += fabs(prob[j] * dy);
        }
    }
}

void heads_backward(const heads *p, const double *o, heads_gradients *out, heads_gradients *size)
{
    const heads_shape *s = &p->s;
    double *prob = doubles(s->nk);
    for (size_t b = 0; b < s->batch; b++)
        for (size_t h = 0; h < s->heads; h++)
            for (size_t t = 0; t < s->nq; t++) {
                row_softmax(p, b, h, t, prob);
                backward_row(p, b, h, t, o, prob, out, size);
            }
    free(prob);
}

double *heads_joined(const heads *p, const heads_gradients *g)
{
    const bool self = p->s.nq == p->s.nk;
    const size_t w = p->s.heads * p->s.d, parts = self ? 3 : 2, rows = p->s.batch * p->s.nk;
    const double *const from[3] = {self ? g->dq : g->dk, self ? g->dk : g->dv, g->dv};
    double *out = doubles(rows * parts * w);
    for (size_t r = 0; r < rows; r++)
        for (size_t part = 0; part < parts; part++)
            memcpy(out + (r * parts + part) * w, from[part] + r * w, w * sizeof *out);
    return out;
}
