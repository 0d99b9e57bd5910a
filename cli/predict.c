/* reel predict: labels and scores of videos. */
#include "cli.h"

#include <string.h>
#include <sys/stat.h>

enum { BAR_CELLS = 20 };

/* Eighths of a cell, as block elements fill it from the left. */
static void score_bar(char *out, size_t size, double score, bool utf8)
{
    static const char *const part[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
    const int eighths = (int)(8 * BAR_CELLS * (score > 0 ? score < 1 ? score : 1 : 0) + 0.5);
    size_t used = 0;
    for (int i = 0; i < eighths / 8; i++)
        used += (size_t)snprintf(out + used, size - used, "%s", utf8 ? "█" : "#");
    if (utf8)
        snprintf(out + used, size - used, "%s", part[eighths % 8]);
    else
        snprintf(out + used, size - used, "%s", eighths % 8 >= 4 ? "#" : "");
}

static void one_lines(cli *c, const reel_prediction *p)
{
    char shown[CLI_TEXT], bar[8 * BAR_CELLS];
    const bool guide = strcmp(p->sampling, "guide") == 0;
    printf("%s    %.1f s, %zu frames %s\n", cli_show(shown, p->path), p->seconds, p->sampled,
           guide ? "of its uniform clips" : "over the whole video");
    for (size_t i = 0; i < p->scores; i++) {
        const double score = (double)p->score[i].score;
        score_bar(bar, sizeof bar, score, c->term.utf8);
        if (strcmp(reel_args_get(c->args, "function_to_apply"), "none") == 0)
            printf("%9.4f  ", score);  /* logits are no shares */
        else if (c->term.live_out)
            printf("%7.1f %%  %s%*s  ", 100 * score, bar, BAR_CELLS - cli_columns(bar), "");
        else
            printf("%7.1f %%  ", 100 * score);
        printf("%s\n", cli_show(shown, p->score[i].label));
    }
}

static void tab_line(const reel_prediction *p)
{
    char shown[CLI_TEXT];
    printf("%s\t", cli_show(shown, p->path));
    if (p->reason != NULL || p->scores == 0)
        printf("\t%s\n", cli_show(shown, p->reason != NULL ? p->reason : "no answer"));
    else
        printf("%s\t%.4f\n", cli_show(shown, p->score[0].label), (double)p->score[0].score);
}

typedef struct stream { cli *c; bool several; double began; size_t clips; } stream;

/* A line as soon as it is known: a long list can be followed, and is not lost when it is stopped. */
static bool answer(const reel_prediction *p, size_t done, size_t total, void *user)
{
    stream *s = user;
    char right[128];
    if (s->several && !s->c->json) {
        cli_bar_clear(s->c);
        if (done <= 1)
            printf("file\tlabel\tscore\n");
        tab_line(p);
        fflush(stdout);
    }
    const double seconds = cli_now() - s->began;
    s->clips += p->clips;
    const reel_event e = { .step = (int64_t)done, .steps = (int64_t)total, .seconds_left = seconds / (double)done * (double)(total - done),
                           .clips_per_second = (double)s->clips / seconds };
    cli_rate(right, "file", &e);
    if (total > 1)
        cli_bar_draw(s->c, "predict", (double)done / (double)total, right);
    return !cli_cancelled(NULL) && !ferror(stdout);
}

/* What the transformers pipeline returns: key order score, label; the float32 widened to double. */
static void prediction_json(cli_json *j, const reel_prediction *p)
{
    if (p->reason != NULL) {
        cli_json_string(j, NULL, NULL);
        return;
    }
    cli_json_open(j, NULL, '[');
    for (size_t i = 0; i < p->scores; i++) {
        cli_json_open(j, NULL, '{');
        cli_json_double(j, "score", (double)p->score[i].score);
        cli_json_string(j, "label", p->score[i].label);
        cli_json_close(j, '}');
    }
    cli_json_close(j, ']');
}

static void list_json(const reel_prediction_list *list)
{
    cli_json j = { .out = stdout };
    if (list->several)
        cli_json_open(&j, NULL, '[');
    for (size_t i = 0; i < list->count; i++)
        prediction_json(&j, &list->item[i]);
    if (list->several)
        cli_json_close(&j, ']');
    cli_json_end(&j);
}

/* A file that cannot be read is named on stderr too where the answer itself does not show it. */
static reel_status judge(cli *c, const reel_prediction_list *list, reel_error *err)
{
    char path[CLI_TEXT];
    if (list->failed == 0)
        return REEL_OK;
    if (list->count == 1)
        return cli_fail(err, REEL_ERR_FORMAT, "%s: %s", list->item[0].path, list->item[0].reason);
    size_t told = 0;
    for (size_t i = 0; c->json && i < list->count && told < 3; i++) {
        if (list->item[i].reason == NULL)
            continue;
        cli_say(c, "warning", "%s: %s", cli_show(path, list->item[i].path), list->item[i].reason);
        told++;
    }
    return cli_fail(err, REEL_ERR_FORMAT, "%zu of %zu files could not be read", list->failed, list->count);
}

/* How fast it went, on stderr: the results are elsewhere. */
static void rate_line(cli *c, const reel_prediction_list *list)
{
    char time[32];
    cli_duration(time, list->seconds);
    if (list->clips > 0 && list->seconds > 0 && !ferror(stdout))
        cli_say(c, "done", "%zu files, %zu clips in %s: %.3g clips/s, %.0f %% of the time waiting for clips", list->count,
                list->clips, time, (double)list->clips / list->seconds, 100 * list->wait_share);
}

static reel_status run(cli *c, reel_error *err)
{
    struct stat s;
    stream state = { .c = c, .several = c->inputs > 1 || (stat(c->input[0], &s) == 0 && S_ISDIR(s.st_mode)) };
    reel_prediction_list *list = NULL;
    state.began = cli_now();
    reel_status status = reel_predict(c->ctx, c->args, c->input, c->inputs, answer, &state, &list, err);
    cli_bar_clear(c);
    if (status == REEL_OK && c->json && (list->several || list->failed == 0))
        list_json(list);
    else if (status == REEL_OK && !c->json && !list->several && list->failed == 0 && list->count == 1)
        one_lines(c, &list->item[0]);
    if (status == REEL_OK && list->several)
        rate_line(c, list);
    if (status == REEL_OK)
        status = judge(c, list, err);
    reel_prediction_list_close(&list);
    return status;
}

const cli_verb cli_verb_predict = {
    .name = "predict", .group = "use", .line = "labels and scores of videos",
    .usage = "--model DIR (VIDEO | ORG/NAME:FILE | URL)... [options]",
    .example = { "predict --model run1 dunk.avi", "predict --model run1 clips/ > labels.tsv" },
    .job = REEL_JOB_PREDICT, .inputs = true, .run = run,
};
