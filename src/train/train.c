/* reel_train: open, loop, finish. */
#include "train/trainer.h"

reel_status reel_train(reel_context *ctx, const reel_args *args, reel_event_fn fn, void *user, reel_train_result **out,
                       reel_error *err)
{
    reel_trainer t = {.ctx = ctx, .fn = fn, .user = user, .lock = {.fd = -1}};
    const reel_train_args *given = reel_args_values(args, REEL_JOB_TRAIN);
    reel_hub_uploaded *pushed = NULL;
    *out = NULL;
    if (given != NULL && given->plan)
        return reel_fail(err, REEL_ERR_ARG, "--plan makes no run: reel_train_plan_open tells what it would need");
    reel_status status = reel_trainer_open(&t, args, err);
    if (status == REEL_OK) {
        status = reel_trainer_loop(&t, err);
        if (status == REEL_OK)
            status = reel_trainer_finish(&t, err);
        const bool finished = status == REEL_OK;
        if (finished && t.o->push_to_hub)
            status = reel_trainer_push_end(&t, &pushed, err);
        if (status == REEL_OK)
            status = reel_trainer_result(&t, pushed, out, err);
        else if (finished || status == REEL_ERR_CANCELLED)
            reel_trainer_result(&t, NULL, out, NULL);
    }
    reel_hub_uploaded_close(&pushed);
    reel_trainer_close(&t);
    return status;
}
