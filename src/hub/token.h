/* The files that keep the token, as the official client has them: the bare token, and beside it stored_tokens, an INI file with a section
 * a token. */
#ifndef REEL_HUB_TOKEN_H
#define REEL_HUB_TOKEN_H

#include "hub/settings.h"

/* Writes both, readable by the owner only; other sections stay. `name`: the section's. */
reel_status reel_token_store(const reel_hub *hub, const char *token, const char *name, reel_error *err);
/* Removes both. *had: was one there? */
reel_status reel_token_remove(const reel_hub *hub, bool *had, reel_error *err);
/* Does the INI file say that this token has expired? */
bool reel_token_expired(const reel_hub *hub, const char *token);

/* The INI text with the section `name` holding this token, and all others as they were. NULL: no memory. (For tests.) */
char *reel_token_merged(const char *ini, const char *name, const char *token);
/* When the token expires, as seconds since 1970; 0: it is not said. */
int64_t reel_token_expires(const char *ini, const char *token);

#endif
