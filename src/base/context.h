/* The inside of a reel_context. */
#ifndef REEL_BASE_CONTEXT_H
#define REEL_BASE_CONTEXT_H

#include <pthread.h>
#include <stdint.h>

#include <reel/context.h>

#include "base/error.h"

struct reel_context {
    int threads;
    unsigned cpu_flags;          /* what may be used: the processor's, cut down by "isa" */
    uint64_t max_memory;         /* bytes; 0: what the machine has */
    char machine[256];
    char *backend, *cache_dir;   /* cache_dir NULL: none is allowed (archives cannot be extracted) */
    reel_log_fn log; void *log_user;
    reel_cancel_fn cancel; void *cancel_user;
    pthread_mutex_t log_lock;
    void *hub; void (*hub_free)(void *hub);   /* hub/settings.h keeps its own here */
};

/* Formats and hands to the log function. `topic` is one word: "data", "model", "plan". */
void reel_log(reel_context *ctx, reel_log_level level, const char *topic, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

bool reel_cancelled(reel_context *ctx);
reel_status reel_fail_cancelled(reel_error *err);

/* Is there room for `bytes` more? REEL_ERR_NOMEM with both figures and `advice` (may be NULL) if not. */
reel_status reel_memory_check(reel_context *ctx, uint64_t bytes, const char *what, const char *advice, reel_error *err);

#endif
