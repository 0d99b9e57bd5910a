/* The pixels of every class, filter and arithmetic against the checksums that transformers' own processors gave
 * (make_golden_processor.py), in each form of the kernels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../level.h"
#include "base/mem.h"
#include "transforms/transform.h"
#include "pattern.h"

static reel_pixel_kernels kernels;

static int number(const reel_json *j)
{
    int64_t n;
    assert_true(reel_json_integer(j, &n));
    return (int)n;
}

static uint32_t checksum(const reel_processor *p, int side, int h, int w)
{
    reel_error err = {0};
    reel_clip *clip = NULL;
    size_t floats = 3 * (size_t)side * (size_t)side;
    uint8_t *rgb = pattern((size_t)h, (size_t)w);
    float *out = malloc(floats * sizeof *out);
    const reel_transform t = {.kind = REEL_TRANSFORM_PROCESSOR, .processor = p, .height = side, .width = side, .kernels = &kernels};
    if (reel_clip_begin(&t, NULL, 1, out, &clip, &err) != REEL_OK || reel_clip_put_rgb(clip, rgb, w, h, 0, &err) != REEL_OK)
        fail_msg("%s", err.message);
    reel_clip_end(&clip);
    uint32_t crc = crc32(out, floats * sizeof *out);
    free(out);
    free(rgb);
    return crc;
}

static void check_case(const reel_json *c, const reel_json *sizes, int side)
{
    reel_error err = {0};
    reel_processor p;
    const char *name = reel_json_string(reel_json_get(c, "name")), *type = reel_json_string(reel_json_get(c, "model_type"));
    const reel_json *crc = reel_json_get(c, "crc32");
    bool part = reel_json_true(reel_json_get(c, "image_part"));
    if (reel_processor_parse(reel_json_get(c, "file"), part ? REEL_PROCESSOR_IMAGE_PART : REEL_PROCESSOR_IMAGE_FILE, name, type, side,
                             side, &p, &err) != REEL_OK)
        fail_msg("%s", err.message);
    assert_string_equal(part ? p.of->image : p.of->video, reel_json_string(reel_json_get(c, "class")));
    for (size_t i = 0; i < reel_json_size(sizes); i++) {
        const reel_json *size = reel_json_at(sizes, i);
        int h = number(reel_json_at(size, 0)), w = number(reel_json_at(size, 1));
        uint32_t got = checksum(&p, side, h, w);
        if ((double)got != reel_json_number(reel_json_at(crc, i)))
            fail_msg("%s, %d x %d: %u", name, h, w, got);
    }
    reel_processor_free(&p);
}

static void test_golden(void **state)
{
    (void)state;
    reel_error err = {0};
    reel_json *golden = NULL;
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/transforms/golden_processor.json", getenv("REEL_SOURCE") != NULL ? getenv("REEL_SOURCE") : ".");
    if (reel_json_read(path, REEL_JSON_LIMIT, false, &golden, &err) != REEL_OK)
        fail_msg("%s", err.message);
    const reel_json *cases = reel_json_get(golden, "cases");
    assert_true(reel_json_size(cases) > 30);
    for (size_t i = 0; i < reel_json_size(cases); i++)
        check_case(reel_json_at(cases, i), reel_json_get(golden, "sizes"), number(reel_json_get(golden, "side")));
    reel_json_free(golden);
}

int main(int argc, char **argv)
{
    unsigned flags;
    if (!test_level(argc, argv, &flags))
        return 0;
    reel_pixel_kernels_select(&kernels, flags);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden)};
    return cmocka_run_group_tests_name("processors' pixels", tests, NULL, NULL);
}
