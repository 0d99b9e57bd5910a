#include "../test.h"

#include <math.h>

#include "base/context.h"
#include "base/cpu.h"
#include "base/dtype.h"

static void settings_are_checked(void **state)
{
    (void)state;
    reel_context *ctx;
    reel_error err;
    assert_int_equal(reel_context_open(&ctx, &err), REEL_OK);
    assert_true(reel_context_threads(ctx) >= 1);
    assert_int_equal(reel_context_set(ctx, "threads", "3", &err), REEL_OK);
    assert_int_equal(reel_context_threads(ctx), 3);
    assert_int_equal(reel_context_set(ctx, "threads", "0", &err), REEL_ERR_ARG);
    assert_non_null(strstr(err.message, "--threads"));
    assert_int_equal(reel_context_threads(ctx), 3);
    assert_int_equal(reel_context_set(ctx, "isa", "c", &err), REEL_OK);
    assert_string_equal(reel_context_isa(ctx), "c");
    assert_int_equal(reel_context_set(ctx, "isa", "sse9", &err), REEL_ERR_ARG);
    assert_int_equal(reel_context_set(ctx, "nonsense", "1", &err), REEL_ERR_ARG);
    reel_context_close(&ctx);
    assert_null(ctx);
    reel_context_close(&ctx);
}

static void a_memory_limit_is_kept(void **state)
{
    (void)state;
    reel_context *ctx;
    reel_error err;
    assert_int_equal(reel_context_open(&ctx, &err), REEL_OK);
    assert_int_equal(reel_context_set(ctx, "max_memory", "1M", &err), REEL_OK);
    assert_int_equal(reel_memory_check(ctx, 1 << 20, "this run", NULL, &err), REEL_OK);
    assert_int_equal(reel_memory_check(ctx, (1 << 20) + 1, "this run", "Take less.", &err), REEL_ERR_NOMEM);
    assert_non_null(strstr(err.message, "--max_memory"));
    assert_non_null(strstr(err.message, "Take less."));
    assert_int_equal(reel_memory_check(ctx, UINT64_MAX / 2, "this run", NULL, &err), REEL_ERR_NOMEM);
    reel_context_close(&ctx);
}

static void half_precision_is_exact(void **state)
{
    (void)state;
    static const uint16_t half[] = {0x3C00, 0xC000, 0x0001, 0x7BFF, 0x8000};
    static const float want[] = {1.0f, -2.0f, 0x1p-24f, 65504.0f, -0.0f};
    float got[5];
    assert_true(reel_dtype_to_float(got, half, REEL_F16, 5));
    assert_memory_equal(got, want, sizeof want);
    static const uint16_t bf[] = {0x3F80, 0xC000, 0x7F80};
    assert_true(reel_dtype_to_float(got, bf, REEL_BF16, 3));
    assert_true(got[0] == 1.0f && got[1] == -2.0f && got[2] > 3e38f);
    assert_false(reel_dtype_to_float(got, bf, REEL_I16, 3));
}

/* Each of the 256 numbers by its definition: sign, exponent of 4 and 5 bits, fraction of 3 and 2. */
static void eight_bits_are_exact(void **state)
{
    (void)state;
    static const struct { reel_dtype type; int fraction, bias; bool infinite; } types[] = {
        {REEL_F8_E4M3, 3, 7, false}, {REEL_F8_E5M2, 2, 15, true},
    };
    for (size_t k = 0; k < 2; k++)
        for (int b = 0; b < 256; b++) {
            const uint8_t byte = (uint8_t)b;
            const int parts = 1 << types[k].fraction, top = (1 << (7 - types[k].fraction)) - 1;
            const int exponent = b >> types[k].fraction & top, fraction = b & (parts - 1);
            float got;
            assert_true(reel_dtype_to_float(&got, &byte, types[k].type, 1));
            assert_true(reel_dtype_is_float(types[k].type));
            const float size = exponent == 0 ? ldexpf((float)fraction / (float)parts, 1 - types[k].bias)
                                             : ldexpf(1 + (float)fraction / (float)parts, exponent - types[k].bias);
            if (exponent == top && (types[k].infinite ? fraction != 0 : fraction == parts - 1))
                assert_true(isnan(got));
            else if (exponent == top && types[k].infinite)
                assert_true(isinf(got));
            else
                assert_true(fabsf(got) == size);
            assert_int_equal(signbit(got) != 0, b >> 7);
        }
    reel_dtype t;
    assert_true(reel_dtype_parse("C64", &t) && t == REEL_C64);
    assert_false(reel_dtype_parse("complex128", &t));  /* torch's name: no file of safetensors has it */
    assert_string_equal(reel_dtype_name(REEL_C128), "complex128");
    assert_false(reel_dtype_is_float(REEL_C64) || reel_dtype_is_float(REEL_F8_E8M0) || reel_dtype_is_float(REEL_I8));
}

static void shapes_do_not_wrap(void **state)
{
    (void)state;
    uint64_t n;
    reel_shape s = {.rank = 2, .dim = {INT64_C(1) << 32, INT64_C(1) << 32}};
    assert_false(reel_shape_count(&s, &n));
    s = (reel_shape){.rank = 3, .dim = {0, INT64_C(1) << 40, INT64_C(1) << 40}};
    assert_false(reel_shape_count(&s, &n));
    s = (reel_shape){.rank = 2, .dim = {-1, 4}};
    assert_false(reel_shape_count(&s, &n));
    s = (reel_shape){.rank = 3, .dim = {2, 0, 4}};
    assert_true(reel_shape_count(&s, &n) && n == 0);
    char text[64];
    reel_shape_text(&(reel_shape){.rank = 2, .dim = {768, 3072}}, text, sizeof text);
    assert_string_equal(text, "(768, 3072)");
    reel_shape_text(&(reel_shape){.rank = 1, .dim = {768}}, text, sizeof text);
    assert_string_equal(text, "(768,)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_checked),
        cmocka_unit_test(a_memory_limit_is_kept),
        cmocka_unit_test(half_precision_is_exact),
        cmocka_unit_test(eight_bits_are_exact),
        cmocka_unit_test(shapes_do_not_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
