/* Addresses: quoting, references, origins, and what of them may be shown. RFC 3986. */
#ifndef REEL_HUB_URL_H
#define REEL_HUB_URL_H

#include <stdbool.h>

/* Percent-encodes all but letters, digits, '-', '_', '.', '~' and the characters of `safe`. NULL: no memory. */
char *reel_url_quote(const char *text, const char *safe);

/* `reference` (a Location or Link, perhaps relative) as seen from `base`. NULL: no memory. */
char *reel_url_join(const char *base, const char *reference);

/* http or https with a host, without user or password, and without characters that could end a header. */
bool reel_url_valid(const char *url);

/* Scheme, host (without case) and port (with its default) are the same. */
bool reel_url_same_origin(const char *a, const char *b);

bool reel_url_is_https(const char *url);
bool reel_url_is_loopback(const char *url);

/* For people: without user name, query and fragment, which may be credentials. Cut to the room there is. */
void reel_url_show(char *out, unsigned long size, const char *url);

#endif
