/* What a context knows of the Hub: where it is, who asks, where files are kept. Set from names and values as the environment of
 * the official client has them (reel/hub.h). */
#ifndef REEL_HUB_SETTINGS_H
#define REEL_HUB_SETTINGS_H

#include <stdatomic.h>

#include <reel/hub.h>

#include "base/context.h"

typedef struct reel_hub {
    char *endpoint;              /* without '/' at its end */
    char *home, *cache_dir;      /* "": there is no home folder, and none was given */
    char *token_path, *stored_path;  /* the bare token; the INI file beside it. "" as above */
    char *token;                 /* given by the environment; NULL: the file's is used */
    const char *token_from;      /* what gave it: "HF_TOKEN" */
    char *ca_file;               /* NULL: the system's */
    char *agent;                 /* User-Agent */
    bool offline, implicit_token, symlinks;
    double etag_timeout, download_timeout;  /* seconds */
    atomic_bool token_told;      /* what there is to say of the token was said */
    _Atomic double silent;       /* reel_now() when it last did not answer at all; 0: it did */
} reel_hub;

/* The context's; the defaults where nothing was set. Lives as long as the context. NULL: no memory. */
const reel_hub *reel_hub_of(reel_context *ctx);

/* The hub was asked, and did or did not answer, whatever it said. Where it is silent a copy serves without waiting for it once more: a run
 * that needs many files waits once. Forgotten after some minutes. */
void reel_hub_note_answer(reel_context *ctx, bool answered);
bool reel_hub_is_silent(const reel_hub *hub);

/* The token to send, from whichever place has one; *token NULL where there is none. Wipe and free it with reel_hub_forget.
 * *from: "HF_TOKEN", or the file's path; lives as long as the hub. */
reel_status reel_hub_token(const reel_hub *hub, char **token, const char **from, reel_error *err);
void reel_hub_forget(char **secret);

/* CR, LF and outer blanks go; false where what is left is empty. In place. */
bool reel_hub_trim_token(char *token);
/* Characters that can stand in a header. */
bool reel_hub_token_valid(const char *token);

#endif
