/* Putting a folder into a repository of the Hub as one commit: what `reel hub upload` and a training run ask for. */
#ifndef REEL_HUB_PUSH_H
#define REEL_HUB_PUSH_H

#include "hub/names.h"

typedef enum reel_visibility { REEL_VISIBILITY_DEFAULT, REEL_VISIBILITY_PUBLIC, REEL_VISIBILITY_PRIVATE } reel_visibility;

/* Text is borrowed; "" or NULL where nothing was said. */
typedef struct reel_push {
    reel_repo_type type;
    const char *id, *revision;       /* the branch */
    const char *path;                /* folder or file */
    const char *inside;              /* where in the repository: a folder's name; for one file, its name */
    const char *message, *description;
    reel_patterns include, exclude;
    reel_visibility visibility;      /* of a repository that is made */
    bool create_pr, typed;           /* typed: who asks may say --repo_type */
    bool force;                      /* also what looks like a secret */
} reel_push;

reel_status reel_push_run(reel_context *ctx, const reel_push *push, reel_hub_event_fn event, void *user, reel_hub_uploaded **out,
                          reel_error *err);

/* The repository is there (made if need be) and this asker may write to it: what can be known before hours of work.
 * *id: its whole name, free it. */
reel_status reel_push_prepare(reel_context *ctx, const reel_push *push, char **id, reel_error *err);

/* The license of a repository, as its tag says; *license NULL where it says nothing, or cannot be asked. */
void reel_hub_license(reel_context *ctx, const char *id, char **license);

/* README.md of a model's branch as it is on the Hub now; *text NULL: there is none. Free it. */
reel_status reel_hub_readme(reel_context *ctx, const char *id, const char *revision, char **text, reel_error *err);

#endif
