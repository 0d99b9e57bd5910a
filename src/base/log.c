#include <stdarg.h>
#include <stdio.h>

#include "base/context.h"
#include "base/text.h"

void reel_log(reel_context *ctx, reel_log_level level, const char *topic, const char *format, ...)
{
    if (ctx == NULL || ctx->log == NULL)
        return;
    char raw[2048], shown[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    reel_escape(shown, sizeof shown, raw);
    pthread_mutex_lock(&ctx->log_lock);
    ctx->log(level, topic, shown, ctx->log_user);
    pthread_mutex_unlock(&ctx->log_lock);
}
