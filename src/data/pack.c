/* `reel data pack`: the clips of one split, decoded and transformed once, in one safetensors file. */
#include <reel/data.h>

#include <stdio.h>
#include <string.h>

#include "args/args.h"
#include "args/jobs.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "data/loader.h"
#include "data/parallel.h"
#include "data/lens.h"

enum { BATCH = 4, AHEAD = 2 };

typedef struct pack {
    reel_context *ctx;
    const reel_data_pack_args *args;
    reel_dataset *ds;
    reel_lens view;
    size_t first, videos;     /* of the split */
    reel_plan *plan;          /* clips still thought to be readable */
    size_t plans;
    bool *bad;                /* one a plan, of this pass */
    size_t bads;
    int64_t *label;
} pack;

static reel_status probe_item(void *user, size_t i, reel_error *err)
{
    pack *p = user;
    reel_status status = reel_item_probe(p->ctx, &p->ds->item[p->first + i], p->args->autorotate, err);
    return status == REEL_ERR_NOMEM || status == REEL_ERR_CANCELLED ? status : REEL_OK;  /* its clip will tell */
}

/* One plan a video, or its uniform clips. A video that cannot be opened keeps one, so that it is told and left out. */
static reel_status make_plans(pack *p, reel_error *err)
{
    reel_status status = REEL_OK;
    const reel_data_pack_args *a = p->args;
    reel_frames_mode mode = reel_view_mode(a->sampler);
    size_t capacity = 0;
    if (mode == REEL_FRAMES_WINDOW)
        REEL_TRY(reel_parallel(p->ctx, reel_loader_threads(p->ctx, a->dataloader_num_workers), p->videos, probe_item, p, err));
    for (size_t i = 0; i < p->videos; i++) {
        const reel_item *item = &p->ds->item[p->first + i];
        int clips = mode == REEL_FRAMES_WINDOW && item->duration >= 0 ? reel_uniform_clips(item->duration, p->view.seconds) : 1;
        for (int c = 0; c < clips; c++) {
            void *plans = p->plan;
            bool room = reel_grow(&plans, &capacity, p->plans, sizeof *p->plan);
            p->plan = plans;
            if (!room)
                REEL_TRY(reel_fail_nomem(err, a->data));
            reel_plan *plan = &p->plan[p->plans];
            *plan = (reel_plan){ .item = item, .label = item->label, .mode = mode, .seconds = p->view.seconds, .clip = c,
                                 .clips = clips };
            reel_plan_draw(plan, (uint64_t)a->seed, (uint32_t)a->epoch, p->plans++);  /* as train draws for its samples */
        }
    }
done:
    return status;
}

/* {"0": name, …} and the processor's numbers, as JSON text. */
static char *labels_text(const reel_dataset *ds)
{
    reel_json *j = reel_json_object();
    bool ok = j != NULL;
    for (size_t k = 0; ok && k < ds->n_classes; k++) {
        char key[24];
        snprintf(key, sizeof key, "%zu", k);
        ok = reel_json_set_string(j, key, ds->classes[k]);
    }
    char *text = ok ? reel_json_dump(j, 0, REEL_JSON_KEEP) : NULL;
    reel_json_free(j);
    return text;
}

static char *three_text(const double v[3])
{
    char n[3][32];
    for (int i = 0; i < 3; i++)
        reel_format_double(n[i], v[i]);
    return reel_format("[%s, %s, %s]", n[0], n[1], n[2]);
}

/* Begins the file with what describes it; order tells which tensor's data comes when. */
static reel_status begin_file(const pack *p, reel_st_writer *w, size_t order[2], reel_error *err)
{
    const reel_lens *v = &p->view;
    const reel_st_entry entry[2] = {
        { "pixel_values", REEL_F32, { 5, { (int64_t)p->plans, v->frames, 3, v->height, v->width } }, NULL },
        { "labels", REEL_I64, { 1, { (int64_t)p->plans } }, NULL } };
    double levels[2][3];
    reel_transform_levels(&v->transform, levels[0], levels[1]);
    char *labels = labels_text(p->ds), *mean = three_text(levels[0]), *std = three_text(levels[1]);
    const char *const metadata[] = { "id2label", labels, "transform", p->args->transform, "sampler", p->args->sampler,
                                     "split", p->args->split, "image_mean", mean, "image_std", std };
    reel_status status = labels == NULL || mean == NULL || std == NULL ? reel_fail_nomem(err, p->args->output)
        : reel_st_write_begin(w, p->args->output, entry, 2, metadata, sizeof metadata / sizeof *metadata / 2, order, err);
    reel_free(labels);
    reel_free(mean);
    reel_free(std);
    return status;
}

/* Writes all clips, or counts in p->bad those that turn out unreadable (nothing is written from then on). */
static reel_status write_clips(pack *p, reel_st_writer *w, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_loader *loader = NULL;
    const reel_batch *batch = NULL;
    const reel_loader_config config = {
        .dataset = p->ds, .plan = p->plan, .plans = p->plans, .batch = BATCH, .transform = &p->view.transform,
        .frames = p->view.frames, .clip_floats = p->view.clip_floats, .ahead = AHEAD, .autorotate = p->args->autorotate,
        .skip_truncated = true,
        .threads = reel_loader_threads(p->ctx, p->args->dataloader_num_workers) };
    REEL_TRY(reel_loader_open(p->ctx, &config, &loader, err));
    for (;;) {
        REEL_TRY(reel_loader_next(loader, &batch, err));
        if (batch == NULL)
            break;
        for (size_t i = 0; i < batch->bads; i++) {
            p->bad[batch->bad[i].plan] = true;
            p->bads++;
            reel_log(p->ctx, REEL_LOG_WARNING, "warning", "%s; left out", batch->bad[i].reason);
        }
        if (p->bads == 0)
            REEL_TRY(reel_out_write(&w->out, batch->pixels, batch->n * p->view.clip_floats * sizeof(float), err));
    }
done:
    reel_loader_close(&loader);
    return status;
}

static void drop_bad(pack *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->plans; i++)
        if (!p->bad[i])
            p->plan[n++] = p->plan[i];
    p->plans = n;
}

/* One pass; the header names the number of clips, so another pass is made where some could not be read. */
static reel_status write_file(pack *p, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_st_writer w = { 0 };
    size_t order[2];
    bool open = false;
    p->bads = 0;
    memset(p->bad, 0, p->plans * sizeof *p->bad);
    for (size_t i = 0; i < p->plans; i++)
        p->label[i] = p->plan[i].label;
    REEL_TRY(begin_file(p, &w, order, err));
    open = true;
    for (int k = 0; k < 2 && p->bads == 0; k++)
        REEL_TRY(order[k] == 1 ? reel_out_write(&w.out, p->label, p->plans * sizeof *p->label, err) : write_clips(p, &w, err));
    if (p->bads == 0) {
        open = false;
        REEL_TRY(reel_st_write_commit(&w, err));
    }
done:
    if (open)
        reel_st_write_abort(&w);
    return status;
}

static reel_status pack_split(pack *p, reel_error *err)
{
    reel_status status = REEL_OK;
    const reel_data_pack_args *a = p->args;
    size_t all;
    REEL_TRY(make_plans(p, err));
    all = p->plans;
    p->bad = reel_calloc(all, sizeof *p->bad);
    p->label = reel_calloc(all, sizeof *p->label);
    if (p->bad == NULL || p->label == NULL)
        REEL_TRY(reel_fail_nomem(err, a->data));
    do {
        if (p->plans == 0)
            REEL_TRY(reel_fail(err, REEL_ERR_FORMAT, "%s: none of the %zu clips of split %s can be read", a->data, all, a->split));
        REEL_TRY(write_file(p, err));
        if (p->bads > 0)
            drop_bad(p);
    } while (p->bads > 0);
    reel_log(p->ctx, REEL_LOG_NOTE, "data", "%zu clips of %zu videos in %s (%zu left out)", p->plans, p->videos, a->output,
             all - p->plans);
done:
    return status;
}

reel_status reel_data_pack(reel_context *ctx, const reel_args *args, reel_error *err)
{
    reel_status status = REEL_OK;
    const reel_data_pack_args *a = reel_args_values(args, REEL_JOB_DATA_PACK);
    pack p = { .ctx = ctx, .args = a };
    int split = 0;
    if (a == NULL)
        return reel_fail(err, REEL_ERR_ARG, "these are not the options of data pack");
    const reel_lens_wish wish = { .model = a->model, .transform = a->transform, .num_frames = a->num_frames,
                                  .image_size = a->image_size, .min_size = a->min_size, .max_size = a->max_size,
                                  .flip = a->flip, .fps = a->fps, .sample_rate = a->sample_rate,
                                  .clip_duration = a->clip_duration };
    REEL_TRY(reel_args_check(args, err));
    REEL_TRY(reel_output_check(a->output, a->data, a->model, err));
    REEL_TRY(reel_dataset_open(ctx, a->data, &p.ds, err));
    if (p.ds->is_packed)
        REEL_TRY(reel_fail(err, REEL_ERR_UNSUPPORTED, "%s is packed already", a->data));
    REEL_TRY(reel_pick_split(p.ds, a->split, &split, err));
    p.videos = reel_dataset_items(p.ds, split, &p.first);
    if (p.videos == 0)
        REEL_TRY(reel_fail(err, REEL_ERR_NOT_FOUND, "%s: split %s holds no video", a->data, a->split));
    REEL_TRY(reel_lens_open(ctx, &wish, &p.view, err));
    REEL_TRY(pack_split(&p, err));
done:
    reel_lens_close(&p.view);
    reel_dataset_close(&p.ds);
    reel_free(p.plan);
    reel_free(p.bad);
    reel_free(p.label);
    return status;
}
