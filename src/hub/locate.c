#include "hub/locate.h"

#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "format/processor_names.h"
#include "format/weights.h"
#include "hub/cache.h"
#include "hub/listing.h"
#include "hub/pool.h"

enum { INDEX_LIMIT = 64 << 20, THREADS = 4 };

static const char *const processors[] = {REEL_PROCESSOR_NAMES};
enum { PROCESSORS = sizeof processors / sizeof *processors };

/* A repository on its way into the cache. */
typedef struct place {
    reel_context *ctx;
    reel_session s;
    reel_hub_name name;
    reel_repo repo;            /* its revision: as given, then the commit */
    char commit[41];
    bool copied;               /* the Hub does not answer: what is here must do */
    bool partial;              /* and that is not all */
    double told;
} place;

static void close_place(place *p)
{
    reel_session_close(&p->s);
    reel_hub_name_free(&p->name);
}

/* Something large is on its way: said when it begins, and every ten seconds. */
static void on_event(const reel_hub_event *e, void *user)
{
    enum { LARGE = 4 << 20, EVERY = 10 };
    place *p = user;
    if (e->total < LARGE || e->done >= e->total || reel_now() - p->told < EVERY)
        return;
    if (p->told == 0)
        reel_log(p->ctx, REEL_LOG_NOTE, "hub", "fetching %s of %s, %.0f MB", e->what, p->repo.id, (double)e->total / 1e6);
    else
        reel_log(p->ctx, REEL_LOG_NOTE, "hub", "fetching %s of %s: %.0f of %.0f MB", e->what, p->repo.id, (double)e->done / 1e6,
                 (double)e->total / 1e6);
    p->told = reel_now();
}

static reel_status get(place *p, reel_wanted *w, size_t n, reel_error *err)
{
    const reel_pool pool = {.repo = p->repo, .threads = THREADS, .patient = p->partial, .event = on_event, .user = p};
    p->told = 0;
    return reel_pool_get(&pool, &p->s, w, n, 0, err);
}

/* The first file: from it on, all are of its commit. */
static reel_status get_first(place *p, const char *file, reel_error *err)
{
    reel_wanted w = {.file = file};
    reel_status status = get(p, &w, 1, err);
    if (status == REEL_OK) {
        memcpy(p->commit, w.got.commit, 41);
        p->repo.revision = p->commit;
        p->copied = w.got.copied;
    }
    return status;
}

/* A file that may be missing; what is known of that is not asked for again, since a commit does not change. */
static reel_status get_optional(place *p, const char *file, bool *has, reel_error *err)
{
    reel_hub_cache c;
    reel_wanted w = {.file = file};
    reel_error own = {0};
    *has = false;
    if (reel_hub_cache_open(p->s.hub, &p->repo, false, &c, NULL) == REEL_OK) {
        *has = reel_hub_cache_has(&c, p->commit, file, "");
        const bool settled = *has || reel_hub_cache_lacks(&c, p->commit, file) || p->s.hub->offline || p->copied;
        reel_hub_cache_close(&c);
        if (settled)
            return REEL_OK;
    }
    reel_status status = get(p, &w, 1, &own);
    *has = status == REEL_OK;
    if (status == REEL_OK || w.got.missing)
        return REEL_OK;
    if (err != NULL)
        *err = own;
    return status;
}

/* ---- weights ---- */

/* The files that an index names. */
typedef struct shards { reel_json *j; reel_weights_places places; reel_wanted *w; size_t n; } shards;

static void free_shards(shards *s)
{
    reel_weights_places_free(&s->places);
    reel_json_free(s->j);
    reel_free(s->w);
}

/* Checked as if a server had named them. */
static reel_status read_shards(const reel_hub_cache *c, const char *commit, const char *index, shards *s, reel_error *err)
{
    reel_status status = REEL_OK;
    char *path = reel_hub_cache_path(c, commit, index);
    *s = (shards){0};
    if (path == NULL)
        return reel_fail_nomem(err, index);
    REEL_TRY(reel_json_read(path, INDEX_LIMIT, false, &s->j, err));
    REEL_TRY(reel_weights_places_read(s->j, path, &s->places, err));
    if ((s->w = reel_calloc(s->places.shards, sizeof *s->w)) == NULL)
        REEL_TRY(reel_fail_nomem(err, index));
    for (size_t i = 0; i < s->places.n; i = reel_weights_places_next(&s->places, i)) {
        const char *file = s->places.place[i].shard;
        if (!reel_repo_file_valid(file))
            REEL_TRY(reel_fail(err, REEL_ERR_FORMAT, "%s: weight_map names '%.200s', which cannot be one of its files", path, file));
        s->w[s->n++] = (reel_wanted){.file = file};
    }
done:
    reel_free(path);
    return status;
}

static reel_status get_shards(place *p, const char *index, reel_error *err)
{
    reel_hub_cache c;
    shards s;
    reel_status status = reel_hub_cache_open(p->s.hub, &p->repo, false, &c, err);
    if (status != REEL_OK)
        return status;
    status = read_shards(&c, p->commit, index, &s, err);
    reel_hub_cache_close(&c);
    if (status == REEL_OK)
        status = get(p, s.w, s.n, err);
    free_shards(&s);
    return status;
}

static reel_status get_weights(place *p, reel_error *err)
{
    for (size_t i = 0; i < REEL_WEIGHTS_FORMS; i++) {
        const reel_weights_form *form = &reel_weights_form_of[i];
        bool has;
        reel_status status = get_optional(p, form->file, &has, err);
        if (status != REEL_OK)
            return status;
        if (has)
            return form->index ? get_shards(p, form->file, err) : REEL_OK;
    }
    return reel_fail(err, REEL_ERR_NOT_FOUND,
                     "%s: it has no weights in a form that is read (model.safetensors, pytorch_model.bin, or their shards)%s",
                     p->repo.id, p->s.hub->offline ? ", or they are not in the cache; offline mode is on"
                     : p->copied ? ", or they are not in the cache, and the Hub does not answer" : "");
}

/* ---- what is here already ---- */

static bool has_shards(const reel_hub_cache *c, const char *commit, const char *index)
{
    shards s;
    bool has = read_shards(c, commit, index, &s, NULL) == REEL_OK;
    for (size_t i = 0; has && i < s.n; i++)
        has = reel_hub_cache_has(c, commit, s.w[i].file, "");
    free_shards(&s);
    return has;
}

static bool has_weights(const reel_hub_cache *c, const char *commit)
{
    for (size_t i = 0; i < REEL_WEIGHTS_FORMS; i++) {
        const reel_weights_form *form = &reel_weights_form_of[i];
        if (reel_hub_cache_has(c, commit, form->file, ""))
            return !form->index || has_shards(c, commit, form->file);
    }
    return false;
}

static bool is_listed(const reel_listing *l, const char *file)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->file[i].path, file) == 0)
            return true;
    return false;
}

/* One of them, or none is known to be all there is. */
static bool has_processor(const reel_hub_cache *c, const char *commit)
{
    reel_listing tree = {0};
    bool has = false, settled = true;
    const bool listed = reel_listing_read(c->repo, commit, &tree);
    for (size_t i = 0; i < PROCESSORS; i++) {
        has = has || reel_hub_cache_has(c, commit, processors[i], "");
        settled = settled && (reel_hub_cache_lacks(c, commit, processors[i]) || (listed && !is_listed(&tree, processors[i])));
    }
    reel_listing_free(&tree);
    return has || settled;
}

/* Can what is here serve as it is, without the Hub? */
static bool has_model(const place *p, bool weights)
{
    reel_hub_cache c;
    char commit[41];
    if (reel_hub_cache_open(p->s.hub, &p->repo, false, &c, NULL) != REEL_OK)
        return false;
    const bool has = reel_hub_cache_commit(&c, p->repo.revision, commit) && reel_hub_cache_has(&c, commit, "config.json", "") &&
                     has_processor(&c, commit) && (!weights || has_weights(&c, commit));
    reel_hub_cache_close(&c);
    return has;
}

/* ---- models ---- */

/* What looked like a folder that is not there may have been meant as one. */
static reel_status explain(const place *p, reel_status status, const char *kind, reel_error *err)
{
    char said[REEL_ERROR_SIZE];
    if (err == NULL || (status != REEL_ERR_NOT_FOUND && status != REEL_ERR_NETWORK))
        return status;
    snprintf(said, sizeof said, "%s", err->message);
    return reel_fail(err, status, "%s: no such %s, and from the Hub it cannot be had: %s", p->repo.id, kind, said);
}

static reel_status bring_model(place *p, bool weights, reel_error *err)
{
    bool has;
    p->partial = !has_model(p, weights);
    reel_status status = get_first(p, "config.json", err);
    for (size_t i = 0; status == REEL_OK && i < PROCESSORS; i++)
        status = get_optional(p, processors[i], &has, err);
    return status == REEL_OK && weights ? get_weights(p, err) : status;
}

static reel_status path_of(const place *p, const char *file, char **path, reel_error *err)
{
    reel_hub_cache c;
    reel_status status = reel_hub_cache_open(p->s.hub, &p->repo, false, &c, err);
    if (status != REEL_OK)
        return status;
    *path = reel_hub_cache_path(&c, p->commit, file);
    reel_hub_cache_close(&c);
    return *path != NULL ? REEL_OK : reel_fail_nomem(err, p->repo.id);
}

static reel_status as_it_is(const char *name, char **out, reel_error *err)
{
    *out = reel_strdup(name);
    return *out != NULL ? REEL_OK : reel_fail_nomem(err, name);
}

typedef enum wanted { MODEL, PROCESSOR, DATA } wanted;

static reel_status bring(place *p, wanted what, const char *file, reel_error *err)
{
    reel_status status = reel_session_open(p->ctx, &p->s, err);
    if (status != REEL_OK)
        return status;
    return what == DATA ? get_first(p, file, err) : bring_model(p, what == MODEL, err);
}

/* A model is named without a file, data with one; *path is the snapshot's folder, or the file. */
static reel_status locate(reel_context *ctx, const char *name, wanted what, char **path, reel_error *err)
{
    place p = {.ctx = ctx};
    bool nomem;
    reel_error own = {0};
    *path = NULL;
    if (err == NULL)
        err = &own;
    if (!reel_hub_name_read(name, what == DATA, &p.name, &nomem))
        return nomem ? reel_fail_nomem(err, name) : as_it_is(name, path, err);
    const char *file = p.name.file;
    p.repo = (reel_repo){what == DATA ? REEL_REPO_DATASET : REEL_REPO_MODEL, p.name.id, p.name.revision};
    reel_status status = bring(&p, what, file, err);
    status = status == REEL_OK ? path_of(&p, what == DATA ? file : NULL, path, err) : explain(&p, status, what == DATA ? "file" : "folder", err);
    if (status == REEL_OK && what != DATA)
        reel_log(ctx, REEL_LOG_DETAIL, "hub", "%s at commit %.12s: %s", p.repo.id, p.commit, *path);
    close_place(&p);
    return status;
}

reel_status reel_hub_locate_model(reel_context *ctx, const char *name, char **dir, reel_error *err)
{
    return locate(ctx, name, MODEL, dir, err);
}

reel_status reel_hub_locate_processor(reel_context *ctx, const char *name, char **dir, reel_error *err)
{
    return locate(ctx, name, PROCESSOR, dir, err);
}

reel_status reel_hub_locate_data(reel_context *ctx, const char *name, char **path, reel_error *err)
{
    return locate(ctx, name, DATA, path, err);
}
