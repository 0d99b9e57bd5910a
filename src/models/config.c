#include "models/config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void reel_config_free(reel_config *c)
{
    for (int i = 0; i < c->labels; i++)
        reel_free(c->label[i]);
    reel_free(c->label);
    reel_json_free(c->json);
    *c = (reel_config){0};
}

/* "FILE: KEY must be WANTED, not VALUE" */
static reel_status fail_field(const char *what, const char *key, const char *wanted, const reel_json *value, reel_error *err)
{
    char *shown = reel_json_dump(value, 0, REEL_JSON_KEEP);
    reel_status status = reel_fail(err, REEL_ERR_FORMAT, "%s: %s must be %s, not %.80s", what, key, wanted,
                                   shown != NULL ? shown : "this");
    reel_free(shown);
    return status;
}

static reel_status read_int(const reel_json *value, const char *what, reel_int_field f, int *out, reel_error *err)
{
    int64_t v;
    if (reel_json_integer(value, &v) && v >= f.min && v <= f.max) {
        *out = (int)v;
        return REEL_OK;
    }
    char *wanted = reel_format("a whole number (integer) from %lld to %lld", (long long)f.min, (long long)f.max);
    reel_status status = fail_field(what, f.key, wanted != NULL ? wanted : "a whole number", value, err);
    reel_free(wanted);
    return status;
}

reel_status reel_config_int(const reel_config *c, const char *what, reel_int_field f, int *out, reel_error *err)
{
    const reel_json *value = reel_json_get(c->json, f.key);
    *out = (int)f.standard;
    return value == NULL ? REEL_OK : read_int(value, what, f, out, err);
}

reel_status reel_config_size(const reel_config *c, const char *what, reel_int_field f, int *height, int *width, reel_error *err)
{
    const reel_json *value = reel_json_get(c->json, f.key);
    *height = *width = (int)f.standard;
    if (value == NULL)
        return REEL_OK;
    bool pair = reel_json_is_array(value);
    if (pair && reel_json_size(value) != 2)
        return fail_field(what, f.key, "a whole number or a pair [height, width]", value, err);
    reel_status status = read_int(pair ? reel_json_at(value, 0) : value, what, f, height, err);
    if (status == REEL_OK)
        status = read_int(pair ? reel_json_at(value, 1) : value, what, f, width, err);
    return status;
}

reel_status reel_config_double(const reel_config *c, const char *what, const char *key, double min, double max, double standard,
                               double *out, reel_error *err)
{
    const reel_json *value = reel_json_get(c->json, key);
    *out = standard;
    if (value == NULL)
        return REEL_OK;
    double v = reel_json_number(value);
    if (!reel_json_is_number(value) || !(v >= min && v <= max)) {
        char *wanted = reel_format("a number from %g to %g", min, max);
        reel_status status = fail_field(what, key, wanted != NULL ? wanted : "a number", value, err);
        reel_free(wanted);
        return status;
    }
    *out = v;
    return REEL_OK;
}

reel_status reel_config_bool(const reel_config *c, const char *what, const char *key, bool standard, bool *out, reel_error *err)
{
    const reel_json *value = reel_json_get(c->json, key);
    *out = standard;
    if (value == NULL)
        return REEL_OK;
    if (!reel_json_is_bool(value))
        return fail_field(what, key, "true or false", value, err);
    *out = reel_json_true(value);
    return REEL_OK;
}

static const struct { const char *name; reel_act act; } acts[] = {
    {"gelu", REEL_ACT_GELU}, {"gelu_fast", REEL_ACT_GELU_TANH}, {"gelu_new", REEL_ACT_GELU_TANH},
    {"gelu_pytorch_tanh", REEL_ACT_GELU_TANH}, {"quick_gelu", REEL_ACT_QUICK_GELU}, {"relu", REEL_ACT_RELU},
    {"silu", REEL_ACT_SILU}, {"swish", REEL_ACT_SILU},
};

reel_status reel_config_act(const reel_config *c, const char *what, const char *key, const char *standard, reel_act *out,
                            reel_error *err)
{
    const reel_json *value = reel_json_get(c->json, key);
    const char *name = value == NULL ? standard : reel_json_string(value);
    for (size_t i = 0; name != NULL && i < sizeof acts / sizeof *acts; i++)
        if (strcmp(name, acts[i].name) == 0) {
            *out = acts[i].act;
            return REEL_OK;
        }
    return fail_field(what, key, "one of gelu, gelu_fast, gelu_new, gelu_pytorch_tanh, quick_gelu, relu, silu", value, err);
}

/* --- reading a file --- */

static reel_status find_arch(const reel_config *c, const char *path, const reel_arch **arch, reel_error *err)
{
    const char *type = reel_json_string(reel_json_get(c->json, "model_type"));
    if (type == NULL)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: model_type is missing; is this the config.json of a transformers model?",
                         path);
    *arch = reel_arch_find(type);
    if (*arch == NULL)
        return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: model_type '%s' is not an architecture that this version has (it has "
                         "%s)", path, type, reel_arch_at(0)->model_type);
    return REEL_OK;
}

/* Quantized weights need scales that stand beside them: as plain numbers they would be wrong. */
reel_status reel_config_check_plain(const reel_json *config, const char *what, reel_error *err)
{
    const reel_json *value = reel_json_get(config, "quantization_config");
    if (reel_json_is_null(value))
        return REEL_OK;
    const char *method = reel_json_string(reel_json_get(value, "quant_method"));
    return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: its weights are quantized (quantization_config%s%.40s), which is not read; take the "
                     "checkpoint that they were made from", what, method != NULL ? ": " : "", method != NULL ? method : "");
}

static reel_status check_problem_type(const reel_config *c, const char *path, reel_error *err)
{
    static const char *const known[] = {"regression", "single_label_classification", "multi_label_classification"};
    const reel_json *value = reel_json_get(c->json, "problem_type");
    const char *name = reel_json_string(value);
    if (reel_json_is_null(value))
        return REEL_OK;
    for (size_t i = 0; name != NULL && i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i]) == 0)
            return REEL_OK;
    return fail_field(path, "problem_type", "regression, single_label_classification or multi_label_classification", value, err);
}

reel_status reel_config_parse(reel_json *json_taken, const char *what, reel_config *config, const reel_arch **arch, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_config c = {.json = json_taken};
    *config = (reel_config){0};
    if (!reel_json_is_object(c.json)) {
        status = reel_fail(err, REEL_ERR_FORMAT, "%s: is not a JSON object {...}", what);
        goto done;
    }
    REEL_TRY(find_arch(&c, what, arch, err));
    REEL_TRY(reel_config_check_plain(c.json, what, err));
    REEL_TRY(reel_config_double(&c, what, "initializer_range", 0, 100, 0.02, &c.initializer_range, err));
    REEL_TRY(check_problem_type(&c, what, err));
    REEL_TRY(reel_config_read_labels(&c, what, err));
    REEL_TRY((*arch)->config_read(&c, what, err));
    *config = c;
    c = (reel_config){0};
done:
    reel_config_free(&c);
    return status;
}

reel_status reel_config_read(const char *path, reel_config *config, const reel_arch **arch, reel_error *err)
{
    reel_json *json;
    *config = (reel_config){0};
    reel_status status = reel_json_read(path, REEL_JSON_LIMIT, false, &json, err);
    return status != REEL_OK ? status : reel_config_parse(json, path, config, arch, err);
}
