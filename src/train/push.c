/* --push_to_hub: what can be refused is refused before the first step, and the result goes out at the end. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "hub/push.h"
#include "train/trainer.h"

/* Checkpoints and what begins with '_' stay, as with Trainer; so does what is only of this machine. */
static const char *const stays[] = {"_*", "checkpoint-*", REEL_LOCK_NAME, ".checkpoint-*", ".trash-*", ".*.tmp", "skipped.csv"};

static reel_push push_of(const reel_trainer *t, const char *id)
{
    return (reel_push){.type = REEL_REPO_MODEL, .id = id, .revision = t->o->hub_revision, .path = t->dir, .message = "End of training",
                       .exclude = {stays, sizeof stays / sizeof *stays},
                       .visibility = t->o->hub_private_repo ? REEL_VISIBILITY_PRIVATE : REEL_VISIBILITY_DEFAULT};
}

/* Options of a push that was not asked for: somebody may expect one. */
static void tell_unused(const reel_trainer *t)
{
    const reel_train_args *o = t->o;
    const char *name = *o->hub_model_id != '\0'                ? "hub_model_id"
                       : o->hub_private_repo                   ? "hub_private_repo"
                       : strcmp(o->hub_revision, "main") != 0 ? "hub_revision"
                       : *o->license != '\0'                   ? "license"
                                                              : NULL;
    if (name != NULL)
        reel_log(t->ctx, REEL_LOG_WARNING, "warning", "--%s does nothing without --push_to_hub: nothing is pushed, and no card is written",
                 name);
}

reel_status reel_trainer_push_begin(reel_trainer *t, reel_error *err)
{
    if (!t->o->push_to_hub) {
        tell_unused(t);
        return REEL_OK;
    }
    const bool named = t->o->hub_model_id[0] != '\0';
    const char *id = named ? t->o->hub_model_id : reel_path_base(t->dir);
    if (!reel_repo_id_valid(id))
        return reel_fail(err, REEL_ERR_ARG, "'%s' cannot be a repository's name; say --hub_model_id ORG/NAME", id);
    const reel_push push = push_of(t, id);
    reel_status status = reel_push_prepare(t->ctx, &push, &t->hub_id, err);
    if (status == REEL_OK)
        reel_log(t->ctx, REEL_LOG_NOTE, "hub", "the result goes to %s at the end", t->hub_id);
    return status;
}

static void on_push(const reel_hub_event *e, void *user)
{
    reel_trainer *t = user;
    reel_event event = reel_event_make(t, REEL_EVENT_PUSH);
    event.bytes = (int64_t)e->done;
    event.bytes_total = (int64_t)e->total;
    reel_trainer_tell(t, &event);
}

static void add_option(reel_text *command, const char *option, const char *value)
{
    reel_text_printf(command, " %s ", option);
    reel_text_shell(command, value);
}

/* What does by hand what this push is: for a shell. NULL: no memory. */
static char *command_of(const reel_push *p)
{
    reel_text command = {0};
    reel_text_printf(&command, "reel hub upload %s %s", p->id, p->path[0] == '-' ? "./" : "");
    reel_text_shell(&command, p->path);
    for (size_t i = 0; i < p->exclude.n; i++)
        add_option(&command, "--exclude", p->exclude.item[i]);
    if (strcmp(p->revision, "main") != 0)
        add_option(&command, "--revision", p->revision);
    if (p->visibility == REEL_VISIBILITY_PRIVATE)
        reel_text_puts(&command, " --private");
    return reel_text_take(&command);
}

/* The run is over and nothing of it is lost: how to send it once more. A command is shown whole or not at all. */
static reel_status fail_push(const reel_trainer *t, const reel_push *push, reel_status status, const reel_error *why, reel_error *err)
{
    enum { AROUND = 80, LEAST = 200 };  /* the words below; what the reason may need */
    if (status == REEL_ERR_CANCELLED)
        return reel_fail_cancelled(err);
    char *command = command_of(push);
    const size_t n = command != NULL ? strlen(command) : REEL_ERROR_SIZE;
    if (n + AROUND + LEAST < REEL_ERROR_SIZE)
        reel_fail(err, status, "the result was not pushed: %.*s. Send it by: %s (all of it is still there)",
                  (int)(REEL_ERROR_SIZE - AROUND - n), why->message, command);
    else
        reel_fail(err, status, "the result was not pushed: %.400s. Send it by reel hub upload (all of it is still in %.400s)", why->message,
                  t->dir);
    reel_free(command);
    return status;
}

reel_status reel_trainer_push_end(reel_trainer *t, reel_hub_uploaded **out, reel_error *err)
{
    const reel_push push = push_of(t, t->hub_id);
    reel_error why = {0};
    *out = NULL;
    reel_status status = reel_trainer_card_write(t, &why);
    if (status == REEL_OK)
        status = reel_push_run(t->ctx, &push, on_push, t, out, &why);
    if (status != REEL_OK)
        return fail_push(t, &push, status, &why, err);
    reel_event event = reel_event_make(t, REEL_EVENT_PUSH);
    event.path = (*out)->url;
    event.bytes = event.bytes_total = (int64_t)(*out)->bytes;
    reel_trainer_tell(t, &event);
    return REEL_OK;
}
