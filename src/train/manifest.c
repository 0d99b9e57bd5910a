#include "train/manifest.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <reel/status.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"

enum { MANIFEST_VERSION = 1 };

static reel_status file_size(const char *path, int64_t *size, reel_error *err)
{
    struct stat st;
    if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return reel_fail(err, REEL_ERR_FORMAT, "%s: not a file; the checkpoint is damaged", path);
    *size = (int64_t)st.st_size;
    return REEL_OK;
}

static reel_status entry_make(const char *dir, const char *name, reel_json *files, reel_error *err)
{
    char hex[65];
    int64_t size = 0;
    reel_json *entry = NULL;
    reel_status status = REEL_OK;
    char *path = reel_path_join(dir, name);
    if (path == NULL)
        return reel_fail_nomem(err, dir);
    REEL_TRY(file_size(path, &size, err));
    REEL_TRY(reel_sha256_file(path, hex, err));
    entry = reel_json_object();
    if (entry == NULL || !reel_json_set_int(entry, "size", size) || !reel_json_set_string(entry, "sha256", hex))
        status = reel_fail_nomem(err, path);
    else {
        status = reel_json_set(files, name, entry) ? REEL_OK : reel_fail_nomem(err, path);
        entry = NULL;
    }
done:
    reel_json_free(entry);
    reel_free(path);
    return status;
}

static reel_status text_write(const char *dir, const reel_json *json, reel_error *err)
{
    return reel_file_write_text(dir, REEL_MANIFEST_NAME, reel_json_dump(json, 2, REEL_JSON_SORTED), err);
}

reel_status reel_manifest_write(const char *dir, int64_t step, reel_error *err)
{
    reel_names names = {0};
    reel_status status = REEL_OK;
    reel_json *json = reel_json_object(), *files = reel_json_object();
    if (json == NULL || files == NULL) {
        status = reel_fail_nomem(err, dir);
        goto done;
    }
    REEL_TRY(reel_dir_list(dir, &names, err));
    for (size_t i = 0; i < names.n; i++)
        REEL_TRY(entry_make(dir, names.name[i], files, err));
    bool made = reel_json_set_int(json, "version", MANIFEST_VERSION) && reel_json_set_int(json, "step", step) &&
                reel_json_set_string(json, "reel", reel_version());
    made = reel_json_set(json, "files", files) && made;
    files = NULL;
    if (!made)
        status = reel_fail_nomem(err, dir);
    else
        status = text_write(dir, json, err);
done:
    reel_json_free(json);
    reel_json_free(files);
    reel_names_free(&names);
    return status;
}

static reel_status entry_check(const char *dir, const char *name, const reel_json *entry, bool hashes, reel_error *err)
{
    char hex[65];
    int64_t size = 0, wanted;
    reel_status status = REEL_OK;
    const char *sha = reel_json_string(reel_json_get(entry, "sha256"));
    if (*name == '\0' || strchr(name, '/') != NULL || sha == NULL ||
        !reel_json_integer(reel_json_get(entry, "size"), &wanted))
        return reel_fail(err, REEL_ERR_FORMAT, "%s/" REEL_MANIFEST_NAME ": the entry of %s is damaged", dir, name);
    char *path = reel_path_join(dir, name);
    if (path == NULL)
        return reel_fail_nomem(err, dir);
    REEL_TRY(file_size(path, &size, err));
    if (size != wanted) {
        status =
            reel_fail(err, REEL_ERR_FORMAT, "%s has %lld bytes, its checkpoint was written with %lld; it is damaged",
                      path, (long long)size, (long long)wanted);
        goto done;
    }
    if (!hashes)
        goto done;
    REEL_TRY(reel_sha256_file(path, hex, err));
    if (strcmp(hex, sha) != 0)
        status =
            reel_fail(err, REEL_ERR_FORMAT, "%s: contents differ from what was saved (SHA-256); it is damaged", path);
done:
    reel_free(path);
    return status;
}

reel_status reel_manifest_check(const char *dir, bool hashes, int64_t *step, reel_error *err)
{
    reel_names names = {0};
    reel_json *json = NULL;
    int64_t version, number;
    char *path = reel_path_join(dir, REEL_MANIFEST_NAME);
    reel_status status = REEL_OK;
    if (path == NULL)
        return reel_fail_nomem(err, dir);
    if (!reel_is_dir(dir)) {
        status = reel_fail(err, REEL_ERR_NOT_FOUND, "%s: no such checkpoint folder", dir);
        goto done;
    }
    if (!reel_is_file(path)) {
        status = reel_fail(err, REEL_ERR_NOT_FOUND,
                           "%s has no " REEL_MANIFEST_NAME ": it is not complete, or not written by reel. "
                           "Its weights alone can be taken with --model %s.",
                           dir, dir);
        goto done;
    }
    REEL_TRY(reel_json_read(path, REEL_JSON_LIMIT, false, &json, err));
    const reel_json *files = reel_json_get(json, "files");
    if (!reel_json_integer(reel_json_get(json, "version"), &version) || version != MANIFEST_VERSION ||
        !reel_json_integer(reel_json_get(json, "step"), &number) || number < 0 || !reel_json_is_object(files)) {
        status = reel_fail(err, REEL_ERR_FORMAT, "%s: not the manifest of a checkpoint that this version reads", path);
        goto done;
    }
    REEL_TRY(reel_dir_list(dir, &names, err));
    for (size_t i = 0; i < names.n; i++)
        if (strcmp(names.name[i], REEL_MANIFEST_NAME) != 0 && reel_json_get(files, names.name[i]) == NULL) {
            status = reel_fail(err, REEL_ERR_FORMAT, "%s: %s is not in its manifest; the checkpoint was changed", dir,
                               names.name[i]);
            goto done;
        }
    for (void *it = reel_json_first(files); it != NULL; it = reel_json_next(files, it))
        REEL_TRY(entry_check(dir, reel_json_key(it), reel_json_value(it), hashes, err));
    if (step != NULL)
        *step = number;
done:
    reel_json_free(json);
    reel_names_free(&names);
    reel_free(path);
    return status;
}
