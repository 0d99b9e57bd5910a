/* What a run knows of itself, as the facts of its card (hub/card.h), and README.md in its folder. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "hub/card.h"
#include "hub/push.h"
#include "train/trainer.h"

enum { PAIRS = 24 };

typedef struct facts {
    reel_card card;
    reel_card_pair setting[PAIRS], sampling[PAIRS], version[2];
    char *kept[2 * PAIRS]; size_t n_kept;  /* text made for the card */
    reel_card_row *row;
    reel_card_class *cls;
    char *license, *base, *data, *name;
    bool failed;                           /* no memory */
} facts;

static void facts_free(facts *f)
{
    for (size_t i = 0; i < f->n_kept; i++)
        reel_free(f->kept[i]);
    reel_free(f->row);
    reel_free(f->cls);
    char *const all[] = {f->license, f->base, f->data, f->name};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        reel_free(all[i]);
}

/* ---- settings ---- */

static void put(facts *f, reel_card_pair *list, size_t *n, const char *name, char *value)
{
    f->failed = f->failed || value == NULL;
    if (value == NULL || f->n_kept == sizeof f->kept / sizeof *f->kept || *n == PAIRS) {
        reel_free(value);
        return;
    }
    f->kept[f->n_kept++] = value;
    list[(*n)++] = (reel_card_pair){name, value};
}

static void set(facts *f, const char *name, char *value) { put(f, f->setting, &f->card.settings, name, value); }
static void cut(facts *f, const char *name, char *value) { put(f, f->sampling, &f->card.samplings, name, value); }

static char *number(double x)
{
    char text[32];
    reel_format_double(text, x);
    return reel_strdup(text);
}

static char *whole(int64_t x) { return reel_format("%lld", (long long)x); }

static void settings_add(facts *f, const reel_trainer *t)
{
    const reel_train_args *o = t->o;
    char beta1[32], beta2[32], epsilon[32];
    reel_format_double(beta1, o->adam_beta1);
    reel_format_double(beta2, o->adam_beta2);
    reel_format_double(epsilon, o->adam_epsilon);
    set(f, "learning_rate", number(o->learning_rate));
    set(f, "train_batch_size", whole(o->per_device_train_batch_size));
    set(f, "eval_batch_size", whole(o->per_device_eval_batch_size));
    set(f, "seed", whole(o->seed));
    if (o->gradient_accumulation_steps > 1) {
        set(f, "gradient_accumulation_steps", whole(o->gradient_accumulation_steps));
        set(f, "total_train_batch_size", whole(t->group));
    }
    set(f, "optimizer", reel_format("AdamW with betas=(%s,%s) and epsilon=%s", beta1, beta2, epsilon));
    if (o->weight_decay > 0)
        set(f, "weight_decay", number(o->weight_decay));
    set(f, "lr_scheduler_type", reel_strdup(o->lr_scheduler_type));
    if (o->warmup_steps >= 1)
        set(f, "lr_scheduler_warmup_steps", number(o->warmup_steps));
    else if (o->warmup_steps > 0 || o->warmup_ratio > 0)
        set(f, "lr_scheduler_warmup_ratio", number(o->warmup_steps > 0 ? o->warmup_steps : o->warmup_ratio));
    if (o->max_steps > 0)
        set(f, "training_steps", whole(o->max_steps));
    else
        set(f, "num_epochs", number(o->num_train_epochs));
    if (o->label_smoothing_factor > 0)
        set(f, "label_smoothing_factor", number(o->label_smoothing_factor));
    if (o->bf16)
        set(f, "mixed_precision_training", reel_strdup("bfloat16"));
}

static void sampling_add(facts *f, const reel_trainer *t)
{
    const reel_train_args *o = t->o;
    const reel_config *c = &t->model->config;
    char seconds[32];
    snprintf(seconds, sizeof seconds, "%.4g", t->clip_seconds);
    cut(f, "frames", whole(c->frames));
    if (!t->data->is_packed) {
        cut(f, "clip", reel_format("%s seconds", seconds));
        cut(f, "training clips", reel_strdup(strcmp(o->train_sampler, "random") == 0 ? "one a video, at a random place" : "side by side"));
        cut(f, "evaluation clips", reel_strdup("side by side"));
    }
    cut(f, "size", reel_format("%d x %d", c->width, c->height));
    if (t->train_transform.kind == REEL_TRANSFORM_TRAIN)
        cut(f, "augmentation", reel_format("short side %d to %d, random crop, flip with probability %g", t->train_transform.min_size,
                                           t->train_transform.max_size, o->flip));
}

/* ---- figures ---- */

static double figure(const reel_json *entry, const char *name)
{
    const reel_json *j = reel_json_get(entry, name);
    return reel_json_is_number(j) ? reel_json_number(j) : NAN;
}

/* One row an evaluation, with the last loss that was logged before it. */
static void rows_add(facts *f, const reel_state *s)
{
    const size_t n = reel_json_size(s->log_history);
    double loss = NAN;
    f->row = reel_calloc(n + 1, sizeof *f->row);
    f->failed = f->failed || f->row == NULL;
    for (size_t i = 0; i < n && f->row != NULL; i++) {
        const reel_json *entry = reel_json_at(s->log_history, i);
        reel_card_row *r = &f->row[f->card.rows];
        if (reel_json_is_number(reel_json_get(entry, "loss")))
            loss = reel_json_number(reel_json_get(entry, "loss"));
        if (!reel_json_is_number(reel_json_get(entry, "eval_loss")) || !reel_json_integer(reel_json_get(entry, "step"), &r->step))
            continue;
        r->loss = loss;
        r->epoch = reel_json_number(reel_json_get(entry, "epoch"));
        r->eval_loss = reel_json_number(reel_json_get(entry, "eval_loss"));
        r->accuracy = figure(entry, "eval_accuracy");
        f->card.rows++;
    }
    f->card.row = f->row;
}

static bool count_at(const reel_json *figures, const char *name, size_t i, size_t *out)
{
    int64_t n;
    const reel_json *list = reel_json_get(figures, name);
    if (!reel_json_is_array(list) || i >= reel_json_size(list) || !reel_json_integer(reel_json_at(list, i), &n) || n < 0)
        return false;
    *out = (size_t)n;
    return true;
}

static void classes_add(facts *f, const reel_trainer *t, int64_t step)
{
    char key[32];
    const size_t n = (size_t)t->model->config.labels;
    snprintf(key, sizeof key, "%lld", (long long)step);
    const reel_json *figures = t->state.by_class != NULL ? reel_json_get(t->state.by_class, key) : NULL;
    if (figures == NULL)
        return;
    f->cls = reel_calloc(n + 1, sizeof *f->cls);
    f->failed = f->failed || f->cls == NULL;
    for (size_t i = 0; i < n && f->cls != NULL; i++) {
        reel_card_class *c = &f->cls[i];
        c->name = t->model->config.label[i];
        if (!count_at(figures, "videos", i, &c->videos) || !count_at(figures, "answers", i, &c->answers) ||
            !count_at(figures, "right", i, &c->right) || c->right > c->videos || c->right > c->answers)
            return;  /* no table rather than a wrong one */
    }
    f->card.cls = f->cls;
    f->card.classes = f->cls != NULL ? n : 0;
}

static void figures_add(facts *f, const reel_trainer *t)
{
    const reel_json *entry = reel_trainer_eval_entry(t);
    int64_t step;
    f->card.loss = figure(entry, "eval_loss");
    f->card.accuracy = figure(entry, "eval_accuracy");
    f->card.video_accuracy = figure(entry, "eval_video_accuracy");
    f->card.split = t->val_split >= 0 ? t->data->splits[t->val_split] : NULL;
    rows_add(f, &t->state);
    if (entry != NULL && reel_json_integer(reel_json_get(entry, "step"), &step))
        classes_add(f, t, step);
}

/* ---- names ---- */

/* Its repository, where the text is a name of the Hub; NULL for a path. */
static char *hub_id_of(facts *f, const char *text, bool with_file)
{
    reel_hub_name name;
    bool nomem;
    char *id = reel_hub_name_read(text, with_file, &name, &nomem) ? name.id : NULL;
    f->failed = f->failed || nomem;
    if (id != NULL) {
        name.id = NULL;
        reel_hub_name_free(&name);
    }
    return id;
}

/* The last part of a path, without the ending of an archive or a list. */
static char *last_name(const char *path)
{
    static const char *const endings[] = {".tar.gz", ".tgz", ".tar", ".zip", ".csv", ".safetensors"};
    char *trimmed = reel_path_trim(path), *name = trimmed != NULL ? reel_strdup(reel_path_base(trimmed)) : NULL;
    for (size_t i = 0; i < sizeof endings / sizeof *endings && name != NULL; i++) {
        const size_t n = strlen(name), cut_off = strlen(endings[i]);
        if (n > cut_off && strcmp(name + n - cut_off, endings[i]) == 0)
            name[n - cut_off] = '\0';
    }
    reel_free(trimmed);
    return name;
}

static void names_add(facts *f, const reel_trainer *t)
{
    const reel_train_args *o = t->o;
    f->base = hub_id_of(f, o->model, false);
    f->data = hub_id_of(f, o->data, true);
    f->name = last_name(f->data != NULL ? f->data : o->data);
    f->failed = f->failed || f->name == NULL;
    f->card.name = reel_path_base(t->hub_id);
    f->card.id = t->hub_id;
    f->card.base_model = f->base;
    f->card.started_from = *o->from_config != '\0' ? "a model that began with random weights"
                                                   : "a fine-tuned version of a local checkpoint";
    f->card.dataset = f->data;
    f->card.dataset_name = f->name;
    if (*o->license == '\0' && f->base != NULL)
        reel_hub_license(t->ctx, f->base, &f->license);
    f->card.license = *o->license != '\0' ? o->license : f->license;
}

static void facts_make(facts *f, const reel_trainer *t)
{
    *f = (facts){0};
    names_add(f, t);
    figures_add(f, t);
    settings_add(f, t);
    sampling_add(f, t);
    f->version[0] = (reel_card_pair){"reel", reel_version()};
    f->card.setting = f->setting;
    f->card.sampling = f->sampling;
    f->card.version = f->version;
    f->card.versions = 1;
}

/* The card that is there: here if a person wrote it, else on the Hub, where another folder's run may have been pushed from; NULL: none. */
static reel_status read_words(const reel_trainer *t, const char *path, char **words, reel_error *err)
{
    size_t n;
    reel_status status = REEL_OK;
    *words = NULL;
    if (reel_exists(path))
        status = reel_file_read(path, REEL_CARD_LIMIT, words, &n, err);
    if (status != REEL_OK || (*words != NULL && !reel_card_is_ours(*words)))
        return status;
    reel_free(*words);
    status = reel_hub_readme(t->ctx, t->hub_id, t->o->hub_revision, words, err);
    if (*words != NULL && !reel_card_is_ours(*words))
        reel_log(t->ctx, REEL_LOG_NOTE, "hub", "README.md of %s is not reel's: its words stay, and only what its first block lacks is added",
                 t->hub_id);
    return status;
}

reel_status reel_trainer_card_write(const reel_trainer *t, reel_error *err)
{
    facts f;
    char *path = reel_path_join(t->dir, "README.md"), *old = NULL, *text = NULL;
    reel_status status = REEL_OK;
    facts_make(&f, t);
    if (path == NULL || f.failed) {
        status = reel_fail_nomem(err, t->dir);
        goto done;
    }
    REEL_TRY(read_words(t, path, &old, err));
    text = old != NULL ? reel_card_merge(&f.card, old) : reel_card_text(&f.card);
    status = text != NULL ? reel_file_write(path, text, strlen(text), err) : reel_fail_nomem(err, path);
done:
    facts_free(&f);
    reel_free(path);
    reel_free(old);
    reel_free(text);
    return status;
}
