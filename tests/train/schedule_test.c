/* The table of learning rates that transformers prints, and the orders of epochs that Trainer takes. */
#include "../test.h"

#include <math.h>

#include "base/mem.h"
#include "train/samples.h"
#include "train/schedule.h"

typedef struct row { const char *type, *kwargs; double lr; double factor[11]; } row;

/* w = 2, M = 10, k = 0 … 10, as transformers 5.24's optimization.py prints them. */
static const row rows[] = {
    {"linear", "", 1, {0, .5, 1, .875, .75, .625, .5, .375, .25, .125, 0}},
    {"cosine", "", 1, {0, .5, 1, .96194, .853553, .691342, .5, .308658, .146447, .03806, 0}},
    {"cosine_with_restarts", "{\"num_cycles\": 2}", 1, {0, .5, 1, .853553, .5, .146447, 1, .853553, .5, .146447, 0}},
    {"polynomial",
     "{\"power\": 2, \"lr_end\": 0.001}",
     1,
     {0, .5, 1, .765859, .562937, .391234, .25075, .141484, .063437, .016609, .001}},
    {"constant", "", 1, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
    {"constant_with_warmup", "", 1, {0, .5, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
    {"inverse_sqrt", "", 1, {0, .5, 1, .816497, .707107, .632456, .57735, .534522, .5, .471405, .447214}},
    {"cosine_with_min_lr",
     "{\"min_lr_rate\": 0.1}",
     1,
     {0, .5, 1, .965746, .868198, .722208, .55, .377792, .231802, .134254, .1}},
    {"cosine_with_min_lr",
     "{\"min_lr\": 0.05}",
     .5,
     {0, .25, .5, .482873, .434099, .361104, .275, .188896, .115901, .067127, .05}},
    {"cosine_warmup_with_min_lr",
     "{\"min_lr_rate\": 0.1}",
     1,
     {.5, 1, .965746, .868198, .722208, .55, .377792, .231802, .134254, .1, .134254}},
};

static void rates_are_those_of_transformers(void **state)
{
    (void)state;
    reel_error err;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reel_schedule s;
        assert_int_equal(reel_schedule_open(rows[i].type, rows[i].kwargs, rows[i].lr, 2, 10, &s, &err), REEL_OK);
        for (int64_t k = 0; k <= 10; k++)
            if (!(fabs(reel_schedule_lr(&s, k) - rows[i].factor[k]) < 6e-7))
                fail_msg("%s: step %lld has %.9g, not %.9g", rows[i].type, (long long)k, reel_schedule_lr(&s, k),
                         rows[i].factor[k]);
    }
}

static void nothing_is_divided_by_zero(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int64_t warmup = 0; warmup <= 3; warmup++) {
            reel_schedule s;
            assert_int_equal(reel_schedule_open(rows[i].type, rows[i].kwargs, rows[i].lr, warmup, 1, &s, NULL), REEL_OK);
            for (int64_t k = 0; k < 5; k++)
                assert_true(isfinite(reel_schedule_lr(&s, k)));
        }
}

static void bad_settings_are_named(void **state)
{
    (void)state;
    static const struct { const char *type, *kwargs, *says; } bad[] = {
        {"reduce_lr_on_plateau", "", "reduce_lr_on_plateau"}, {"warmup_stable_decay", "", "warmup_stable_decay"},
        {"linear", "{\"power\": 2}", "power"}, {"cosine", "{\"num_cycles\": \"many\"}", "num_cycles"},
        {"cosine", "[1]", "object"}, {"cosine", "{", "lr_scheduler_kwargs"}, {"cosine_with_min_lr", "", "min_lr"},
        {"polynomial", "{\"lr_end\": 1}", "lr_end"}, {"cosine", "{\"num_cycles\": -1}", "num_cycles"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        reel_schedule s;
        reel_error err = {0};
        assert_int_not_equal(reel_schedule_open(bad[i].type, bad[i].kwargs, 1e-3, 2, 10, &s, &err), REEL_OK);
        if (strstr(err.message, bad[i].says) == NULL)
            fail_msg("'%s' does not say %s", err.message, bad[i].says);
    }
}

static void warm_up_is_a_ratio_or_a_number_of_steps(void **state)
{
    (void)state;
    assert_int_equal(reel_warmup_steps(-1, 0.1, 148), 15);  /* the guide's run */
    assert_int_equal(reel_warmup_steps(0.1, 0.5, 148), 15);
    assert_int_equal(reel_warmup_steps(0, 0.1, 148), 0);
    assert_int_equal(reel_warmup_steps(7.9, 0.1, 148), 7);
    assert_int_equal(reel_warmup_steps(1, 0.1, 148), 1);
}

/* models-and-training, 4.5: N = 10. */
static void epochs_take_the_orders_of_the_trainer(void **state)
{
    (void)state;
    static const struct { uint64_t seed; uint32_t epoch; size_t order[10];
    } want[] = {
        {42, 0, {2, 6, 1, 8, 4, 5, 0, 9, 3, 7}},
        {42, 1, {8, 4, 9, 0, 5, 1, 6, 7, 2, 3}},
        {43, 0, {8, 4, 9, 0, 5, 1, 6, 7, 2, 3}},
        {3, 0, {6, 0, 3, 7, 8, 5, 1, 9, 2, 4}},
    };
    reel_plan plan[10];
    reel_samples s = {.plan = plan, .n = 10, .videos = 10, .is_packed = true};
    for (size_t i = 0; i < 10; i++)
        plan[i] = (reel_plan){.row = i};
    for (size_t c = 0; c < sizeof want / sizeof *want; c++) {
        reel_plan *got, *some;
        assert_int_equal(reel_samples_epoch(&s, want[c].seed, want[c].epoch, true, 10, &got, NULL), REEL_OK);
        assert_int_equal(reel_samples_epoch(&s, want[c].seed, want[c].epoch, true, 4, &some, NULL), REEL_OK);
        for (size_t i = 0; i < 10; i++)
            assert_int_equal(got[i].row, want[c].order[i]);
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(some[i].row, want[c].order[i]);
        reel_free(got);
        reel_free(some);
    }
    reel_plan *straight;
    assert_int_equal(reel_samples_epoch(&s, 42, 0, false, 10, &straight, NULL), REEL_OK);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(straight[i].row, i);
    reel_free(straight);
}

/* What a clip draws follows from seed, epoch and the video, wherever the order puts it. */
static void draws_belong_to_the_video(void **state)
{
    (void)state;
    reel_plan plan[10], *mixed, *straight, *later;
    reel_item item[10] = {{0}};
    reel_samples s = {.plan = plan, .n = 10, .videos = 10};
    for (size_t i = 0; i < 10; i++)
        plan[i] = (reel_plan){.item = &item[i]};
    assert_int_equal(reel_samples_epoch(&s, 42, 0, true, 10, &mixed, NULL), REEL_OK);
    assert_int_equal(reel_samples_epoch(&s, 42, 0, false, 10, &straight, NULL), REEL_OK);
    assert_int_equal(reel_samples_epoch(&s, 42, 1, false, 10, &later, NULL), REEL_OK);
    for (size_t i = 0; i < 10; i++) {
        const reel_plan *same = &straight[mixed[i].item - item];
        assert_true(mixed[i].start_u == same->start_u);
        assert_memory_equal(&mixed[i].draws, &same->draws, sizeof same->draws);
        assert_true(straight[i].start_u != later[i].start_u);
        assert_true(i == 0 || straight[i].start_u != straight[i - 1].start_u);
    }
    reel_free(mixed);
    reel_free(straight);
    reel_free(later);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_those_of_transformers), cmocka_unit_test(nothing_is_divided_by_zero),
        cmocka_unit_test(bad_settings_are_named), cmocka_unit_test(warm_up_is_a_ratio_or_a_number_of_steps),
        cmocka_unit_test(epochs_take_the_orders_of_the_trainer), cmocka_unit_test(draws_belong_to_the_video),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
