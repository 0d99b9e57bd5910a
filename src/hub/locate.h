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

/* A video's http or https address is fetched into a temporary file (its name keeps the ending); other text comes back as it is, with
 * *temporary false. The caller removes a temporary file. At most `limit` bytes and `seconds`. No token is sent. */
reel_status reel_hub_fetch_url(reel_context *ctx, const char *name, uint64_t limit, double seconds, char **path, bool *temporary,
                               reel_error *err);

#endif
