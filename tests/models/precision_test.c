/* Runs in bfloat16 and int8, with checkpointing, and from mapped files: what must be near float32 is near it, what must be the same
 * has the same bits. The rule that says which precision a processor computes in is told here that it has all instructions; the
 * back ends then use what there is, or the plain C kernels. */
#include "bed.h"

#include <math.h>

#include "base/context.h"
#include "base/cpu.h"
#include "models/run_state.h"

enum { B = 3, LABELS = 5 };

static const char config[] =
    "{\"model_type\": \"videomae\", \"image_size\": 24, \"patch_size\": 8, \"num_frames\": 4, \"hidden_size\": 48, "
    "\"num_hidden_layers\": 3, \"num_attention_heads\": 3, \"intermediate_size\": 100, \"hidden_dropout_prob\": %s, "
    "\"id2label\": {\"0\": \"a\", \"1\": \"b\", \"2\": \"c\", \"3\": \"d\", \"4\": \"e\"}, "
    "\"label2id\": {\"a\": 0, \"b\": 1, \"c\": 2, \"d\": 3, \"e\": 4}}";

typedef struct bench {
    char *dir;
    reel_context *ctx, *other;   /* of the model, of the back end */
    reel_model *model;
    reel_backend *be;
    float *pixels;
    size_t numbers;              /* of one clip */
    int64_t label[B];
} bench;

static void bench_open(bench *b, const bed_table *t, const char *dropout)
{
    char text[1200];
    *b = (bench){.dir = test_folder(), .label = {1, 4, 0}};
    snprintf(text, sizeof text, config, dropout);
    bed_write_model(b->dir, text);
    b->ctx = bed_context(t);
    b->other = bed_context(t);
    b->ctx->cpu_flags |= REEL_CPU_AMX_BF16 | REEL_CPU_AVX512_VNNI;
    BED_OK(reel_model_load(b->ctx, b->dir, NULL, &b->model, NULL, bed_err));
    b->be = bed_backend(t, b->other);
    b->numbers = reel_run_pixels(b->model);
    b->pixels = calloc(B * b->numbers, sizeof *b->pixels);
    bed_fill("pixels", B * b->numbers, 2, 0, b->pixels);
}

static void bench_close(bench *b)
{
    reel_backend_close(&b->be);
    reel_model_close(&b->model);
    reel_context_close(&b->ctx);
    reel_context_close(&b->other);
    test_remove_folder(b->dir);
    free(b->pixels);
}

static reel_run *run_of(bench *b, const reel_model *model, reel_run_mode mode, reel_precision precision, bool checkpointing)
{
    reel_run *run;
    const reel_run_settings s = {.max_batch = B, .mode = mode, .precision = precision, .checkpointing = checkpointing};
    BED_OK(reel_run_open_with(model, &s, b->be, &run, bed_err));
    assert_int_equal(reel_run_precision(run), precision);
    return run;
}

static double norm_of(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

/* |a - b| / |b| in the 2-norm. */
static double apart(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += pow((double)a[i] - (double)b[i], 2);
    return sqrt(sum) / norm_of(b, n);
}

/* bfloat16 rounds by 2^-8 at most, 2^-9.6 in the mean square; the residual stream is float32, and each of its six branches brings the
 * roundings of about five operations: 0.13 % sqrt(5) of a branch, and branches add up as their errors do. 0.26 % is seen, three times
 * that allowed. int8 has 127 steps for a row's largest number, three times a usual one: half a step is 1.2 % of that in the worst case
 * and 0.7 % in the mean square, for both factors of the four products of a layer. 0.63 % is seen. Gradients have passed a backward
 * besides, which is twice as long: 0.8 % is seen in the worst tensor. */
static const double NEAR[] = {[REEL_PRECISION_BFLOAT16] = 0.008, [REEL_PRECISION_INT8] = 0.02}, NEAR_GRADIENT = 0.025;

static void forward_is_near(void **state)
{
    (void)state;
    for (size_t t = 0; t < bed_table_count; t++) {
        bench b;
        bench_open(&b, &bed_tables[t], "0.0");
        const size_t states = B * reel_run_tokens(b.model);
        float logits[3][B * LABELS], one[LABELS], *hidden[3];
        for (int p = REEL_PRECISION_FLOAT32; p <= REEL_PRECISION_INT8; p++) {
            reel_run *run = run_of(&b, b.model, REEL_RUN_INFER, (reel_precision)p, false);
            hidden[p] = calloc(states, sizeof *hidden[p]);
            BED_OK(reel_run_forward(run, b.pixels, B, logits[p], hidden[p], bed_err));
            BED_OK(reel_run_forward(run, b.pixels + b.numbers, 1, one, NULL, bed_err));
            assert_memory_equal(one, logits[p] + LABELS, sizeof one);  /* a clip's numbers do not depend on its neighbours */
            reel_run_close(&run);
        }
        for (int p = REEL_PRECISION_BFLOAT16; p <= REEL_PRECISION_INT8; p++) {
            const double of_logits = apart(logits[p], logits[0], B * LABELS), of_states = apart(hidden[p], hidden[0], states);
            print_message("# %s, %s: logits off by %.4f, hidden states by %.4f\n", bed_tables[t].name, reel_precision_name((reel_precision)p),
                          of_logits, of_states);
            assert_true(of_logits <= NEAR[p] && of_states <= NEAR[p]);
            assert_true(of_states >= 1e-4);  /* it is another precision */
        }
        assert_true(apart(hidden[2], hidden[1], states) >= 1e-4);
        for (int p = 0; p < 3; p++)
            free(hidden[p]);
        bench_close(&b);
    }
}

/* ---- training ---- */

/* Loss, logits and gradients of a step in two micro batches of the given sizes. */
typedef struct step { double loss; float logits[B * LABELS]; float *grads; } step;

static void step_make(bench *b, reel_run *run, size_t first, step *s)
{
    *s = (step){.grads = calloc(b->model->params.floats, sizeof(float))};
    for (size_t at = 0, n = first; at < B; at += n, n = B - at) {
        const reel_loss loss = {.kind = REEL_LOSS_SINGLE, .label = b->label + at, .items = B};
        double part;
        BED_OK(reel_run_train(run, b->pixels + at * b->numbers, n, &loss, at > 0, 3, at, &part, s->logits + at * LABELS, bed_err));
        s->loss += part;
    }
    BED_OK(reel_run_get(run, REEL_BLOCK_GRADS, s->grads, bed_err));
}

static bool same_bits(const bench *b, const step *x, const step *y)
{
    return memcmp(&x->loss, &y->loss, sizeof x->loss) == 0 && memcmp(x->logits, y->logits, sizeof x->logits) == 0 &&
           memcmp(x->grads, y->grads, b->model->params.floats * sizeof(float)) == 0;
}

static void training_is_near(void **state)
{
    (void)state;
    for (size_t t = 0; t < bed_table_count; t++) {
        bench b;
        step s[2];
        double worst = 0;
        bench_open(&b, &bed_tables[t], "0.0");
        for (int p = 0; p < 2; p++) {
            reel_run *run = run_of(&b, b.model, REEL_RUN_TRAIN, (reel_precision)p, false);
            step_make(&b, run, B, &s[p]);
            reel_run_close(&run);
        }
        assert_true(fabs(s[1].loss - s[0].loss) <= NEAR[1] * s[0].loss && s[1].loss != s[0].loss);
        for (size_t i = 0; i < b.model->params.n; i++) {
            const reel_param *p = &b.model->params.param[i];
            if (p->name == NULL)
                continue;
            const double off = apart(s[1].grads + p->offset, s[0].grads + p->offset, p->count);
            worst = fmax(worst, off);
            if (!(off <= NEAR_GRADIENT))
                fail_msg("%s, gradient of %s: off by %.4f", bed_tables[t].name, p->name, off);
        }
        print_message("# %s: gradients off by up to %.4f\n", bed_tables[t].name, worst);
        free(s[0].grads);
        free(s[1].grads);
        bench_close(&b);
    }
}

/* The block is walked again in the backward: the same numbers, bit for bit, also with dropout, whose mask is drawn again. */
static void checkpointing_changes_nothing(void **state)
{
    (void)state;
    static const char *const dropout[] = {"0.0", "0.3"};
    for (size_t t = 0; t < bed_table_count; t++)
        for (int p = 0; p < 2; p++)
            for (int d = 0; d < 2; d++)
                for (size_t first = 1; first <= B; first += 2) {
                    bench b;
                    step s[3];
                    bench_open(&b, &bed_tables[t], dropout[d]);
                    for (int c = 0; c < 2; c++) {
                        reel_run *run = run_of(&b, b.model, REEL_RUN_TRAIN, (reel_precision)p, c != 0);
                        step_make(&b, run, first, &s[c]);
                        if (c == 1)
                            step_make(&b, run, first, &s[2]);  /* what the walk took from the arena it has given back */
                        reel_run_close(&run);
                    }
                    if (!same_bits(&b, &s[0], &s[1]) || !same_bits(&b, &s[0], &s[2]))
                        fail_msg("%s, %s, dropout %s, first micro batch %zu: checkpointing changes the loss (%.9g, %.9g, %.9g) or a gradient",
                                 bed_tables[t].name, reel_precision_name((reel_precision)p), dropout[d], first, s[0].loss, s[1].loss, s[2].loss);
                    for (int i = 0; i < 3; i++)
                        free(s[i].grads);
                    bench_close(&b);
                }
}

/* From run to run, and for one or two threads: the same bits, in every precision. */
static void same_from_run_to_run(void **state)
{
    (void)state;
    float logits[REEL_PRECISION_INT8 + 1][3][B * LABELS];
    step s[3];
    for (int i = 0; i < 3; i++) {
        bench b;
        bench_open(&b, &bed_tables[i == 2], "0.1");
        for (int p = 0; p <= REEL_PRECISION_INT8; p++) {
            reel_run *run = run_of(&b, b.model, REEL_RUN_INFER, (reel_precision)p, false);
            BED_OK(reel_run_forward(run, b.pixels, B, logits[p][i], NULL, bed_err));
            assert_memory_equal(logits[p][i], logits[p][0], sizeof logits[p][0]);
            reel_run_close(&run);
        }
        reel_run *run = run_of(&b, b.model, REEL_RUN_TRAIN, REEL_PRECISION_BFLOAT16, false);
        step_make(&b, run, 2, &s[i]);
        assert_true(same_bits(&b, &s[i], &s[0]));
        reel_run_close(&run);
        bench_close(&b);
    }
    for (int i = 0; i < 3; i++)
        free(s[i].grads);
}

/* ---- plans ---- */

static reel_run_parts plan_of(const bench *b, reel_run_mode mode, reel_precision p, bool checkpointing)
{
    reel_run_parts parts;
    const reel_run_settings s = {.max_batch = B, .mode = mode, .precision = p, .checkpointing = checkpointing};
    BED_OK(reel_run_plan(b->model, &s, &parts, bed_err));
    assert_int_equal(parts.total, parts.weights + parts.packed + parts.gradients + parts.moments + parts.activations + parts.clips);
    return parts;
}

static void plans(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, &bed_tables[0], "0.1");
    const uint64_t block = b.model->params.floats * sizeof(float);
    const reel_run_parts full = plan_of(&b, REEL_RUN_TRAIN, REEL_PRECISION_FLOAT32, false), half = plan_of(&b, REEL_RUN_TRAIN, REEL_PRECISION_BFLOAT16, false);
    const reel_run_parts full_less = plan_of(&b, REEL_RUN_TRAIN, REEL_PRECISION_FLOAT32, true), half_less = plan_of(&b, REEL_RUN_TRAIN, REEL_PRECISION_BFLOAT16, true);
    assert_true(half.activations < full.activations * 3 / 4 && full_less.activations < full.activations * 3 / 4);
    assert_true(half_less.activations < half.activations && half_less.activations < full_less.activations);
    assert_true(half.total < full.total && full_less.total < full.total && half_less.total < half.total && half_less.total < full_less.total);
    assert_true(half.weights == full.weights && half.gradients >= block && half.moments >= 2 * block && half.packed <= 64);  /* masters stay float32 */
    const reel_run_parts f = plan_of(&b, REEL_RUN_INFER, REEL_PRECISION_FLOAT32, false), h = plan_of(&b, REEL_RUN_INFER, REEL_PRECISION_BFLOAT16, false),
                         i = plan_of(&b, REEL_RUN_INFER, REEL_PRECISION_INT8, false);
    assert_true(f.gradients == 0 && f.moments == 0 && i.gradients == 0 && i.moments == 0);
    assert_true(h.activations < f.activations && h.packed < f.packed * 3 / 4 && i.packed < h.packed * 3 / 4);
    assert_true(h.total < f.total && i.total < h.total && f.total < full.total);
    bench_close(&b);
}

static uint64_t asked;
static reel_status (*real_alloc)(reel_backend *be, size_t bytes, void **dev, reel_error *err);

static reel_status counted_alloc(reel_backend *be, size_t bytes, void **dev, reel_error *err)
{
    asked += bytes;
    return real_alloc(be, bytes, dev, err);
}

/* What a run then asks the device for is what the plan said, but for packed weights, which the device makes itself. Inference asks
 * for room for all weights and touches that of the small ones only, which are what the plan counts. */
static void plan_is_kept(void **state)
{
    (void)state;
    for (int p = 0; p <= REEL_PRECISION_INT8; p++)
        for (int kind = 0; kind < 3; kind++) {  /* inference, training, training with checkpointing */
            bench b;
            if (kind > 0 && p == REEL_PRECISION_INT8)
                continue;
            bench_open(&b, &bed_tables[0], "0.1");
            const reel_run_mode mode = kind > 0 ? REEL_RUN_TRAIN : REEL_RUN_INFER;
            const reel_run_parts parts = plan_of(&b, mode, (reel_precision)p, kind == 2);
            const uint64_t said = parts.total - parts.packed;
            reel_backend_ops counting = *b.be->ops;
            real_alloc = counting.mem_alloc;
            counting.mem_alloc = counted_alloc;
            asked = 0;
            b.be->ops = &counting;
            reel_run *run = run_of(&b, b.model, mode, (reel_precision)p, kind == 2);
            print_message("# %s, %s: planned %llu, asked for %llu\n", reel_precision_name((reel_precision)p),
                          kind == 0 ? "inference" : kind == 1 ? "training" : "checkpointing", (unsigned long long)said, (unsigned long long)asked);
            const uint64_t untouched = kind == 0 ? b.model->params.floats * sizeof(float) : 0;
            assert_true(asked <= said + 4096 + untouched && asked >= said * 9 / 10);
            float logits[B * LABELS];
            BED_OK(reel_run_forward(run, b.pixels, B, logits, NULL, bed_err));
            reel_run_close(&run);
            bench_close(&b);
        }
}

/* ---- mapped files ---- */

static uint16_t f16_bits(float x)  /* nearest; of numbers that are no denormals, or 0 */
{
    int exponent;
    const float fraction = frexpf(fabsf(x), &exponent);
    const unsigned sign = x < 0 ? 0x8000u : 0, steps = (unsigned)lrintf(fraction * 2048);
    return (uint16_t)(exponent < -13 ? sign : sign | (((unsigned)(exponent + 14) << 10) + steps - 1024));
}

static uint16_t bf16_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return (uint16_t)(u >> 16);  /* cut off: any number will do */
}

typedef enum layout { SINGLE, SHARDED, SHIFTED } layout;

/* A byte more of header: no number of the file is aligned. */
static void shift_file(const char *path)
{
    char *data;
    size_t n;
    uint64_t header;
    BED_OK(reel_file_read(path, 1 << 24, &data, &n, bed_err));
    memcpy(&header, data, 8);
    char *moved = malloc(n + 1);
    memcpy(moved, data, 8 + header);
    moved[8 + header] = ' ';
    memcpy(moved + 9 + header, data + 8 + header, n - 8 - header);
    header++;
    memcpy(moved, &header, 8);
    BED_OK(reel_file_write(path, moved, n + 1, bed_err));
    free(moved);
    reel_free(data);
}

/* Writes b's weights into its folder again, in the types[i % n_types] of tensor i. */
static void rewrite(bench *b, const reel_dtype *types, size_t n_types, layout how)
{
    reel_tensors st;
    char index[20000], *to = index;
    size_t n[2] = {0, 0};
    const char *names[2] = {how == SHARDED ? "model-00001-of-00002.safetensors" : "model.safetensors", "model-00002-of-00002.safetensors"};
    BED_OK(reel_weights_open(b->dir, &st, bed_err));
    reel_st_entry *entry[2] = {calloc(st.n, sizeof(reel_st_entry)), calloc(st.n, sizeof(reel_st_entry))};
    void **data = calloc(st.n, sizeof *data);
    to += sprintf(to, "{\"metadata\": {\"total_size\": 1}, \"weight_map\": {");
    for (size_t i = 0; i < st.n; i++) {
        const reel_tensor *t = &st.tensor[i];
        const size_t count = (size_t)t->bytes / 4, shard = how == SHARDED ? i % 2 : 0;
        const reel_dtype type = types[i % n_types];
        float *x = malloc(t->bytes);
        uint16_t *half = malloc(t->bytes);
        memcpy(x, t->data, t->bytes);
        for (size_t j = 0; j < count; j++)
            half[j] = type == REEL_F16 ? f16_bits(x[j]) : bf16_bits(x[j]);
        data[i] = type == REEL_F32 ? (void *)x : (void *)half;
        free(type == REEL_F32 ? (void *)half : (void *)x);
        entry[shard][n[shard]++] = (reel_st_entry){t->name, type, t->shape, data[i]};
        to += sprintf(to, "%s\"%s\": \"%s\"", i > 0 ? ", " : "", t->name, names[shard]);
    }
    sprintf(to, "}}");
    for (size_t s = 0; s < (how == SHARDED ? 2 : 1); s++)
        BED_OK(reel_st_write(test_path(b->dir, names[s]), entry[s], n[s], NULL, 0, bed_err));
    if (how == SHARDED) {
        unlink(test_path(b->dir, "model.safetensors"));
        bed_write_text(b->dir, "model.safetensors.index.json", index);
    }
    if (how == SHIFTED)
        shift_file(test_path(b->dir, "model.safetensors"));
    for (size_t i = 0; i < st.n; i++)
        free(data[i]);
    free(data);
    free(entry[0]);
    free(entry[1]);
    reel_tensors_close(&st);
}

static void check_mapped(const bed_table *t, const reel_dtype *types, size_t n_types, layout how)
{
    bench b;
    reel_model *loaded, *mapped;
    bench_open(&b, t, "0.0");
    rewrite(&b, types, n_types, how);
    BED_OK(reel_model_load(b.ctx, b.dir, NULL, &loaded, NULL, bed_err));
    BED_OK(reel_model_open(b.ctx, b.dir, &mapped, bed_err));
    assert_true(loaded->weights != NULL && mapped->weights == NULL && mapped->file != NULL);
    for (int p = 0; p <= REEL_PRECISION_INT8; p++) {
        float one[B * LABELS], other[B * LABELS];
        reel_run *run = run_of(&b, loaded, REEL_RUN_INFER, (reel_precision)p, false);
        BED_OK(reel_run_forward(run, b.pixels, B, one, NULL, bed_err));
        reel_run_close(&run);
        run = run_of(&b, mapped, REEL_RUN_INFER, (reel_precision)p, false);
        BED_OK(reel_run_forward(run, b.pixels, B, other, NULL, bed_err));
        reel_run_close(&run);
        if (memcmp(one, other, sizeof one) != 0)
            fail_msg("%s, %s, layout %d, first type %s: the mapped model has other logits", t->name, reel_precision_name((reel_precision)p), how,
                     reel_dtype_name(types[0]));
    }
    reel_model_close(&loaded);
    reel_model_close(&mapped);
    bench_close(&b);
}

static void mapped_is_loaded(void **state)
{
    (void)state;
    static const reel_dtype f32 = REEL_F32, bf16 = REEL_BF16, f16 = REEL_F16, mixed[] = {REEL_BF16, REEL_F32, REEL_F16};
    for (size_t t = 0; t < bed_table_count; t++)
        for (int how = SINGLE; how <= SHIFTED; how++) {
            check_mapped(&bed_tables[t], mixed, 3, (layout)how);
            if (t != 0 && t != 3)  /* one thread and its fence: all types */
                continue;
            check_mapped(&bed_tables[t], &f32, 1, (layout)how);
            check_mapped(&bed_tables[t], &bf16, 1, (layout)how);
            check_mapped(&bed_tables[t], &f16, 1, (layout)how);
        }
}

/* ---- the rule ---- */

static void rule_of_processors(void **state)
{
    (void)state;
    const reel_precision F32 = REEL_PRECISION_FLOAT32, BF16 = REEL_PRECISION_BFLOAT16, INT8 = REEL_PRECISION_INT8;
    const struct { unsigned flags; reel_precision bf16, int8; } processors[] = {
        {0, F32, F32},
        {REEL_CPU_AVX2, F32, INT8},
        {REEL_CPU_AVX2 | REEL_CPU_AVX512, F32, INT8},
        {REEL_CPU_AVX2 | REEL_CPU_AVX512 | REEL_CPU_AVX512_VNNI, F32, INT8},
        {REEL_CPU_AVX2 | REEL_CPU_AVX512 | REEL_CPU_AVX512_VNNI | REEL_CPU_AVX512_BF16, F32, INT8},
        {REEL_CPU_AVX2 | REEL_CPU_AVX512 | REEL_CPU_AVX512_VNNI | REEL_CPU_AVX512_BF16 | REEL_CPU_AMD, BF16, INT8},
        {REEL_CPU_AVX2 | REEL_CPU_AVX512 | REEL_CPU_AVX512_BF16 | REEL_CPU_AMX_BF16 | REEL_CPU_AMX_INT8, BF16, INT8},
    };
    reel_context *ctx = bed_context(&bed_tables[0]);
    for (size_t i = 0; i < sizeof processors / sizeof *processors; i++) {
        const struct { reel_precision wanted, used; } want[] = {{F32, F32}, {BF16, processors[i].bf16}, {INT8, processors[i].int8}};
        ctx->cpu_flags = processors[i].flags;
        for (size_t p = 0; p < 3; p++) {
            const char *why = "?";
            assert_int_equal(reel_precision_usable(ctx, want[p].wanted, &why), want[p].used);
            assert_int_equal(why == NULL, want[p].wanted == want[p].used);
        }
    }
    reel_context_close(&ctx);
}

/* ---- refusals ---- */

static void wrong_use_is_refused(void **state)
{
    (void)state;
    bench b;
    reel_model *mapped;
    reel_run *run = NULL;
    reel_error err = {0};
    float logits[B * LABELS] = {7};
    bench_open(&b, &bed_tables[0], "0.0");
    reel_run_settings s = {.max_batch = B, .mode = REEL_RUN_TRAIN, .precision = REEL_PRECISION_INT8};
    assert_int_equal(reel_run_open_with(b.model, &s, b.be, &run, &err), REEL_ERR_UNSUPPORTED);
    assert_null(run);
    assert_non_null(strstr(err.message, "int8"));
    BED_OK(reel_model_open(b.ctx, b.dir, &mapped, bed_err));
    for (int p = 0; p < 2; p++) {
        s.precision = (reel_precision)p;
        assert_int_equal(reel_run_open_with(mapped, &s, b.be, &run, &err), REEL_ERR_ARG);
        assert_null(run);
        assert_non_null(strstr(err.message, "opened for inference"));
    }
    reel_model_close(&mapped);
    for (int p = REEL_PRECISION_BFLOAT16; p <= REEL_PRECISION_INT8; p++)
        for (int kind = 0; kind < 2; kind++) {  /* a number that is none is not quantised into one */
            run = run_of(&b, b.model, REEL_RUN_INFER, (reel_precision)p, false);
            const float kept = b.pixels[100];
            b.pixels[100] = kind == 0 ? NAN : INFINITY;
            assert_int_equal(reel_run_forward(run, b.pixels, B, logits, NULL, &err), REEL_ERR_NUMERIC);
            assert_true(logits[0] == 7);
            b.pixels[100] = kept;
            reel_run_close(&run);
        }
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_is_near), cmocka_unit_test(training_is_near), cmocka_unit_test(checkpointing_changes_nothing),
        cmocka_unit_test(same_from_run_to_run), cmocka_unit_test(plans), cmocka_unit_test(plan_is_kept), cmocka_unit_test(mapped_is_loaded),
        cmocka_unit_test(rule_of_processors), cmocka_unit_test(wrong_use_is_refused),
    };
    return cmocka_run_group_tests_name("precision", tests, NULL, NULL);
}
