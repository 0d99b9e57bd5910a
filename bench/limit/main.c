/* How near the back end comes to the limit: what oneDNN's bare products of the same shapes need, random operands, nothing else.
 *
 *   bench_limit [base|small] [CLIPS] [ROUNDS] [THREADS] [fp32|bf16|int8]
 *
 * For each operation of VideoMAE: the best bare form (plain or packed beforehand) and ours, medians of interleaved rounds, and what
 * part of the whole it takes; then the sums over all layers, for a forward and for a training step (ours with norms, activations,
 * gradients of biases, the gradient's norm and AdamW, which the limit has not). int8: a forward, the four products of a layer u8 by
 * s8, attention and patches in bfloat16. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "limit.h"

void limit_stop(const char *why)
{
    fprintf(stderr, "limit: %s\n", why);
    exit(1);
}

void *limit_memory(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 127) & ~(size_t)63);
    if (p == NULL)
        limit_stop("out of memory");
    return p;
}

static float next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (float)((int32_t)(*seed >> 8) - (1 << 23)) / (float)(1 << 25);
}

void limit_fill(float *p, size_t n)
{
    uint32_t seed = 1;
    for (size_t i = 0; i < n; i++)
        p[i] = next(&seed);
}

static pool *pool_of(bench *b, reel_dtype t)
{
    return t == REEL_F32 ? &b->floats : t == REEL_BF16 ? &b->halves : &b->bytes;
}

void limit_begin(bench *b)
{
    b->floats.at = b->halves.at = b->bytes.at = 0;
}

void *limit_take(bench *b, reel_dtype t, int set, size_t n)
{
    pool *p = pool_of(b, t);
    const size_t at = p->at;
    p->at += (n * reel_dtype_size(t) + 63) & ~(size_t)63;
    p->most = p->at > p->most ? p->at : p->most;
    return p->base[set] != NULL ? p->base[set] + at : (void *)(uintptr_t)4096;
}

static void pool_open(bench *b, reel_dtype t)
{
    pool *p = pool_of(b, t);
    uint32_t seed = 7;
    for (int set = 0; set < SETS; set++) {
        char *to = p->base[set] = limit_memory(p->most);
        for (size_t i = 0; i + 4 <= p->most; i += 4) {
            const float x = next(&seed), y = next(&seed);
            uint32_t a, c;
            memcpy(&a, &x, 4);
            memcpy(&c, &y, 4);
            a = t == REEL_F32 ? a : t == REEL_BF16 ? a >> 16 | (c & 0xffff0000u) : seed ^ a << 16 ^ c >> 8;
            memcpy(to + i, &a, 4);
        }
    }
}

/* Walks once without memory, to know how much is needed and to plan. */
static void prepare(bench *b, op *ops, size_t count)
{
    reel_error err = {0};
    b->all = limit_memory(4 * b->parameters * sizeof(float));
    limit_fill(b->all, 4 * b->parameters);
    for (size_t i = 0; i < b->parameters; i++)
        b->all[2 * b->parameters + i] = fabsf(b->all[2 * b->parameters + i]);
    for (size_t i = 0; i < count; i++) {
        ours_prepare(b, &ops[i]);
        bare_prepare(b, &ops[i]);
        b->be->planning = true;
        ours_run(b, &ops[i], 0);
        for (int form = 0; form < ops[i].forms; form++)
            bare_run(b, &ops[i], form, 0);
        b->be->planning = false;
    }
    if (b->be->ops->sync(b->be, &err) != REEL_OK)
        limit_stop(err.message);
    pool_open(b, REEL_F32);
    pool_open(b, REEL_BF16);
    pool_open(b, REEL_I8);
}

static void measure(bench *b, op *ops, size_t count)
{
    for (int r = -1; r < b->rounds; r++)  /* the first round warms up */
        for (size_t i = 0; i < count; i++) {
            op *o = &ops[i];
            const int set = (r + 1) % SETS, at = r < 0 ? 0 : r;
            double start = reel_now();
            ours_run(b, o, set);
            o->ours[at] = reel_now() - start;
            for (int form = 0; form < o->forms; form++) {
                start = reel_now();
                bare_run(b, o, form, set);
                o->bare[form][at] = reel_now() - start;
            }
        }
    reel_error err = {0};
    if (b->be->ops->sync(b->be, &err) != REEL_OK)
        limit_stop(err.message);
}

/* ---- the report ---- */

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *t, int n)
{
    qsort(t, (size_t)n, sizeof *t, compare);
    return t[n / 2];
}

static double flops(const bench *b, const op *o)
{
    const double one = 2.0 * (double)(b->batch * b->heads) * (double)b->tokens * (double)b->tokens * (double)(b->width / b->heads);
    return op_is_linear(o) ? 2.0 * (double)o->m * (double)o->n * (double)o->k : o->kind == ATTENTION_FWD ? 2 * one : o->kind == ATTENTION_BWD ? 5 * one : 0;
}

static void find_limits(const bench *b, op *ops, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (int form = 0; form < ops[i].forms; form++) {
            const double t = median(ops[i].bare[form], b->rounds);
            ops[i].limit = form == 0 || t < ops[i].limit ? t : ops[i].limit;
        }
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count && (ops[i].kind == FORWARD || ops[i].kind == PATCH); j++)
            if ((ops[j].kind == INFER || ops[j].kind == PATCH_INFER) && ops[j].n == ops[i].n && ops[j].k == ops[i].k)
                ops[i].limit = ops[j].limit;
}

static void report(const bench *b, op *ops, size_t count)
{
    double limit[2] = {0, 0}, ours[2] = {0, 0};
    find_limits(b, ops, count);
    for (size_t i = 0; i < count; i++) {
        const double mine = median(ops[i].ours, b->rounds);
        limit[0] += ops[i].forward * ops[i].limit;
        limit[1] += ops[i].step * ops[i].limit;
        ours[0] += ops[i].forward * mine;
        ours[1] += ops[i].step * mine;
    }
    printf("%-26s %12s %15s %6s %9s %9s %7s\n", "", "how often", "% of the time", "GFLOP", "limit ms", "ours ms", "share");
    for (size_t i = 0; i < count; i++) {
        const op *o = &ops[i];
        const double mine = o->ours[b->rounds / 2], part[2] = {100 * o->forward * mine / ours[0], ours[1] > 0 ? 100 * o->step * mine / ours[1] : 0};
        printf("%-26s %5d  %5d %7.1f %7.1f %6.2f %9.2f %9.2f", o->name, o->forward, o->step, part[0], part[1], flops(b, o) * 1e-9, o->limit * 1e3, mine * 1e3);
        if (o->limit > 0)
            printf(" %7.2f  %4.0f of %4.0f GFLOP/s", o->limit / mine, flops(b, o) / mine * 1e-9, flops(b, o) / o->limit * 1e-9);
        printf("\n");
    }
    printf("forward        limit %8.1f ms  ours %8.1f ms  share %.3f\n", limit[0] * 1e3, ours[0] * 1e3, limit[0] / ours[0]);
    if (ours[1] > 0)
        printf("training step  limit %8.1f ms  ours %8.1f ms  share %.3f\n", limit[1] * 1e3, ours[1] * 1e3, limit[1] / ours[1]);
}

/* ---- */

enum { LAYERS = 12, MAX_OPS = 32 };

/* All operations that the precision has. Norms' outputs are made again in the backward. */
static size_t list(const bench *b, op *out)
{
    const size_t m = b->batch * b->tokens, D = b->width, I = 4 * b->width, P = 1536;
    const op all[] = {
        {.name = "patches", .kind = PATCH_INFER, .m = m, .n = D, .k = P, .forward = 1},
        {.name = "qkv", .kind = INFER, .m = m, .n = 3 * D, .k = D, .forward = LAYERS},
        {.name = "proj + residual", .kind = INFER, .m = m, .n = D, .k = D, .forward = LAYERS, .residual = true},
        {.name = "fc1, gelu", .kind = INFER, .m = m, .n = I, .k = D, .forward = LAYERS, .act = REEL_ACT_GELU},
        {.name = "fc2 + residual", .kind = INFER, .m = m, .n = D, .k = I, .forward = LAYERS, .residual = true},
        {.name = "attention", .kind = ATTENTION_FWD, .forward = LAYERS, .step = LAYERS},
        {.name = "layer norm", .kind = NORM_FWD, .m = m, .n = D, .forward = 2 * LAYERS, .step = 4 * LAYERS},
        {.name = "patches, training", .kind = PATCH, .m = m, .n = D, .k = P, .step = 1},
        {.name = "qkv, training", .kind = FORWARD, .m = m, .n = 3 * D, .k = D, .step = LAYERS},
        {.name = "proj + residual, training", .kind = FORWARD, .m = m, .n = D, .k = D, .step = LAYERS, .residual = true},
        {.name = "fc1, gelu, training", .kind = FORWARD, .m = m, .n = I, .k = D, .step = LAYERS, .keep = true, .act = REEL_ACT_GELU},
        {.name = "fc2 + residual, training", .kind = FORWARD, .m = m, .n = D, .k = I, .step = LAYERS, .residual = true},
        {.name = "attention backward", .kind = ATTENTION_BWD, .step = LAYERS},
        {.name = "fc2 input gradient", .kind = INPUT, .m = m, .n = I, .k = D, .step = LAYERS},
        {.name = "fc1 input gradient", .kind = INPUT, .m = m, .n = D, .k = I, .step = LAYERS},
        {.name = "proj input gradient", .kind = INPUT, .m = m, .n = D, .k = D, .step = LAYERS},
        {.name = "qkv input gradient", .kind = INPUT, .m = m, .n = D, .k = 3 * D, .step = LAYERS},
        {.name = "fc2 weight gradient", .kind = WEIGHT, .m = D, .n = I, .k = m, .step = LAYERS},
        {.name = "fc1 weight gradient", .kind = WEIGHT, .m = I, .n = D, .k = m, .step = LAYERS},
        {.name = "proj weight gradient", .kind = WEIGHT, .m = D, .n = D, .k = m, .step = LAYERS},
        {.name = "qkv weight gradient", .kind = WEIGHT, .m = 3 * D, .n = D, .k = m, .step = LAYERS},
        {.name = "patches weight gradient", .kind = WEIGHT, .m = D, .n = P, .k = m, .step = 1},
        {.name = "layer norm backward", .kind = NORM_BWD, .m = m, .n = D, .step = 2 * LAYERS},
        {.name = "gelu backward", .kind = ACT_BWD, .m = m, .n = I, .step = LAYERS},
        {.name = "gradient to bfloat16", .kind = CAST, .m = m, .n = D, .step = 2 * LAYERS + 1},
        {.name = "gradient norm and AdamW", .kind = UPDATE, .step = 1},
    };
    size_t n = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!(b->precision == REEL_PRECISION_INT8 && all[i].forward == 0) && !(b->precision == REEL_PRECISION_FLOAT32 && all[i].kind == CAST))
            out[n++] = all[i];
    for (size_t i = 0; i < n && b->precision == REEL_PRECISION_INT8; i++)
        out[i].step = 0;
    return n;
}

int main(int argc, char **argv)
{
    static op ops[MAX_OPS];
    reel_error err;
    const char *why;
    const bool small = argc > 1 && strcmp(argv[1], "small") == 0;
    bench b = {.batch = argc > 2 ? (size_t)atoi(argv[2]) : 1, .rounds = argc > 3 ? atoi(argv[3]) : 9, .tokens = TOKENS,
               .heads = small ? 6 : 12, .width = small ? 384 : 768};
    if (b.batch < 1 || b.batch > 64 || b.rounds < 1 || b.rounds > MAX_ROUNDS || (argc > 5 && !reel_precision_parse(argv[5], &b.precision)))
        limit_stop("usage: bench_limit [base|small] [CLIPS] [ROUNDS] [THREADS] [fp32|bf16|int8]");
    if (reel_context_open(&b.ctx, &err) != REEL_OK || (argc > 4 && reel_context_set(b.ctx, "threads", argv[4], &err) != REEL_OK) ||
        reel_backend_open(b.ctx, &b.be, &err) != REEL_OK)
        limit_stop(err.message);
    b.threads = reel_context_threads(b.ctx);
    b.type = b.precision == REEL_PRECISION_FLOAT32 ? REEL_F32 : REEL_BF16;
    if (reel_products_open(b.threads, &b.products, &err) != REEL_OK)
        limit_stop(err.message);
    b.parameters = LAYERS * 12 * b.width * b.width + b.width * 1536;
    const size_t count = list(&b, ops);
    reel_precision_usable(b.ctx, b.precision, &why);
    printf("%s\nVideoMAE-%s, %zu clip(s), %d threads, %d rounds, %s\n", reel_context_machine(b.ctx), small ? "small" : "base", b.batch, b.threads, b.rounds,
           reel_precision_name(b.precision));
    if (why != NULL)
        printf("a run would not compute in it: %s\n", why);
    prepare(&b, ops, count);
    measure(&b, ops, count);
    report(&b, ops, count);
    for (size_t i = 0; i < count; i++)
        b.be->ops->weight_unpack(b.be, &ops[i].weight);
    reel_products_close(&b.products);
    reel_backend_close(&b.be);
    reel_context_close(&b.ctx);
    return 0;
}
