#include "models/videomae.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "models/config.h"

enum { MAX_TOKENS = 1 << 20 };

/* --- config --- */

/* transformers before 5 called it qkv_bias, though keys have none. */
static reel_status rename_qkv_bias(reel_config *c, reel_error *err)
{
    const reel_json *old = reel_json_get(c->json, "qkv_bias");
    if (old == NULL)
        return REEL_OK;
    if (reel_json_get(c->json, "qv_bias") == NULL && !reel_json_set(c->json, "qv_bias", reel_json_copy(old)))
        return reel_fail_nomem(err, "config.json");
    reel_json_remove(c->json, "qkv_bias");
    return REEL_OK;
}

static reel_status check_relations(reel_config *c, const char *what, reel_error *err)
{
    if (c->hidden % c->heads != 0)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: hidden_size (%d) is not divisible by num_attention_heads (%d)", what,
                         c->hidden, c->heads);
    if (c->patch_h > c->height || c->patch_w > c->width)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: patch_size %dx%d is larger than image_size %dx%d", what, c->patch_h,
                         c->patch_w, c->height, c->width);
    if (c->tubelet > c->frames)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: tubelet_size (%d) is larger than num_frames (%d)", what, c->tubelet,
                         c->frames);
    int64_t tokens = (int64_t)(c->frames / c->tubelet) * (c->height / c->patch_h) * (c->width / c->patch_w);
    if (tokens > MAX_TOKENS)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: image_size, patch_size and num_frames make %lld tokens a clip, too large "
                         "(limit %d)", what, (long long)tokens, MAX_TOKENS);
    c->tokens = (int)tokens;
    return REEL_OK;
}

static reel_status config_read(reel_config *c, const char *what, reel_error *err)
{
    reel_status status;
    double eps;
    REEL_TRY(rename_qkv_bias(c, err));
    REEL_TRY(reel_config_size(c, what, (reel_int_field){"image_size", 1, 65536, 224}, &c->height, &c->width, err));
    REEL_TRY(reel_config_size(c, what, (reel_int_field){"patch_size", 1, 65536, 16}, &c->patch_h, &c->patch_w, err));
    REEL_TRY(reel_config_int(c, what, (reel_int_field){"num_channels", 1, 1024, 3}, &c->channels, err));
    REEL_TRY(reel_config_int(c, what, (reel_int_field){"num_frames", 1, 65536, 16}, &c->frames, err));
    REEL_TRY(reel_config_int(c, what, (reel_int_field){"tubelet_size", 1, 65536, 2}, &c->tubelet, err));
    REEL_TRY(reel_config_int(c, what, (reel_int_field){"hidden_size", 1, 65536, 768}, &c->hidden, err));
    REEL_TRY(reel_config_int(c, what, (reel_int_field){"num_hidden_layers", 1, 1000, 12}, &c->layers, err));
    REEL_TRY(reel_config_int(c, what, (reel_int_field){"num_attention_heads", 1, 65536, 12}, &c->heads, err));
    REEL_TRY(reel_config_int(c, what, (reel_int_field){"intermediate_size", 1, 1 << 20, 3072}, &c->intermediate, err));
    REEL_TRY(reel_config_act(c, what, "hidden_act", "gelu", &c->act, err));
    REEL_TRY(reel_config_double(c, what, "hidden_dropout_prob", 0, 0.999, 0, &c->hidden_dropout, err));
    REEL_TRY(reel_config_double(c, what, "attention_probs_dropout_prob", 0, 0.999, 0, &c->attention_dropout, err));
    REEL_TRY(reel_config_double(c, what, "layer_norm_eps", 0, 1, 1e-12, &eps, err));
    c->layer_norm_eps = (float)eps;
    REEL_TRY(reel_config_bool(c, what, "qv_bias", true, &c->qv_bias, err));
    REEL_TRY(reel_config_bool(c, what, "use_mean_pooling", true, &c->mean_pooling, err));
    status = check_relations(c, what, err);
done:
    return status;
}

static const char defaults[] =
    "{\"attention_probs_dropout_prob\": 0.0, \"decoder_hidden_size\": 384, \"decoder_intermediate_size\": 1536, "
    "\"decoder_num_attention_heads\": 6, \"decoder_num_hidden_layers\": 4, \"hidden_act\": \"gelu\", "
    "\"hidden_dropout_prob\": 0.0, \"hidden_size\": 768, \"image_size\": 224, \"initializer_range\": 0.02, "
    "\"intermediate_size\": 3072, \"layer_norm_eps\": 1e-12, \"norm_pix_loss\": true, \"num_attention_heads\": 12, "
    "\"num_channels\": 3, \"num_frames\": 16, \"num_hidden_layers\": 12, \"patch_size\": 16, \"qv_bias\": true, "
    "\"tubelet_size\": 2, \"use_mean_pooling\": true}";

/* --- parameters --- */

typedef struct adder { reel_params *params; char name[160]; const char *prefix; bool failed; } adder;

static void add(adder *a, const char *name, reel_shape shape, reel_init init, bool decay, bool joined)
{
    snprintf(a->name, sizeof a->name, "%s%s", a->prefix, name);
    if (reel_params_add(a->params, a->name, &shape, init, decay, joined) < 0)
        a->failed = true;
}

static void add_hole(adder *a, int64_t size)
{
    if (reel_params_add(a->params, NULL, &(reel_shape){1, {size}}, REEL_INIT_ZEROS, false, true) < 0)
        a->failed = true;
}

static void add_linear(adder *a, const char *name, int64_t out, int64_t in)
{
    char full[96];
    snprintf(full, sizeof full, "%s.weight", name);
    add(a, full, (reel_shape){2, {out, in}}, REEL_INIT_NORMAL, true, false);
    snprintf(full, sizeof full, "%s.bias", name);
    add(a, full, (reel_shape){1, {out}}, REEL_INIT_ZEROS, false, false);
}

static void add_norm(adder *a, const char *name, int64_t width)
{
    char full[96];
    snprintf(full, sizeof full, "%s.weight", name);
    add(a, full, (reel_shape){1, {width}}, REEL_INIT_ONES, false, false);
    snprintf(full, sizeof full, "%s.bias", name);
    add(a, full, (reel_shape){1, {width}}, REEL_INIT_ZEROS, false, false);
}

/* Query, key and value lie one behind the other, so that one product makes all three. Keys have no bias: its place in the
 * fused bias is a hole that stays zero. Without q and v biases the three places are holes, and no bias is used. */
static void add_attention(adder *a, const reel_config *c)
{
    int64_t d = c->hidden;
    reel_shape square = {2, {d, d}}, line = {1, {d}};
    add(a, "attention.attention.query.weight", square, REEL_INIT_NORMAL, true, false);
    add(a, "attention.attention.key.weight", square, REEL_INIT_NORMAL, true, true);
    add(a, "attention.attention.value.weight", square, REEL_INIT_NORMAL, true, true);
    if (c->qv_bias) {
        add(a, "attention.attention.q_bias", line, REEL_INIT_ZEROS, false, false);
        add_hole(a, d);
        add(a, "attention.attention.v_bias", line, REEL_INIT_ZEROS, false, true);
    } else
        for (int i = 0; i < 3; i++)
            add_hole(a, 0);
}

static reel_status params_list(const reel_config *c, reel_params *params, reel_error *err)
{
    char prefix[64];
    adder a = {.params = params, .prefix = "videomae."};
    reel_shape patch = {5, {c->hidden, c->channels, c->tubelet, c->patch_h, c->patch_w}};
    add(&a, "embeddings.patch_embeddings.projection.weight", patch, REEL_INIT_NORMAL, true, false);
    add(&a, "embeddings.patch_embeddings.projection.bias", (reel_shape){1, {c->hidden}}, REEL_INIT_ZEROS, false, false);
    for (int l = 0; l < c->layers && !a.failed; l++) {
        snprintf(prefix, sizeof prefix, "videomae.encoder.layer.%d.", l);
        a.prefix = prefix;
        add_attention(&a, c);
        add_linear(&a, "attention.output.dense", c->hidden, c->hidden);
        add_linear(&a, "intermediate.dense", c->intermediate, c->hidden);
        add_linear(&a, "output.dense", c->hidden, c->intermediate);
        add_norm(&a, "layernorm_before", c->hidden);
        add_norm(&a, "layernorm_after", c->hidden);
    }
    size_t head = params->n;
    a.prefix = c->mean_pooling ? "" : "videomae.";
    add_norm(&a, c->mean_pooling ? "fc_norm" : "layernorm", c->hidden);
    if (!c->mean_pooling)
        head = params->n;
    a.prefix = "";
    add_linear(&a, "classifier", c->labels, c->hidden);
    for (size_t i = head; i < params->n; i++)
        params->param[i].head = true;
    return a.failed ? reel_fail(err, REEL_ERR_NOMEM, "the model of this config.json is too large for this machine") : REEL_OK;
}

/* Module names of transformers 5 that its files do not have. */
static const char *rename_tensor(const char *name, char *buf, size_t size)
{
    static const struct { const char *module, *file; } ends[] = {
        {".attention.attention.query.bias", ".attention.attention.q_bias"},
        {".attention.attention.value.bias", ".attention.attention.v_bias"},
    };
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t m = strlen(ends[i].module);
        if (n > m && strcmp(name + n - m, ends[i].module) == 0) {
            int written = snprintf(buf, size, "%.*s%s", (int)(n - m), name, ends[i].file);
            return written > 0 && (size_t)written < size ? buf : NULL;
        }
    }
    return NULL;
}

/* --- constants, cost --- */

static size_t constants(const reel_config *c)
{
    return (size_t)c->tokens * (size_t)c->hidden;
}

/* Sinusoids as in "Attention is all you need", in double and rounded once; i counts all tokens, time included. */
static void constants_fill(const reel_config *c, float *host)
{
    for (int j = 0; j < c->hidden; j++) {
        double divisor = pow(10000.0, 2.0 * (j / 2) / c->hidden);
        for (int i = 0; i < c->tokens; i++) {
            double angle = i / divisor;
            host[(size_t)i * (size_t)c->hidden + (size_t)j] = (float)(j % 2 == 0 ? sin(angle) : cos(angle));
        }
    }
}

static double flops(const reel_config *c)
{
    double n = c->tokens, d = c->hidden, i = c->intermediate;
    double layer = 8 * n * d * d + 4 * n * d * i + 4 * n * n * d;
    return c->layers * layer + 2 * n * d * c->channels * c->tubelet * c->patch_h * c->patch_w + 2 * d * c->labels;
}

const reel_arch reel_arch_videomae = {
    .model_type = "videomae", .architecture = "VideoMAEForVideoClassification", .base_prefix = "videomae.",
    .shown = "VideoMAE", .config_defaults = defaults, .config_read = config_read, .params_list = params_list, .flops = flops,
    .rename = rename_tensor, .constants = constants, .constants_fill = constants_fill,
    .cache_bytes = reel_videomae_cache_bytes, .forward = reel_videomae_forward, .backward = reel_videomae_backward,
};
