#include "hub/listing.h"

#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "args/jobs.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "hub/below.h"

enum { PAGE_LIMIT = 64 << 20, FILES_LIMIT = 1000000, PAGES_LIMIT = 10000 };

void reel_listing_free(reel_listing *l)
{
    for (size_t i = 0; i < l->n; i++) {
        reel_free(l->file[i].path);
        reel_free(l->file[i].xet);
    }
    reel_free(l->file);
    *l = (reel_listing){0};
}

static void copy_id(char out[65], const reel_json *j, size_t digits)
{
    const char *text = reel_json_string(j);
    snprintf(out, 65, "%s", text != NULL && strlen(text) == digits && reel_etag_valid(text) ? text : "");
}

/* Takes nothing where a name or size cannot be. */
static reel_status add(reel_listing *l, const char *path, const reel_json *size, reel_listed **out, const char *id, reel_error *err)
{
    int64_t bytes = 0;
    if (path == NULL || !reel_repo_file_valid(path))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: the list of its files has '%.200s', which cannot be the name of one", id, path != NULL
                         ? path : "");
    if (!reel_json_integer(size, &bytes) || bytes < 0)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: the list of its files gives no size for '%s'", id, path);
    if (l->n >= FILES_LIMIT)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: it has more than %d files", id, FILES_LIMIT);
    void *items = l->file;
    const bool room = reel_grow(&items, &l->capacity, l->n, sizeof *l->file);
    l->file = items;
    char *copy = room ? reel_strdup(path) : NULL;
    if (copy == NULL)
        return reel_fail_nomem(err, id);
    *out = &l->file[l->n++];
    **out = (reel_listed){.path = copy, .size = bytes};
    return REEL_OK;
}

reel_status reel_listing_add(reel_listing *l, const reel_json *page, const char *id, reel_error *err)
{
    if (!reel_json_is_array(page))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: the list of its files is none", id);
    for (size_t i = 0; i < reel_json_size(page); i++) {
        const reel_json *entry = reel_json_at(page, i), *said = reel_json_get(entry, "lfs"), *lfs = reel_json_is_object(said) ? said : NULL;
        const char *type = reel_json_string(reel_json_get(entry, "type"));
        reel_listed *file;
        if (type == NULL || strcmp(type, "file") != 0)
            continue;
        reel_status status = add(l, reel_json_string(reel_json_get(entry, "path")), reel_json_get(lfs != NULL ? lfs : entry, "size"), &file,
                                 id, err);
        if (status != REEL_OK)
            return status;
        copy_id(file->oid, reel_json_get(entry, "oid"), 40);
        copy_id(file->lfs, reel_json_get(lfs, "oid"), 64);
        if (lfs != NULL && file->lfs[0] == '\0')
            file->oid[0] = '\0';  /* the pointer's, not the content's */
        file->xet = reel_strdup(reel_json_string(reel_json_get(entry, "xetHash")));
    }
    return REEL_OK;
}

/* <URL>; rel="next" of a Link header, which is cut there; NULL: there is none. */
static const char *next_of(char *link)
{
    for (char *open = strchr(link, '<'); open != NULL; open = strchr(open + 1, '<')) {
        char *close = strchr(open, '>');
        if (close == NULL)
            return NULL;
        const size_t rest = strcspn(close, "<");
        const char *rel = strstr(close, "rel=\"next\"");
        if (rel != NULL && (size_t)(rel - close) < rest) {
            *close = '\0';
            return open + 1;
        }
    }
    return NULL;
}

/* The next page as a full address; *next NULL: there is none. */
static reel_status next_page(const reel_session *s, const reel_http_answer *a, const char *url, char **next, reel_error *err)
{
    char *link;
    *next = NULL;
    reel_status status = reel_http_header_copy(a, "Link", &link, err);
    const char *reference = link != NULL ? next_of(link) : NULL;
    if (reference != NULL && (*next = reel_session_url(s, url, reference)) == NULL)
        status = reel_fail_nomem(err, "address");
    reel_free(link);
    return status;
}

reel_status reel_listing_fetch(reel_session *s, const reel_repo *repo, reel_listing *l, reel_error *err)
{
    reel_status status = reel_session_token(s, err);
    if (status != REEL_OK)
        return status;
    char *url = reel_repo_api_url(s->hub, repo, "tree", "?recursive=True&expand=False");
    status = url == NULL ? reel_fail_nomem(err, repo->id) : REEL_OK;
    for (int page = 0; status == REEL_OK && url != NULL; page++) {
        reel_json *j = NULL;
        reel_http_answer a;
        const reel_asked asked = reel_session_asked(s, repo, NULL, url);
        status = reel_session_json(s, url, &asked, PAGE_LIMIT, &j, &a, err);
        if (status == REEL_OK)
            status = reel_listing_add(l, j, repo->id, err);
        char *next = NULL;
        if (status == REEL_OK)
            status = next_page(s, &a, url, &next, err);
        if (next != NULL && (page == PAGES_LIMIT || !reel_http_trusted(s->http, next)))
            status = reel_fail(err, REEL_ERR_NETWORK, "%s: the list of its files goes on at another host, or for ever", repo->id);
        reel_json_free(j);
        reel_http_answer_free(&a);
        reel_free(url);
        url = next;
    }
    reel_free(url);
    return status;
}

/* ---- trees/COMMIT.json ---- */

static char *tree_name(const char *commit) { return reel_format("trees/%s.json", commit); }

static bool take_tree(reel_listing *l, const reel_json *files)
{
    for (void *it = reel_json_first(files); it != NULL; it = reel_json_next(files, it)) {
        const reel_json *entry = reel_json_value(it);
        reel_listed *file;
        if (add(l, reel_json_key(it), reel_json_get(entry, "size"), &file, "trees", NULL) != REEL_OK)
            return false;
        copy_id(file->oid, reel_json_get(entry, "blob_id"), 40);
        copy_id(file->lfs, reel_json_get(entry, "lfs_sha256"), 64);
        file->xet = reel_strdup(reel_json_string(reel_json_get(entry, "xet_hash")));
    }
    return true;
}

bool reel_listing_read(int base, const char *commit, reel_listing *l)
{
    enum { LIMIT = 64 << 20 };
    char *name = tree_name(commit), *text = reel_calloc(LIMIT, 1);
    reel_json *j = NULL;
    int64_t version = 0;
    const bool read = name != NULL && text != NULL && base >= 0 && reel_below_read(base, name, text, LIMIT) &&
                      reel_json_parse(text, strlen(text), name, false, &j, NULL) == REEL_OK;
    const bool good = read && reel_json_integer(reel_json_get(j, "format_version"), &version) && version == 1 &&
                      reel_json_is_object(reel_json_get(j, "files")) && take_tree(l, reel_json_get(j, "files"));
    if (!good)
        reel_listing_free(l);
    reel_json_free(j);
    reel_free(text);
    reel_free(name);
    return good;
}

static bool set_file(reel_json *files, const reel_listed *f)
{
    reel_json *entry = reel_json_object();
    bool good = entry != NULL && reel_json_set_int(entry, "size", f->size) && reel_json_set_string(entry, "blob_id", f->oid);
    if (good && f->lfs[0] != '\0')
        good = reel_json_set_string(entry, "lfs_sha256", f->lfs) && reel_json_set_int(entry, "lfs_size", f->size);
    if (good && f->xet != NULL)
        good = reel_json_set_string(entry, "xet_hash", f->xet);
    if (good)
        return reel_json_set(files, f->path, entry);
    reel_json_free(entry);
    return false;
}

void reel_listing_note(int base, const char *commit, const reel_listing *l)
{
    reel_json *root = reel_json_object(), *files = reel_json_object();
    bool good = root != NULL && files != NULL && reel_json_set_int(root, "format_version", 1);
    for (size_t i = 0; good && i < l->n; i++)
        good = l->file[i].oid[0] != '\0' && set_file(files, &l->file[i]);
    if (good)
        good = reel_json_set(root, "files", files);
    else
        reel_json_free(files);
    char *text = good ? reel_json_dump(root, 1, REEL_JSON_KEEP) : NULL, *name = tree_name(commit);
    if (text != NULL && name != NULL)
        reel_below_write(base, name, name, text, strlen(text), NULL);
    reel_free(text);
    reel_free(name);
    reel_json_free(root);
}

/* ---- choosing ---- */

reel_patterns reel_patterns_of(const reel_list *list)
{
    return (reel_patterns){(const char *const *)list->item, list->n};
}

static bool fits(const char *pattern, const char *path)
{
    const size_t n = strlen(pattern);
    if (strcmp(pattern, path) == 0)
        return true;
    if (n == 0 || pattern[n - 1] != '/')
        return fnmatch(pattern, path, 0) == 0;
    char *below = reel_format("%s*", pattern);
    const bool good = strncmp(pattern, path, n) == 0 || (below != NULL && fnmatch(below, path, 0) == 0);
    reel_free(below);
    return good;
}

bool reel_pattern_match(reel_patterns patterns, const char *path)
{
    for (size_t i = 0; i < patterns.n; i++)
        if (fits(patterns.item[i], path))
            return true;
    return false;
}

bool reel_pattern_wanted(reel_patterns include, reel_patterns exclude, const char *path)
{
    return (include.n == 0 || reel_pattern_match(include, path)) && !reel_pattern_match(exclude, path);
}

void reel_listing_filter(reel_listing *l, reel_patterns include, reel_patterns exclude)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->n; i++) {
        const char *path = l->file[i].path;
        if (reel_pattern_wanted(include, exclude, path)) {
            l->file[kept++] = l->file[i];
        } else {
            reel_free(l->file[i].path);
            reel_free(l->file[i].xet);
        }
    }
    l->n = kept;
}

static int compare_caseless(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcasecmp(*x, *y);
}

const char *reel_listing_twins(const reel_listing *l)
{
    const char **names = reel_calloc(l->n, sizeof *names), *twin = NULL;
    for (size_t i = 0; names != NULL && i < l->n; i++)
        names[i] = l->file[i].path;
    if (names != NULL)
        qsort(names, l->n, sizeof *names, compare_caseless);
    for (size_t i = 1; names != NULL && i < l->n && twin == NULL; i++)
        if (strcasecmp(names[i], names[i - 1]) == 0)
            twin = names[i];
    reel_free(names);
    return twin;
}

const char *reel_listing_near(const reel_listing *l, const char *name)
{
    const char *near = NULL;
    size_t least = strlen(name) < 5 ? 2 : 4;
    for (size_t i = 0; i < l->n; i++) {
        const char *path = l->file[i].path;
        const bool same_last = strcasecmp(reel_path_base(path), reel_path_base(name)) == 0;
        const size_t d = same_last ? 1 : strlen(path) < 256 && strlen(name) < 256 ? reel_edit_distance(name, path) : least;
        if (d < least) {
            least = d;
            near = path;
        }
    }
    return near;
}
