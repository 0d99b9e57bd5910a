#include "../test.h"

#include <math.h>

#include "base/rng.h"

/* The known answers that Random123 publishes for Philox4x32-10. */
static void philox_gives_the_known_answers(void **state)
{
    (void)state;
    static const struct { uint32_t counter[4], key[2], want[4]; } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t got[4];
        reel_philox(known[i].key, known[i].counter, got);
        assert_memory_equal(got, known[i].want, sizeof got);
    }
}

static void draws_differ_in_every_coordinate(void **state)
{
    (void)state;
    uint32_t base[4], other[4];
    reel_draw(42, REEL_PURPOSE_CLIP, 1, 2, 3, base);
    reel_draw(42, REEL_PURPOSE_CLIP, 1, 2, 3, other);
    assert_memory_equal(base, other, sizeof base);
    reel_draw(43, REEL_PURPOSE_CLIP, 1, 2, 3, other);
    assert_memory_not_equal(base, other, sizeof base);
    reel_draw(42, REEL_PURPOSE_SYNTH, 1, 2, 3, other);
    assert_memory_not_equal(base, other, sizeof base);
    reel_draw(42, REEL_PURPOSE_CLIP, 2, 2, 3, other);
    assert_memory_not_equal(base, other, sizeof base);
    reel_draw(42, REEL_PURPOSE_CLIP, 1, 3, 3, other);
    assert_memory_not_equal(base, other, sizeof base);
    reel_draw(42, REEL_PURPOSE_CLIP, 1, 2, 4, other);
    assert_memory_not_equal(base, other, sizeof base);
}

/* torch.randperm with the generators that the Trainer and PyTorchVideo use. */
static void permutations_are_those_of_torch(void **state)
{
    (void)state;
    static const struct { uint64_t seed; int64_t want[10]; } known[] = {
        {42, {2, 6, 1, 8, 4, 5, 0, 9, 3, 7}},
        {43, {8, 4, 9, 0, 5, 1, 6, 7, 2, 3}},
        {3, {6, 0, 3, 7, 8, 5, 1, 9, 2, 4}},
        {67280421310721u, {0, 3, 7, 5, 2, 9, 8, 1, 4, 6}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        reel_mt mt;
        int64_t got[10];
        reel_mt_seed(&mt, known[i].seed);
        reel_mt_permutation(&mt, got, 10);
        assert_memory_equal(got, known[i].want, sizeof got);
    }
    reel_mt mt;
    int64_t long_one[300];
    static const int64_t begins[] = {210, 197, 295, 217, 201, 244, 284, 78};
    reel_mt_seed(&mt, 67280421310721u);
    reel_mt_permutation(&mt, long_one, 300);
    assert_memory_equal(long_one, begins, sizeof begins);
}

/* torch.manual_seed(42); torch.rand(4), torch.empty(n).normal_() of torch 2.15. */
static void numbers_are_those_of_torch(void **state)
{
    (void)state;
    static const float uniform[4] = {0.882269263f, 0.915003955f, 0.38286376f, 0.959305644f};
    static const float normal[20] = {
        1.92691529f, 1.48728406f, 0.900717199f, -2.10552096f, -0.758131146f, 1.07831764f, 0.800800562f,
        1.68062055f, 0.355859905f, -0.686622977f, -0.493356347f, 0.241487786f, -0.23162432f, 0.041759491f,
        -0.251575291f, 0.859858513f, -0.309726775f, -0.395710498f, 0.803409338f, -0.621595383f,
    };
    static const float few[4] = {0.336690366f, 0.128809407f, 0.234462366f, 0.23033303f};
    reel_mt mt;
    float got[20];
    reel_mt_seed(&mt, 42);
    reel_mt_uniform(&mt, got, 4, 0, 1);
    assert_memory_equal(got, uniform, sizeof uniform);
    reel_mt_seed(&mt, 42);
    reel_mt_normal(&mt, got, 20, 1.0f);
    for (int i = 0; i < 20; i++)
        assert_true(fabsf(got[i] - normal[i]) <= 1e-6f);
    reel_mt_seed(&mt, 42);
    reel_mt_normal(&mt, got, 4, 1.0f);
    for (int i = 0; i < 4; i++)
        assert_true(fabsf(got[i] - few[i]) <= 1e-7f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_known_answers),
        cmocka_unit_test(draws_differ_in_every_coordinate),
        cmocka_unit_test(permutations_are_those_of_torch),
        cmocka_unit_test(numbers_are_those_of_torch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
