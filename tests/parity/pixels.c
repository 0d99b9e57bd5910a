/* What reel makes of raw frames with the processor of a folder, for the comparison with Python.
 *   reel_pixels FOLDER TYPE HEIGHT WIDTH                     reads it for a model of that type and size
 *   … save TO                                                and writes its files into a folder
 *   … frames N IN_HEIGHT IN_WIDTH RGB OUT                    or makes a clip of N packed RGB frames: float32 (N, 3, HEIGHT, WIDTH)
 * A failure is its message and status 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "transforms/transform.h"

static reel_status make(const reel_processor *p, int height, int width, char **argv, reel_error *err)
{
    reel_status status;
    reel_clip *clip = NULL;
    int n = atoi(argv[0]), in_h = atoi(argv[1]), in_w = atoi(argv[2]);
    size_t frame = 3 * (size_t)in_h * (size_t)in_w, floats = 3 * (size_t)n * (size_t)height * (size_t)width, size = 0;
    char *rgb = NULL;
    float *out = reel_alloc_aligned(floats, sizeof *out);
    const reel_transform t = {.kind = REEL_TRANSFORM_PROCESSOR, .processor = p, .height = height, .width = width};
    REEL_TRY(reel_file_read(argv[3], (size_t)1 << 30, &rgb, &size, err));
    if (out == NULL || size != frame * (size_t)n) {
        status = reel_fail(err, REEL_ERR_ARG, "%s: %zu bytes are not %d frames", argv[3], size, n);
        goto done;
    }
    REEL_TRY(reel_clip_begin(&t, NULL, n, out, &clip, err));
    for (int k = 0; k < n; k++)
        REEL_TRY(reel_clip_put_rgb(clip, (const uint8_t *)rgb + (size_t)k * frame, in_w, in_h, k, err));
    status = reel_file_write(argv[4], out, floats * sizeof *out, err);
done:
    reel_clip_end(&clip);
    reel_free(rgb);
    reel_free(out);
    return status;
}

int main(int argc, char **argv)
{
    reel_error err = {0};
    reel_processor p;
    if (argc < 5 || (argc > 5 && !(argc == 7 && strcmp(argv[5], "save") == 0) && !(argc == 11 && strcmp(argv[5], "frames") == 0))) {
        fprintf(stderr, "usage: reel_pixels FOLDER TYPE HEIGHT WIDTH [save TO | frames N IN_HEIGHT IN_WIDTH RGB OUT]\n");
        return 2;
    }
    int height = atoi(argv[3]), width = atoi(argv[4]);
    reel_status status = reel_processor_read(argv[1], argv[2], height, width, &p, &err);
    if (status == REEL_OK && argc == 7)
        status = reel_processor_save(&p, argv[6], &err);
    if (status == REEL_OK && argc == 11)
        status = make(&p, height, width, argv + 6, &err);
    reel_processor_free(&p);
    if (status != REEL_OK)
        fprintf(stderr, "%s\n", err.message);
    return status != REEL_OK;
}
