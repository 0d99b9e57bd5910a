/* Losses against published vectors and differences. */
#include "../test.h"

#include <math.h>

#include "models/run.h"

/* The specification's vector: the second row takes no part. */
static void cross_entropy_vector(void **state)
{
    (void)state;
    const float x[6] = {1, 2, 3, 0.5f, -1, 0};
    const int64_t label[2] = {0, -100};
    const double want[6] = {-0.90996945, 0.24472849, 0.665241, 0, 0, 0};
    float dx[6];
    reel_loss loss = {.kind = REEL_LOSS_SINGLE, .label = label, .items = 1};
    assert_true(fabs(reel_loss_compute(&loss, x, 2, 3, dx) - 2.40760589) < 1e-7);
    for (int i = 0; i < 6; i++)
        assert_true(fabs((double)dx[i] - want[i]) < 1e-6);
    loss.items = 0;
    assert_true(isnan(reel_loss_compute(&loss, x, 2, 3, NULL)));
}

static void large_logits_do_not_overflow(void **state)
{
    (void)state;
    const float x[3] = {1e30f, -1e30f, 0}, y[3] = {1, 0, 0.5f};
    const int64_t label[1] = {0};
    float dx[3];
    reel_loss single = {.kind = REEL_LOSS_SINGLE, .label = label, .items = 1};
    reel_loss multi = {.kind = REEL_LOSS_MULTI, .target = y, .items = 1};
    assert_true(reel_loss_compute(&single, x, 1, 3, dx) == 0);
    assert_true(dx[0] == 0 && dx[1] == 0 && dx[2] == 0);
    assert_true(fabs(reel_loss_compute(&multi, x, 1, 3, dx) - log(2.0) / 3) < 1e-12);
}

/* A loss cut into micro batches is the same sum. */
static void parts_add_up(void **state)
{
    (void)state;
    enum { N = 4, K = 3 };
    float x[N * K], y[N * K], whole[N * K], part[N * K];
    int64_t label[N] = {2, -100, 0, 1};
    for (int i = 0; i < N * K; i++) {
        x[i] = (float)sin(i + 0.5);
        y[i] = (float)(i % 2);
    }
    for (int kind = 0; kind < 3; kind++) {
        reel_loss loss = {.kind = (reel_loss_kind)kind, .label_smoothing = 0.1, .label = label, .target = y, .items = 3};
        double all = reel_loss_compute(&loss, x, N, K, whole), sum = 0;
        for (size_t b = 0; b < N; b++) {
            reel_loss one = loss;
            one.label = label + b;
            one.target = y + b * K;
            sum += reel_loss_compute(&one, x + b * K, 1, K, part + b * K);
        }
        assert_true(fabs(all - sum) < 1e-12);
        assert_memory_equal(whole, part, sizeof whole);
    }
}

static void gradients_are_differences(void **state)
{
    (void)state;
    enum { N = 3, K = 4 };
    float x[N * K], y[N * K], dx[N * K];
    int64_t label[N] = {3, 0, -100};
    for (int i = 0; i < N * K; i++) {
        x[i] = (float)cos(3 * i);
        y[i] = (float)sin(i);
    }
    for (int kind = 0; kind < 3; kind++) {
        reel_loss loss = {.kind = (reel_loss_kind)kind, .label_smoothing = 0.2, .label = label, .target = y, .items = 2};
        reel_loss_compute(&loss, x, N, K, dx);
        for (int i = 0; i < N * K; i++) {
            float kept = x[i], h = 1.0f / 256;
            x[i] = kept + h;
            double up = reel_loss_compute(&loss, x, N, K, NULL);
            x[i] = kept - h;
            double down = reel_loss_compute(&loss, x, N, K, NULL);
            x[i] = kept;
            assert_true(fabs((up - down) / (2.0 * (double)h) - (double)dx[i]) < 1e-5);  /* h^2/6 times a third derivative */
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cross_entropy_vector), cmocka_unit_test(large_logits_do_not_overflow), cmocka_unit_test(parts_add_up),
        cmocka_unit_test(gradients_are_differences),
    };
    return cmocka_run_group_tests_name("loss", tests, NULL, NULL);
}
