/* reel train --plan: what the run will need, as a table. */
#include "cli.h"

#include <math.h>

static void plan_json(const reel_train_plan *p)
{
    const struct { const char *key; uint64_t bytes; } memory[] = {
        { "weights", p->weights }, { "packed", p->packed }, { "gradients", p->gradients }, { "moments", p->moments },
        { "activations", p->activations }, { "clips", p->clips }, { "loader", p->loader }, { "cache", p->cache },
        { "total", p->total }, { "room", p->room },
    };
    cli_json j = { .out = stdout };
    cli_json_open(&j, NULL, '{');
    cli_json_string(&j, "precision", p->precision);
    cli_json_bool(&j, "gradient_checkpointing", p->gradient_checkpointing);
    cli_json_int(&j, "batch", p->batch);
    cli_json_int(&j, "step_clips", p->step_clips);
    cli_json_int(&j, "chunk", (int64_t)p->chunk);
    cli_json_int(&j, "steps", p->steps);
    cli_json_int(&j, "steps_per_epoch", p->steps_per_epoch);
    cli_json_double(&j, "epochs", p->epochs);
    cli_json_int(&j, "train_videos", (int64_t)p->train_videos);
    cli_json_int(&j, "val_clips", (int64_t)p->val_clips);
    cli_json_open(&j, "memory", '{');
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++)
        cli_json_int(&j, memory[i].key, (int64_t)memory[i].bytes);
    cli_json_close(&j, '}');
    cli_json_open(&j, "disk", '{');
    cli_json_int(&j, "checkpoint", (int64_t)p->checkpoint);
    cli_json_int(&j, "checkpoints", p->checkpoints);
    cli_json_int(&j, "total", (int64_t)p->disk);
    cli_json_double(&j, "free", p->disk_free == UINT64_MAX ? NAN : (double)p->disk_free);
    cli_json_close(&j, '}');
    cli_json_bool(&j, "fits", p->fits);
    cli_json_string(&j, "advice", p->advice);
    cli_json_close(&j, '}');
    cli_json_end(&j);
}

static void row(const char *what, uint64_t bytes, const char *note)
{
    char size[32];
    if (bytes < 1000)  /* none, but for what alignment takes */
        return;
    cli_size(size, (double)bytes);
    printf("  %-18s %8s%s%s\n", what, size, note[0] != '\0' ? "   " : "", note);
}

static void disk_lines(const reel_train_plan *p)
{
    char note[96], size[32];
    printf("disk\n");
    snprintf(note, sizeof note, "%lld at one time, at most", (long long)p->checkpoints);
    row("a checkpoint", p->checkpoint, note);
    cli_size(size, (double)p->disk_free);
    snprintf(note, sizeof note, "of %s that are free", size);
    row("with the result", p->disk, p->disk_free == UINT64_MAX ? "" : note);
}

static void plan_lines(const reel_train_plan *p)
{
    char note[96], size[32];
    printf("steps     %lld of %lld clips, %lld an epoch: %.4g epochs of %zu videos\n", (long long)p->steps,
           (long long)p->step_clips, (long long)p->steps_per_epoch, p->epochs, p->train_videos);
    printf("products  %s%s\n", p->precision, p->gradient_checkpointing ? ", layers walked again in the backward" : "");
    printf("memory\n");
    row("weights", p->weights, "float32");
    row("packed copies", p->packed, "of them, for the products");
    row("gradients", p->gradients, "");
    row("moments", p->moments, "of AdamW");
    snprintf(note, sizeof note, "%zu clip%s at a time", p->chunk, p->chunk == 1 ? "" : "s");
    row("activations", p->activations, note);
    row("pixels, logits", p->clips, "");
    row("clips in flight", p->loader, "from the loader");
    row("decoded frames", p->cache, "kept, at most");
    cli_size(size, (double)p->room);
    snprintf(note, sizeof note, "of %s", size);
    row("total", p->total, note);
    disk_lines(p);
    if (p->advice != NULL)
        printf("This run does not fit. %s\n", p->advice);
    else
        printf("This run fits.\n");
    if (p->disk > p->disk_free)
        printf("Its checkpoints do not fit the disk: --save_total_limit keeps fewer, --save_only_model makes them smaller.\n");
}

reel_status cli_train_plan(cli *c, reel_error *err)
{
    reel_train_plan *plan = NULL;
    const reel_status status = reel_train_plan_open(c->ctx, c->args, &plan, err);
    if (status == REEL_OK && c->json)
        plan_json(plan);
    else if (status == REEL_OK)
        plan_lines(plan);
    reel_train_plan_close(&plan);
    return status;
}
