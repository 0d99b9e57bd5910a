/* id2label of a config, and the config's text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "models/config.h"

enum { MAX_LABELS = 100000, MAX_LABEL_BYTES = 1024 };

static void labels_free(char **label, size_t n)
{
    for (size_t i = 0; label != NULL && i < n; i++)
        reel_free(label[i]);
    reel_free(label);
}

reel_status reel_config_set_labels(reel_config *c, char *const *label, size_t n, reel_error *err)
{
    if (n < 1 || n > MAX_LABELS)
        return reel_fail(err, REEL_ERR_LIMIT, "a model has from 1 to %d labels, not %zu", MAX_LABELS, n);
    char **copy = reel_calloc(n, sizeof *copy);
    if (copy == NULL)
        return reel_fail_nomem(err, "labels");
    for (size_t i = 0; i < n; i++)
        if ((copy[i] = reel_strdup(label[i])) == NULL) {
            labels_free(copy, n);
            return reel_fail_nomem(err, "labels");
        }
    labels_free(c->label, (size_t)c->labels);
    c->label = copy;
    c->labels = (int)n;
    return REEL_OK;
}

/* LABEL_0, LABEL_1, …: transformers' names for labels without one. */
static reel_status set_default_labels(reel_config *c, size_t n, reel_error *err)
{
    reel_status status = REEL_OK;
    char **label = reel_calloc(n, sizeof *label);
    if (label == NULL)
        return reel_fail_nomem(err, "labels");
    for (size_t i = 0; i < n && status == REEL_OK; i++)
        if ((label[i] = reel_format("LABEL_%zu", i)) == NULL)
            status = reel_fail_nomem(err, "labels");
    if (status == REEL_OK)
        status = reel_config_set_labels(c, label, n, err);
    labels_free(label, n);
    return status;
}

static reel_status put_label(char **label, size_t n, const char *what, const char *key, const reel_json *value, reel_error *err)
{
    int64_t id;
    const char *name = reel_json_string(value);
    if (!reel_parse_int(key, &id) || id < 0 || (uint64_t)id >= n)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: id2label has the id '%s', but %zu labels must be numbered 0 to %zu without "
                         "gaps", what, key, n, n - 1);
    if (label[id] != NULL)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: id2label has the id %lld twice", what, (long long)id);
    if (name == NULL || strlen(name) > MAX_LABEL_BYTES)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: id2label: the name of %s must be text of at most %d bytes", what, key,
                         MAX_LABEL_BYTES);
    label[id] = reel_strdup(name);
    return label[id] != NULL ? REEL_OK : reel_fail_nomem(err, what);
}

static reel_status read_map(reel_config *c, const reel_json *map, const char *what, reel_error *err)
{
    reel_status status = REEL_OK;
    size_t n = reel_json_size(map);
    if (!reel_json_is_object(map) || n < 1 || n > MAX_LABELS)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: id2label must be an object {\"0\": name, …} of 1 to %d labels", what,
                         MAX_LABELS);
    char **label = reel_calloc(n, sizeof *label);
    if (label == NULL)
        return reel_fail_nomem(err, what);
    for (void *it = reel_json_first(map); it != NULL; it = reel_json_next(map, it))
        REEL_TRY(put_label(label, n, what, reel_json_key(it), reel_json_value(it), err));
    status = reel_config_set_labels(c, label, n, err);
done:
    labels_free(label, n);
    return status;
}

reel_status reel_config_read_labels(reel_config *c, const char *what, reel_error *err)
{
    reel_status status = REEL_OK;
    int wanted = 0;
    const reel_json *map = reel_json_get(c->json, "id2label");
    if (reel_json_get(c->json, "num_labels") != NULL)
        status = reel_config_int(c, what, (reel_int_field){"num_labels", 1, MAX_LABELS, 2}, &wanted, err);
    if (status == REEL_OK && !reel_json_is_null(map))
        status = read_map(c, map, what, err);
    /* num_labels with another length replaces both maps, as in transformers */
    if (status == REEL_OK && (c->labels == 0 || (wanted > 0 && wanted != c->labels)))
        status = set_default_labels(c, wanted > 0 ? (size_t)wanted : 2, err);
    return status;
}

/* --- the text --- */

static bool labels_are_default(const reel_config *c)
{
    return c->labels == 2 && strcmp(c->label[0], "LABEL_0") == 0 && strcmp(c->label[1], "LABEL_1") == 0;
}

static bool put_labels(reel_json *object, const reel_config *c)
{
    char key[16];
    reel_json *names = reel_json_object(), *ids = reel_json_object();
    bool good = names != NULL && ids != NULL;
    for (int i = 0; good && i < c->labels; i++) {
        snprintf(key, sizeof key, "%d", i);
        good = reel_json_set_string(names, key, c->label[i]) && reel_json_set_int(ids, c->label[i], i);
    }
    good = good && reel_json_set(object, "id2label", reel_json_copy(names)) &&
           reel_json_set(object, "label2id", reel_json_copy(ids));
    reel_json_free(names);
    reel_json_free(ids);
    return good;
}

/* A copy with sorted keys, but for id2label, whose keys are in the order of their numbers. */
static reel_json *sorted_copy(const reel_json *j, bool keep)
{
    if (!reel_json_is_object(j) || keep)
        return reel_json_copy(j);
    size_t n = reel_json_size(j), k = 0;
    const char **keys = reel_calloc(n, sizeof *keys);
    reel_json *out = keys != NULL ? reel_json_object() : NULL;
    for (void *it = out != NULL ? reel_json_first(j) : NULL; it != NULL && k < n; it = reel_json_next(j, it))
        keys[k++] = reel_json_key(it);
    if (k > 0)
        qsort(keys, k, sizeof *keys, reel_compare_text);
    for (size_t i = 0; out != NULL && i < k; i++) {
        reel_json *value = sorted_copy(reel_json_get(j, keys[i]), strcmp(keys[i], "id2label") == 0);
        if (value == NULL || !reel_json_set(out, keys[i], value)) {
            reel_json_free(out);
            out = NULL;
        }
    }
    reel_free(keys);
    return out;
}

/* Fields of the class that the file left at their default are written all the same, as transformers does. */
static bool add_defaults(reel_json *object, const char *defaults)
{
    reel_json *d = NULL;
    bool good = reel_json_parse(defaults, strlen(defaults), "defaults", false, &d, NULL) == REEL_OK;
    for (void *it = good ? reel_json_first(d) : NULL; it != NULL && good; it = reel_json_next(d, it))
        if (reel_json_get(object, reel_json_key(it)) == NULL)
            good = reel_json_set(object, reel_json_key(it), reel_json_copy(reel_json_value(it)));
    reel_json_free(d);
    return good;
}

static bool fill(reel_json *object, const reel_config *c, const reel_arch *arch, const char *problem_type)
{
    static const char *const dropped[] = {"id2label", "label2id", "num_labels", "torch_dtype"};
    for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++)
        reel_json_remove(object, dropped[i]);
    reel_json *names = reel_json_array();
    return names != NULL && reel_json_push(names, reel_json_new_string(arch->architecture)) &&
           reel_json_set(object, "architectures", names) && reel_json_set_string(object, "model_type", arch->model_type) &&
           reel_json_set_string(object, "dtype", "float32") && add_defaults(object, arch->config_defaults) &&
           (problem_type == NULL || reel_json_set_string(object, "problem_type", problem_type)) &&
           (labels_are_default(c) || put_labels(object, c));
}

char *reel_config_text(const reel_config *c, const reel_arch *arch, const char *problem_type)
{
    reel_json *object = reel_json_copy(c->json), *sorted = NULL;
    if (object != NULL && fill(object, c, arch, problem_type))
        sorted = sorted_copy(object, false);
    char *text = reel_json_file_text(sorted, REEL_JSON_KEEP);
    reel_json_free(object);
    reel_json_free(sorted);
    return text;
}
