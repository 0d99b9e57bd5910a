#include "hub/settings.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cpu.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "hub/http.h"
#include "hub/url.h"

typedef const char *(*lookup_fn)(const char *name, void *user);
typedef struct lookup { lookup_fn fn; void *user; bool failed; } lookup;

/* A variable that is set and not empty, or NULL. */
static const char *value_of(lookup *l, const char *name)
{
    const char *v = l->fn != NULL ? l->fn(name, l->user) : NULL;
    return v != NULL && v[0] != '\0' ? v : NULL;
}

static const char *first_of(lookup *l, const char *name, const char *older)
{
    const char *v = value_of(l, name);
    return v != NULL ? v : value_of(l, older);
}

/* A copy; no memory is noted. */
static char *kept(lookup *l, char *copy)
{
    l->failed = l->failed || copy == NULL;
    return copy;
}

/* $NAME and ${NAME}, as os.path.expandvars: what is not set stays. */
static void add_variable(lookup *l, reel_text *out, const char **at)
{
    const char *begin = *at + 1, *name = begin + (*begin == '{');
    size_t n = 0;
    while (name[n] == '_' || (name[n] >= '0' && name[n] <= '9') || (name[n] >= 'A' && name[n] <= 'Z') || (name[n] >= 'a' && name[n] <= 'z'))
        n++;
    const bool braced = *begin == '{';
    char *key = n > 0 && (!braced || name[n] == '}') ? reel_strndup(name, n) : NULL;
    const char *value = key != NULL && l->fn != NULL ? l->fn(key, l->user) : NULL;
    reel_free(key);
    if (value == NULL) {
        reel_text_add(out, "$", 1);
        *at = begin;
        return;
    }
    reel_text_puts(out, value);
    *at = name + n + braced;
}

/* The home folder that "~NAME" begins with; *n: bytes of it. NULL: there is no such user. */
static char *home_of_user(const char *path, size_t *n)
{
    struct passwd *found = NULL, user;
    char text[4096];
    *n = strcspn(path, "/");
    char *name = reel_strndup(path + 1, *n - 1), *home = NULL;
    if (name != NULL && getpwnam_r(name, &user, text, sizeof text, &found) == 0 && found != NULL)
        home = reel_strdup(user.pw_dir);
    for (size_t k = home != NULL ? strlen(home) : 0; k > 0 && home[k - 1] == '/'; k--)
        home[k - 1] = '\0';
    reel_free(name);
    return home;
}

/* "~" and "~NAME" at the beginning, and variables. */
static char *expanded(lookup *l, const char *path)
{
    reel_text out = {0};
    const char *home = value_of(l, "HOME"), *at = path;
    if (path[0] == '~' && (path[1] == '/' || path[1] == '\0') && home != NULL) {
        reel_text_puts(&out, home);
        at++;
    } else if (path[0] == '~' && path[1] != '/' && path[1] != '\0') {
        size_t n;
        char *theirs = home_of_user(path, &n);
        if (theirs != NULL) {
            reel_text_puts(&out, theirs);
            at += n;
        }
        reel_free(theirs);
    }
    while (*at != '\0') {
        const size_t plain = strcspn(at, "$");
        reel_text_add(&out, at, plain);
        at += plain;
        if (*at == '$')
            add_variable(l, &out, &at);
    }
    return kept(l, reel_text_take(&out));
}

static bool is_true(const char *v)
{
    return v != NULL && (strcmp(v, "1") == 0 || strcasecmp(v, "ON") == 0 || strcasecmp(v, "YES") == 0 || strcasecmp(v, "TRUE") == 0);
}

static double seconds_of(lookup *l, const char *name, double otherwise)
{
    const char *v = value_of(l, name);
    double x;
    return v != NULL && reel_parse_float(v, &x) && x > 0 && x < 1e6 ? x : otherwise;
}

/* Below a folder that may be unknown: "" then. */
static char *below(lookup *l, const char *dir, const char *name)
{
    return kept(l, dir[0] == '\0' ? reel_strdup("") : reel_path_join(dir, name));
}

static char *home_of(lookup *l)
{
    const char *given = value_of(l, "HF_HOME"), *cache = value_of(l, "XDG_CACHE_HOME"), *home = value_of(l, "HOME");
    if (given != NULL)
        return expanded(l, given);
    if (cache != NULL)
        return below(l, cache, "huggingface");
    return home == NULL ? kept(l, reel_strdup("")) : kept(l, reel_format("%s/.cache/huggingface", home));
}

static void token_of(lookup *l, reel_hub *h)
{
    static const char *const names[] = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"};
    for (size_t i = 0; i < 2 && h->token == NULL; i++) {
        const char *v = value_of(l, names[i]);
        if (v == NULL)
            continue;
        h->token = kept(l, reel_strdup(v));
        if (h->token != NULL && !reel_hub_trim_token(h->token))
            reel_hub_forget(&h->token);
        h->token_from = names[i];
    }
}

static char *endpoint_of(lookup *l)
{
    const char *v = value_of(l, "HF_ENDPOINT");
    char *copy = kept(l, reel_strdup(v != NULL ? v : "https://huggingface.co"));
    for (size_t n = copy != NULL ? strlen(copy) : 0; n > 0 && copy[n - 1] == '/'; n--)
        copy[n - 1] = '\0';
    return copy;
}

static char *token_path_of(lookup *l, const reel_hub *h)
{
    const char *v = value_of(l, "HF_TOKEN_PATH");
    return v != NULL ? expanded(l, v) : below(l, h->home, "token");
}

static char *stored_path_of(lookup *l, const reel_hub *h)
{
    char *dir = kept(l, reel_path_parent(h->token_path));
    char *path = dir == NULL || h->token_path[0] == '\0' ? kept(l, reel_strdup("")) : kept(l, reel_path_join(dir, "stored_tokens"));
    reel_free(dir);
    return path;
}

static void hub_free(void *hub)
{
    reel_hub *h = hub;
    if (h == NULL)
        return;
    reel_hub_forget(&h->token);
    char *all[] = {h->endpoint, h->home, h->cache_dir, h->token_path, h->stored_path, h->ca_file, h->agent};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        reel_free(all[i]);
    reel_free(h);
}

static reel_hub *hub_new(lookup *l)
{
    reel_hub *h = reel_calloc(1, sizeof *h);
    if (h == NULL)
        return NULL;
    const char *cache = first_of(l, "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"), *ca = value_of(l, "SSL_CERT_FILE");
    h->endpoint = endpoint_of(l);
    h->home = home_of(l);
    if (h->home != NULL) {
        h->cache_dir = cache != NULL ? expanded(l, cache) : below(l, h->home, "hub");
        h->token_path = token_path_of(l, h);
    }
    if (h->token_path != NULL)
        h->stored_path = stored_path_of(l, h);
    token_of(l, h);
    h->ca_file = ca != NULL ? kept(l, reel_strdup(ca)) : NULL;
    h->agent = kept(l, reel_http_agent(value_of(l, "HF_HUB_USER_AGENT_ORIGIN")));
    h->offline = is_true(first_of(l, "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"));
    h->implicit_token = !is_true(value_of(l, "HF_HUB_DISABLE_IMPLICIT_TOKEN"));
    h->symlinks = !is_true(value_of(l, "HF_HUB_DISABLE_SYMLINKS"));
    h->etag_timeout = seconds_of(l, "HF_HUB_ETAG_TIMEOUT", 10);
    h->download_timeout = seconds_of(l, "HF_HUB_DOWNLOAD_TIMEOUT", 10);
    if (l->failed) {
        hub_free(h);
        return NULL;
    }
    return h;
}

static void replace(reel_context *ctx, reel_hub *h)
{
    if (ctx->hub_free != NULL)
        ctx->hub_free(ctx->hub);
    ctx->hub = h;
    ctx->hub_free = hub_free;
}

reel_status reel_context_set_hub(reel_context *ctx, const char *(*fn)(const char *name, void *user), void *user, reel_error *err)
{
    lookup l = {fn, user, false};
    reel_hub *h = hub_new(&l);
    if (h == NULL)
        return reel_fail_nomem(err, "settings of the Hub");
    if (!reel_url_valid(h->endpoint) || strpbrk(h->endpoint, "?#") != NULL) {
        reel_status status = reel_fail(err, REEL_ERR_ARG, "HF_ENDPOINT is not an address such as https://huggingface.co (http or https, a host, "
                                       "no user name, no query)");  /* its text may hold a password */
        hub_free(h);
        return status;
    }
    replace(ctx, h);
    return REEL_OK;
}

const reel_hub *reel_hub_of(reel_context *ctx)
{
    if (ctx->hub == NULL && reel_context_set_hub(ctx, NULL, NULL, NULL) != REEL_OK)
        return NULL;
    return ctx->hub;
}

void reel_hub_note_answer(reel_context *ctx, bool answered)
{
    reel_hub *h = ctx->hub;
    if (h != NULL)
        atomic_store(&h->silent, answered ? 0 : reel_now());
}

bool reel_hub_is_silent(const reel_hub *hub)
{
    enum { SECONDS = 300 };
    const double since = atomic_load(&hub->silent);
    return since > 0 && reel_now() - since < SECONDS;
}

/* ---- the token ---- */

bool reel_hub_trim_token(char *token)
{
    size_t n = 0;
    for (const char *c = token; *c != '\0'; c++)
        if (*c != '\r' && *c != '\n')
            token[n++] = *c;
    token[n] = '\0';
    size_t first = strspn(token, " \t");
    while (n > first && (token[n - 1] == ' ' || token[n - 1] == '\t'))
        n--;
    memmove(token, token + first, n - first);
    token[n - first] = '\0';
    return n > first;
}

bool reel_hub_token_valid(const char *token)
{
    for (const unsigned char *c = (const unsigned char *)token; *c != '\0'; c++)
        if (*c < 0x21 || *c > 0x7e)
            return false;
    return token[0] != '\0';
}

void reel_hub_forget(char **secret)
{
    if (*secret != NULL)
        explicit_bzero(*secret, strlen(*secret));
    reel_free(*secret);
    *secret = NULL;
}

reel_status reel_hub_token(const reel_hub *hub, char **token, const char **from, reel_error *err)
{
    size_t n;
    *token = NULL;
    *from = hub->token_from;
    if (!hub->implicit_token)
        return REEL_OK;  /* only one given as an option would be sent, and there is no such option: it would stand in the process list */
    if (hub->token != NULL && (*token = reel_strdup(hub->token)) == NULL)
        return reel_fail_nomem(err, "token");
    if (*token == NULL && hub->token_path[0] != '\0' && reel_exists(hub->token_path)) {
        reel_status status = reel_file_read(hub->token_path, 4096, token, &n, err);
        if (status != REEL_OK)
            return status;
        *from = hub->token_path;
        if (!reel_hub_trim_token(*token))
            reel_hub_forget(token);
    }
    if (*token != NULL && !reel_hub_token_valid(*token)) {
        reel_hub_forget(token);
        return reel_fail(err, REEL_ERR_ARG, "%s: the token has characters that no token has; %s", *from,
                         *from == hub->token_from ? "correct this variable, or unset it" : "run reel hub login");
    }
    return REEL_OK;
}
