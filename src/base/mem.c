#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The one mutable thing of the library: a test hook, zero outside the tests. */
static struct { long calls, fail_at; bool lasting; } hook;

void reel_mem_fail_at(long n, bool lasting)
{
    hook.calls = 0;
    hook.fail_at = n;
    hook.lasting = lasting;
}

long reel_mem_calls(void)
{
    return hook.calls;
}

static bool fails(void)
{
    if (hook.fail_at == 0)
        return false;
    hook.calls++;
    return hook.lasting ? hook.calls >= hook.fail_at : hook.calls == hook.fail_at;
}

void *reel_calloc(size_t n, size_t size)
{
    if (fails())
        return NULL;
    return calloc(n > 0 ? n : 1, size > 0 ? size : 1);
}

void *reel_alloc_aligned(size_t n, size_t size)
{
    size_t bytes;
    if (fails() || !reel_mul(&bytes, n, size) || !reel_add(&bytes, bytes, 63))
        return NULL;
    bytes &= ~(size_t)63;
    return aligned_alloc(64, bytes > 0 ? bytes : 64);
}

void *reel_realloc(void *p, size_t n, size_t size)
{
    size_t bytes;
    if (fails() || !reel_mul(&bytes, n, size))
        return NULL;
    return realloc(p, bytes > 0 ? bytes : 1);
}

void reel_free(void *p)
{
    free(p);
}

char *reel_strndup(const char *text, size_t n)
{
    if (text == NULL)
        return NULL;
    char *copy = reel_realloc(NULL, n + 1, 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text, n);
    copy[n] = '\0';
    return copy;
}

char *reel_strdup(const char *text)
{
    return text == NULL ? NULL : reel_strndup(text, strlen(text));
}

char *reel_format(const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *out = n < 0 ? NULL : reel_realloc(NULL, (size_t)n + 1, 1);
    if (out != NULL)
        vsnprintf(out, (size_t)n + 1, format, again);
    va_end(again);
    return out;
}

bool reel_grow(void **items, size_t *capacity, size_t used, size_t size)
{
    if (used < *capacity)
        return true;
    size_t wanted;
    if (!reel_mul(&wanted, *capacity, 2))
        return false;
    if (wanted < 16)
        wanted = 16;
    void *more = reel_realloc(*items, wanted, size);
    if (more == NULL)
        return false;
    *items = more;
    *capacity = wanted;
    return true;
}
