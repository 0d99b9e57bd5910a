/* One run in one folder: flock on FOLDER/.reel.lock, held for the run. */
#ifndef REEL_TRAIN_LOCK_H
#define REEL_TRAIN_LOCK_H

#include "base/context.h"
#include "base/error.h"

#define REEL_LOCK_NAME ".reel.lock"

typedef struct reel_lock { int fd; char *path; } reel_lock;  /* path NULL: not held */

/* REEL_ERR_EXISTS: another process has it. Warns where the file system may not keep the promise (network). */
reel_status reel_lock_take(reel_context *ctx, const char *dir, reel_lock *lock, reel_error *err);
/* Removes the file while the lock is still held, then lets go. */
void reel_lock_drop(reel_lock *lock);

#endif
