#include "hub/token.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

enum { INI_LIMIT = 1 << 20 };

/* ---- the INI text ---- */

/* Is it "[name]"? */
static bool is_section(const char *line, const char *name)
{
    const size_t n = strlen(name);
    return line[0] == '[' && strncmp(line + 1, name, n) == 0 && line[1 + n] == ']';
}

/* The value of "key = value", cut from blanks, into out; false where the line is another. */
static bool value_of(const char *line, const char *key, char *out, size_t size)
{
    const size_t n = strlen(key), end = strcspn(line, "\r\n");
    if (strncasecmp(line, key, n) != 0)
        return false;
    const char *v = line + n + strspn(line + n, " \t");
    if (*v != '=' && *v != ':')
        return false;
    v += 1 + strspn(v + 1, " \t");
    size_t length = v < line + end ? (size_t)(line + end - v) : 0;
    while (length > 0 && (v[length - 1] == ' ' || v[length - 1] == '\t'))
        length--;
    snprintf(out, size, "%.*s", (int)length, v);
    return true;
}

char *reel_token_merged(const char *ini, const char *name, const char *token)
{
    reel_text out = {0};
    bool ours = false;
    for (const char *line = ini; *line != '\0'; line += reel_line_length(line)) {
        if (line[0] == '[')
            ours = is_section(line, name);
        if (!ours)
            reel_text_add(&out, line, reel_line_length(line));
    }
    if (out.len > 0 && out.s[out.len - 1] != '\n')
        reel_text_puts(&out, "\n");
    reel_text_printf(&out, "[%s]\nhf_token = %s\n\n", name, token);
    return reel_text_take(&out);
}

int64_t reel_token_expires(const char *ini, const char *token)
{
    char value[4096];
    int64_t expires = 0, at;
    bool ours = false;
    for (const char *line = ini; *line != '\0'; line += reel_line_length(line)) {
        if (line[0] == '[') {
            if (ours)
                break;
            expires = 0;
        }
        if (value_of(line, "hf_token", value, sizeof value))
            ours = strcmp(value, token) == 0;
        else if (value_of(line, "expires_at", value, sizeof value) && reel_parse_int(value, &at))
            expires = at;
    }
    explicit_bzero(value, sizeof value);
    return ours ? expires : 0;
}

/* ---- the files ---- */

/* NULL where there is none. */
static reel_status read_ini(const reel_hub *hub, char **text, reel_error *err)
{
    size_t n;
    *text = NULL;
    return reel_exists(hub->stored_path) ? reel_file_read(hub->stored_path, INI_LIMIT, text, &n, err) : REEL_OK;
}

bool reel_token_expired(const reel_hub *hub, const char *token)
{
    char *ini = NULL;
    if (read_ini(hub, &ini, NULL) != REEL_OK || ini == NULL)
        return false;  /* it is an addition, and the Hub knows better */
    const int64_t expires = reel_token_expires(ini, token);
    reel_hub_forget(&ini);
    return expires != 0 && expires <= (int64_t)time(NULL);
}

static reel_status write_secret(const char *path, const char *text, reel_error *err)
{
    return reel_file_write_mode(path, text, strlen(text), S_IRUSR | S_IWUSR, err);
}

/* The folder is closed to others where reel made it or it is the Hub's own; one that others use too stays as it is. */
reel_status reel_token_store(const reel_hub *hub, const char *token, const char *name, reel_error *err)
{
    char *dir = NULL, *ini = NULL, *merged = NULL, *shown = NULL;
    struct stat st;
    if (hub->token_path[0] == '\0')
        return reel_fail(err, REEL_ERR_NOT_FOUND, "there is no place for the token: set HF_HOME or HOME");
    reel_status status = REEL_OK;
    if ((dir = reel_path_parent(hub->token_path)) == NULL)
        REEL_TRY(reel_fail_nomem(err, hub->token_path));
    const bool ours = !reel_exists(dir) || reel_same_file(dir, hub->home);
    REEL_TRY(reel_dir_make(dir, err));
    if (ours && (stat(dir, &st) != 0 || (st.st_mode & (S_ISVTX | S_IWOTH)) == 0) && chmod(dir, 0700) != 0 && errno != EPERM && errno != EROFS)
        REEL_TRY(reel_fail_errno(err, errno, dir, "change the permissions"));
    REEL_TRY(read_ini(hub, &ini, err));
    shown = reel_strdup(name);
    for (char *c = shown; c != NULL && *c != '\0'; c++)
        if (strchr("[]\r\n", *c) != NULL)
            *c = '_';  /* it would end the section's line */
    if (shown == NULL || (merged = reel_token_merged(ini != NULL ? ini : "", shown, token)) == NULL)
        REEL_TRY(reel_fail_nomem(err, hub->stored_path));
    REEL_TRY(write_secret(hub->stored_path, merged, err));
    REEL_TRY(write_secret(hub->token_path, token, err));
done:
    reel_free(dir);
    reel_free(shown);
    reel_hub_forget(&ini);
    reel_hub_forget(&merged);
    return status;
}

reel_status reel_token_remove(const reel_hub *hub, bool *had, reel_error *err)
{
    const char *const paths[] = {hub->token_path, hub->stored_path};
    *had = false;
    for (size_t i = 0; i < 2; i++) {
        if (paths[i][0] == '\0')
            continue;
        if (unlink(paths[i]) == 0)
            *had = true;
        else if (errno != ENOENT && errno != ENOTDIR)
            return reel_fail_errno(err, errno, paths[i], "remove");
    }
    return REEL_OK;
}
