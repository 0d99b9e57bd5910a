/* {train,val,test}/<Class>/clips, or <Class>/clips, with one more folder around it if need be. */
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "data/build.h"
#include "video/decode.h"

enum { DEPTH_LIMIT = 32 };

/* One folder's visible content. */
typedef struct listing {
    reel_names dirs;
    reel_names videos;
    size_t others;         /* files that are no videos */
    char other[256];       /* the first of them */
} listing;

typedef struct visited { dev_t dev; ino_t ino; const struct visited *up; } visited;

typedef struct scan {
    reel_builder *b;
    const char *name;      /* as the person calls the data set */
    size_t others;
    char other[256];       /* a file that is no video, for the message if there is none */
} scan;

static bool is_hidden(const char *name) { return name[0] == '.' || strncmp(name, "__MACOSX", 8) == 0; }

static void listing_free(listing *l)
{
    reel_names_free(&l->dirs);
    reel_names_free(&l->videos);
}

/* Parts the names of a folder into sub-folders, videos and others; arrays of dirs and videos have room for all. */
static reel_status list_folder(const char *path, listing *out, reel_error *err)
{
    reel_status status = REEL_OK;
    reel_names all = { 0 };
    *out = (listing){ 0 };
    REEL_TRY(reel_dir_list(path, &all, err));
    out->dirs.name = reel_calloc(all.n, sizeof(char *));
    out->videos.name = reel_calloc(all.n, sizeof(char *));
    if (out->dirs.name == NULL || out->videos.name == NULL)
        REEL_TRY(reel_fail_nomem(err, path));
    for (size_t i = 0; i < all.n; i++) {
        if (is_hidden(all.name[i]))
            continue;
        char *full = reel_path_join(path, all.name[i]);
        if (full == NULL)
            REEL_TRY(reel_fail_nomem(err, path));
        bool dir = reel_is_dir(full);
        reel_free(full);
        if (dir || reel_video_name(all.name[i])) {
            reel_names *to = dir ? &out->dirs : &out->videos;
            to->name[to->n++] = all.name[i];
            all.name[i] = NULL;
        } else if (out->others++ == 0) {
            reel_escape(out->other, sizeof out->other, all.name[i]);
        }
    }
done:
    reel_names_free(&all);
    if (status != REEL_OK)
        listing_free(out);
    return status;
}

/* All videos below `path`; `shown` is the same place relative to the data set. */
static reel_status walk(scan *s, const char *path, const char *shown, int label, int split, int depth, const visited *up,
                        reel_error *err)
{
    reel_status status = REEL_OK;
    listing l = { 0 };
    char *full = NULL, *part = NULL;
    struct stat st;
    if (stat(path, &st) != 0)
        return REEL_OK;  /* gone since it was listed */
    for (const visited *v = up; v != NULL; v = v->up)
        if (v->dev == st.st_dev && v->ino == st.st_ino)
            return REEL_OK;  /* a link back to a folder that we are in */
    if (depth > DEPTH_LIMIT)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: more than %d folders deep", path, DEPTH_LIMIT);
    const visited here = { st.st_dev, st.st_ino, up };
    REEL_TRY(list_folder(path, &l, err));
    for (size_t i = 0; i < l.videos.n + l.dirs.n; i++) {
        bool video = i < l.videos.n;
        const char *name = video ? l.videos.name[i] : l.dirs.name[i - l.videos.n];
        full = reel_path_join(path, name);
        part = reel_path_join(shown, name);
        if (full == NULL || part == NULL)
            REEL_TRY(reel_fail_nomem(err, path));
        REEL_TRY(video ? reel_build_item(s->b, full, part, label, split, err)
                       : walk(s, full, part, label, split, depth + 1, &here, err));
        reel_free(full);
        reel_free(part);
        full = part = NULL;
    }
    if (l.others > 0 && s->others == 0)
        memcpy(s->other, l.other, sizeof s->other);
    s->others += l.others;
done:
    listing_free(&l);
    reel_free(full);
    reel_free(part);
    return status;
}

/* The class folders of one split, added to the classes of the data set. */
static reel_status add_classes(scan *s, const char *path, const char *shown, reel_error *err)
{
    reel_status status = REEL_OK;
    listing l = { 0 };
    REEL_TRY(list_folder(path, &l, err));
    for (size_t i = 0; i < l.dirs.n; i++) {
        if (!reel_utf8_valid(l.dirs.name[i], strlen(l.dirs.name[i])))
            REEL_TRY(reel_fail(err, REEL_ERR_FORMAT, "%s: the class folder %s has a name that is not UTF-8; rename it", s->name,
                               l.dirs.name[i]));
        REEL_TRY(reel_build_class(s->b, l.dirs.name[i], err));
    }
    if (l.videos.n > 0)
        REEL_TRY(reel_build_warning(s->b, err, "%zu videos lie directly in %s and belong to no class (%s …); they are left out",
                                    l.videos.n, shown[0] != 0 ? shown : s->name, l.videos.name[0]));
done:
    listing_free(&l);
    return status;
}

static reel_status add_items(scan *s, const char *path, const char *shown, int split, reel_error *err)
{
    reel_status status = REEL_OK;
    char *full = NULL, *part = NULL;
    for (size_t k = 0; k < s->b->ds->n_classes; k++) {
        const char *name = s->b->ds->classes[k];
        full = reel_path_join(path, name);
        part = shown[0] != 0 ? reel_path_join(shown, name) : reel_strdup(name);
        if (full == NULL || part == NULL)
            REEL_TRY(reel_fail_nomem(err, path));
        if (reel_is_dir(full))
            REEL_TRY(walk(s, full, part, (int)k, split, 0, NULL, err));
        reel_free(full);
        reel_free(part);
        full = part = NULL;
    }
done:
    reel_free(full);
    reel_free(part);
    return status;
}

/* Name of the folder in `dirs` that is the split `usual`, or NULL. *twice: a second one of that meaning. */
static const char *split_dir(const reel_names *dirs, const char *usual, const char **twice)
{
    const char *found = NULL;
    for (size_t i = 0; i < dirs->n; i++) {
        const char *meant = reel_split_name(dirs->name[i]);
        if (meant != NULL && strcmp(meant, usual) == 0) {
            if (found != NULL)
                *twice = dirs->name[i];
            else
                found = dirs->name[i];
        }
    }
    return found;
}

static bool has_splits(const reel_names *dirs)
{
    for (size_t i = 0; i < dirs->n; i++)
        if (reel_split_name(dirs->name[i]) != NULL)
            return true;
    return false;
}

static reel_status scan_splits(scan *s, const char *root, const reel_names *dirs, reel_error *err)
{
    static const char *const usual[] = { "train", "val", "test" };
    reel_status status = REEL_OK;
    char *path[3] = { NULL, NULL, NULL };
    const char *name[3];
    for (int i = 0; i < 3; i++) {
        const char *twice = NULL;
        name[i] = split_dir(dirs, usual[i], &twice);
        if (twice != NULL)
            REEL_TRY(reel_fail(err, REEL_ERR_FORMAT, "%s: both %s and %s would be the split %s; rename or remove one", s->name,
                               name[i], twice, usual[i]));
        if (name[i] == NULL)
            continue;
        path[i] = reel_path_join(root, name[i]);
        if (path[i] == NULL)
            REEL_TRY(reel_fail_nomem(err, root));
        REEL_TRY(add_classes(s, path[i], name[i], err));
    }
    for (size_t i = 0; i < dirs->n; i++)
        if (reel_split_name(dirs->name[i]) == NULL)
            REEL_TRY(reel_build_warning(s->b, err, "folder %s is no split (train, val, test); it is left out", dirs->name[i]));
    reel_build_sort_classes(s->b->ds);
    for (int i = 0; i < 3; i++)
        if (name[i] != NULL) {
            REEL_TRY(reel_build_split(s->b, usual[i], err));
            REEL_TRY(add_items(s, path[i], name[i], (int)s->b->ds->n_splits - 1, err));
        }
done:
    for (int i = 0; i < 3; i++)
        reel_free(path[i]);
    return status;
}

/* What to say of a folder without a usable video. */
static reel_status fail_nothing(const scan *s, const listing *top, reel_error *err)
{
    const char *want = "A data set is a folder {train,val,test}/CLASS/ or CLASS/ with videos in it";
    if (top->videos.n > 0)
        return reel_fail(err, REEL_ERR_FORMAT, "%s holds %zu videos (%s …) but no class folders. %s.", s->name, top->videos.n,
                         top->videos.name[0], want);
    if (s->others > 0)
        return reel_fail(err, REEL_ERR_NOT_FOUND, "%s: no videos in its %zu class folders, only other files (%s …; %zu in all). "
                         "Folders of images are not read as videos.", s->name, s->b->ds->n_classes, s->other, s->others);
    if (s->b->ds->n_classes > 0)
        return reel_fail(err, REEL_ERR_NOT_FOUND, "%s: no videos; its %zu class folders (%s …) are empty. %s.", s->name,
                         s->b->ds->n_classes, s->b->ds->classes[0], want);
    if (top->others > 0)
        return reel_fail(err, REEL_ERR_NOT_FOUND, "%s: no videos and no class folders, only other files (%s …). %s.", s->name,
                         top->other, want);
    if (top->dirs.n > 0)
        return reel_fail(err, REEL_ERR_NOT_FOUND, "%s: no videos and no class folders in %s. %s.", s->name, top->dirs.name[0],
                         want);
    return reel_fail(err, REEL_ERR_NOT_FOUND, "%s: the folder is empty: no videos, no class folders. %s.", s->name, want);
}

/* Goes through one wrapping folder (UCF101_subset/ in its archive) where that is what stands there. */
static reel_status unwrap(char **root, listing *top, reel_error *err)
{
    reel_status status = REEL_OK;
    listing inner = { 0 };
    char *path = NULL;
    if (top->dirs.n != 1 || top->videos.n > 0 || has_splits(&top->dirs))
        return REEL_OK;
    path = reel_path_join(*root, top->dirs.name[0]);
    if (path == NULL)
        REEL_TRY(reel_fail_nomem(err, *root));
    REEL_TRY(list_folder(path, &inner, err));
    if (inner.dirs.n > 0 && (has_splits(&inner.dirs) || inner.videos.n == 0)) {
        char *old = *root;
        listing was = *top;
        *root = path;
        *top = inner;
        path = old;
        inner = was;
    }
done:
    reel_free(path);
    listing_free(&inner);
    return status;
}

reel_status reel_open_folders(reel_builder *b, const char *path, const char *name, reel_error *err)
{
    reel_status status = REEL_OK;
    scan s = { .b = b, .name = name };
    listing top = { 0 };
    char *root = reel_strdup(path);
    if (root == NULL)
        REEL_TRY(reel_fail_nomem(err, name));
    REEL_TRY(list_folder(root, &top, err));
    REEL_TRY(unwrap(&root, &top, err));
    if (has_splits(&top.dirs)) {
        REEL_TRY(scan_splits(&s, root, &top.dirs, err));
    } else if (top.dirs.n > 0) {
        REEL_TRY(add_classes(&s, root, "", err));
        reel_build_sort_classes(b->ds);
        REEL_TRY(reel_build_split(b, "all", err));
        REEL_TRY(add_items(&s, root, "", 0, err));
    }
    if (b->ds->n_items == 0)
        REEL_TRY(fail_nothing(&s, &top, err));
    if (b->ds->n_classes > REEL_LABEL_LIMIT + 1)
        REEL_TRY(reel_fail(err, REEL_ERR_LIMIT, "%s: %zu classes, at most %d are allowed", name, b->ds->n_classes,
                           REEL_LABEL_LIMIT + 1));
done:
    listing_free(&top);
    reel_free(root);
    return status;
}
