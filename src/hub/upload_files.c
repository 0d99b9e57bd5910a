/* The files of an upload: which of a folder's are meant, what must not go out by mistake, and the names of their bytes. */
#include "hub/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "hub/listing.h"

enum { DEPTH_MOST = 64, SMALL = 1 << 20, PIECE = 1 << 20 };

typedef struct collecting {
    reel_upload *u;
    char root[PATH_MAX];     /* the folder or file, without links */
    char target[PATH_MAX];   /* of the link that is looked at */
    char *token;             /* must not be in any of the files; NULL: none */
} collecting;

void reel_up_files_free(reel_up_files *files)
{
    for (size_t i = 0; i < files->n; i++) {
        reel_free(files->item[i].name);
        reel_free(files->item[i].path);
    }
    reel_free(files->item);
    *files = (reel_up_files){0};
}

/* ---- what is never sent, and what looks like a secret ---- */

/* Of git and of caches. */
static bool private_folder(const char *name)
{
    return strcmp(name, ".git") == 0 || strcmp(name, ".cache") == 0;
}

bool reel_upload_is_private(const char *path)
{
    return reel_pattern_match(REEL_PATTERNS(".git", ".git/*", "*/.git", "*/.git/*", ".cache", ".cache/*", "*/.cache", "*/.cache/*"), path);
}

static bool secret_name(const char *name)
{
    return reel_pattern_match(REEL_PATTERNS(".env", ".env.*", ".netrc", "*.pem", "*.p12", "id_*"), reel_path_base(name));
}

/* The files in which a token lies, this one's or another. */
static bool token_file(const collecting *c, const char *path)
{
    const reel_hub *hub = c->u->s.hub;
    return reel_same_file(path, hub->token_path) || reel_same_file(path, hub->stored_path);
}

static reel_status secret_check(const collecting *c, const reel_up_file *f, reel_error *err)
{
    char *text = NULL;
    size_t n;
    reel_status status = REEL_OK;
    if (c->u->push->force)
        return REEL_OK;
    if (token_file(c, f->path))
        return reel_fail(err, REEL_ERR_ARG, "%s is a file of tokens for the Hub. Leave it out (--exclude %s); --force sends it all "
                         "the same", f->path, f->name);
    if (secret_name(f->name) || secret_name(f->path))
        return reel_fail(err, REEL_ERR_ARG, "%s looks like a secret by its name, and all can read what is on the Hub. Leave it out "
                         "(--exclude %s), or send it all the same with --force", f->path, f->name);
    if (c->token == NULL || f->size > SMALL)
        return REEL_OK;
    status = reel_up_file_read(f, SMALL, &text, &n, err);
    if (status == REEL_OK && memmem(text, n, c->token, strlen(c->token)) != NULL)
        status = reel_fail(err, REEL_ERR_ARG, "%s holds your token for the Hub. Take it out, or leave the file out (--exclude %s); "
                           "--force sends it all the same", f->path, f->name);
    reel_free(text);
    return status;
}

/* What is named itself may be of git: its config can hold a password. */
static reel_status git_check(const collecting *c, const char *path, reel_error *err)
{
    if (c->u->push->force || !reel_pattern_match(REEL_PATTERNS("*/.git", "*/.git/*"), c->root))
        return REEL_OK;
    return reel_fail(err, REEL_ERR_ARG, "%s is in a folder .git, whose files may hold passwords, and all can read what is on the Hub; "
                     "--force sends it all the same", path);
}

/* ---- the folder ---- */

/* Takes name. */
static reel_status add(collecting *c, char *name, const char *path, const struct stat *st, reel_error *err)
{
    reel_up_files *all = &c->u->files;
    reel_up_file f = {.name = name, .path = reel_strdup(path), .size = (uint64_t)st->st_size, .changed = st->st_mtim};
    reel_status status = REEL_OK;
    if (name == NULL || f.path == NULL || !reel_grow((void **)&all->item, &all->capacity, all->n, sizeof f))
        status = reel_fail_nomem(err, path);
    else if (!reel_repo_file_valid(name) || reel_pattern_match(REEL_PATTERNS("*/.cache/*", ".cache/*"), name))
        status = reel_fail(err, REEL_ERR_ARG, "%s: '%s' cannot be a file's name on the Hub (no '\\', no control characters, no part '..', "
                           "'.git' or '.cache', UTF-8). Rename it, or leave it out with --exclude", path, name);
    else
        status = secret_check(c, &f, err);
    if (status == REEL_OK) {
        all->item[all->n++] = f;
        return REEL_OK;
    }
    reel_free(f.path);
    reel_free(name);
    return status;
}

/* A link is followed to a file inside the folder, and nowhere else. What stays because of its name is not sent under the name of
 * a link either: `stays`. */
static reel_status follow(collecting *c, const char *path, struct stat *st, bool *stays, reel_error *err)
{
    const size_t n = strcmp(c->root, "/") == 0 ? 0 : strlen(c->root);
    if (realpath(path, c->target) == NULL || stat(c->target, st) != 0)
        return reel_fail_errno(err, errno, path, "follow the link");
    if (strncmp(c->target, c->root, n) != 0 || c->target[n] != '/')
        return reel_fail(err, REEL_ERR_ARG, "%s is a link to something outside the folder, and is not followed. Copy the file there, or "
                         "leave it out with --exclude", path);
    *stays = reel_upload_is_private(c->target + n + 1);
    if (*stays)
        reel_log(c->u->s.ctx, REEL_LOG_WARNING, "hub", "%s is left out: it is a link to %s, and nothing of .git and .cache is sent", path,
                 c->target + n + 1);
    return REEL_OK;
}

static char *name_of(const char *folder, const char *name)
{
    return folder[0] != '\0' ? reel_path_join(folder, name) : reel_strdup(name);
}

static reel_status walk(collecting *c, const char *dir, const char *folder, int depth, reel_error *err);

/* `name`: seen from the folder that is sent. */
static reel_status look(collecting *c, const char *path, const char *name, int depth, reel_error *err)
{
    const reel_push *p = c->u->push;
    const char *bytes = path;
    struct stat st;
    bool stays = false;
    reel_status status = REEL_OK;
    if (lstat(path, &st) != 0)
        return reel_fail_errno(err, errno, path, "look at");
    if (S_ISDIR(st.st_mode))
        return walk(c, path, name, depth + 1, err);
    if (!reel_pattern_wanted(p->include, p->exclude, name))
        return REEL_OK;
    if (S_ISLNK(st.st_mode)) {
        status = follow(c, path, &st, &stays, err);
        bytes = c->target;  /* what was judged is what is read, wherever the link leads by then */
    }
    if (status != REEL_OK || stays)
        return status;
    if (!S_ISREG(st.st_mode))
        return reel_fail(err, REEL_ERR_ARG, "%s is %s, which the Hub cannot hold. Leave it out with --exclude", path,
                         S_ISDIR(st.st_mode) ? "a link to a folder" : "no regular file");
    return add(c, name_of(p->inside != NULL ? p->inside : "", name), bytes, &st, err);
}

static reel_status walk(collecting *c, const char *dir, const char *folder, int depth, reel_error *err)
{
    reel_names names = {0};
    if (depth > DEPTH_MOST)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: more than %d folders inside one another", dir, DEPTH_MOST);
    reel_status status = reel_dir_list(dir, &names, err);
    for (size_t i = 0; i < names.n && status == REEL_OK; i++) {
        if (private_folder(names.name[i]))
            continue;
        char *path = reel_path_join(dir, names.name[i]), *name = name_of(folder, names.name[i]);
        status = path == NULL || name == NULL ? reel_fail_nomem(err, dir) : look(c, path, name, depth, err);
        reel_free(path);
        reel_free(name);
    }
    reel_names_free(&names);
    return status;
}

static reel_status one_file(collecting *c, const char *path, reel_error *err)
{
    const char *inside = c->u->push->inside;
    struct stat st;
    if (stat(c->root, &st) != 0)
        return reel_fail_errno(err, errno, path, "look at");
    if (!S_ISREG(st.st_mode))
        return reel_fail(err, REEL_ERR_ARG, "%s is neither a folder nor a regular file", path);
    const size_t n = inside != NULL ? strlen(inside) : 0;
    char *name = n == 0 ? reel_strdup(reel_path_base(path)) : inside[n - 1] == '/' ? reel_format("%s%s", inside, reel_path_base(path))
                                                                                  : reel_strdup(inside);
    return add(c, name, c->root, &st, err);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const reel_up_file *)a)->name, ((const reel_up_file *)b)->name);
}

reel_status reel_upload_collect(reel_upload *u, reel_error *err)
{
    collecting c = {.u = u};
    const char *from;
    reel_status status = REEL_OK;
    char *path = reel_path_trim(u->push->path);
    if (path == NULL)
        return reel_fail_nomem(err, "files");
    if (!reel_exists(path)) {
        status = reel_fail(err, REEL_ERR_NOT_FOUND, "%s: there is no such file or folder", path);
        goto done;
    }
    REEL_TRY(reel_hub_token(u->s.hub, &c.token, &from, err));
    if (realpath(path, c.root) == NULL) {
        status = reel_fail_errno(err, errno, path, "look at");
        goto done;
    }
    REEL_TRY(git_check(&c, path, err));
    status = reel_is_dir(path) ? walk(&c, path, "", 0, err) : one_file(&c, path, err);
    if (status == REEL_OK && u->files.n == 0)
        status = reel_fail(err, REEL_ERR_NOT_FOUND, "%s: no file to send%s", path,
                           u->push->include.n > 0 ? " (does --include fit?)" : "");
    if (status == REEL_OK)
        qsort(u->files.item, u->files.n, sizeof *u->files.item, by_name);
done:
    reel_hub_forget(&c.token);
    reel_free(path);
    return status;
}

/* ---- bytes ---- */

static bool is_as_it_was(const reel_up_file *f, int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && (uint64_t)st.st_size == f->size && st.st_mtim.tv_sec == f->changed.tv_sec &&
           st.st_mtim.tv_nsec == f->changed.tv_nsec;
}

static reel_status fail_changed(const reel_up_file *f, reel_error *err)
{
    return reel_fail(err, REEL_ERR_MISMATCH, "%s was changed while it was being sent; nothing of this upload is on the Hub yet. Start it "
                     "again when the file stays as it is", f->path);
}

reel_status reel_up_file_open(const reel_up_file *f, int *fd, reel_error *err)
{
    uint64_t size;
    reel_status status = reel_file_open(f->path, fd, &size, err);
    if (status == REEL_OK && !is_as_it_was(f, *fd)) {
        close(*fd);
        *fd = -1;
        status = fail_changed(f, err);
    }
    return status;
}

reel_status reel_up_file_read(const reel_up_file *f, size_t limit, char **data, size_t *n, reel_error *err)
{
    int fd;
    *data = NULL;
    *n = 0;
    reel_status status = reel_up_file_open(f, &fd, err);
    if (status != REEL_OK)
        return status;
    status = reel_file_read_open(fd, f->size, f->path, limit, data, n, err);
    if (!is_as_it_was(f, fd)) {
        reel_free(*data);
        *data = NULL;
        status = fail_changed(f, err);
    }
    close(fd);
    return status;
}

static reel_status read_through(reel_upload *u, const reel_up_file *f, int fd, reel_sha256 *h, reel_error *err)
{
    reel_status status = REEL_OK;
    uint64_t at = 0;
    char *piece = reel_calloc(1, PIECE);
    if (piece == NULL)
        return reel_fail_nomem(err, f->path);
    reel_upload_tell(u, f->name, 0);
    while (at < f->size && status == REEL_OK) {
        const ssize_t got = pread(fd, piece, PIECE, (off_t)at);
        if (reel_cancelled(u->s.ctx))
            status = reel_fail_cancelled(err);
        else if (got < 0)
            status = reel_fail_errno(err, errno, f->path, "read");
        else if (got == 0)
            status = fail_changed(f, err);
        else
            reel_sha256_add(h, piece, (size_t)got);
        at += got > 0 ? (uint64_t)got : 0;
    }
    if (status == REEL_OK && (at != f->size || !is_as_it_was(f, fd)))
        status = fail_changed(f, err);
    reel_free(piece);
    return status;
}

/* The name of all bytes: git's, or SHA-256. */
static reel_status name_bytes(reel_upload *u, const reel_up_file *f, bool git, char *out, reel_error *err)
{
    reel_sha256 h = {0};
    char hex[65];
    int fd = -1;
    reel_status status = REEL_OK;
    REEL_TRY(reel_up_file_open(f, &fd, err));
    REEL_TRY(git ? reel_git_id_begin(&h, f->size, err) : reel_sha256_begin(&h, err));
    REEL_TRY(read_through(u, f, fd, &h, err));
    reel_sha256_end(&h, hex);
    memcpy(out, hex, git ? 41 : 65);
done:
    reel_sha256_drop(&h);
    if (fd >= 0)
        close(fd);
    return status;
}

reel_status reel_up_file_sha256(reel_upload *u, reel_up_file *f, reel_error *err)
{
    return f->sha256[0] != '\0' ? REEL_OK : name_bytes(u, f, false, f->sha256, err);
}

reel_status reel_up_file_git(reel_upload *u, reel_up_file *f, reel_error *err)
{
    return f->git[0] != '\0' ? REEL_OK : name_bytes(u, f, true, f->git, err);
}
