/* How near the back end comes to the limit: what oneDNN's bare products of the same shapes need, random operands, nothing else.
 *
 *   limit [base|small] [clips] [rounds] [threads]
 *
 * For each operation of VideoMAE: the best bare form (plain or packed beforehand) and ours, medians of interleaved rounds; then
 * the sums over all layers, for a forward and for a training step (ours with norms, activations, gradients of biases, the
 * gradient's norm and AdamW, which the limit has not). Operands rotate through several sets, as layers would have it. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/cpu/product.h"
#include "base/cpu.h"

enum { SETS = 3, MAX_ROUNDS = 101, TOKENS = 1568, FORMS = 2 };

typedef enum kind { PATCH, FORWARD, INFER, INPUT, WEIGHT, ATTENTION_FWD, ATTENTION_BWD, NORM_FWD, NORM_BWD, ACT_BWD, UPDATE } kind;

typedef struct op {
    const char *name;
    kind kind;
    size_t m, n, k;            /* (m, k) times (k, n); the sizes of one row and of the norms in m, n */
    int forward, step;         /* how often in a forward, in a training step */
    bool keep, residual;
    reel_act act;
    double ours[MAX_ROUNDS], bare[FORMS][MAX_ROUNDS];
    reel_product *product[FORMS];  /* bare forms, of which the better counts */
    void *packed;
    double limit;
} op;

static reel_context *ctx;
static reel_backend *be;
static reel_products *products;
static int rounds = 9, threads;
static size_t batch = 1, heads, width, tokens;
static float *memory[SETS], *big;  /* operands; the parameters of the whole model and what belongs to them */
static size_t set_floats, parameters;

static void stop(const char *why)
{
    fprintf(stderr, "limit: %s\n", why);
    exit(1);
}

static float *floats(size_t n)
{
    float *p = aligned_alloc(64, (n * sizeof(float) + 63) & ~(size_t)63);
    uint32_t s = 1;
    if (p == NULL)
        stop("out of memory");
    for (size_t i = 0; i < n; i++) {
        s = s * 1664525u + 1013904223u;
        p[i] = (float)((int32_t)(s >> 8) - (1 << 23)) / (float)(1 << 25);
    }
    return p;
}

static reel_view view(float *p, size_t rows, size_t cols) { return (reel_view){p, REEL_F32, rows, cols, cols}; }

/* ---- the bare products ---- */

static reel_product *product(reel_product_spec s)
{
    reel_product *p;
    reel_error err;
    if (reel_product_get(products, &s, &p, &err) != REEL_OK)
        stop(err.message);
    return p;
}

static void bare_linear(op *o)
{
    reel_product_spec s = {.m = o->m, .n = o->n, .k = o->k, .lda = o->k, .ldb = o->n, .ldc = o->n};
    s.b_turned = o->kind != INPUT && o->kind != WEIGHT;
    s.ldb = s.b_turned ? o->k : o->n;
    s.a_turned = o->kind == WEIGHT;
    s.lda = s.a_turned ? o->m : o->k;
    o->product[0] = product(s);
    s.packed = true;
    o->product[1] = product(s);
    o->packed = floats(reel_product_packed_bytes(o->product[1]) / sizeof(float) + 16);
    omp_set_num_threads(threads);
    reel_product_pack(o->product[1], 0, o->packed, memory[0]);
}

static void run_bare_linear(op *o, int form, int set)
{
    float *a = memory[set], *c = a + o->m * o->k, *b = c + o->m * o->n;
    if (!reel_product_run(o->product[form], 0, c, a, form == 1 ? o->packed : b, NULL))
        stop("oneDNN failed");
}

/* All heads of all clips, contiguous, threads over heads, in blocks of rows or whole: the products alone. */
static void run_bare_heads(op *o, int form, int set)
{
    const size_t d = width / heads, n = tokens, rows = form == 0 ? 112 : n;
    const bool backward = o->kind == ATTENTION_BWD;
    const reel_product_spec qk = {.m = rows, .n = n, .k = d, .lda = d, .ldb = d, .ldc = n, .b_turned = true, .serial = true};
    const reel_product_spec pv = {.m = rows, .n = d, .k = n, .lda = n, .ldb = d, .ldc = d, .serial = true};
    const reel_product_spec turned = {.m = n, .n = d, .k = rows, .lda = n, .ldb = d, .ldc = d, .a_turned = true, .serial = true};
    reel_product *scores = product(qk), *values = product(pv), *back = product(turned);
    float *all = memory[set], *room = all + 8 * batch * n * width;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size_t h = 0; h < batch * heads; h++) {
        const int slot = omp_get_thread_num();
        float *q = all + h * 8 * n * d, *k = q + n * d, *v = k + n * d, *y = v + n * d, *s = room + (size_t)slot * n * n;
        bool ok = true;
        for (size_t r = 0; r + rows <= n; r += rows) {
            ok = ok && reel_product_run(scores, slot, s, q + r * d, k, NULL);
            if (!backward) {
                ok = ok && reel_product_run(values, slot, y + r * d, s, v, NULL);
                continue;
            }
            ok = ok && reel_product_run(scores, slot, s, y + r * d, v, NULL) && reel_product_run(back, slot, y + n * d, s, y + r * d, NULL) &&
                 reel_product_run(back, slot, y + 2 * n * d, s, q + r * d, NULL) && reel_product_run(values, slot, y + 3 * n * d, s, k, NULL);
        }
        if (!ok)
            stop("oneDNN failed");
    }
}

/* ---- ours ---- */

static void run_ours(op *o, int set)
{
    const reel_view none = {.dtype = REEL_F32};
    float *a = memory[set], *c = a + o->m * o->k, *b = c + o->m * o->n;
    const reel_patching patching = {batch, 16, 3, 224, 224, 2, 16, 16};
    reel_weight w = {view(b, o->n, o->k), REEL_PACK_F32, NULL};
    float *pre = b + o->n * o->k, *bias = pre + o->m * o->n;
    switch (o->kind) {
    case PATCH:
        be->ops->patch_gather(be, view(a, o->m, o->k), pre, &patching);
        be->ops->linear_fwd(be, view(c, o->m, o->n), none, view(a, o->m, o->k), &w, bias, REEL_ACT_NONE, none);
        be->ops->add_table(be, view(c, o->m, o->n), view(c, o->m, o->n), pre, tokens);
        break;
    case INFER:
    case FORWARD:
        w.packed = o->kind == INFER ? o->packed : NULL;
        be->ops->linear_fwd(be, view(c, o->m, o->n), o->keep ? view(pre, o->m, o->n) : none, view(a, o->m, o->k), &w, bias, o->act,
                            !o->residual ? none : o->kind == INFER ? view(c, o->m, o->n) : view(pre, o->m, o->n));
        break;
    case INPUT:
        w.plain = view(b, o->k, o->n);
        be->ops->linear_bwd_input(be, view(c, o->m, o->n), view(a, o->m, o->k), &w, false);
        break;
    case WEIGHT:
        be->ops->linear_bwd_weight(be, view(c, o->m, o->n), bias, view(a, o->k, o->m), view(b, o->k, o->n), false);
        break;
    case ATTENTION_FWD:
    case ATTENTION_BWD: {
        const size_t m = batch * tokens;
        reel_view qkv = view(a, m, 3 * width), out = view(a + 3 * m * width, m, width), dqkv = view(a + 5 * m * width, m, 3 * width);
        reel_view q = reel_view_cols(qkv, 0, width), k = reel_view_cols(qkv, width, width), v = reel_view_cols(qkv, 2 * width, width);
        float *lse = a + 8 * m * width, scale = (float)(1 / sqrt((double)(width / heads)));
        if (o->kind == ATTENTION_FWD)
            be->ops->attention_fwd(be, out, lse, q, k, v, batch, heads, scale);
        else
            be->ops->attention_bwd(be, reel_view_cols(dqkv, 0, width), reel_view_cols(dqkv, width, width), reel_view_cols(dqkv, 2 * width, width),
                                   view(a + 4 * m * width, m, width), out, lse, q, k, v, batch, heads, scale);
        break;
    }
    case NORM_FWD:
        be->ops->layernorm_fwd(be, view(c, o->m, o->n), bias, bias + o->m, view(pre, o->m, o->n), b, b, 1e-6f);
        break;
    case NORM_BWD:
        be->ops->layernorm_bwd(be, view(c, o->m, o->n), true, b, b + o->n, false, view(pre, o->m, o->n), view(a, o->m, o->n), bias, bias + o->m, b + 2 * o->n);
        break;
    case ACT_BWD:
        be->ops->act_bwd(be, view(c, o->m, o->n), view(pre, o->m, o->n), view(c, o->m, o->n), view(pre, o->m, o->n), REEL_ACT_GELU);
        break;
    case UPDATE: {
        const reel_adamw h = {0.5f, 0.999f, 0.1f, 0.999f, 0.001f, 1e-4f, 0.9f, 1e-8f};
        be->ops->sum_squares(be, (double *)(void *)memory[0], big, parameters);
        be->ops->adamw(be, big, big + parameters, big + 2 * parameters, big + 3 * parameters, parameters, &h);
        break;
    }
    }
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *t)
{
    qsort(t, (size_t)rounds, sizeof *t, compare);
    return t[rounds / 2];
}

static bool is_linear(const op *o) { return o->kind <= WEIGHT; }
static bool is_attention(const op *o) { return o->kind == ATTENTION_FWD || o->kind == ATTENTION_BWD; }

static void prepare(op *o)
{
    if (o->kind == INFER) {  /* the bare forms are those of FORWARD */
        reel_weight w = {view(memory[0], o->n, o->k), REEL_PACK_F32, NULL};
        be->ops->weight_load(be, &w, memory[0], REEL_F32);
        o->packed = w.packed;
    } else if (is_linear(o)) {
        bare_linear(o);
    }
}

/* Seconds of one bare form. */
static double time_bare(op *o, int form, int set)
{
    omp_set_num_threads(threads);
    const double start = reel_now();
    if (is_linear(o))
        run_bare_linear(o, form, set);
    else
        run_bare_heads(o, form, set);
    return reel_now() - start;
}

static void measure(op *ops, size_t count)
{
    for (int r = -1; r < rounds; r++)  /* the first round warms up */
        for (size_t i = 0; i < count; i++) {
            op *o = &ops[i];
            const int set = (r + 1) % SETS, at = r < 0 ? 0 : r;
            const double start = reel_now();
            run_ours(o, set);
            o->ours[at] = reel_now() - start;
            for (int form = 0; form < FORMS && (is_attention(o) || (is_linear(o) && o->kind != INFER)); form++)
                o->bare[form][at] = time_bare(o, form, set);
        }
    reel_error err = {0};
    if (be->ops->sync(be, &err) != REEL_OK)
        stop(err.message);
}

static double flops(const op *o)
{
    const double one = 2.0 * (double)(batch * heads) * (double)tokens * (double)tokens * (double)(width / heads);
    return is_linear(o) ? 2.0 * (double)o->m * (double)o->n * (double)o->k : o->kind == ATTENTION_FWD ? 2 * one : o->kind == ATTENTION_BWD ? 5 * one : 0;
}

static void report(op *ops, size_t count)
{
    double limit[2] = {0, 0}, ours[2] = {0, 0};
    printf("%-26s %12s %6s %9s %9s %7s\n", "", "how often", "GFLOP", "limit ms", "ours ms", "share");
    for (size_t i = 0; i < count; i++)
        if (is_attention(&ops[i]) || (is_linear(&ops[i]) && ops[i].kind != INFER)) {
            const double a = median(ops[i].bare[0]), b = median(ops[i].bare[1]);
            ops[i].limit = a < b ? a : b;
        }
    for (size_t i = 0; i < count; i++) {
        op *o = &ops[i];
        for (size_t j = 0; j < count && o->kind == INFER; j++)
            if (ops[j].kind == FORWARD && ops[j].n == o->n && ops[j].k == o->k)
                o->limit = ops[j].limit;
        const double mine = median(o->ours);
        limit[0] += o->forward * o->limit;
        limit[1] += o->step * o->limit;
        ours[0] += o->forward * mine;
        ours[1] += o->step * mine;
        printf("%-26s %5d  %5d %6.2f %9.2f %9.2f", o->name, o->forward, o->step, flops(o) * 1e-9, o->limit * 1e3, mine * 1e3);
        if (o->limit > 0)
            printf(" %7.2f  %4.0f of %4.0f GFLOP/s", o->limit / mine, flops(o) / mine * 1e-9, flops(o) / o->limit * 1e-9);
        printf("\n");
    }
    printf("forward        limit %8.1f ms  ours %8.1f ms  share %.3f\n", limit[0] * 1e3, ours[0] * 1e3, limit[0] / ours[0]);
    printf("training step  limit %8.1f ms  ours %8.1f ms  share %.3f\n", limit[1] * 1e3, ours[1] * 1e3, limit[1] / ours[1]);
}

int main(int argc, char **argv)
{
    reel_error err;
    const bool small = argc > 1 && strcmp(argv[1], "small") == 0;
    batch = argc > 2 ? (size_t)atoi(argv[2]) : 1;
    rounds = argc > 3 ? atoi(argv[3]) : 9;
    if (batch < 1 || rounds < 1 || rounds > MAX_ROUNDS)
        stop("usage: limit [base|small] [clips] [rounds] [threads]");
    if (reel_context_open(&ctx, &err) != REEL_OK || (argc > 4 && reel_context_set(ctx, "threads", argv[4], &err) != REEL_OK) ||
        reel_backend_open(ctx, &be, &err) != REEL_OK)
        stop(err.message);
    threads = reel_context_threads(ctx);
    if (reel_products_open(threads, &products, &err) != REEL_OK)
        stop(err.message);
    heads = small ? 6 : 12;
    width = small ? 384 : 768;
    tokens = TOKENS;
    const int layers = 12;
    const size_t m = batch * tokens, D = width, I = 4 * width, P = 1536;
    parameters = (size_t)layers * 12 * D * D + D * P;
    set_floats = 2 * m * (D + I) + m * I + 3 * I * D + 4 * m + (size_t)threads * tokens * tokens + 8 * m * D;
    for (int i = 0; i < SETS; i++)
        memory[i] = floats(set_floats);
    big = floats(4 * parameters);
    for (size_t i = 0; i < parameters; i++)
        big[2 * parameters + i] = fabsf(big[2 * parameters + i]);
    op ops[] = {
        {.name = "patches", .kind = PATCH, .m = m, .n = D, .k = P, .forward = 1, .step = 1},
        {.name = "qkv, training", .kind = FORWARD, .m = m, .n = 3 * D, .k = D, .step = layers},
        {.name = "proj + residual, training", .kind = FORWARD, .m = m, .n = D, .k = D, .step = layers, .residual = true},
        {.name = "fc1, gelu, training", .kind = FORWARD, .m = m, .n = I, .k = D, .step = layers, .keep = true, .act = REEL_ACT_GELU},
        {.name = "fc2 + residual, training", .kind = FORWARD, .m = m, .n = D, .k = I, .step = layers, .residual = true},
        {.name = "qkv", .kind = INFER, .m = m, .n = 3 * D, .k = D, .forward = layers},
        {.name = "proj + residual", .kind = INFER, .m = m, .n = D, .k = D, .forward = layers, .residual = true},
        {.name = "fc1, gelu", .kind = INFER, .m = m, .n = I, .k = D, .forward = layers, .act = REEL_ACT_GELU},
        {.name = "fc2 + residual", .kind = INFER, .m = m, .n = D, .k = I, .forward = layers, .residual = true},
        {.name = "attention", .kind = ATTENTION_FWD, .forward = layers, .step = layers},
        {.name = "layer norm", .kind = NORM_FWD, .m = m, .n = D, .forward = 2 * layers, .step = 2 * layers},
        {.name = "attention backward", .kind = ATTENTION_BWD, .step = layers},
        {.name = "fc2 input gradient", .kind = INPUT, .m = m, .n = I, .k = D, .step = layers},
        {.name = "fc1 input gradient", .kind = INPUT, .m = m, .n = D, .k = I, .step = layers},
        {.name = "proj input gradient", .kind = INPUT, .m = m, .n = D, .k = D, .step = layers},
        {.name = "qkv input gradient", .kind = INPUT, .m = m, .n = D, .k = 3 * D, .step = layers},
        {.name = "fc2 weight gradient", .kind = WEIGHT, .m = D, .n = I, .k = m, .step = layers},
        {.name = "fc1 weight gradient", .kind = WEIGHT, .m = I, .n = D, .k = m, .step = layers},
        {.name = "proj weight gradient", .kind = WEIGHT, .m = D, .n = D, .k = m, .step = layers},
        {.name = "qkv weight gradient", .kind = WEIGHT, .m = 3 * D, .n = D, .k = m, .step = layers},
        {.name = "patches weight gradient", .kind = WEIGHT, .m = D, .n = P, .k = m, .step = 1},
        {.name = "layer norm backward", .kind = NORM_BWD, .m = m, .n = D, .step = 2 * layers},
        {.name = "gelu backward", .kind = ACT_BWD, .m = m, .n = I, .step = layers},
        {.name = "gradient norm and AdamW", .kind = UPDATE, .step = 1},
    };
    const size_t count = sizeof ops / sizeof *ops;
    for (size_t i = 0; i < count; i++)
        prepare(&ops[i]);
    printf("%s\nVideoMAE-%s, %zu clip(s), %d threads, %d rounds\n", reel_context_machine(ctx), small ? "small" : "base", batch, threads, rounds);
    measure(ops, count);
    report(ops, count);
    reel_products_close(&products);
    reel_backend_close(&be);
    reel_context_close(&ctx);
    return 0;
}
