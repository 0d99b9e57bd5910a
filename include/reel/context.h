/* A context: threads, instruction set, back end, limits and log of everything opened with it. The library has no globals. */
#ifndef REEL_CONTEXT_H
#define REEL_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <reel/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct reel_context reel_context;

typedef enum reel_log_level {
    REEL_LOG_WARNING = 0,  /**< something a user must know: a skipped file, a replaced head */
    REEL_LOG_NOTE = 1,     /**< what a normal run tells once: machine, data, model, plan */
    REEL_LOG_DETAIL = 2    /**< what was decided and why (-v) */
} reel_log_level;

/** Receives one message without a line end. `topic` is one word such as "data", "model", "warning". May be called from
 * loader threads, never from two threads at once. */
typedef void (*reel_log_fn)(reel_log_level level, const char *topic, const char *message, void *user);

/** Asked between layers and between packets of a video, from any thread: true means stop as soon as things are in order.
 * Must be fast and async-signal tolerant (reading a flag). */
typedef bool (*reel_cancel_fn)(void *user);

/** Opens a context with silent defaults: all processors that the affinity mask and the cgroup allow, the best instruction
 * set the processor has, the CPU back end. *out is NULL on failure. */
REEL_API reel_status reel_context_open(reel_context **out, reel_error *err);

/** Frees the context and sets it to NULL. Everything opened with it must be closed before. NULL is fine. */
REEL_API void reel_context_close(reel_context **ctx);

/** Sets who is told. NULL: nobody. */
REEL_API void reel_context_set_log(reel_context *ctx, reel_log_fn fn, void *user);

/** Sets who is asked whether to stop. NULL: nobody. */
REEL_API void reel_context_set_cancel(reel_context *ctx, reel_cancel_fn fn, void *user);

/** Sets one of: "threads" (1 to 1024), "isa" ("auto", "avx512", "avx2", "c": the best that may be used), "backend"
 * ("cpu"), "max_memory" (bytes, or with K, M, G; "0": what the machine has), "cache_dir" (folder for extracted archives).
 * Must be called before anything is opened with the context. REEL_ERR_ARG names the setting and what it takes. */
REEL_API reel_status reel_context_set(reel_context *ctx, const char *name, const char *value, reel_error *err);

/** The number of compute threads in force. */
REEL_API int reel_context_threads(const reel_context *ctx);

/** One line on the machine: processor, instruction sets in use, threads. Owned by the context. */
REEL_API const char *reel_context_machine(const reel_context *ctx);

/** The instruction set that the processor's own kernels use: "avx512", "avx2" or "c". */
REEL_API const char *reel_context_isa(const reel_context *ctx);

#ifdef __cplusplus
}
#endif
#endif
