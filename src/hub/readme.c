/* README.md of a repository, as it is now: what a push may not simply write over. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "hub/card.h"
#include "hub/get.h"
#include "hub/push.h"

static reel_status read_cached(const reel_session *s, const reel_repo *repo, const char *commit, char **text, reel_error *err)
{
    reel_hub_cache c;
    size_t n;
    reel_status status = reel_hub_cache_open(s->hub, repo, false, &c, err);
    if (status != REEL_OK)
        return status;
    char *path = reel_hub_cache_path(&c, commit, "README.md");
    status = path != NULL ? reel_file_read(path, REEL_CARD_LIMIT, text, &n, err) : reel_fail_nomem(err, repo->id);
    reel_hub_cache_close(&c);
    reel_free(path);
    return status;
}

reel_status reel_hub_readme(reel_context *ctx, const char *id, const char *revision, char **text, reel_error *err)
{
    reel_session s = {0};
    reel_get get = {.repo = {REEL_REPO_MODEL, id, revision}};
    reel_got got = {0};
    char commit[41];
    reel_answer_kind kind = REEL_ANSWER_OK;
    *text = NULL;
    reel_status status = reel_session_open(ctx, &s, err);
    if (status == REEL_OK)
        status = reel_session_commit(&s, &get.repo, commit, &kind, err);
    if (status != REEL_OK) {
        reel_session_close(&s);
        return kind == REEL_ANSWER_NO_REVISION || kind == REEL_ANSWER_NO_REPO ? REEL_OK : status;
    }
    get.repo.revision = commit;
    status = reel_get_file(&s, &get, "README.md", NULL, &got, err);
    if (status == REEL_OK)
        status = read_cached(&s, &get.repo, commit, text, err);
    else if (got.missing)
        status = REEL_OK;
    reel_session_close(&s);
    return status;
}
