/* Each layer's backward against differences of its forward, on every table. */
#include "bed.h"

#include <math.h>

#include "base/context.h"
#include "nn/block.h"
#include "nn/head.h"

enum { BATCH = 2, TOKENS = 4, ROWS = BATCH * TOKENS, D = 6, HEADS = 2, I = 10, K = 3, C = 2, T = 4, H = 6, W = 6 };
enum { MAX_NUMBERS = 4096, ARENA = 1 << 20 };

/* One layer under test: out = layer(x; weights), the loss is the sum of out times a fixed pattern. */
typedef struct lab {
    reel_context *ctx;
    reel_backend *be;
    reel_pass pass;
    float *dev_weights, *dev_grads, *dev_x, *dev_dx, *dev_out, *dev_dout, *dev_table;
    void *dev_arena;
    float x[MAX_NUMBERS], w[MAX_NUMBERS], dx[MAX_NUMBERS], dw[MAX_NUMBERS], pattern[MAX_NUMBERS];
    size_t nx, nw, nout;
    bool x_has_gradient;
    size_t stride;                   /* which numbers are tried: all on the first table */
    void (*forward)(struct lab *);   /* dev_x to dev_out */
    void (*backward)(struct lab *);  /* dev_dout to dev_dx and dev_grads */
    reel_block block;
    reel_block_cache block_cache;
    reel_work work;
    reel_head head;
    reel_head_cache head_cache;
    reel_patch_embed patches;
} lab;

static float *take(lab *l, size_t n)
{
    void *dev;
    BED_OK(l->be->ops->mem_alloc(l->be, n * sizeof(float), &dev, bed_err));
    return dev;
}

static void lab_open(lab *l, const bed_table *t)
{
    memset(l, 0, sizeof *l);
    l->ctx = bed_context(t);
    l->be = bed_backend(t, l->ctx);
    l->dev_weights = take(l, MAX_NUMBERS);
    l->dev_grads = take(l, MAX_NUMBERS);
    l->dev_x = take(l, MAX_NUMBERS);
    l->dev_dx = take(l, MAX_NUMBERS);
    l->dev_out = take(l, MAX_NUMBERS);
    l->dev_dout = take(l, MAX_NUMBERS);
    l->dev_table = take(l, MAX_NUMBERS);
    l->dev_arena = take(l, ARENA / sizeof(float));
    bed_fill("x", MAX_NUMBERS, 1, 0, l->x);
    bed_fill("w", MAX_NUMBERS, 0.5, 0.1, l->w);
    bed_fill("pattern", MAX_NUMBERS, 1, 0, l->pattern);
    l->pass = (reel_pass){.be = l->be, .arena = {.base = l->dev_arena, .size = ARENA}, .ctx = l->ctx, .weights = l->dev_weights,
                          .grads = l->dev_grads, .constants = l->dev_table, .batch = BATCH, .dtype = REEL_F32, .train = true};
    l->x_has_gradient = true;
    l->stride = t == bed_tables ? 1 : 11;
}

static void lab_close(lab *l)
{
    void *dev[] = {l->dev_weights, l->dev_grads, l->dev_x, l->dev_dx, l->dev_out, l->dev_dout, l->dev_table, l->dev_arena};
    for (size_t i = 0; i < sizeof dev / sizeof *dev; i++)
        l->be->ops->mem_free(l->be, dev[i]);
    reel_backend_close(&l->be);
    reel_context_close(&l->ctx);
}

static double loss_of(lab *l)
{
    float out[MAX_NUMBERS];
    double sum = 0;
    l->be->ops->upload(l->be, l->dev_x, l->x, l->nx * sizeof(float));
    l->be->ops->upload(l->be, l->dev_weights, l->w, l->nw * sizeof(float));
    reel_arena_rewind(&l->pass.arena, 0);
    l->forward(l);
    l->be->ops->download(l->be, out, l->dev_out, l->nout * sizeof(float));
    BED_OK(l->be->ops->sync(l->be, bed_err));
    assert_false(l->pass.arena.failed);
    for (size_t i = 0; i < l->nout; i++)
        sum += (double)out[i] * (double)l->pattern[i];
    return sum;
}

static void differences(lab *l, const char *what, float *values, const float *gradient, size_t n)
{
    double largest = 0;
    const float h = 1.0f / 128;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs((double)gradient[i]));
    assert_true(largest > 0);
    for (size_t i = 0; i < n; i += l->stride) {
        float kept = values[i];
        values[i] = kept + h;
        double up = loss_of(l);
        values[i] = kept - h;
        double down = loss_of(l);
        values[i] = kept;
        /* float32 forward: 1e-6 over 2h; third derivatives: h^2 */
        double d = (up - down) / (2 * (double)h);
        if (!(fabs(d - (double)gradient[i]) <= 1e-3 * largest + 1e-4))
            fail_msg("%s, number %zu: gradient %g, difference %g", what, i, (double)gradient[i], d);
    }
}

/* The gradient is written first and then added to. */
static void check(lab *l, const char *what)
{
    float dw[MAX_NUMBERS], rubbish[MAX_NUMBERS];
    for (size_t i = 0; i < MAX_NUMBERS; i++)
        rubbish[i] = 1e20f;
    l->be->ops->upload(l->be, l->dev_grads, rubbish, l->nw * sizeof(float));
    for (int pass = 0; pass < 2; pass++) {
        loss_of(l);
        l->pass.accumulate = pass > 0;
        l->be->ops->upload(l->be, l->dev_dout, l->pattern, l->nout * sizeof(float));
        l->backward(l);
        l->be->ops->download(l->be, pass > 0 ? dw : l->dw, l->dev_grads, l->nw * sizeof(float));
        l->be->ops->download(l->be, l->dx, l->dev_dx, l->nx * sizeof(float));
        BED_OK(l->be->ops->sync(l->be, bed_err));
    }
    for (size_t i = 0; i < l->nw; i++)
        if (!(fabs((double)dw[i] - 2 * (double)l->dw[i]) <= 1e-5 * (1 + fabs((double)dw[i]))))
            fail_msg("%s: gradient %zu is %g, then %g", what, i, (double)l->dw[i], (double)dw[i]);
    differences(l, what, l->w, l->dw, l->nw);
    if (l->x_has_gradient)
        differences(l, what, l->x, l->dx, l->nx);
}

static size_t place(lab *l, size_t n)
{
    size_t at = l->nw;
    l->nw += n;
    assert_true(l->nw <= MAX_NUMBERS);
    return at;
}

static reel_linear linear(lab *l, size_t out, size_t in, bool bias)
{
    reel_linear r = {.w = place(l, out * in), .b = REEL_NO_PARAM, .out = out, .in = in};
    if (bias)
        r.b = place(l, out);
    return r;
}

static reel_norm norm(lab *l, size_t width)
{
    reel_norm n = {.gamma = place(l, width), .eps = 1e-6f};
    n.beta = place(l, width);
    return n;
}

static reel_view view(void *dev, size_t rows, size_t cols)
{
    return (reel_view){dev, REEL_F32, rows, cols, cols};
}

/* --- the block --- */

static void block_forward(lab *l)
{
    l->work = reel_work_take(&l->pass, ROWS, D, 3 * D > I ? 3 * D : I);
    reel_view out = reel_block_fwd(&l->pass, &l->block, &l->block_cache, &l->work, view(l->dev_x, ROWS, D));
    l->be->ops->copy(l->be, l->dev_out, out.dev, ROWS * D * sizeof(float));
}

static void block_backward(lab *l)
{
    l->be->ops->copy(l->be, l->dev_dx, l->dev_dout, ROWS * D * sizeof(float));
    reel_block_bwd(&l->pass, &l->block, &l->block_cache, &l->work, view(l->dev_dx, ROWS, D));
}

static void block_setup(lab *l, reel_act act, bool bias)
{
    l->block = (reel_block){.before = norm(l, D), .after = norm(l, D), .heads = HEADS, .act = act, .site = 4};
    l->block.qkv = linear(l, 3 * D, D, bias);
    l->block.proj = linear(l, D, D, true);
    l->block.fc1 = linear(l, I, D, true);
    l->block.fc2 = linear(l, D, I, true);
    l->nx = l->nout = ROWS * D;
    l->forward = block_forward;
    l->backward = block_backward;
}

static void block(void **state)
{
    (void)state;
    static const reel_act acts[] = {REEL_ACT_GELU, REEL_ACT_GELU_TANH, REEL_ACT_QUICK_GELU, REEL_ACT_SILU};
    for (size_t t = 0; t < bed_table_count; t++)
        for (size_t a = 0; a < (t == 0 ? sizeof acts / sizeof *acts : 1); a++) {
            lab l;
            lab_open(&l, &bed_tables[t]);
            block_setup(&l, acts[a], a % 2 == 0);
            check(&l, "block");
            lab_close(&l);
        }
}

/* The mask of the backward is that of the forward; another draw gives another mask; evaluation has none. */
static void block_with_dropout(void **state)
{
    (void)state;
    for (size_t t = 0; t < bed_table_count; t++) {
        lab l;
        lab_open(&l, &bed_tables[t]);
        block_setup(&l, REEL_ACT_GELU, true);
        double without = loss_of(&l);
        l.pass.dropout = 0.3f;
        l.pass.seed[0] = 42;
        check(&l, "block with dropout");
        double first = loss_of(&l), again = loss_of(&l);
        assert_true(first == again && first != without);
        l.pass.draw[0] = 1;
        assert_true(loss_of(&l) != first);
        lab_close(&l);
    }
}

/* Without training the block works in place and gives the same. */
static void inference_equals_training(void **state)
{
    (void)state;
    for (size_t t = 0; t < bed_table_count; t++) {
        lab l;
        lab_open(&l, &bed_tables[t]);
        block_setup(&l, REEL_ACT_GELU, true);
        double trained = loss_of(&l);
        l.pass.train = false;
        double inferred = loss_of(&l);
        assert_true(fabs(trained - inferred) <= 1e-5 * (1 + fabs(trained)));
        lab_close(&l);
    }
}

/* --- the head --- */

static void head_forward(lab *l)
{
    reel_head_fwd(&l->pass, &l->head, &l->head_cache, view(l->dev_out, BATCH, K), view(l->dev_x, ROWS, D));
}

static void head_backward(lab *l)
{
    reel_head_bwd(&l->pass, &l->head, &l->head_cache, view(l->dev_dx, ROWS, D), view(l->dev_dout, BATCH, K));
}

static void heads(void **state)
{
    (void)state;
    for (size_t t = 0; t < bed_table_count; t++)
        for (int mean = 0; mean < 2; mean++) {
            lab l;
            lab_open(&l, &bed_tables[t]);
            l.head = (reel_head){.mean = mean != 0, .tokens = TOKENS};
            l.head.norm = norm(&l, D);
            l.head.classifier = linear(&l, K, D, true);
            l.nx = ROWS * D;
            l.nout = BATCH * K;
            l.forward = head_forward;
            l.backward = head_backward;
            check(&l, mean ? "mean head" : "token head");
            for (size_t i = 0; !mean && i < ROWS * D; i++)  /* only token 0 of each clip has a gradient */
                assert_true(i / D % TOKENS == 0 || l.dx[i] == 0);
            lab_close(&l);
        }
}

/* --- the patch embedding --- */

static void patches_forward(lab *l)
{
    l->work = reel_work_take(&l->pass, ROWS * 2, D, (size_t)C * 2 * 3 * 3);
    reel_patch_embed_fwd(&l->pass, &l->patches, view(l->dev_out, ROWS * 2, D), l->work.wide, l->dev_x);
}

static void patches_backward(lab *l)
{
    reel_patch_embed_bwd(&l->pass, &l->patches, view(l->dev_dout, ROWS * 2, D), l->work.wide, l->work.narrow, l->dev_x);
}

static void patches(void **state)
{
    (void)state;
    float table[MAX_NUMBERS];
    bed_fill("table", MAX_NUMBERS, 1, 0, table);
    for (size_t t = 0; t < bed_table_count; t++) {
        lab l;
        lab_open(&l, &bed_tables[t]);
        l.be->ops->upload(l.be, l.dev_table, table, sizeof table);
        l.patches = (reel_patch_embed){.cut = {BATCH, T, C, H, W, 2, 3, 3}, .tokens = 2 * TOKENS, .table = 16};
        l.patches.projection = linear(&l, D, (size_t)C * 2 * 3 * 3, true);
        l.nx = (size_t)BATCH * T * C * H * W;
        l.nout = (size_t)ROWS * 2 * D;
        l.forward = patches_forward;
        l.backward = patches_backward;
        l.x_has_gradient = false;
        check(&l, "patch embedding");
        lab_close(&l);
    }
}

/* --- the arena --- */

static void arena_measures_what_it_takes(void **state)
{
    (void)state;
    reel_arena measuring = {0};
    char memory[1024] __attribute__((aligned(64)));
    assert_non_null(reel_arena_take(&measuring, 3, 4));
    size_t mark = reel_arena_mark(&measuring);
    reel_arena_take(&measuring, 100, 4);
    reel_arena_rewind(&measuring, mark);
    reel_arena_take(&measuring, 1, 1);
    assert_int_equal(measuring.peak, 64 + 448);
    reel_arena real = {.base = memory, .size = 512};
    assert_ptr_equal(reel_arena_take(&real, 3, 4), memory);
    assert_ptr_equal(reel_arena_take(&real, 100, 4), memory + 64);
    assert_false(real.failed);
    assert_null(reel_arena_take(&real, 1, 1));
    assert_true(real.failed);
    assert_null(reel_arena_take(&measuring, SIZE_MAX / 2, 4));
    assert_true(measuring.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(block), cmocka_unit_test(block_with_dropout), cmocka_unit_test(inference_equals_training),
        cmocka_unit_test(heads), cmocka_unit_test(patches), cmocka_unit_test(arena_measures_what_it_takes),
    };
    return cmocka_run_group_tests_name("layers", tests, NULL, NULL);
}
