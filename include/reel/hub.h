/* The Hugging Face Hub: log in, download, upload, over its own protocol, with the cache and the token of the official client. */
#ifndef REEL_HUB_H
#define REEL_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <reel/args.h>
#include <reel/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Tells the context where the Hub is and who asks, from the variables of the official client: HF_ENDPOINT, HF_HOME, HF_HUB_CACHE
 * (HUGGINGFACE_HUB_CACHE), HF_TOKEN (HUGGING_FACE_HUB_TOKEN), HF_TOKEN_PATH, HF_HUB_OFFLINE (TRANSFORMERS_OFFLINE), HF_HUB_ETAG_TIMEOUT,
 * HF_HUB_DOWNLOAD_TIMEOUT, HF_HUB_DISABLE_IMPLICIT_TOKEN, HF_HUB_DISABLE_SYMLINKS, HF_HUB_USER_AGENT_ORIGIN, XDG_CACHE_HOME, HOME,
 * SSL_CERT_FILE; and those that a path of them names ($NAME).
 *
 * @param lookup  the value of a variable, or NULL; called during this function only. The library itself reads no environment. NULL
 *                gives the defaults: the public hub, no token, no cache.
 * @return REEL_ERR_ARG: HF_ENDPOINT is no address. Must be called before the context is used by several threads. */
REEL_API reel_status reel_context_set_hub(reel_context *ctx, const char *(*lookup)(const char *name, void *user), void *user,
                                          reel_error *err);

/** Who a token belongs to. Allocated by the library; fields may be added at the end. Text is never NULL. */
typedef struct reel_hub_user {
    const char *name, *fullname;
    const char *role;               /**< of the token: "read", "write", "fineGrained", or "" */
    const char *token_name;         /**< as the Hub shows it, or "" */
    const char *token_from;         /**< "HF_TOKEN", or the token file's path */
    const char *endpoint;
    size_t orgs;
    const char *const *org;         /**< organisations that the user is in */
} reel_hub_user;
REEL_API void reel_hub_user_close(reel_hub_user **user);

/** Can somebody log in: not in offline mode, and there is a place for the token? For asking before a token is typed.
 * REEL_ERR_NETWORK: offline; REEL_ERR_NOT_FOUND: no place. */
REEL_API reel_status reel_hub_login_check(reel_context *ctx, reel_error *err);

/** Asks the Hub whose token `token` is, and if it is one, stores it where the official client does, readable by the owner only.
 * REEL_ERR_DENIED: the Hub does not know it, nothing is stored; REEL_ERR_NETWORK: no answer. */
REEL_API reel_status reel_hub_login(reel_context *ctx, const char *token, reel_hub_user **out, reel_error *err);

/** Removes the stored tokens. *had: was there one? *remains (may be NULL): the variable that still gives one, or NULL. */
REEL_API reel_status reel_hub_logout(reel_context *ctx, bool *had, const char **remains, reel_error *err);

/** REEL_ERR_NOT_FOUND: there is no token. */
REEL_API reel_status reel_hub_whoami(reel_context *ctx, reel_hub_user **out, reel_error *err);

/** Progress of a transfer, from any of its threads, never from two at once. total 0: not known yet. */
typedef struct reel_hub_event {
    const char *what;               /**< the file that is in work now */
    uint64_t done, total;           /**< bytes of all files */
    size_t files_done, files;
    double bytes_per_second;
} reel_hub_event;
typedef void (*reel_hub_event_fn)(const reel_hub_event *event, void *user);

/** What a download brought. Fields may be added at the end. */
typedef struct reel_hub_downloaded {
    const char *path;               /**< the one file, or the snapshot's folder, or local_dir */
    const char *commit;             /**< 40 hex digits */
    size_t files, fetched;          /**< wanted; not there before */
    uint64_t bytes;                 /**< fetched */
} reel_hub_downloaded;
REEL_API void reel_hub_downloaded_close(reel_hub_downloaded **d);

/** `reel hub download`: files of a repository, or all of it, into the cache of the official client or into local_dir.
 * @param names  names[0]: ORG/NAME; then files of it (none: all that include and exclude let through) */
REEL_API reel_status reel_hub_download(reel_context *ctx, const reel_args *args, const char *const *names, size_t n, reel_hub_event_fn event,
                                       void *user, reel_hub_downloaded **out, reel_error *err);

/** What an upload did. Fields may be added at the end. */
typedef struct reel_hub_uploaded {
    const char *url;                /**< of the repository */
    const char *commit, *commit_url;
    bool changed;                   /**< false: the Hub had all of it already, and there is no new commit */
    size_t files, sent;             /**< of the folder; not on the Hub before */
    uint64_t bytes;                 /**< sent */
} reel_hub_uploaded;
REEL_API void reel_hub_uploaded_close(reel_hub_uploaded **u);

/** `reel hub upload`: one commit with the files of a folder; the repository is made where there is none.
 * @param names  names[0]: ORG/NAME; names[1]: folder or file (none: ".") */
REEL_API reel_status reel_hub_upload(reel_context *ctx, const reel_args *args, const char *const *names, size_t n, reel_hub_event_fn event,
                                     void *user, reel_hub_uploaded **out, reel_error *err);

#ifdef __cplusplus
}
#endif
#endif
