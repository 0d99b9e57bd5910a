/* A lock file that the official client takes too. */
#ifndef REEL_HUB_FLOCK_H
#define REEL_HUB_FLOCK_H

#include "base/context.h"

/* Waits until it is ours (told after 10 s, ended by a cancel). *fd gets the descriptor; -1 where this file system has no locks or cannot be
 * written: then nobody is kept out, and what follows must not rely on it. */
reel_status reel_hub_lock(reel_context *ctx, int base, const char *path, const char *shown, int *fd, reel_error *err);
void reel_hub_unlock(int *fd);  /* the file stays: another may wait for it */

#endif
