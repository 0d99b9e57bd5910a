/* Logits, last hidden state, loss, every gradient and five AdamW steps against transformers (tests/golden/make_golden.py). */
#include "bed.h"

#include <math.h>

#include "models/run_state.h"

/* Suggested by the specification: 1e-5 for one pass, 5e-5 after five steps (float32, another order of summation). */
static const double PASS = 1e-5, TRAJECTORY = 5e-5;

enum { B = 2, STEPS = 5 };

typedef struct golden_case { const char *name; reel_loss_kind kind; double smoothing; } golden_case;
static const golden_case cases[] = {
    {"videomae", REEL_LOSS_SINGLE, 0}, {"videomae_cls", REEL_LOSS_SINGLE, 0}, {"videomae_multilabel", REEL_LOSS_MULTI, 0},
    {"videomae_regression", REEL_LOSS_REGRESSION, 0}, {"videomae_smooth", REEL_LOSS_SINGLE, 0.1},
};

typedef struct bench {
    const golden_case *c;
    reel_tensors golden;
    char *dir;
    reel_context *ctx;
    reel_model *model;
    reel_backend *be;
    reel_run *run;
    float *pixels, *target;
    int64_t label[B];
    size_t numbers;   /* of one clip */
} bench;

/* The golden config, with hidden_dropout_prob 0.0 changed where `dropout` is given. */
static void write_config(bench *b, const char *dropout)
{
    char *text = strdup(reel_tensors_metadata(&b->golden, "config")), *at = strstr(text, "\"hidden_dropout_prob\": 0.0");
    assert_non_null(at);
    if (dropout != NULL)
        memcpy(at + strlen("\"hidden_dropout_prob\": "), dropout, 3);
    bed_write_model(b->dir, text);
    free(text);
}

static void bench_open_with(bench *b, const golden_case *c, const bed_table *t, reel_run_mode mode, size_t max_batch,
                            const char *dropout)
{
    memset(b, 0, sizeof *b);
    b->c = c;
    bed_golden_open(c->name, &b->golden);
    b->dir = test_folder();
    write_config(b, dropout);
    b->ctx = bed_context(t);
    BED_OK(reel_model_load(b->ctx, b->dir, NULL, &b->model, NULL, bed_err));
    b->be = bed_backend(t, b->ctx);
    BED_OK(reel_run_open_with(b->model, &(reel_run_settings){.max_batch = max_batch, .mode = mode}, b->be, &b->run, bed_err));
    const reel_config *k = &b->model->config;
    b->numbers = (size_t)k->frames * (size_t)k->channels * (size_t)k->height * (size_t)k->width;
    b->pixels = calloc(B * b->numbers, sizeof *b->pixels);
    b->target = calloc((size_t)(B * k->labels), sizeof *b->target);
}

static void bench_open(bench *b, const golden_case *c, const bed_table *t, reel_run_mode mode, size_t max_batch)
{
    bench_open_with(b, c, t, mode, max_batch, NULL);
}

static void bench_close(bench *b)
{
    reel_run_close(&b->run);
    reel_backend_close(&b->be);
    reel_model_close(&b->model);
    reel_context_close(&b->ctx);
    reel_tensors_close(&b->golden);
    test_remove_folder(b->dir);
    free(b->pixels);
    free(b->target);
}

/* Batch k of the golden script. */
static void load_batch(bench *b, int k)
{
    char name[32];
    size_t n = B * (size_t)b->model->config.labels;
    snprintf(name, sizeof name, "pixel_values.%d", k);
    bed_fill(name, B * b->numbers, 2, 0, b->pixels);
    snprintf(name, sizeof name, "labels.%d", k);
    bed_fill(name, n, 1, 0, b->target);
    for (size_t i = 0; b->c->kind == REEL_LOSS_MULTI && i < n; i++)
        b->target[i] = b->target[i] >= 0 ? 1.0f : 0.0f;
    for (int i = 0; i < B; i++)
        b->label[i] = (2 * i + k + 1) % 3;
}

/* Forward and backward of the loaded batch in micro batches of `micro` clips. */
static double train(bench *b, size_t micro, float *logits)
{
    size_t labels = (size_t)b->model->config.labels;
    double sum = 0, part;
    for (size_t at = 0; at < B; at += micro) {
        reel_loss loss = {.kind = b->c->kind, .label_smoothing = b->c->smoothing, .label = b->label + at,
                          .target = b->target + at * labels, .items = B};
        BED_OK(reel_run_train(b->run, b->pixels + at * b->numbers, micro, &loss, at > 0, 0, at, &part,
                              logits != NULL ? logits + at * labels : NULL, bed_err));
        sum += part;
    }
    return sum;
}

static void check_scalar(const char *what, double got, const reel_tensors *st, const char *name, size_t at, double bound)
{
    const float *want = bed_golden(st, name, NULL);
    float g = (float)got;
    bed_close(what, &g, want + at, 1, bound);
    free((void *)(uintptr_t)want);
}

/* The bias that keys do not have stays zero: its gradient is rounding noise, which AdamW would turn into full steps. */
static void check_holes(bench *b)
{
    static const reel_run_block blocks[] = {REEL_BLOCK_WEIGHTS, REEL_BLOCK_EXP_AVG, REEL_BLOCK_EXP_AVG_SQ};
    const reel_params *params = &b->model->params;
    float *got = calloc(params->floats, sizeof *got);
    for (size_t k = 0; k < 3; k++) {
        BED_OK(reel_run_get(b->run, blocks[k], got, bed_err));
        for (size_t i = 0; i < params->n; i++)
            for (size_t j = 0; params->param[i].name == NULL && j < params->param[i].count; j++)
                assert_true(got[params->param[i].offset + j] == 0);
    }
    free(got);
}

/* All tensors of a block against PREFIX/NAME. */
static void check_block(bench *b, reel_run_block block, const char *prefix, double bound)
{
    char name[200];
    const reel_params *params = &b->model->params;
    float *got = calloc(params->floats, sizeof *got);
    size_t seen = 0, n;
    BED_OK(reel_run_get(b->run, block, got, bed_err));
    for (size_t i = 0; i < params->n; i++) {
        const reel_param *p = &params->param[i];
        if (p->name == NULL)
            continue;
        snprintf(name, sizeof name, "%s/%s", prefix, p->name);
        const float *want = bed_golden(&b->golden, name, &n);
        assert_int_equal(n, p->count);
        bed_close(name, got + p->offset, want, n, bound);
        free((void *)(uintptr_t)want);
        seen++;
    }
    assert_true(seen > 30);
    free(got);
}

static void check_pass(bench *b, size_t micro)
{
    float logits[B * 3];
    size_t n;
    load_batch(b, 0);
    check_scalar("loss", train(b, micro, logits), &b->golden, "out/loss", 0, PASS);
    const float *want = bed_golden(&b->golden, "out/logits", &n);
    bed_close("logits", logits, want, n, PASS);
    free((void *)(uintptr_t)want);
    check_block(b, REEL_BLOCK_GRADS, "grad", PASS);
}

static void check_trajectory(bench *b, size_t micro)
{
    for (int s = 0; s < STEPS; s++) {
        double norm, lr = s <= 2 ? 1e-3 * s / 2 : 1e-3 * (STEPS - s) / 3;
        load_batch(b, s);
        check_scalar("loss of a step", train(b, micro, NULL), &b->golden, "traj/loss", (size_t)s, TRAJECTORY);
        BED_OK(reel_run_grad_norm(b->run, &norm, bed_err));
        check_scalar("norm of a step", norm, &b->golden, "traj/grad_norm", (size_t)s, TRAJECTORY);
        check_scalar("learning rate", lr, &b->golden, "traj/lr", (size_t)s, 1e-6);
        reel_adamw_options o = {.lr = lr, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .weight_decay = 0.05,
                                .grad_scale = fmin(1, 1 / (norm + 1e-6)), .step = s + 1};
        BED_OK(reel_run_adamw(b->run, &o, bed_err));
    }
    check_block(b, REEL_BLOCK_WEIGHTS, "final", TRAJECTORY);
    check_holes(b);
}

static void training(void **state)
{
    (void)state;
    for (size_t t = 0; t < bed_table_count; t++)
        for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
            for (size_t micro = t % 3 == 0 ? 1 : B; micro <= B; micro++) {
                bench b;
                print_message("# %s, %s, micro batches of %zu\n", cases[c].name, bed_tables[t].name, micro);
                bench_open(&b, &cases[c], &bed_tables[t], REEL_RUN_TRAIN, B);
                check_pass(&b, micro);
                check_trajectory(&b, micro);
                bench_close(&b);
            }
}

static void inference(void **state)
{
    (void)state;
    for (size_t t = 0; t < bed_table_count; t++)
        for (size_t c = 0; c < 2; c++) {
            bench b;
            float logits[B * 3];
            size_t n;
            bench_open(&b, &cases[c], &bed_tables[t], REEL_RUN_INFER, B);
            load_batch(&b, 0);
            const float *want = bed_golden(&b.golden, "out/logits", NULL);
            const float *states = bed_golden(&b.golden, "out/last_hidden_state", &n);
            float *hidden = calloc(n, sizeof *hidden);
            BED_OK(reel_run_forward(b.run, b.pixels, B, logits, hidden, bed_err));
            bed_close("logits", logits, want, B * 3, PASS);
            bed_close("hidden", hidden, states, n, PASS);
            memset(logits, 0, sizeof logits);
            for (size_t i = 0; i < B; i++)  /* one clip at a time, without hidden states */
                BED_OK(reel_run_forward(b.run, b.pixels + i * b.numbers, 1, logits + i * 3, NULL, bed_err));
            bed_close("logits one by one", logits, want, B * 3, PASS);
            free((void *)(uintptr_t)want);
            free((void *)(uintptr_t)states);
            free(hidden);
            bench_close(&b);
        }
}

/* A batch that goes through the layers in chunks: the same numbers, the loss and gradients summed inside the run. */
static void chunks(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        bench b;
        bench_open(&b, &cases[c], &bed_tables[3], REEL_RUN_TRAIN, B);
        assert_int_equal(b.run->chunk, B);
        b.run->chunk = 1;  /* as for a model of many tokens */
        check_pass(&b, B);
        check_trajectory(&b, B);
        bench_close(&b);
    }
}

/* Evaluation inside a training run sees the weights as they are now, and disturbs nothing. */
static void evaluation_while_training(void **state)
{
    (void)state;
    bench b;
    float before[B * 3], after[B * 3];
    bench_open(&b, &cases[0], &bed_tables[0], REEL_RUN_TRAIN, B);
    load_batch(&b, 0);
    BED_OK(reel_run_forward(b.run, b.pixels, B, before, NULL, bed_err));
    const float *want = bed_golden(&b.golden, "out/logits", NULL);
    bed_close("logits", before, want, B * 3, PASS);
    free((void *)(uintptr_t)want);
    check_trajectory(&b, B);
    load_batch(&b, 0);
    BED_OK(reel_run_forward(b.run, b.pixels, B, after, NULL, bed_err));
    assert_memory_not_equal(before, after, sizeof before);
    bench_close(&b);
}

/* Same seed, threads, machine: same bits; and the number of threads changes nothing in float32. */
static void same_bits(void **state)
{
    (void)state;
    float *block[3];
    size_t bytes = 0;
    for (int i = 0; i < 3; i++) {
        bench b;
        bench_open(&b, &cases[0], &bed_tables[i == 2], REEL_RUN_TRAIN, B);
        check_trajectory(&b, B);
        bytes = b.model->params.floats * sizeof(float);
        block[i] = malloc(bytes);
        BED_OK(reel_run_get(b.run, REEL_BLOCK_WEIGHTS, block[i], bed_err));
        bench_close(&b);
    }
    assert_memory_equal(block[0], block[1], bytes);
    assert_memory_equal(block[0], block[2], bytes);
    for (int i = 0; i < 3; i++)
        free(block[i]);
}

/* Each micro batch, and each chunk inside one, draws its own mask; the same numbers give the same; evaluation has none. */
static void dropout_draws(void **state)
{
    (void)state;
    bench b;
    double loss[4];
    float logits[B * 3], again[B * 3];
    static const uint64_t seed[4] = {1, 1, 1, 2}, draw[4] = {7, 7, 8, 7};
    bench_open_with(&b, &cases[0], &bed_tables[0], REEL_RUN_TRAIN, B, "0.3");
    load_batch(&b, 0);
    BED_OK(reel_run_forward(b.run, b.pixels, B, logits, NULL, bed_err));
    const float *want = bed_golden(&b.golden, "out/logits", NULL);
    bed_close("logits in evaluation", logits, want, B * 3, PASS);
    free((void *)(uintptr_t)want);
    const reel_loss l = {.kind = REEL_LOSS_SINGLE, .label = b.label, .items = B};
    for (int i = 0; i < 4; i++)
        BED_OK(reel_run_train(b.run, b.pixels, B, &l, false, seed[i], draw[i], &loss[i], NULL, bed_err));
    assert_true(loss[0] == loss[1] && loss[0] != loss[2] && loss[0] != loss[3] && loss[2] != loss[3]);
    /* two equal clips in two chunks */
    memcpy(b.pixels + b.numbers, b.pixels, b.numbers * sizeof *b.pixels);
    b.run->chunk = 1;
    BED_OK(reel_run_train(b.run, b.pixels, B, &l, false, 1, 7, &loss[0], again, bed_err));
    assert_memory_not_equal(again, again + 3, 3 * sizeof *again);
    bench_close(&b);
}

static void wrong_use_is_refused(void **state)
{
    (void)state;
    bench b;
    reel_error err = {0};
    double value;
    float logits[B * 3];
    bench_open(&b, &cases[0], &bed_tables[0], REEL_RUN_TRAIN, B);
    load_batch(&b, 0);
    reel_loss loss = {.kind = REEL_LOSS_SINGLE, .label = b.label, .items = B};
    assert_int_equal(reel_run_train(b.run, b.pixels, B + 1, &loss, false, 0, 0, &value, NULL, &err), REEL_ERR_ARG);
    assert_int_equal(reel_run_forward(b.run, b.pixels, 0, logits, NULL, &err), REEL_ERR_ARG);
    b.label[1] = 3;
    assert_int_equal(reel_run_train(b.run, b.pixels, B, &loss, false, 0, 0, &value, NULL, &err), REEL_ERR_ARG);
    assert_non_null(strstr(err.message, "label 3"));
    b.pixels[5] = NAN;
    logits[0] = 7;
    assert_int_equal(reel_run_forward(b.run, b.pixels, B, logits, NULL, &err), REEL_ERR_NUMERIC);
    assert_true(logits[0] == 7);
    bench_close(&b);
}

static bool stop_now(void *user)
{
    return --*(int *)user < 0;
}

/* Asked between layers: wherever it stops, the status says so and the next call works. */
static void stops_between_layers(void **state)
{
    (void)state;
    bench b;
    double value;
    bench_open(&b, &cases[0], &bed_tables[0], REEL_RUN_TRAIN, B);
    load_batch(&b, 0);
    reel_loss loss = {.kind = REEL_LOSS_SINGLE, .label = b.label, .items = B};
    int stopped = 0;
    for (int at = 0;; at++) {
        int left = at;
        reel_error err = {0};
        reel_context_set_cancel(b.ctx, stop_now, &left);
        reel_status status = reel_run_train(b.run, b.pixels, B, &loss, false, 0, 0, &value, NULL, &err);
        if (status == REEL_OK)
            break;
        assert_int_equal(status, REEL_ERR_CANCELLED);
        stopped++;
    }
    assert_true(stopped >= 6);
    reel_context_set_cancel(b.ctx, NULL, NULL);
    check_pass(&b, B);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inference), cmocka_unit_test(training), cmocka_unit_test(chunks),
        cmocka_unit_test(evaluation_while_training),
        cmocka_unit_test(same_bits), cmocka_unit_test(dropout_draws),
        cmocka_unit_test(wrong_use_is_refused), cmocka_unit_test(stops_between_layers),
    };
    return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
