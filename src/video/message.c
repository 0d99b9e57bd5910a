/* FFmpeg prints nothing; the last thing it complained of on this thread is kept for our own message. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "video/media.h"

enum { WORDS = 256 };

/* A codec's own threads complain into their own copies, which nobody reads. */
static _Thread_local char words[WORDS];

static void remember(void *object, int level, const char *format, va_list args) __attribute__((format(printf, 3, 0)));

static void remember(void *object, int level, const char *format, va_list args)
{
    if (level > AV_LOG_ERROR)
        return;
    char line[WORDS];
    (void)object;
    vsnprintf(line, sizeof line, format, args);
    line[strcspn(line, "\r\n")] = '\0';
    if (strlen(line) > 3)  /* not a scrap of a longer line */
        memcpy(words, line, sizeof words);
}

static void silence(void)
{
    av_log_set_callback(remember);
}

void reel_video_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, silence);
}

void reel_av_forget(void)
{
    words[0] = '\0';
}

reel_status reel_av_fail(const reel_video *v, int code, reel_status status, const char *what, reel_error *err)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    if (code == AVERROR(ENOMEM))
        return reel_fail_nomem(err, v->path);
    if (code != 0)
        av_strerror(code, text, sizeof text);
    unsigned long long w, h;  /* what av_image_check_size2 says of a picture past max_pixels */
    if (sscanf(words, "Picture size %llux%llu exceeds", &w, &h) == 2)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: a frame of %llux%llu is larger than the %lld pixels that are allowed", v->path,
                         w, h, (long long)v->limits.max_pixels);
    const char *reason = words[0] != '\0' ? words : text;
    if (reason[0] == '\0')
        return reel_fail(err, status, "%s: %s", v->path, what);
    return reel_fail(err, status, "%s: %s (FFmpeg: %s)", v->path, what, reason);
}
