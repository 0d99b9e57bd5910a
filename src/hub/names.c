#include "hub/names.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "hub/url.h"

static const struct { const char *name, *api, *prefix; } types[] = {
    {"model", "models", ""}, {"dataset", "datasets", "datasets/"}, {"space", "spaces", "spaces/"},
};

bool reel_repo_type_parse(const char *name, reel_repo_type *out)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(name, types[i].name) == 0) {
            *out = (reel_repo_type)i;
            return true;
        }
    return false;
}

const char *reel_repo_type_name(reel_repo_type t) { return types[t].name; }
const char *reel_repo_prefix(reel_repo_type t) { return types[t].prefix; }

static bool name_valid(const char *s, size_t n)
{
    if (n == 0 || n > 96 || strchr("-.", s[0]) != NULL || strchr("-.", s[n - 1]) != NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        const char c = s[i];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && strchr("-_.", c) == NULL)
            return false;
        if (i > 0 && (c == '-' || c == '.') && s[i - 1] == c)
            return false;
    }
    return n <= 4 || strncmp(s + n - 4, ".git", 4) != 0;
}

bool reel_repo_id_valid(const char *id)
{
    const char *slash = strchr(id, '/');
    if (slash == NULL)
        return name_valid(id, strlen(id));
    return strchr(slash + 1, '/') == NULL && name_valid(id, (size_t)(slash - id)) && name_valid(slash + 1, strlen(slash + 1));
}

reel_status reel_repo_id_check(const char *id, reel_error *err)
{
    if (reel_repo_id_valid(id))
        return REEL_OK;
    return reel_fail(err, REEL_ERR_ARG, "'%s' is not the name of a repository: ORG/NAME, each of letters, digits, '-', '_', '.', at most 96, not "
                     "beginning or ending in '-' or '.', without '--', '..' or '.git' at the end", id);
}

char *reel_repo_folder(reel_repo_type t, const char *id)
{
    const char *slash = strchr(id, '/');
    if (slash == NULL)
        return reel_format("%s--%s", types[t].api, id);
    return reel_format("%s--%.*s--%s", types[t].api, (int)(slash - id), id, slash + 1);
}

static bool hex(const char *text, size_t n)
{
    return strlen(text) == n && strspn(text, "0123456789abcdef") == n;
}

bool reel_commit_valid(const char *text) { return hex(text, 40); }
bool reel_etag_valid(const char *text) { return hex(text, 40) || hex(text, 64); }

bool reel_revision_valid(const char *revision)
{
    return strlen(revision) <= 255 && reel_path_is_below(revision);
}

bool reel_repo_file_valid(const char *path)
{
    if (strlen(path) > 4096 || !reel_path_is_below(path))
        return false;
    if (path[0] != '\0' && path[1] == ':')
        return false;  /* a drive */
    for (const char *part = path; part != NULL; part = strchr(part, '/') != NULL ? strchr(part, '/') + 1 : NULL)
        if (strncmp(part, ".git", 4) == 0 && (part[4] == '/' || part[4] == '\0'))
            return false;
    return true;
}

void reel_hub_name_free(reel_hub_name *name)
{
    reel_free(name->id);
    reel_free(name->revision);
    *name = (reel_hub_name){0};
}

bool reel_hub_name_read(const char *text, bool with_file, reel_hub_name *out, bool *nomem)
{
    const size_t n = strcspn(text, "@:");
    const char *at = text[n] == '@' ? text + n + 1 : NULL;
    const char *colon = at != NULL ? strchr(at, ':') : text[n] == ':' ? text + n : NULL;
    *out = (reel_hub_name){.id = reel_strndup(text, n), .file = colon != NULL ? colon + 1 : ""};
    out->revision = at == NULL ? reel_strdup("main") : colon != NULL ? reel_strndup(at, (size_t)(colon - at)) : reel_strdup(at);
    *nomem = out->id == NULL || out->revision == NULL;
    if (!*nomem && strchr(out->id, '/') != NULL && reel_repo_id_valid(out->id) && reel_revision_valid(out->revision) &&
        (out->file[0] != '\0') == with_file && !reel_exists(text))
        return true;
    reel_hub_name_free(out);
    return false;
}

char *reel_repo_resolve_url(const reel_hub *hub, const reel_repo *repo, const char *file)
{
    char *revision = reel_url_quote(repo->revision, ""), *path = reel_url_quote(file, "/"), *url = NULL;
    if (revision != NULL && path != NULL)
        url = reel_format("%s/%s%s/resolve/%s/%s", hub->endpoint, types[repo->type].prefix, repo->id, revision, path);
    reel_free(revision);
    reel_free(path);
    return url;
}

char *reel_repo_api_url(const reel_hub *hub, const reel_repo *repo, const char *what, const char *tail)
{
    if (what == NULL)
        return reel_format("%s/api/%s/%s%s", hub->endpoint, types[repo->type].api, repo->id, tail);
    char *revision = reel_url_quote(repo->revision, "");
    char *url = revision == NULL ? NULL : reel_format("%s/api/%s/%s/%s/%s%s", hub->endpoint, types[repo->type].api, repo->id, what, revision, tail);
    reel_free(revision);
    return url;
}
