/* From what a user names to a path: a folder or file that is there, or one of the Hub, which is fetched into the cache. */
#ifndef REEL_HUB_LOCATE_H
#define REEL_HUB_LOCATE_H

#include "hub/names.h"

/* A model: a folder of that name, else ORG/NAME[@REVISION]: config.json, the processor's files and the weights (only what is needed: the
 * first of model.safetensors, its index and shards, pytorch_model.bin, its index and shards that is there). *dir is the folder; free it.
 * Text that is neither comes back as it is: who opens it says what is wrong. */
reel_status reel_hub_locate_model(reel_context *ctx, const char *name, char **dir, reel_error *err);

/* The same without the weights: config.json and the processor's files. */
reel_status reel_hub_locate_processor(reel_context *ctx, const char *name, char **dir, reel_error *err);

/* A data set: a path, else ORG/NAME[@REVISION]:FILE of a repository of type dataset. *path is the file; free it. */
reel_status reel_hub_locate_data(reel_context *ctx, const char *name, char **path, reel_error *err);

/* The file of an address. It has no name on the disk, so that nothing stays of it however the process ends; `path` opens it while `fd` is
 * held. (It has one, which is removed with it, where there is no /proc or hundreds are held.) */
typedef struct reel_hub_fetched { char *path; int fd; bool held, named; } reel_hub_fetched;
void reel_hub_fetched_drop(reel_hub_fetched *f);  /* one of zeros is fine */

/* Fetches what stands at an http or https address: at most `limit` bytes and `seconds`; no token is sent. Of other text out->path is a
 * copy, neither held nor named. */
reel_status reel_hub_fetch_url(reel_context *ctx, const char *name, uint64_t limit, double seconds, reel_hub_fetched *out, reel_error *err);

#endif
