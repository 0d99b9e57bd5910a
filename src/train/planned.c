/* reel_train_plan_open: what a run would need, told and not begun. */
#include "base/file.h"
#include "base/mem.h"
#include "train/checkpoint.h"
#include "train/need.h"

typedef struct owned_plan { reel_train_plan shown; char advice[512]; } owned_plan;

/* The disk that the run's folder will be on: that of the nearest folder that is there. */
static uint64_t disk_room(const char *dir)
{
    char *at = reel_strdup(*dir != '\0' ? dir : ".");
    while (at != NULL && !reel_exists(at)) {
        char *up = reel_path_parent(at);
        reel_free(at);
        at = up;
    }
    uint64_t room = at != NULL ? reel_disk_free(at) : UINT64_MAX;
    reel_free(at);
    return room;
}

static void fill(const reel_trainer *t, const reel_need *need, owned_plan *p)
{
    const reel_run_parts *r = &need->run;
    p->shown = (reel_train_plan){
        .precision = reel_precision_name(t->precision), .gradient_checkpointing = t->o->gradient_checkpointing,
        .batch = t->o->per_device_train_batch_size, .step_clips = t->group, .chunk = r->chunk,
        .steps = t->state.max_steps, .steps_per_epoch = t->updates_per_epoch,
        .epochs = (double)t->state.max_steps / (double)t->updates_per_epoch, .train_videos = t->train.videos,
        .val_clips = t->evaluates ? t->val.n : 0, .weights = r->weights, .packed = r->packed, .gradients = r->gradients,
        .moments = r->moments, .activations = r->activations, .clips = r->clips, .loader = need->loader, .cache = need->cache,
        .total = need->total, .room = need->room, .checkpoint = reel_checkpoint_bytes(t->model, t->o->save_only_model),
        .checkpoints = reel_train_checkpoints(t), .disk_free = disk_room(t->dir), .fits = need->total <= need->room};
    const uint64_t result = reel_checkpoint_bytes(t->model, true);
    if (__builtin_mul_overflow((uint64_t)p->shown.checkpoints, p->shown.checkpoint, &p->shown.disk) ||
        __builtin_add_overflow(p->shown.disk, result, &p->shown.disk))
        p->shown.disk = UINT64_MAX;
    if (p->shown.fits)
        return;
    reel_train_advice(t, need, p->advice, sizeof p->advice);
    p->shown.advice = p->advice;
}

reel_status reel_train_plan_open(reel_context *ctx, const reel_args *args, reel_train_plan **out, reel_error *err)
{
    reel_trainer t = {.ctx = ctx, .lock = {.fd = -1}};
    reel_args *copy = NULL;
    reel_status status = REEL_OK;
    reel_need need;
    owned_plan *p = NULL;
    *out = NULL;
    if (reel_args_values(args, REEL_JOB_TRAIN) == NULL)
        return reel_fail(err, REEL_ERR_ARG, "reel_train_plan_open wants the options of REEL_JOB_TRAIN");
    REEL_TRY(reel_args_copy(args, &copy, err));
    REEL_TRY(reel_args_set(copy, "plan", "true", err));
    REEL_TRY(reel_trainer_plan(&t, copy, err));
    REEL_TRY(reel_train_need(&t, &need, err));
    p = reel_calloc(1, sizeof *p);
    if (p == NULL) {
        status = reel_fail_nomem(err, "the plan of a run");
        goto done;
    }
    fill(&t, &need, p);
    *out = &p->shown;
done:
    reel_trainer_close(&t);
    reel_args_close(&copy);
    return status;
}

void reel_train_plan_close(reel_train_plan **plan)
{
    if (plan == NULL || *plan == NULL)
        return;
    reel_free((owned_plan *)(void *)*plan);
    *plan = NULL;
}
