/* reel evaluate: a model's answers against the labels of a split. */
#include "cli.h"

#include <math.h>
#include <string.h>

static bool on_event(const reel_event *e, void *user)
{
    char right[128];
    if (e->kind == REEL_EVENT_EVAL_STEP)
        cli_rate(right, "batch", e);
    if (e->kind == REEL_EVENT_EVAL_STEP)
        cli_bar_draw(user, "evaluate", e->steps > 0 ? (double)e->step / (double)e->steps : 0, right);
    return !cli_cancelled(NULL);
}

static void class_json(cli_json *j, const reel_class_score *s)
{
    cli_json_open(j, NULL, '{');
    cli_json_string(j, "label", s->name);
    cli_json_int(j, "videos", (int64_t)s->videos);
    cli_json_double(j, "precision", s->precision);
    cli_json_double(j, "recall", s->recall);
    cli_json_double(j, "f1", s->f1);
    cli_json_string(j, "confused_with", s->confused_with);
    cli_json_int(j, "confused", (int64_t)s->confused);
    cli_json_close(j, '}');
}

static void tables_json(cli_json *j, const reel_eval_report *r)
{
    cli_json_open(j, "per_class", '[');
    for (size_t i = 0; i < r->classes; i++)
        class_json(j, &r->cls[i]);
    cli_json_close(j, ']');
    cli_json_open(j, "confusion", '[');
    for (size_t i = 0; r->confusion != NULL && i < r->classes; i++) {
        cli_json_open(j, NULL, '[');
        for (size_t k = 0; k < r->classes; k++)
            cli_json_int(j, NULL, (int64_t)r->confusion[i * r->classes + k]);
        cli_json_close(j, ']');
    }
    cli_json_close(j, ']');
    cli_json_open(j, "skipped", '[');
    for (size_t i = 0; i < r->skipped; i++) {
        cli_json_open(j, NULL, '{');
        cli_json_string(j, "path", r->skipped_path[i]);
        cli_json_string(j, "reason", r->skipped_reason[i]);
        cli_json_close(j, '}');
    }
    cli_json_close(j, ']');
}

static void report_json(const reel_eval_report *r)
{
    cli_json j = { .out = stdout };
    cli_json_open(&j, NULL, '{');
    cli_json_string(&j, "split", r->split);
    cli_json_string(&j, "protocol", r->protocol);
    cli_json_int(&j, "videos", (int64_t)r->videos);
    cli_json_int(&j, "scored", (int64_t)r->scored);
    cli_json_int(&j, "clips", (int64_t)r->clips);
    cli_json_double(&j, "accuracy", r->accuracy);
    cli_json_double(&j, "top5_accuracy", r->top5);
    cli_json_double(&j, "mean_class_accuracy", r->mean_class_accuracy);
    cli_json_double(&j, "loss", r->loss);
    cli_json_double(&j, "clip_accuracy", r->clip_accuracy);
    cli_json_double(&j, "clip_loss", r->clip_loss);
    cli_json_double(&j, "seconds", r->seconds);
    cli_json_double(&j, "clips_per_second", r->clips_per_second);
    cli_json_double(&j, "wait_share", r->wait_share);
    cli_json_string(&j, "output_dir", r->output_dir);
    tables_json(&j, r);
    cli_json_close(&j, '}');
    cli_json_end(&j);
}

static void share(double value)
{
    if (isfinite(value))
        printf("%11.2f", value);
    else
        printf("%11s", "-");
}

static void class_lines(const reel_eval_report *r)
{
    char name[CLI_TEXT];
    int width = 5;
    for (size_t i = 0; i < r->classes; i++) {
        const int n = cli_columns(cli_show(name, r->cls[i].name));
        width = n > width ? n : width;
    }
    width = width > 40 ? 40 : width;
    printf("\n%-*s  videos  precision     recall         F1   mostly confused with\n", width, "class");
    for (size_t i = 0; i < r->classes; i++) {
        const reel_class_score *s = &r->cls[i];
        const int n = cli_columns(cli_show(name, s->name));
        printf("%s%*s  %6zu", name, n < width ? width - n : 0, "", s->videos);
        share(s->precision);
        share(s->recall);
        share(s->f1);
        if (s->confused_with != NULL && s->confused > 0)
            printf("   %s %zu", cli_show(name, s->confused_with), s->confused);
        printf("\n");
    }
}

static void report_lines(const reel_eval_report *r)
{
    char shown[CLI_TEXT];
    printf("%s: %zu videos, %zu scored, protocol %s\n", cli_show(shown, r->split), r->videos, r->scored, r->protocol);
    printf("accuracy  %.1f %%", 100 * r->accuracy);
    if (isfinite(r->top5))
        printf("   top-5 %.1f %%", 100 * r->top5);
    printf("   mean class accuracy %.1f %%   loss %.3f\n", 100 * r->mean_class_accuracy, r->loss);
    printf("clips     %.1f %% of %zu   loss %.3f\n", 100 * r->clip_accuracy, r->clips, r->clip_loss);
    if (isfinite(r->clips_per_second))
        printf("speed     %.3g clips/s, %.0f %% of the time waiting for clips\n", r->clips_per_second, 100 * r->wait_share);
    class_lines(r);
    for (size_t i = 0; i < r->skipped && i < 3; i++)
        printf("%sskipped  %s: ", i == 0 ? "\n" : "", cli_show(shown, r->skipped_path[i])),
        printf("%s\n", cli_show(shown, r->skipped_reason[i]));
    if (r->skipped > 3)
        printf("         and %zu more\n", r->skipped - 3);
    if (r->output_dir != NULL)
        printf("\nwrote    %s/\n", cli_show(shown, r->output_dir));
}

static reel_status run(cli *c, reel_error *err)
{
    reel_eval_report *report = NULL;
    const reel_status status = reel_evaluate(c->ctx, c->args, on_event, c, &report, err);
    cli_bar_clear(c);
    if (status == REEL_OK && c->json)
        report_json(report);
    else if (status == REEL_OK)
        report_lines(report);
    reel_eval_report_close(&report);
    return status;
}

const cli_verb cli_verb_evaluate = {
    .name = "evaluate", .group = "learn", .line = "accuracy on a split, by class, and what is confused",
    .usage = "--model DIR --data DATA [--split test] [options]",
    .example = { "evaluate --model run1 --data UCF101_subset",
                 "evaluate --model run1 --data UCF101_subset --num_clips 5 --num_crops 3" },
    .job = REEL_JOB_EVALUATE, .run = run,
};
