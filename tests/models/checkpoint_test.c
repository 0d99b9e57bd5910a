/* Checkpoint folders: what loads, under which names and types, what is refused and how, and what a save leaves. */
#include "bed.h"

#include <math.h>
#include <sys/stat.h>

#include "base/context.h"
#include "base/json.h"

#include "../format/torch_made.h"

static const char small[] =
    "{\"model_type\": \"videomae\", \"image_size\": 8, \"patch_size\": 4, \"num_frames\": 4, \"hidden_size\": 12, "
    "\"num_hidden_layers\": 2, \"num_attention_heads\": 2, \"intermediate_size\": 24, \"id2label\": {\"0\": \"jump\", "
    "\"1\": \"run\", \"2\": \"walk\"}, \"label2id\": {\"jump\": 0, \"run\": 1, \"walk\": 2}%s}";

static char *dir;
static char config[1200];
static reel_context *ctx;

static void write_small(const char *more)
{
    snprintf(config, sizeof config, small, more);
    bed_write_model(dir, config);
}

static int setup(void **state)
{
    (void)state;
    dir = test_folder();
    BED_OK(reel_context_open(&ctx, bed_err));
    write_small("");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    reel_context_close(&ctx);
    test_remove_folder(dir);
    return 0;
}

/* The stored tensors as entries that a test may change; free with drop. */
typedef struct stored { reel_tensors st; reel_st_entry *entry; size_t n; float *extra; } stored;

static stored take(void)
{
    stored s = {0};
    char path[700];
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    BED_OK(reel_st_open(path, &s.st, bed_err));
    s.entry = calloc(s.st.n + 4, sizeof *s.entry);
    for (size_t i = 0; i < s.st.n; i++)
        s.entry[s.n++] = (reel_st_entry){s.st.tensor[i].name, s.st.tensor[i].dtype, s.st.tensor[i].shape, s.st.tensor[i].data};
    s.extra = calloc(4096, sizeof *s.extra);
    return s;
}

static reel_st_entry *entry_of(stored *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->entry[i].name, name) == 0)
            return &s->entry[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

static void put_back(stored *s)
{
    char path[700];
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    BED_OK(reel_st_write(path, s->entry, s->n, NULL, 0, bed_err));  /* a new file: the mapping stays as it was */
    free(s->entry);
    free(s->extra);
    reel_tensors_close(&s->st);
}

/* Compares a model with the formula, by parameter. */
static void check_weights(const reel_model *m, double bound)
{
    float want[4096];
    for (size_t i = 0; i < m->params.n; i++) {
        const reel_param *p = &m->params.param[i];
        if (p->name == NULL)
            continue;
        assert_true(p->count <= 4096);
        bed_weight(p->name, p->shape.rank, p->count, want);
        bed_close(p->name, m->weights + p->offset, want, p->count, bound);
    }
}

static void load_fails(const reel_load_options *o, reel_status wanted, const char *word)
{
    reel_model *m;
    reel_error err = {0};
    reel_status status = reel_model_load(ctx, dir, o, &m, NULL, &err);
    if (status != wanted || strstr(err.message, word) == NULL)
        fail_msg("status %d, expected %d with '%s': %s", status, wanted, word, err.message);
    assert_null(m);
}

static const reel_load_options whole = {.need_all = true}, part = {.seed = 1};

static void plain_folder(void **state)
{
    (void)state;
    reel_model *m;
    reel_model_info info = {.size = sizeof info};
    write_small("");
    BED_OK(reel_model_load(ctx, dir, NULL, &m, NULL, bed_err));
    check_weights(m, 0);
    assert_string_equal(reel_model_label(m, 2), "walk");
    assert_null(reel_model_label(m, 3));
    BED_OK(reel_model_get_info(m, &info, bed_err));
    assert_int_equal(info.parameters, 3771);  /* counted by torch: tests/golden/make_golden.py prints it */
    assert_int_equal(info.tokens, 8);
    assert_int_equal(info.labels, 3);
    info.size = 3;
    assert_int_equal(reel_model_get_info(m, &info, NULL), REEL_ERR_ARG);
    reel_model_close(&m);
    reel_model_close(&m);
}

/* Numbers of the specification's table of sizes. */
static void flops_of_known_models(void **state)
{
    (void)state;
    static const struct { const char *config; double gflop; int64_t parameters; } known[] = {
        {"{\"model_type\":\"videomae\",\"num_labels\":400}", 360.690, 86534800},
        {"{\"model_type\":\"videomae\",\"num_labels\":400,\"hidden_size\":384,\"num_attention_heads\":6,\"intermediate_size\":"
         "1536}", 113.756, 22033936},
    };
    for (size_t i = 0; i < 2; i++) {
        reel_model *m;
        reel_model_info info = {.size = sizeof info};
        char path[700];
        bed_write_text(dir, "other.json", known[i].config);
        snprintf(path, sizeof path, "%s/other.json", dir);
        BED_OK(reel_model_create(ctx, path, NULL, &m, bed_err));
        BED_OK(reel_model_get_info(m, &info, bed_err));
        assert_int_equal(info.parameters, known[i].parameters);
        assert_true(fabs(info.gflop_forward - known[i].gflop) < 0.001);
        reel_model_close(&m);
    }
}

/* Module names, wrappers, gamma and beta, no prefix: alone and together. */
static void other_names_load(void **state)
{
    (void)state;
    static const struct { bool module, cut, greek; const char *before; } forms[] = {
        {.module = true}, {.cut = true}, {.module = true, .cut = true}, {.before = "module."}, {.before = "model."}, {.greek = true},
        {.before = "_orig_mod.module.", .module = true}, {.before = "model.model.", .cut = true, .greek = true, .module = true},
    };
    reel_model *m;
    static char names[64][200];
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        write_small("");
        stored s = take();
        for (size_t i = 0; i < s.n; i++) {
            const char *name = s.entry[i].name, *bias = strstr(name, "q_bias"), *ending = strrchr(name, '.');
            bias = bias != NULL ? bias : strstr(name, "v_bias");
            const char *from = forms[f].cut && strncmp(name, "videomae.", 9) == 0 ? name + 9 : name;
            const char *before = forms[f].before != NULL ? forms[f].before : "";
            if (bias != NULL && forms[f].module)
                snprintf(names[i], sizeof names[i], "%s%.*s%s.bias", before, (int)(bias - from), from, *bias == 'q' ? "query" : "value");
            else if (forms[f].greek && strstr(name, "norm") != NULL)
                snprintf(names[i], sizeof names[i], "%s%.*s%s", before, (int)(ending - from), from,
                         strcmp(ending, ".weight") == 0 ? ".gamma" : ".beta");
            else
                snprintf(names[i], sizeof names[i], "%s%s", before, from);
            s.entry[i].name = names[i];
        }
        put_back(&s);
        BED_OK(reel_model_load(ctx, dir, NULL, &m, NULL, bed_err));
        check_weights(m, 0);
        reel_model_close(&m);
    }
}

/* An exact name wins over another spelling of it, which stays unused; a gamma of something that is no norm means nothing. */
static void exact_names_win(void **state)
{
    (void)state;
    reel_model *m;
    reel_load_report report = {0};
    write_small("");
    stored s = take();
    s.entry[s.n++] = (reel_st_entry){"module.fc_norm.weight", REEL_F32, {1, {12}}, s.extra};
    s.entry[s.n++] = (reel_st_entry){"classifier.beta", REEL_F32, {1, {3}}, s.extra};
    put_back(&s);
    BED_OK(reel_model_load(ctx, dir, NULL, &m, &report, bed_err));
    check_weights(m, 0);
    assert_int_equal(report.n_unused, 2);
    reel_load_report_free(&report);
    reel_model_close(&m);
    write_small("");
    s = take();
    entry_of(&s, "classifier.bias")->name = "classifier.beta";
    put_back(&s);
    load_fails(&whole, REEL_ERR_NOT_FOUND, "classifier.bias");
}

/* pytorch_model.bin, whole and in shards: loaded, mapped, told of, read over a model's weights. */
static void torch_files_load(void **state)
{
    (void)state;
    reel_model *m;
    for (int shards = 1; shards <= 2; shards++) {
        reel_text z[2] = {{0}}, index = {0};
        write_small("");
        stored s = take();
        const size_t half = shards == 1 ? s.n : s.n / 2;
        torch_make(&z[0], s.entry, half);
        torch_make(&z[1], s.entry + half, s.n - half);
        reel_text_puts(&index, "{\"weight_map\": {");
        for (size_t i = 0; i < s.n; i++)
            reel_text_printf(&index, "%s\"%s\": \"%d.bin\"", i > 0 ? ", " : "", s.entry[i].name, i >= half);
        reel_text_puts(&index, "}}");
        put_back(&s);
        unlink(test_path(dir, "model.safetensors"));
        for (int i = 0; i < shards; i++)
            BED_OK(reel_file_write(test_path(dir, shards == 1 ? "pytorch_model.bin" : i == 0 ? "0.bin" : "1.bin"), z[i].s, z[i].len, bed_err));
        if (shards == 2)
            BED_OK(reel_file_write(test_path(dir, "pytorch_model.bin.index.json"), index.s, index.len, bed_err));
        BED_OK(reel_model_load(ctx, dir, NULL, &m, NULL, bed_err));
        check_weights(m, 0);
        memset(m->weights, 0, m->params.floats * sizeof *m->weights);
        BED_OK(reel_model_reload(m, dir, NULL, bed_err));
        check_weights(m, 0);
        reel_model_close(&m);
        BED_OK(reel_model_open(ctx, dir, &m, bed_err));
        assert_null(m->weights);
        assert_int_equal(m->file->maps, shards);
        reel_model_close(&m);
        unlink(test_path(dir, "pytorch_model.bin"));
        unlink(test_path(dir, "pytorch_model.bin.index.json"));
        reel_text_free(&z[0]);
        reel_text_free(&z[1]);
        reel_text_free(&index);
    }
}

static void other_types_load(void **state)
{
    (void)state;
    reel_model *m;
    write_small("");
    stored s = take();
    reel_st_entry *e = entry_of(&s, "fc_norm.bias"), *w = entry_of(&s, "classifier.bias");
    double wide[12];
    uint16_t half[3] = {0x3C00, 0xC100, 0x0001}, brain[12];  /* 1, -2.5, 2^-24 */
    for (int i = 0; i < 12; i++) {
        float x;
        uint32_t bits;
        memcpy(&x, (const char *)e->data + 4 * (size_t)i, sizeof x);
        wide[i] = (double)x;
        memcpy(&bits, &x, sizeof bits);
        brain[i] = (uint16_t)(bits >> 16);
    }
    *e = (reel_st_entry){e->name, REEL_F64, e->shape, wide};
    *w = (reel_st_entry){w->name, REEL_F16, w->shape, half};
    static const char patch[] = "videomae.embeddings.patch_embeddings.projection.bias";
    *entry_of(&s, patch) = (reel_st_entry){patch, REEL_BF16, {1, {12}}, brain};
    static const char layer[] = "videomae.encoder.layer.0.layernorm_before.bias", next[] = "videomae.encoder.layer.1.layernorm_before.bias";
    static const uint8_t eight[12] = {0x38, 0xB8, 0x01, 0x7E, 0x80}, wider[12] = {0x3C, 0xBC, 0x01, 0x7B};
    *entry_of(&s, layer) = (reel_st_entry){layer, REEL_F8_E4M3, {1, {12}}, eight};
    *entry_of(&s, next) = (reel_st_entry){next, REEL_F8_E5M2, {1, {12}}, wider};
    put_back(&s);
    BED_OK(reel_model_load(ctx, dir, NULL, &m, NULL, bed_err));
    const float *e4 = m->weights + reel_params_find(&m->params, layer)->offset,
        *e5 = m->weights + reel_params_find(&m->params, next)->offset;
    assert_true(e4[0] == 1 && e4[1] == -1 && e4[2] == 0x1p-9f && e4[3] == 448 && e4[4] == 0 && e4[5] == 0);
    assert_true(e5[0] == 1 && e5[1] == -1 && e5[2] == 0x1p-16f && e5[3] == 57344);
    const float *c = m->weights + reel_params_find(&m->params, "classifier.bias")->offset;
    assert_true(c[0] == 1.0f && c[1] == -2.5f && c[2] == 0x1p-24f);
    const float *n = m->weights + reel_params_find(&m->params, "fc_norm.bias")->offset;
    const float *p = m->weights + reel_params_find(&m->params, patch)->offset;
    for (int i = 0; i < 12; i++) {
        uint32_t bits = (uint32_t)brain[i] << 16;
        assert_true((double)n[i] == wide[i]);
        assert_memory_equal(&p[i], &bits, 4);
    }
    reel_model_close(&m);
}

/* A pre-training checkpoint: no head, a decoder that classification does not use. */
static void pretraining_checkpoint(void **state)
{
    (void)state;
    reel_model *m;
    reel_load_report report = {0};
    char *labels[5] = {"a", "b", "c", "d", "e"};
    write_small(", \"use_mean_pooling\": false");
    stored s = take();
    size_t kept = 0;
    for (size_t i = 0; i < s.n; i++)
        if (strncmp(s.entry[i].name, "classifier", 10) != 0)
            s.entry[kept++] = s.entry[i];
    s.n = kept;
    s.entry[s.n++] = (reel_st_entry){"mask_token", REEL_F32, {3, {1, 1, 8}}, s.extra};
    s.entry[s.n++] = (reel_st_entry){"decoder.norm.weight", REEL_F32, {1, {8}}, s.extra};
    put_back(&s);
    load_fails(&whole, REEL_ERR_NOT_FOUND, "no classification head");
    reel_load_options o = {.labels = labels, .n_labels = 5, .seed = 3};
    BED_OK(reel_model_load(ctx, dir, &o, &m, &report, bed_err));
    assert_int_equal(report.n_unused, 2);
    assert_string_equal(report.unused[0], "decoder.norm.weight");
    assert_int_equal(report.n_fresh, 2);
    assert_string_equal(report.fresh[1], "classifier.bias");
    assert_int_equal(m->config.labels, 5);
    assert_string_equal(m->config.label[4], "e");
    reel_load_report_free(&report);
    reel_model_close(&m);
}

static void labels_and_heads(void **state)
{
    (void)state;
    reel_model *m;
    reel_load_report report = {0};
    char *same[3] = {"jump", "run", "walk"}, *other[3] = {"jump", "sit", "walk"}, *two[2] = {"jump", "run"};
    write_small("");
    reel_load_options o = {.labels = same, .n_labels = 3};
    BED_OK(reel_model_load(ctx, dir, &o, &m, &report, bed_err));
    assert_true(!report.labels_replaced && !report.names_differ && report.n_fresh == 0);
    check_weights(m, 0);
    reel_model_close(&m);
    o.labels = other;  /* the head is kept, as transformers does, and the caller is told */
    BED_OK(reel_model_load(ctx, dir, &o, &m, &report, bed_err));
    assert_true(!report.labels_replaced && report.names_differ && report.n_fresh == 0);
    assert_string_equal(reel_model_label(m, 1), "sit");
    check_weights(m, 0);
    reel_model_close(&m);
    o = (reel_load_options){.labels = two, .n_labels = 2};
    BED_OK(reel_model_load(ctx, dir, &o, &m, &report, bed_err));
    assert_true(report.labels_replaced && report.n_fresh == 2);
    reel_load_report_free(&report);
    reel_model_close(&m);
}

/* config.json alone. */
static void write_config(const char *more)
{
    char text[1200];
    snprintf(text, sizeof text, small, more);
    bed_write_text(dir, "config.json", text);
}

static void damaged_checkpoints(void **state)
{
    (void)state;
    static const char norm[] = "videomae.encoder.layer.1.layernorm_after.weight";
    reel_model *m;
    int64_t whole_numbers[3] = {1, 2, 3};
    write_small("");
    stored s = take();
    *entry_of(&s, norm) = s.entry[--s.n];
    put_back(&s);
    load_fails(&whole, REEL_ERR_NOT_FOUND, norm);
    load_fails(&part, REEL_ERR_NOT_FOUND, norm);

    write_small("");
    s = take();
    *entry_of(&s, "classifier.bias") = (reel_st_entry){"classifier.bias", REEL_I64, {1, {3}}, whole_numbers};
    put_back(&s);
    load_fails(&part, REEL_ERR_UNSUPPORTED, "I64");

    write_small("");
    write_config(", \"quantization_config\": {\"quant_method\": \"fp8\"}");
    load_fails(&part, REEL_ERR_UNSUPPORTED, "quantization_config: fp8");
    write_config(", \"quantization_config\": null");
    BED_OK(reel_model_load(ctx, dir, NULL, &m, NULL, bed_err));
    reel_model_close(&m);

    write_small("");
    s = take();
    s.extra[1] = (float)NAN;
    entry_of(&s, "classifier.bias")->data = s.extra;
    put_back(&s);
    load_fails(&part, REEL_ERR_NUMERIC, "classifier.bias");

    write_small("");
    s = take();
    s.extra[4095] = -(float)INFINITY;
    entry_of(&s, "videomae.encoder.layer.0.intermediate.dense.bias")->data = s.extra + 4096 - 24;
    put_back(&s);
    load_fails(&part, REEL_ERR_NUMERIC, "intermediate.dense.bias");

    write_small("");
    s = take();
    entry_of(&s, "classifier.weight")->shape = (reel_shape){2, {2, 12}};
    entry_of(&s, "classifier.bias")->shape = (reel_shape){1, {2}};
    put_back(&s);
    load_fails(&whole, REEL_ERR_MISMATCH, "(2, 12)");
    load_fails(&part, REEL_ERR_MISMATCH, "classifier");

    write_small("");
    snprintf(config, sizeof config, small, ", \"decoder_hidden_size\": 8");
    char *at = strstr(config, "\"intermediate_size\": 24");
    memcpy(at, "\"intermediate_size\": 32", 23);
    bed_write_text(dir, "config.json", config);
    load_fails(&part, REEL_ERR_MISMATCH, "(24, 12)");

    reel_load_report report = {0};
    reel_load_options o = {.seed = 3, .ignore_mismatched = true};
    BED_OK(reel_model_load(ctx, dir, &o, &m, &report, bed_err));
    assert_int_equal(report.n_fresh, 6);  /* two layers: both matrices of the MLP and the bias between */
    assert_non_null(strstr(report.fresh[0], "intermediate.dense.weight"));
    assert_int_equal(m->config.intermediate, 32);
    reel_load_report_free(&report);
    reel_model_close(&m);
}

/* An index names a tensor that no shard has: an error where it is a parameter, also of a head that would be drawn anew. */
static void index_of_lost_tensors(void **state)
{
    (void)state;
    static const char *const lost[] = {"classifier.bias", "videomae.encoder.layer.0.layernorm_before.bias",
                                       "module.encoder.layer.0.layernorm_before.beta", "decoder.norm.weight", "classifier.bias.more"};
    char *labels[3] = {"a", "b", "c"};
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
        reel_model *m;
        reel_error err = {0};
        char text[300], from[700], to[700];
        write_small("");
        stored s = take();
        for (size_t k = 0; i < 3 && k < s.n; k++)
            if (strcmp(s.entry[k].name, lost[i == 0 ? 0 : 1]) == 0)
                s.entry[k] = s.entry[--s.n];
        put_back(&s);
        snprintf(from, sizeof from, "%s/model.safetensors", dir);
        snprintf(to, sizeof to, "%s/one.safetensors", dir);
        assert_int_equal(rename(from, to), 0);
        snprintf(to, sizeof to, "%s/model.safetensors.index.json", dir);
        const int n = snprintf(text, sizeof text, "{\"weight_map\": {\"%s\": \"one.safetensors\"}}", lost[i]);
        BED_OK(reel_file_write(to, text, (size_t)n, bed_err));
        const reel_status status = reel_model_load(ctx, dir, &(reel_load_options){.labels = labels, .n_labels = 3}, &m, NULL, &err);
        if (i < 3) {
            assert_int_equal(status, REEL_ERR_NOT_FOUND);
            assert_non_null(strstr(err.message, lost[i]));
            assert_non_null(strstr(err.message, "none of its shards"));
        } else
            assert_int_equal(status, REEL_OK);
        reel_model_close(&m);
        unlink(to);
        snprintf(to, sizeof to, "%s/one.safetensors", dir);
        unlink(to);
    }
}

static void missing_files(void **state)
{
    (void)state;
    char path[700];
    reel_model *m;
    reel_error err = {0};
    write_small("");
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    unlink(path);
    load_fails(&whole, REEL_ERR_NOT_FOUND, "no weights");
    assert_int_equal(mkdir(path, 0700), 0);
    load_fails(&whole, REEL_ERR_IO, "regular");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink("/dev/zero", path), 0);
    load_fails(&whole, REEL_ERR_IO, "regular");
    unlink(path);
    snprintf(path, sizeof path, "%s/config.json", dir);
    unlink(path);
    load_fails(&whole, REEL_ERR_NOT_FOUND, "config.json");
    assert_int_equal(reel_model_open(ctx, "/no/such/folder", &m, &err), REEL_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "/no/such/folder"));
}

/* What is saved loads again with the same numbers, also through reload; the stored names are transformers' own. */
static void save_and_reload(void **state)
{
    (void)state;
    reel_model *m, *again;
    char *out = test_folder(), path[700];
    write_small("");
    BED_OK(reel_model_load(ctx, dir, NULL, &m, NULL, bed_err));
    BED_OK(reel_model_save(m, out, "single_label_classification", NULL, bed_err));
    BED_OK(reel_model_load(ctx, out, NULL, &again, NULL, bed_err));
    check_weights(again, 0);
    assert_string_equal(reel_json_string(reel_json_get(again->config.json, "problem_type")), "single_label_classification");
    reel_tensors st;
    snprintf(path, sizeof path, "%s/model.safetensors", out);
    BED_OK(reel_st_open(path, &st, bed_err));
    assert_non_null(reel_tensors_find(&st, "videomae.encoder.layer.1.attention.attention.q_bias"));
    assert_int_equal(st.n, 36);
    reel_tensors_close(&st);

    float *weights = calloc(m->params.floats, sizeof *weights);
    for (size_t i = 0; i < m->params.floats; i++)
        weights[i] = (float)i;
    BED_OK(reel_model_save(m, out, NULL, weights, bed_err));
    memset(weights, 0, m->params.floats * sizeof *weights);
    BED_OK(reel_model_reload(m, out, weights, bed_err));
    check_weights(m, 0);  /* the model's own weights were not touched */
    for (size_t i = 0; i < m->params.n; i++)
        for (size_t k = 0; m->params.param[i].name != NULL && k < m->params.param[i].count; k++)
            assert_true(weights[m->params.param[i].offset + k] == (float)(m->params.param[i].offset + k));

    /* all or nothing: a checkpoint with one bad number changes no weight */
    weights[reel_params_find(&m->params, "fc_norm.weight")->offset] = (float)NAN;
    BED_OK(reel_model_save(m, out, NULL, weights, bed_err));
    reel_error err = {0};
    assert_int_equal(reel_model_reload(m, out, NULL, &err), REEL_ERR_NUMERIC);
    check_weights(m, 0);
    free(weights);
    reel_model_close(&again);
    reel_model_close(&m);
    test_remove_folder(out);
}

static void other_frames(void **state)
{
    (void)state;
    reel_model *m;
    reel_load_options o = {.num_frames = 8, .need_all = true};
    write_small("");
    BED_OK(reel_model_load(ctx, dir, &o, &m, NULL, bed_err));
    assert_int_equal(m->config.frames, 8);
    assert_int_equal(m->config.tokens, 16);
    int64_t n;
    assert_true(reel_json_integer(reel_json_get(m->config.json, "num_frames"), &n) && n == 8);
    reel_model_close(&m);
    o.num_frames = 1;
    load_fails(&o, REEL_ERR_FORMAT, "tubelet_size");
}

static void plan_is_checked_against_memory(void **state)
{
    (void)state;
    reel_model *m;
    reel_run *run;
    reel_run_parts infer, train;
    reel_error err = {0};
    write_small("");
    BED_OK(reel_model_load(ctx, dir, NULL, &m, NULL, bed_err));
    BED_OK(reel_run_plan(m, &(reel_run_settings){.max_batch = 2}, &infer, bed_err));
    BED_OK(reel_run_plan(m, &(reel_run_settings){.max_batch = 2, .mode = REEL_RUN_TRAIN}, &train, bed_err));
    assert_true(infer.total > m->params.floats * 4 && train.total > m->params.floats * 16);
    BED_OK(reel_context_set(ctx, "max_memory", "1K", bed_err));
    assert_int_equal(reel_run_open(m, 2, &run, &err), REEL_ERR_NOMEM);
    assert_null(run);
    assert_non_null(strstr(err.message, "max_memory"));
    BED_OK(reel_context_set(ctx, "max_memory", "0", bed_err));
    assert_int_equal(reel_run_open(m, 0, &run, &err), REEL_ERR_ARG);
    reel_model_close(&m);
    write_small(", \"attention_probs_dropout_prob\": 0.1");
    BED_OK(reel_model_load(ctx, dir, NULL, &m, NULL, bed_err));
    assert_int_equal(reel_run_open_with(m, &(reel_run_settings){.max_batch = 1, .mode = REEL_RUN_TRAIN}, NULL, &run, &err), REEL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "attention_probs_dropout_prob"));
    BED_OK(reel_run_open(m, 1, &run, bed_err));  /* inference has no dropout */
    reel_run_close(&run);
    reel_model_close(&m);
}

/* Each allocation of loading and opening a run fails once. */
static void no_memory(void **state)
{
    (void)state;
    write_small("");
    for (long k = 1; k < 4000; k++) {
        reel_model *m = NULL;
        reel_run *run = NULL;
        reel_error err = {0};
        reel_mem_fail_at(k, false);
        reel_status status = reel_model_load(ctx, dir, NULL, &m, NULL, &err);
        if (status == REEL_OK)
            status = reel_run_open_with(m, &(reel_run_settings){.max_batch = 2, .mode = REEL_RUN_TRAIN}, NULL, &run, &err);
        reel_mem_fail_at(0, false);
        if (status != REEL_OK) {
            assert_int_equal(status, REEL_ERR_NOMEM);
            assert_null(run);
            assert_true(err.message[0] != '\0');
        }
        reel_run_close(&run);
        reel_model_close(&m);
        if (status == REEL_OK)
            return;
    }
    fail_msg("the end was never reached");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_folder), cmocka_unit_test(flops_of_known_models), cmocka_unit_test(other_names_load),
        cmocka_unit_test(exact_names_win), cmocka_unit_test(torch_files_load),
        cmocka_unit_test(other_types_load), cmocka_unit_test(pretraining_checkpoint), cmocka_unit_test(labels_and_heads),
        cmocka_unit_test(damaged_checkpoints), cmocka_unit_test(index_of_lost_tensors), cmocka_unit_test(missing_files),
        cmocka_unit_test(save_and_reload),
        cmocka_unit_test(other_frames), cmocka_unit_test(plan_is_checked_against_memory), cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests_name("checkpoint", tests, setup, teardown);
}
