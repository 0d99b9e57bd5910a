/* The files of a processor: which of them is read, and which are written. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "format/processor_names.h"
#include "transforms/processor.h"

/* What a folder holds; NULL where it does not. */
typedef struct folder { char *parts_path, *video_path, *image_path; reel_json *parts, *video, *image; } folder;

static reel_status read_if_there(const char *dir, const char *name, char **path, reel_json **out, reel_error *err)
{
    *path = reel_path_join(dir, name);
    if (*path == NULL)
        return reel_fail_nomem(err, dir);
    return reel_exists(*path) ? reel_json_read(*path, REEL_JSON_LIMIT, false, out, err) : REEL_OK;
}

static reel_status folder_open(const char *dir, folder *d, reel_error *err)
{
    reel_status status = REEL_OK;
    REEL_TRY(read_if_there(dir, REEL_PROCESSOR_PARTS_NAME, &d->parts_path, &d->parts, err));
    if (d->parts != NULL && !reel_json_is_object(d->parts)) {
        status = reel_fail(err, REEL_ERR_FORMAT, "%s: must hold a JSON object, {…}", d->parts_path);
        goto done;
    }
    REEL_TRY(read_if_there(dir, REEL_PROCESSOR_VIDEO_NAME, &d->video_path, &d->video, err));
    status = read_if_there(dir, REEL_PROCESSOR_IMAGE_NAME, &d->image_path, &d->image, err);
done:
    return status;
}

static void folder_close(folder *d)
{
    reel_free(d->parts_path);
    reel_free(d->video_path);
    reel_free(d->image_path);
    reel_json_free(d->parts);
    reel_json_free(d->video);
    reel_json_free(d->image);
}

static const reel_json *part_of(const folder *d, const char *key)
{
    const reel_json *j = d->parts != NULL ? reel_json_get(d->parts, key) : NULL;
    return reel_json_is_null(j) ? NULL : j;
}

typedef struct source { reel_processor_place place; const reel_json *json; const char *path; } source;

/* The first of the places, in transformers' order for a video processor; a part that is null is not there. */
static source find_source(const folder *d)
{
    const source all[] = {
        {REEL_PROCESSOR_VIDEO_PART, part_of(d, "video_processor"), d->parts_path},
        {REEL_PROCESSOR_VIDEO_FILE, d->video, d->video_path},
        {REEL_PROCESSOR_IMAGE_FILE, d->image, d->image_path},
        {REEL_PROCESSOR_IMAGE_PART, part_of(d, "image_processor"), d->parts_path},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].json != NULL)
            return all[i];
    return (source){REEL_PROCESSOR_NOWHERE, NULL, NULL};
}

/* The image processor, where it has a place of its own. */
static reel_status read_beside(const folder *d, reel_processor *p, reel_error *err)
{
    const reel_json *part = part_of(d, "image_processor");
    if (part != NULL && p->place != REEL_PROCESSOR_IMAGE_PART)
        return reel_processor_parse_beside(part, d->parts_path, &p->image, err);
    if (part == NULL && d->image != NULL && p->place != REEL_PROCESSOR_IMAGE_FILE)
        return reel_processor_parse_beside(d->image, d->image_path, &p->image, err);
    return REEL_OK;
}

reel_status reel_processor_read(const char *dir, const char *model_type, int image_height, int image_width,
                                reel_processor *out, reel_error *err)
{
    reel_status status = REEL_OK;
    folder d = {0};
    reel_processor_defaults(out, reel_processor_class_of(model_type), image_height, image_width);
    if (dir == NULL)
        return REEL_OK;
    REEL_TRY(folder_open(dir, &d, err));
    source from = find_source(&d);
    if (from.place == REEL_PROCESSOR_NOWHERE)
        goto done;
    REEL_TRY(reel_processor_parse(from.json, from.place, from.path, model_type, image_height, image_width, out, err));
    status = read_beside(&d, out, err);
    if (status != REEL_OK)
        reel_processor_free(out);
done:
    folder_close(&d);
    return status;
}

reel_status reel_processor_save(const reel_processor *p, const char *dir, reel_error *err)
{
    reel_status status = REEL_OK;
    if (p->place == REEL_PROCESSOR_IMAGE_PART)
        return reel_file_write_text(dir, REEL_PROCESSOR_PARTS_NAME, reel_processor_text(p), err);
    const bool video = reel_processor_is_video(p);
    REEL_TRY(reel_file_write_text(dir, video ? REEL_PROCESSOR_VIDEO_NAME : REEL_PROCESSOR_IMAGE_NAME, reel_processor_text(p), err));
    if (video && (p->of == NULL || p->of->image != NULL || p->image != NULL))
        status = reel_file_write_text(dir, REEL_PROCESSOR_IMAGE_NAME, reel_processor_image_text(p), err);
done:
    return status;
}
