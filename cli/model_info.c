/* reel model info: what is in a checkpoint. */
#include "cli.h"

#include <inttypes.h>
#include <string.h>

static void model_json(cli_json *j, const reel_model_info *m)
{
    cli_json_string(j, "model_type", m->model_type);
    cli_json_string(j, "architecture", m->architecture);
    cli_json_int(j, "parameters", m->parameters);
    cli_json_int(j, "num_frames", m->frames);
    cli_json_int(j, "num_channels", m->channels);
    cli_json_int(j, "height", m->height);
    cli_json_int(j, "width", m->width);
    cli_json_int(j, "hidden_size", m->hidden_size);
    cli_json_int(j, "num_hidden_layers", m->layers);
    cli_json_int(j, "num_attention_heads", m->heads);
    cli_json_int(j, "tokens", m->tokens);
    cli_json_double(j, "gflop_forward", m->gflop_forward);
}

static void tensor_json(cli_json *j, const reel_tensor_info *t)
{
    cli_json_open(j, NULL, '{');
    cli_json_string(j, "name", t->name);
    cli_json_string(j, "dtype", t->dtype);
    cli_json_open(j, "shape", '[');
    for (int d = 0; d < t->rank; d++)
        cli_json_int(j, NULL, t->shape[d]);
    cli_json_close(j, ']');
    cli_json_int(j, "bytes", t->bytes);
    cli_json_bool(j, "used", t->use == NULL || t->use[0] == '\0');
    cli_json_close(j, '}');
}

static void info_json(const reel_checkpoint_info *k)
{
    cli_json j = { .out = stdout };
    cli_json_open(&j, NULL, '{');
    model_json(&j, &k->model);
    cli_json_open(&j, "labels", '[');
    for (int i = 0; i < k->model.labels; i++)
        cli_json_string(&j, NULL, k->label[i]);
    cli_json_close(&j, ']');
    cli_json_bool(&j, "processor", k->processor != NULL);
    cli_json_open(&j, "image_mean", '[');
    for (int i = 0; i < 3; i++)
        cli_json_double(&j, NULL, k->image_mean[i]);
    cli_json_close(&j, ']');
    cli_json_open(&j, "image_std", '[');
    for (int i = 0; i < 3; i++)
        cli_json_double(&j, NULL, k->image_std[i]);
    cli_json_close(&j, ']');
    cli_json_string(&j, "weights", k->weights);
    cli_json_int(&j, "file_bytes", k->file_bytes);
    cli_json_open(&j, "tensors", '[');
    for (size_t i = 0; i < k->tensors; i++)
        tensor_json(&j, &k->tensor[i]);
    cli_json_close(&j, ']');
    cli_json_open(&j, "missing", '[');
    for (size_t i = 0; i < k->missing; i++)
        cli_json_string(&j, NULL, k->missing_name[i]);
    cli_json_close(&j, ']');
    cli_json_close(&j, '}');
    cli_json_end(&j);
}

static bool is_unused(const reel_tensor_info *t)
{
    return t->use != NULL && t->use[0] != '\0';
}

/* Up to `most` names of unused tensors, those of one first part ("decoder.") as one. */
static void unused_line(const reel_checkpoint_info *k)
{
    char part[CLI_TEXT], last[CLI_TEXT] = "";
    size_t count = 0, told = 0;
    for (size_t i = 0; i < k->tensors; i++)
        count += is_unused(&k->tensor[i]);
    if (count == 0)
        return;
    printf("unused   %zu tensor%s (", count, count == 1 ? "" : "s");
    for (size_t i = 0; i < k->tensors; i++) {
        if (!is_unused(&k->tensor[i]))
            continue;
        cli_show(part, k->tensor[i].name);
        char *dot = strchr(part, '.');
        if (dot != NULL)
            snprintf(dot, CLI_TEXT - (size_t)(dot - part), ".*");
        if (strcmp(part, last) == 0)
            continue;
        if (told++ == 6) {
            printf(", ...");
            break;
        }
        printf("%s%s", told > 1 ? ", " : "", part);
        snprintf(last, sizeof last, "%s", part);
    }
    printf(")\n");
}

static void label_line(cli *c, const reel_checkpoint_info *k)
{
    char shown[CLI_TEXT];
    int at = printf("labels   %d:", k->model.labels);
    for (int i = 0; i < k->model.labels; i++) {
        const int n = cli_columns(cli_show(shown, k->label[i])) + 2;
        if (at + n + 4 > c->term.width && i > 0) {
            printf(", ...");
            break;
        }
        printf("%s%s", i > 0 ? ", " : " ", shown);
        at += n;
    }
    printf("\n");
}

static void tensor_lines(const reel_checkpoint_info *k)
{
    char name[CLI_TEXT], shape[128];
    printf("\n");
    for (size_t i = 0; i < k->tensors; i++) {
        const reel_tensor_info *t = &k->tensor[i];
        size_t used = 0;
        shape[0] = '\0';
        for (int d = 0; d < t->rank && used + 24 < sizeof shape; d++)
            used += (size_t)snprintf(shape + used, sizeof shape - used, "%s%" PRId64, d > 0 ? ", " : "", t->shape[d]);
        printf("%-5s (%s)  %s%s\n", t->dtype, shape, cli_show(name, t->name), is_unused(t) ? "  unused" : "");
    }
}

static void info_lines(cli *c, const reel_checkpoint_info *k)
{
    char shown[CLI_TEXT], number[32], bytes[32];
    const reel_model_info *m = &k->model;
    cli_count(number, (double)m->parameters);
    cli_size(bytes, (double)k->file_bytes);
    printf("model    %s: %s, %s parameters\n", cli_show(shown, reel_args_get(c->args, "model")), m->architecture, number);
    printf("clip     %d frames of %dx%d, %d tokens, %.3g GFLOP forward\n", m->frames, m->width, m->height, m->tokens, m->gflop_forward);
    printf("layers   %d of width %d, %d heads\n", m->layers, m->hidden_size, m->heads);
    label_line(c, k);
    printf("pixels   mean %g %g %g, std %g %g %g%s\n", k->image_mean[0], k->image_mean[1], k->image_mean[2], k->image_std[0],
           k->image_std[1], k->image_std[2], k->processor == NULL ? " (no processor file: defaults)" : "");
    printf("weights  %s: %zu tensors, %s\n", k->weights, k->tensors, bytes);
    unused_line(k);
    for (size_t i = 0; i < k->missing && i < 8; i++)
        printf("%s%s%s", i == 0 ? "missing  " : ", ", cli_show(shown, k->missing_name[i]), i + 1 == k->missing ? "\n" : i == 7 ? ", ...\n" : "");
    if (strcmp(reel_args_get(c->args, "tensors"), "true") == 0)
        tensor_lines(k);
}

static reel_status run(cli *c, reel_error *err)
{
    reel_checkpoint_info *info = NULL;
    const reel_status status = reel_checkpoint_info_open(c->ctx, c->args, &info, err);
    if (status == REEL_OK && c->json)
        info_json(info);
    else if (status == REEL_OK)
        info_lines(c, info);
    reel_checkpoint_info_close(&info);
    return status;
}

const cli_verb cli_verb_model_info = {
    .name = "model info", .group = "learn", .line = "what is in a checkpoint: sizes, labels, unused tensors",
    .usage = "MODEL [options]",
    .example = { "model info run1", "model info videomae-base --tensors" },
    .job = REEL_JOB_MODEL_INFO, .positional = "model", .run = run,
};
