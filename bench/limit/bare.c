/* The bare products: oneDNN's, of the same shapes and types, with nothing before, between or behind them. */
#include <omp.h>
#include <string.h>

#include "limit.h"

static bool measuring(const bench *b) { return b->be->planning; }
static bool whole(const bench *b, const op *o) { return b->precision == REEL_PRECISION_INT8 && o->kind == INFER; }

static reel_product *product(bench *b, reel_product_spec s)
{
    reel_product *p;
    reel_error err;
    if (reel_product_get(b->products, &s, &p, &err) != REEL_OK)
        limit_stop(err.message);
    return p;
}

static void add_form(bench *b, op *o, reel_product_spec s, bool packed)
{
    s.packed = packed;
    o->product[o->forms++] = product(b, s);
}

/* Plain and packed beforehand; where the result of a bfloat16 product is float32, also with a bfloat16 result, which is faster. */
static void prepare_linear(bench *b, op *o)
{
    const bool half = b->type == REEL_BF16 && !whole(b, o);
    reel_product_spec s = {.m = o->m, .n = o->n, .k = o->k, .lda = o->k, .ldb = o->n, .ldc = o->n};
    s.kind = whole(b, o) ? REEL_PRODUCT_INT8 : half ? REEL_PRODUCT_BF16 : REEL_PRODUCT_F32;
    s.b_turned = o->kind != INPUT && o->kind != WEIGHT;
    s.ldb = s.b_turned ? o->k : o->n;
    s.a_turned = o->kind == WEIGHT;
    s.lda = s.a_turned ? o->m : o->k;
    for (int form = 0; form < (half ? 4 : 2); form++) {
        s.c_bf16 = half && form >= 2;
        add_form(b, o, s, form % 2 == 1);
    }
}

void bare_prepare(bench *b, op *o)
{
    if (op_is_attention(o))
        o->forms = 2;
    else if (op_has_bare(o))
        prepare_linear(b, o);
}

static void run_linear(bench *b, op *o, int form, int set)
{
    const reel_dtype t = whole(b, o) ? REEL_I8 : b->type;
    void *a = limit_take(b, t, set, o->m * o->k), *right = limit_take(b, t, set, o->k * o->n);
    void *c = limit_take(b, form >= 2 ? REEL_BF16 : REEL_F32, set, o->m * o->n);
    if (measuring(b))
        return;
    if (form % 2 == 1 && o->packed[form] == NULL) {
        o->packed[form] = limit_memory(reel_product_packed_bytes(o->product[form]));
        if (!reel_product_pack(o->product[form], 0, o->packed[form], right))
            limit_stop("oneDNN failed");
    }
    if (!reel_product_run(o->product[form], 0, c, a, form % 2 == 1 ? o->packed[form] : right, NULL))
        limit_stop("oneDNN failed");
}

typedef struct head_products { reel_product *scores, *values, *back; size_t rows, n, d, size; bool backward; } head_products;

static bool run_head(const head_products *p, int slot, char *q, char *s)
{
    const size_t part = p->n * p->d * p->size;
    char *k = q + part, *v = k + part, *y = v + part;
    bool ok = true;
    for (size_t r = 0; r + p->rows <= p->n; r += p->rows) {
        char *qr = q + r * p->d * p->size, *yr = y + r * p->d * p->size;
        ok = ok && reel_product_run(p->scores, slot, s, qr, k, NULL);
        if (!p->backward) {
            ok = ok && reel_product_run(p->values, slot, yr, s, v, NULL);
            continue;
        }
        ok = ok && reel_product_run(p->scores, slot, s, yr, v, NULL) && reel_product_run(p->back, slot, y + part, s, yr, NULL) &&
             reel_product_run(p->back, slot, y + 2 * part, s, qr, NULL) && reel_product_run(p->values, slot, y + 3 * part, s, k, NULL);
    }
    return ok;
}

/* All heads of all clips, contiguous, threads over heads, in blocks of rows or whole: the products alone. */
static void run_heads(bench *b, op *o, int form, int set)
{
    const size_t d = b->width / b->heads, n = b->tokens, rows = form == 0 ? 112 : n, all = b->batch * b->heads;
    const bool half = b->type == REEL_BF16;
    const reel_product_kind kind = half ? REEL_PRODUCT_BF16 : REEL_PRODUCT_F32;
    const reel_product_spec qk = {.m = rows, .n = n, .k = d, .lda = d, .ldb = d, .ldc = n, .kind = kind, .c_bf16 = half, .b_turned = true, .serial = true};
    const reel_product_spec pv = {.m = rows, .n = d, .k = n, .lda = n, .ldb = d, .ldc = d, .kind = kind, .c_bf16 = half, .serial = true};
    const reel_product_spec turned = {.m = n, .n = d, .k = rows, .lda = n, .ldb = d, .ldc = d, .kind = kind, .c_bf16 = half, .a_turned = true, .serial = true};
    head_products p = {.rows = rows, .n = n, .d = d, .size = reel_dtype_size(b->type), .backward = o->kind == ATTENTION_BWD};
    char *operands = limit_take(b, b->type, set, all * 7 * n * d), *scores = limit_take(b, b->type, set, (size_t)b->threads * n * n);
    if (measuring(b))
        return;
    p.scores = product(b, qk);
    p.values = product(b, pv);
    p.back = p.backward ? product(b, turned) : NULL;
    bool ok = true;
#pragma omp parallel for num_threads(b->threads) schedule(static) reduction(&& : ok)
    for (size_t h = 0; h < all; h++) {
        const int slot = omp_get_thread_num();
        ok = ok && run_head(&p, slot, operands + h * 7 * n * d * p.size, scores + (size_t)slot * n * n * p.size);
    }
    if (!ok)
        limit_stop("oneDNN failed");
}

void bare_run(bench *b, op *o, int form, int set)
{
    omp_set_num_threads(b->threads);
    limit_begin(b);
    if (op_is_attention(o))
        run_heads(b, o, form, set);
    else
        run_linear(b, o, form, set);
}
