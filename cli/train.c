/* reel train: one stream of events becomes the bar, the lines of a log, or lines of JSON. */
#include "cli.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct watch {
    cli *c;
    int64_t steps;
    double epochs;
    double loss, rate;          /* for the bar */
    double sum, rest;           /* of the losses since the last evaluation or checkpoint line: up to the last log, behind it */
    int64_t summed, logged, at; /* steps in `sum`; step of the last log; the last step */
    double since;               /* when that line was printed */
    char held[512];             /* an evaluation whose checkpoint is still being written; "" none */
    double held_seconds;
} watch;

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* "epoch 2" where an epoch ended, "step 50" within one. */
static void place(char out[64], const reel_event *e)
{
    const double whole = round(e->epoch);
    if (whole >= 1 && fabs(e->epoch - whole) < 1e-9)
        snprintf(out, 64, "epoch %-3.0f", whole);
    else
        snprintf(out, 64, "step %-4lld", (long long)e->step);
}

static void release(watch *w, const char *checkpoint, bool best)
{
    char clock[32];
    if (w->held[0] == '\0')
        return;
    cli_clock(clock, w->held_seconds);
    if (!w->c->quiet && !w->c->json) {
        cli_bar_clear(w->c);
        fprintf(stderr, "%s   %s%s%s%s\n", w->held, clock, checkpoint != NULL ? "   " : "", checkpoint != NULL ? checkpoint : "",
                best ? "  best" : "");
    }
    w->held[0] = '\0';
}

static void hold(watch *w, const reel_event *e)
{
    char at[64];
    const double now = cli_now();
    place(at, e);
    size_t used = (size_t)snprintf(w->held, sizeof w->held, "%s", at);
    if (w->summed + w->at - w->logged > 0)
        used += (size_t)snprintf(w->held + used, sizeof w->held - used, " loss %-6.3g",
                                 (w->sum + w->rest) / (double)(w->summed + w->at - w->logged));
    if (isfinite(e->eval_loss))
        used += (size_t)snprintf(w->held + used, sizeof w->held - used, "  val loss %-6.4g", e->eval_loss);
    if (isfinite(e->eval_accuracy))
        snprintf(w->held + used, sizeof w->held - used, "  val accuracy %.1f %%", 100 * e->eval_accuracy);
    w->held_seconds = now - w->since;
    w->since = now;
    w->sum = -w->rest;  /* the next log tells of these steps once more */
    w->summed = w->logged - w->at;
}

static void step(watch *w, const reel_event *e)
{
    char left[64], right[160], clock[32] = "";
    w->at = e->step;
    if (isfinite(e->loss)) {
        w->loss = e->loss;  /* the mean since the last log */
        w->rest = e->loss * (double)(w->at - w->logged);
    }
    if (isfinite(e->learning_rate))
        w->rate = e->learning_rate;
    const double all = fmax(1, ceil(w->epochs)), now = fmin(all, floor(e->epoch - 1e-9) + 1);
    snprintf(left, sizeof left, "epoch %.0f/%.0f", fmax(1, now), all);
    cli_clock(clock, e->seconds_left);
    snprintf(right, sizeof right, "step %lld/%lld  loss %.*f  lr %.1e  %.*f clips/s  %s left", (long long)e->step,
             (long long)w->steps, w->loss < 1 ? 3 : 2, w->loss, w->rate, e->clips_per_second < 99.95 ? 1 : 0,
             isfinite(e->clips_per_second) ? e->clips_per_second : 0, clock);
    cli_bar_draw(w->c, left, w->steps > 0 ? (double)e->step / (double)w->steps : 0, right);
}

/* One line a logging_steps as Trainer prints it: a Python dict of values in 4 significant digits. */
static void log_line(watch *w, const reel_event *e)
{
    const struct { const char *name; double value; } part[] = {
        { "loss", e->loss }, { "grad_norm", e->grad_norm }, { "learning_rate", e->learning_rate }, { "epoch", e->epoch },
    };
    char number[32];
    bool more = false;
    if (isfinite(e->loss)) {
        w->loss = e->loss;
        w->sum += e->loss * (double)(e->step - w->logged);
        w->summed += e->step - w->logged;
    }
    w->rest = 0;
    w->logged = w->at = e->step;
    if (w->c->term.live || w->c->quiet || w->c->json)
        return;
    fputc('{', stderr);
    for (size_t i = 0; i < sizeof part / sizeof part[0]; i++) {
        if (isnan(part[i].value))
            continue;
        cli_short(number, part[i].value);
        fprintf(stderr, "%s'%s': %s", more ? ", " : "", part[i].name, number);
        more = true;
    }
    fputs("}\n", stderr);
}

static void number(cli_json *j, const char *key, double value)
{
    if (!isnan(value))
        cli_json_double(j, key, value);
}

static void event_json(const reel_event *e)
{
    static const char *const name[] = {
        [REEL_EVENT_START] = "start", [REEL_EVENT_STEP] = "step", [REEL_EVENT_LOG] = "log", [REEL_EVENT_EVAL_STEP] = "eval_step",
        [REEL_EVENT_EVAL] = "eval", [REEL_EVENT_CHECKPOINT] = "checkpoint", [REEL_EVENT_SKIP] = "skip", [REEL_EVENT_END] = "end",
        [REEL_EVENT_PUSH] = "push",
    };
    cli_json j = { .out = stdout };
    const bool loop = e->kind == REEL_EVENT_START || e->kind == REEL_EVENT_STEP || e->kind == REEL_EVENT_END;
    if ((unsigned)e->kind >= sizeof name / sizeof name[0] || (e->kind == REEL_EVENT_PUSH && e->path == NULL))
        return;
    cli_json_open(&j, NULL, '{');
    cli_json_string(&j, "event", name[e->kind]);
    cli_json_int(&j, "step", e->step);
    if (loop || e->kind == REEL_EVENT_EVAL_STEP)
        cli_json_int(&j, "steps", e->steps);
    if (e->kind != REEL_EVENT_EVAL_STEP && e->kind != REEL_EVENT_SKIP)
        number(&j, "epoch", e->epoch);
    if (e->kind == REEL_EVENT_STEP || e->kind == REEL_EVENT_LOG || e->kind == REEL_EVENT_END)
        number(&j, "loss", e->loss);
    if (e->kind == REEL_EVENT_STEP || e->kind == REEL_EVENT_LOG) {
        number(&j, "grad_norm", e->grad_norm);
        number(&j, "learning_rate", e->learning_rate);
    }
    if (e->kind == REEL_EVENT_EVAL) {
        number(&j, "eval_loss", e->eval_loss);
        number(&j, "eval_accuracy", e->eval_accuracy);
        number(&j, "eval_video_accuracy", e->eval_video_accuracy);
    }
    if (e->kind == REEL_EVENT_STEP || e->kind == REEL_EVENT_EVAL || e->kind == REEL_EVENT_END)
        number(&j, "seconds", e->seconds);
    if (e->kind == REEL_EVENT_STEP) {
        number(&j, "clips_per_second", e->clips_per_second);
        number(&j, "seconds_left", e->seconds_left);
    }
    if (e->kind == REEL_EVENT_EVAL || e->kind == REEL_EVENT_CHECKPOINT)
        cli_json_bool(&j, "best", e->best);
    if (e->path != NULL)
        cli_json_string(&j, "path", e->path);
    if (e->reason != NULL)
        cli_json_string(&j, "reason", e->reason);
    cli_json_close(&j, '}');
    cli_json_end(&j);
}

static void push(watch *w, const reel_event *e)
{
    char right[128], sent[32], all[32];
    cli_size(sent, (double)e->bytes);
    cli_size(all, (double)e->bytes_total);
    snprintf(right, sizeof right, "%s of %s", sent, all);
    cli_bar_draw(w->c, "to the Hub", e->bytes_total > 0 ? (double)e->bytes / (double)e->bytes_total : 0, right);
}

static bool on_event(const reel_event *e, void *user)
{
    watch *w = user;
    char right[128], shown[CLI_TEXT];
    if (w->c->json)
        event_json(e);
    switch (e->kind) {
    case REEL_EVENT_START:
        w->steps = e->steps;
        w->logged = w->at = e->step;
        w->epochs = e->epochs;
        w->since = cli_now();
        break;
    case REEL_EVENT_STEP:
        release(w, NULL, false);
        step(w, e);
        break;
    case REEL_EVENT_LOG:
        log_line(w, e);
        break;
    case REEL_EVENT_EVAL_STEP:
        cli_rate(right, "batch", e);
        cli_bar_draw(w->c, "evaluate", e->steps > 0 ? (double)e->step / (double)e->steps : 0, right);
        break;
    case REEL_EVENT_EVAL:
        release(w, NULL, false);
        hold(w, e);
        break;
    case REEL_EVENT_CHECKPOINT:
        if (w->held[0] == '\0')
            hold(w, e);
        release(w, e->path != NULL ? cli_show(shown, base_name(e->path)) : NULL, e->best);
        break;
    case REEL_EVENT_SKIP:  /* the library's warning has told it */
        break;
    case REEL_EVENT_END:
        release(w, NULL, false);
        break;
    case REEL_EVENT_PUSH:
        push(w, e);
        break;
    }
    return !cli_cancelled(NULL) && !ferror(stdout);
}

static int wanted(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* The files of the result folder, as far as a line takes them. */
static void wrote_line(const char *dir, int width)
{
    struct dirent **list = NULL;
    char shown[CLI_TEXT], path[4096];
    const int n = scandir(dir, &list, wanted, alphasort);
    const size_t end = strlen(dir);
    int at = printf("wrote    %s%s ", cli_show(shown, dir), end > 0 && dir[end - 1] == '/' ? "" : "/");
    for (int i = 0; i < n; i++) {
        struct stat s;
        snprintf(path, sizeof path, "%s/%s", dir, list[i]->d_name);
        if (stat(path, &s) == 0 && S_ISREG(s.st_mode)) {
            const int wide = cli_columns(cli_show(shown, list[i]->d_name)) + 1;
            if (at + wide > width)
                at = printf("\n        ") - 1;
            at += printf(" %s", shown);
        }
        free(list[i]);
    }
    free(list);
    printf("\n");
}

static void done_json(const reel_train_result *r, bool finished)
{
    cli_json j = { .out = stdout };
    cli_json_open(&j, NULL, '{');
    cli_json_string(&j, "event", finished ? "result" : "stopped");
    cli_json_int(&j, "steps", r->steps);
    cli_json_double(&j, "train_loss", r->train_loss);
    cli_json_double(&j, "best_accuracy", r->best_accuracy);
    cli_json_string(&j, "output_dir", r->output_dir);
    cli_json_string(&j, "best_checkpoint", r->best_checkpoint);
    cli_json_string(&j, "last_checkpoint", r->last_checkpoint);
    cli_json_int(&j, "skipped", (int64_t)r->skipped);
    cli_json_double(&j, "seconds", r->seconds);
    cli_json_double(&j, "wait_share", r->wait_share);
    cli_json_double(&j, "checkpoint_share", r->checkpoint_share);
    cli_json_int(&j, "peak_memory", r->peak_memory);
    if (r->hub_url != NULL) {
        cli_json_string(&j, "hub_url", r->hub_url);
        cli_json_string(&j, "hub_commit", r->hub_commit);
    }
    cli_json_close(&j, '}');
    cli_json_end(&j);
}

static void done_lines(cli *c, const reel_train_result *r)
{
    char shown[CLI_TEXT], time[32], memory[32], dir[CLI_TEXT];
    const double wait = 100 * r->wait_share, save = 100 * r->checkpoint_share;
    const char *data = reel_args_get(c->args, "data");
    cli_duration(time, r->seconds);
    cli_size(memory, (double)r->peak_memory);
    printf("done     ");
    if (r->best_checkpoint != NULL)
        printf("best: %s, ", cli_show(shown, base_name(r->best_checkpoint)));
    if (isfinite(r->best_accuracy))
        printf("val accuracy %.1f %%     ", 100 * r->best_accuracy);
    else
        printf("%lld steps, loss %.4g     ", (long long)r->steps, r->train_loss);
    printf("%s     peak memory %s\n", time, memory);
    printf("         time: %.0f %% model, %.0f %% waiting for clips, %.0f %% checkpoints\n", fmax(0, 100 - wait - save), wait, save);
    if (r->skipped > 0)
        printf("         %zu video%s could not be read, listed in skipped.csv\n", r->skipped, r->skipped == 1 ? "" : "s");
    if (r->output_dir == NULL)
        return;
    wrote_line(r->output_dir, c->term.width);
    if (r->hub_url != NULL)
        printf("pushed   %s\n", cli_show(shown, r->hub_url));
    cli_quote(dir, r->output_dir);
    if (data != NULL && data[0] != '\0')
        printf("try      reel evaluate --model %s --data %s --split test\n         ", dir, cli_quote(shown, data));
    else
        printf("try      ");
    printf("reel predict  --model %s some.mp4\n", dir);
}

static void stopped_lines(cli *c, const reel_train_result *r)
{
    char shown[CLI_TEXT], quoted[CLI_TEXT];
    cli_bar_clear(c);
    if (c->quiet && r->last_checkpoint == NULL)
        return;
    if (r->last_checkpoint == NULL)
        fprintf(stderr, "stopped at step %lld; no checkpoint was written.\n", (long long)r->steps);
    else
        fprintf(stderr, "stopped at step %lld; everything is in %s. To go on:\n    reel train --resume_from_checkpoint %s\n",
                (long long)r->steps, cli_show(shown, r->last_checkpoint), cli_quote(quoted, r->last_checkpoint));
}

static reel_status run(cli *c, reel_error *err)
{
    watch w = { .c = c, .loss = NAN, .since = cli_now() };
    reel_train_result *result = NULL;
    if (strcmp(reel_args_get(c->args, "plan"), "true") == 0)
        return cli_train_plan(c, err);
    const reel_status status = reel_train(c->ctx, c->args, on_event, &w, &result, err);
    release(&w, NULL, false);
    cli_bar_clear(c);
    const bool finished = result != NULL && status != REEL_ERR_CANCELLED;  /* though the push may have failed */
    if (result != NULL && c->json)
        done_json(result, finished);
    if (finished && !c->json)
        done_lines(c, result);
    if (result != NULL && status == REEL_ERR_CANCELLED)
        stopped_lines(c, result);
    reel_train_result_close(&result);
    return status;
}

const cli_verb cli_verb_train = {
    .name = "train", .group = "learn", .line = "fine-tunes a model on videos of yours",
    .usage = "--model DIR --data DATA --output_dir NEW [options]",
    .example = { "train --model videomae-base --data UCF101_subset --output_dir run1",
                 "train --resume_from_checkpoint run1/checkpoint-91" },
    .job = REEL_JOB_TRAIN, .notes = true, .run = run,
};
