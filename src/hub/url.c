#include "hub/url.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"

char *reel_url_quote(const char *text, const char *safe)
{
    reel_text out = {0};
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        const bool plain = (*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') || strchr("-_.~", *c) != NULL;
        if (plain || strchr(safe, *c) != NULL)
            reel_text_add(&out, (const char *)c, 1);
        else
            reel_text_printf(&out, "%%%02X", *c);
    }
    return reel_text_take(&out);
}

/* "https://host:port" of an address; the length, or 0. */
static size_t origin_length(const char *url)
{
    const char *host = strstr(url, "://");
    return host == NULL ? 0 : (size_t)(host + 3 - url) + strcspn(host + 3, "/?#");
}

char *reel_url_join(const char *base, const char *reference)
{
    const size_t origin = origin_length(base), scheme = strcspn(reference, ":/?#");
    if (reference[scheme] == ':')
        return reel_strdup(reference);
    if (strncmp(reference, "//", 2) == 0)
        return reel_format("%.*s%s", (int)strcspn(base, "/"), base, reference);
    if (reference[0] == '/')
        return reel_format("%.*s%s", (int)origin, base, reference);
    size_t path = origin + strcspn(base + origin, "?#");
    if (reference[0] == '?')
        return reel_format("%.*s%s", (int)path, base, reference);
    while (path > origin && base[path - 1] != '/')
        path--;
    return reel_format("%.*s%s%s", (int)path, base, path == origin ? "/" : "", reference);
}

bool reel_url_valid(const char *url)
{
    const size_t origin = origin_length(url);
    if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
        return false;
    for (const unsigned char *c = (const unsigned char *)url; *c != '\0'; c++)
        if (*c <= 0x20 || *c >= 0x7f)
            return false;
    const char *host = strstr(url, "://") + 3;
    return host < url + origin && *host != ':' && memchr(host, '@', (size_t)(url + origin - host)) == NULL;
}

typedef struct origin { bool https; const char *host; size_t length; long port; } origin;

static bool origin_of(const char *url, origin *o)
{
    if (!reel_url_valid(url))
        return false;
    const char *end = url + origin_length(url), *colon;
    o->https = reel_url_is_https(url);
    o->host = strstr(url, "://") + 3;
    if (*o->host == '[') {  /* an IPv6 address */
        const char *close = memchr(o->host, ']', (size_t)(end - o->host));
        if (close == NULL)
            return false;
        colon = close + 1;
    } else {
        colon = memchr(o->host, ':', (size_t)(end - o->host));
        colon = colon != NULL ? colon : end;
    }
    o->length = (size_t)(colon - o->host);
    o->port = o->https ? 443 : 80;
    if (colon < end && colon + 1 < end) {
        o->port = 0;
        for (const char *d = colon + 1; d < end; d++) {
            if (*d < '0' || *d > '9' || o->port > 65535)
                return false;
            o->port = 10 * o->port + (*d - '0');
        }
    }
    return *colon == ':' || colon == end;
}

bool reel_url_same_origin(const char *a, const char *b)
{
    origin x, y;
    return origin_of(a, &x) && origin_of(b, &y) && x.https == y.https && x.port == y.port && x.length == y.length &&
           strncasecmp(x.host, y.host, x.length) == 0;
}

bool reel_url_is_https(const char *url) { return strncasecmp(url, "https://", 8) == 0; }

bool reel_url_is_loopback(const char *url)
{
    origin o;
    return origin_of(url, &o) && ((o.length == 9 && strncasecmp(o.host, "localhost", 9) == 0) || strncmp(o.host, "127.", 4) == 0 ||
                                  (o.length == 5 && strncmp(o.host, "[::1]", 5) == 0));
}

void reel_url_show(char *out, unsigned long size, const char *url)
{
    const char *scheme = strstr(url, "://"), *host = scheme != NULL ? scheme + 3 : url;
    const char *at = memrchr(host, '@', strcspn(host, "/?#")), *rest = at != NULL ? at + 1 : host;
    snprintf(out, size, "%.*s%.*s", (int)(host - url), url, (int)strcspn(rest, "?#"), rest);
}
