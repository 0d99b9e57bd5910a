/* How a failure is told: once, at the place that knows, and passed up unchanged. */
#ifndef REEL_BASE_ERROR_H
#define REEL_BASE_ERROR_H

#include <stdarg.h>

#include <reel/status.h>

/* Fills *err (may be NULL) and returns `status`. Bytes that a terminal must not see are written as \xNN. */
reel_status reel_fail(reel_error *err, reel_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with errno's text behind the message: "FILE: cannot WHAT (No space left on device)". */
reel_status reel_fail_errno(reel_error *err, int saved_errno, const char *path, const char *what);

/* "PATH: out of memory" with the size wanted. */
reel_status reel_fail_nomem(reel_error *err, const char *what);

/* The pattern of every function with something to free: one exit, *out NULL until all has worked. */
#define REEL_TRY(expr) do { if ((status = (expr)) != REEL_OK) goto done; } while (0)

#endif
