/* Independent pieces of work on several threads. */
#ifndef REEL_DATA_PARALLEL_H
#define REEL_DATA_PARALLEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/context.h"
#include "base/error.h"

/* Piece i of the work. Called from several threads, each i once; must not depend on the others. */
typedef reel_status (*reel_piece_fn)(void *user, size_t i, reel_error *err);

/* Does pieces 0 to n - 1. After a failure no new piece is begun, and that of the lowest number is reported; a cancelled
 * context ends it likewise. */
reel_status reel_parallel(reel_context *ctx, int threads, size_t n, reel_piece_fn fn, void *user, reel_error *err);

/* A context for threads of a job's own: another's settings, its log (under its lock), and a stop of their own beside its
 * cancel. Must not move. */
typedef struct reel_worker {
    reel_context ctx;
    reel_context *parent;   /* may be NULL */
    bool stop;              /* set by reel_worker_stop */
} reel_worker;
void reel_worker_init(reel_worker *w, reel_context *parent);
void reel_worker_stop(reel_worker *w);   /* whatever works with w->ctx ends as if it were cancelled */
void reel_worker_free(reel_worker *w);

/* Called once by a thread that decodes while others compute. libgomp's threads spin for milliseconds where they wait for one
 * another, unless it manages more threads than there are processors (its manual, GOMP_SPINCOUNT): then they soon sleep. An idle
 * team of this thread's own, which ends with it, makes it so, and what the products do not use is there for decoding: 8 to 25 %
 * more clips a second, and none of the standstills that spinning beside busy decoders brings. */
void reel_thread_decodes(const reel_context *ctx);

/* `wanted` threads, or the context's where it is 0. */
int reel_loader_threads(const reel_context *ctx, int64_t wanted);

#endif
