#include "base/error.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static reel_status fail_with(reel_error *err, reel_status status, const char *message)
{
    if (err != NULL) {
        err->status = status;
        reel_escape(err->message, sizeof err->message, message);
    }
    return status;
}

reel_status reel_fail(reel_error *err, reel_status status, const char *format, ...)
{
    char message[4 * REEL_ERROR_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return fail_with(err, status, message);
}

reel_status reel_fail_errno(reel_error *err, int saved_errno, const char *path, const char *what)
{
    char reason[256] = "";
    const char *text = strerror_r(saved_errno, reason, sizeof reason);
    return reel_fail(err, REEL_ERR_IO, "%s: cannot %s (%s)", path, what, text);
}

reel_status reel_fail_nomem(reel_error *err, const char *what)
{
    return reel_fail(err, REEL_ERR_NOMEM, "%s: out of memory", what);
}

const char *reel_status_name(reel_status status)
{
    static const char *const names[] = {
        "REEL_OK", "REEL_ERR_ARG", "REEL_ERR_NOMEM", "REEL_ERR_IO", "REEL_ERR_NOT_FOUND", "REEL_ERR_EXISTS",
        "REEL_ERR_FORMAT", "REEL_ERR_UNSUPPORTED", "REEL_ERR_LIMIT", "REEL_ERR_MISMATCH", "REEL_ERR_BACKEND",
        "REEL_ERR_NUMERIC", "REEL_ERR_CANCELLED", "REEL_ERR_NETWORK", "REEL_ERR_DENIED",
    };
    if ((unsigned)status >= sizeof names / sizeof *names)
        return "REEL_ERR_UNKNOWN";
    return names[status];
}
