/* reel bench: what this machine does with a model. */
#include "cli.h"

#include <math.h>

static bool on_figure(const char *what, int done, int total, void *user)
{
    cli_bar_draw(user, "bench", total > 0 ? (double)done / total : 0, what);
    return !cli_cancelled(NULL);
}

static void precision_json(cli_json *j, const reel_bench_precision *p)
{
    cli_json_open(j, NULL, '{');
    cli_json_string(j, "precision", reel_precision_name(p->wanted));
    cli_json_string(j, "used", reel_precision_name(p->used));
    cli_json_string(j, "why", p->why);
    cli_json_string(j, "path", p->path);
    cli_json_double(j, "product_gops", p->product_rate);
    cli_json_double(j, "forward_seconds", p->forward_seconds);
    cli_json_double(j, "forward_gops", p->forward_rate);
    cli_json_double(j, "product_share", p->product_share);
    cli_json_double(j, "step_seconds", p->step_seconds);
    cli_json_double(j, "step_memory", p->step_memory > 0 ? (double)p->step_memory : NAN);
    cli_json_close(j, '}');
}

static void report_json(const reel_bench_report *r)
{
    cli_json j = { .out = stdout };
    cli_json_open(&j, NULL, '{');
    cli_json_string(&j, "machine", r->machine);
    cli_json_string(&j, "isa", r->isa);
    cli_json_int(&j, "threads", r->threads);
    cli_json_string(&j, "model", r->model);
    cli_json_double(&j, "gflop_forward", r->gflop_forward);
    cli_json_int(&j, "step_clips", (int64_t)r->step_clips);
    cli_json_open(&j, "precisions", '[');
    for (size_t i = 0; i < r->precisions; i++)
        precision_json(&j, &r->precision[i]);
    cli_json_close(&j, ']');
    cli_json_string(&j, "video", r->video);
    cli_json_double(&j, "clip_seconds", r->clip_seconds);
    cli_json_double(&j, "clips_per_second", r->clips_per_second);
    cli_json_int(&j, "loader_threads", r->loader_threads);
    cli_json_close(&j, '}');
    cli_json_end(&j);
}

/* "1.23 s", "45.6 ms". */
static const char *time_text(char out[32], double seconds)
{
    if (!isfinite(seconds))
        snprintf(out, 32, "-");
    else if (seconds >= 1)
        snprintf(out, 32, "%.2f s", seconds);
    else
        snprintf(out, 32, "%.1f ms", 1e3 * seconds);
    return out;
}

static void precision_line(const reel_bench_report *r, const reel_bench_precision *p)
{
    char forward[32], step[32], memory[32] = "-", rate[32] = "-";
    if (p->used != p->wanted) {
        printf("%-9s %s\n", reel_precision_name(p->wanted), p->why);
        return;
    }
    if (isfinite(p->step_seconds)) {
        snprintf(rate, sizeof rate, "%.2f", (double)r->step_clips / p->step_seconds);
        if (p->step_memory > 0)
            cli_size(memory, (double)p->step_memory);
    }
    printf("%-9s %-13s %7.0f %9s %8.2f %6.0f %% %9s %8s %8s\n", reel_precision_name(p->wanted), p->path, p->product_rate,
           time_text(forward, p->forward_seconds), 1 / p->forward_seconds, 100 * p->product_share, time_text(step, p->step_seconds),
           rate, memory);
}

static void report_lines(const reel_bench_report *r)
{
    char clip[32];
    printf("machine   %s\n", r->machine);
    printf("model     %s, %.4g GFLOP a clip\n\n", r->model, r->gflop_forward);
    printf("%-9s %-13s %7s %27s %27s\n", "", "", "product", "forward of a clip  ", "training step       ");
    printf("%-9s %-13s %7s %9s %8s %8s %9s %8s %8s\n", "numbers", "path", "GFLOP/s", "time", "clips/s", "products", "time", "clips/s",
           "memory");
    for (size_t i = 0; i < r->precisions; i++)
        precision_line(r, &r->precision[i]);
    printf("\nproducts: the part of the forward that its products alone would take. A step: %zu clip%s.\n", r->step_clips,
           r->step_clips == 1 ? "" : "s");
    printf("decoding  a training clip of a video of %s:\n          %s on one thread; %d thread%s read %.0f clips/s\n", r->video,
           time_text(clip, r->clip_seconds), r->loader_threads, r->loader_threads == 1 ? "" : "s", r->clips_per_second);
}

static reel_status run(cli *c, reel_error *err)
{
    reel_bench_report *report = NULL;
    const reel_status status = reel_bench(c->ctx, c->args, on_figure, c, &report, err);
    cli_bar_clear(c);
    if (status == REEL_OK && c->json)
        report_json(report);
    else if (status == REEL_OK)
        report_lines(report);
    reel_bench_report_close(&report);
    return status;
}

const cli_verb cli_verb_bench = {
    .name = "bench", .group = "learn", .line = "how fast this machine is, in each precision",
    .usage = "[--model DIR | --from_config FILE] [options]",
    .example = { "bench --model run1", "bench --from_config config.json --seconds 5" },
    .job = REEL_JOB_BENCH, .run = run,
};
