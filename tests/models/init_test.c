/* New weights against those that transformers draws from the same seed (tests/golden/make_golden.py, initial()). */
#include "bed.h"

#include <math.h>

#include "models/model.h"

/* torch's vectorised log, sin and cos may differ in the last bit from libm's; weights are about 0.02. */
static const double BOUND = 1e-7;

static void check(const reel_model *m, const reel_tensors *golden, const char *prefix, const char *only)
{
    char name[200];
    size_t seen = 0;
    for (size_t i = 0; i < m->params.n; i++) {
        const reel_param *p = &m->params.param[i];
        size_t n;
        if (p->name == NULL || (only != NULL && strstr(p->name, only) == NULL))
            continue;
        snprintf(name, sizeof name, "%s/%s", prefix, p->name);
        const float *want = bed_golden(golden, name, &n);
        assert_int_equal(n, p->count);
        for (size_t k = 0; k < n; k++)
            if (!(fabs((double)m->weights[p->offset + k] - (double)want[k]) <= BOUND))
                fail_msg("%s[%zu] is %.9g, transformers draws %.9g", name, k, (double)m->weights[p->offset + k],
                         (double)want[k]);
        free((void *)(uintptr_t)want);
        seen++;
    }
    assert_true(seen >= 2);
}

static void from_config_and_head_alone(void **state)
{
    (void)state;
    static const char *const files[] = {"init_videomae", "init_videomae_tiny"};
    char *names[7] = {"a", "b", "c", "d", "e", "f", "g"};
    for (size_t f = 0; f < 2; f++) {
        reel_tensors golden;
        reel_context *ctx;
        reel_model *m;
        char *dir = test_folder(), path[600];
        reel_load_report report = {0};
        bed_golden_open(files[f], &golden);
        bed_write_model(dir, reel_tensors_metadata(&golden, "config"));
        snprintf(path, sizeof path, "%s/config.json", dir);
        BED_OK(reel_context_open(&ctx, bed_err));
        reel_load_options options = {.seed = 42};
        BED_OK(reel_model_create(ctx, path, &options, &m, bed_err));
        check(m, &golden, "all", NULL);
        reel_model_close(&m);

        options = (reel_load_options){.labels = names, .n_labels = 7, .seed = 42};
        BED_OK(reel_model_load(ctx, dir, &options, &m, &report, bed_err));
        check(m, &golden, "head", "classifier");
        assert_true(report.labels_replaced);
        assert_int_equal(report.n_fresh, 2);
        assert_string_equal(report.fresh[0], "classifier.weight");
        assert_int_equal(report.n_unused, 0);
        reel_load_report_free(&report);
        reel_model_close(&m);
        reel_context_close(&ctx);
        reel_tensors_close(&golden);
        test_remove_folder(dir);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(from_config_and_head_alone)};
    return cmocka_run_group_tests_name("init", tests, NULL, NULL);
}
