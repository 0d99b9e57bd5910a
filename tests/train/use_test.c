/* Evaluation and prediction against clips decoded and computed one by one here. */
#include "tiny.h"

#include <math.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "data/plan.h"
#include "models/run.h"
#include "train/metrics.h"

enum { FLOATS = TINY_T * 3 * TINY_SIZE * TINY_SIZE };
static const double clip_seconds = TINY_T * 4 / 30.0;

static char *dir;
static reel_context *ctx;

static const char *in(const char *name) { return tiny_path(dir, "%s", name); }

static int setup(void **state)
{
    (void)state;
    dir = tiny_folder();
    ctx = tiny_context();
    tiny_model(ctx, in("model"), true);
    tiny_videos(in("data"), "test", 3, 23);
    tiny_packed(in("packed.safetensors"), 7);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    reel_context_close(&ctx);
    test_remove_folder(dir);
    return 0;
}

/* --- the plain way --- */

/* Softmax of clip k of a video, by the model in `folder`. */
static void clip_scores(const char *folder, const char *path, reel_frames_mode mode, int k, double out[3],
                        float logits[3])
{
    reel_error err;
    reel_model *model;
    reel_run *run;
    float *pixels = malloc(FLOATS * sizeof *pixels);
    reel_pixel_kernels kernels;
    reel_item item = {.path = strdup(path), .shown = strdup(path), .duration = -1};
    reel_plan plan = {.item = &item, .mode = mode, .seconds = clip_seconds, .clip = k, .clips = 1};
    tiny_ok(reel_model_load(ctx, folder, NULL, &model, NULL, &err), &err);
    tiny_ok(reel_run_open(model, 1, &run, &err), &err);
    reel_pixel_kernels_select(&kernels, 0);
    reel_transform t = {.kind = mode == REEL_FRAMES_WHOLE ? REEL_TRANSFORM_PROCESSOR : REEL_TRANSFORM_EVAL,
                        .processor = &model->processor,
                        .height = TINY_SIZE,
                        .width = TINY_SIZE,
                        .kernels = &kernels};
    tiny_ok(reel_plan_carry_out(ctx, &plan, &t, TINY_T, true, 1, pixels, NULL, &err), &err);
    tiny_ok(reel_run_forward(run, pixels, 1, logits, NULL, &err), &err);
    double sum = 0;
    for (int i = 0; i < 3; i++)
        sum += out[i] = exp((double)logits[i]);
    for (int i = 0; i < 3; i++)
        out[i] /= sum;
    reel_run_close(&run);
    reel_model_close(&model);
    free(pixels);
    free(item.path);
    free(item.shown);
}

static int clips_of(const char *path)
{
    reel_error err;
    reel_item item = {.path = strdup(path), .duration = -1};
    tiny_ok(reel_item_probe(ctx, &item, true, &err), &err);
    free(item.path);
    return reel_uniform_clips(item.duration, clip_seconds);
}

/* --- evaluation --- */

static reel_status evaluate(const char *const *pairs, reel_eval_report **report, reel_error *err)
{
    reel_args *args;
    tiny_ok(reel_args_open(REEL_JOB_EVALUATE, &args, err), err);
    for (; *pairs != NULL; pairs += 2)
        tiny_ok(reel_args_set(args, pairs[0], pairs[1], err), err);
    reel_status status = reel_evaluate(ctx, args, NULL, NULL, report, err);
    reel_args_close(&args);
    return status;
}

static void figures_are_those_of_the_plain_way(void **state)
{
    (void)state;
    static const char *const names[] = {"jump", "run", "walk"};
    reel_error err;
    reel_eval_report *r;
    double loss = 0, clip_loss = 0;
    size_t right = 0, clips = 0, right_clips = 0, confusion[9] = {0};
    tiny_ok(evaluate((const char *const[]){"model", in("model"), "data", in("data"), "per_device_eval_batch_size",
                                           "4", NULL},
                     &r, &err),
            &err);
    for (size_t c = 0; c < 3; c++)
        for (int v = 0; v < 3; v++) {
            const char *path = tiny_path(dir, "data/test/%s/v%d.avi", names[c], v);
            double mean[3] = {0}, p[3];
            float logits[3];
            int n = clips_of(path);
            assert_true(n >= 3);
            for (int k = 0; k < n; k++) {
                clip_scores(in("model"), path, REEL_FRAMES_WINDOW, k, p, logits);
                for (int i = 0; i < 3; i++)
                    mean[i] += p[i] / n;
                right_clips += reel_argmax(p, 3) == c;
                clip_loss -= log(p[c]);
                clips++;
            }
            size_t answer = reel_argmax(mean, 3);
            right += answer == c;
            confusion[c * 3 + answer]++;
            loss -= log(mean[c]);
        }
    assert_int_equal(r->videos, 9);
    assert_int_equal(r->scored, 9);
    assert_int_equal(r->clips, clips);
    assert_int_equal(r->classes, 3);
    assert_true(fabs(r->accuracy - (double)right / 9) < 1e-9);
    assert_true(fabs(r->clip_accuracy - (double)right_clips / (double)clips) < 1e-9);
    assert_true(fabs(r->loss - loss / 9) < 1e-5);
    assert_true(fabs(r->clip_loss - clip_loss / (double)clips) < 1e-5);
    assert_true(r->top5 == 1);
    assert_memory_equal(r->confusion, confusion, sizeof confusion);
    for (size_t c = 0; c < 3; c++) {
        double answered = (double)(confusion[c] + confusion[3 + c] + confusion[6 + c]), own = (double)confusion[4 * c];
        assert_string_equal(r->cls[c].name, names[c]);
        assert_int_equal(r->cls[c].videos, 3);
        assert_true(fabs(r->cls[c].recall - own / 3) < 1e-12);
        assert_true(answered > 0 ? fabs(r->cls[c].precision - own / answered) < 1e-12 : isnan(r->cls[c].precision));
    }
    reel_eval_report_close(&r);
}

/* The same model with its labels in another order: classes are matched by name. */
static void labels_are_matched_by_name(void **state)
{
    (void)state;
    reel_error err;
    reel_eval_report *a, *b;
    tiny_model(ctx, in("turned"), true);
    tiny_ok(evaluate((const char *const[]){"model", in("model"), "data", in("data"), NULL}, &a, &err), &err);
    reel_model *m;
    tiny_ok(reel_model_load(ctx, in("turned"), NULL, &m, NULL, &err), &err);
    const reel_param *w = reel_params_find(&m->params, "classifier.weight"),
                     *bias = reel_params_find(&m->params, "classifier.bias");
    float row[16];
    memcpy(row, m->weights + w->offset, sizeof row);  /* jump and walk change places */
    memcpy(m->weights + w->offset, m->weights + w->offset + 32, sizeof row);
    memcpy(m->weights + w->offset + 32, row, sizeof row);
    float one = m->weights[bias->offset];
    m->weights[bias->offset] = m->weights[bias->offset + 2];
    m->weights[bias->offset + 2] = one;
    tiny_ok(reel_model_save(m, in("turned"), NULL, NULL, &err), &err);
    reel_model_close(&m);
    char *text = tiny_read(in("turned/config.json"), NULL);
    for (char *p; (p = strstr(text, "\"0\": \"jump\"")) != NULL;)
        memcpy(p, "\"0\": \"walk\"", 11);
    for (char *p; (p = strstr(text, "\"2\": \"walk\"")) != NULL;)
        memcpy(p, "\"2\": \"jump\"", 11);
    for (char *p; (p = strstr(text, "\"jump\": 0")) != NULL;)
        memcpy(p, "\"jump\": 2", 9);
    for (char *p; (p = strstr(text, "\"walk\": 2")) != NULL;)
        memcpy(p, "\"walk\": 0", 9);
    tiny_write(in("turned/config.json"), text);
    free(text);
    tiny_ok(evaluate((const char *const[]){"model", in("turned"), "data", in("data"), NULL}, &b, &err), &err);
    assert_string_equal(b->cls[0].name, "walk");
    assert_true(a->accuracy == b->accuracy && fabs(a->loss - b->loss) < 1e-6);
    assert_int_equal(a->confusion[2 * 3 + 2], b->confusion[0]);
    assert_int_equal(a->confusion[2 * 3 + 0], b->confusion[2]);
    reel_eval_report_close(&a);
    reel_eval_report_close(&b);
}

static void every_video_is_accounted_for(void **state)
{
    (void)state;
    reel_error err;
    reel_eval_report *r;
    tiny_videos(in("holes"), "test", 2, 12);
    tiny_write(in("holes/test/run/v1.avi"), "");
    tiny_ok(
        evaluate((const char *const[]){"model", in("model"), "data", in("holes"), "output_dir", in("report"), NULL},
                 &r, &err),
        &err);
    assert_int_equal(r->videos, 6);
    assert_int_equal(r->scored, 5);
    assert_int_equal(r->skipped, 1);
    assert_non_null(strstr(r->skipped_path[0], "run/v1.avi"));
    assert_true(r->skipped_reason[0][0] != '\0');
    assert_string_equal(r->output_dir, in("report"));
    char *csv = tiny_read(in("report/predictions.csv"), NULL);
    size_t lines = 0;
    for (const char *p = csv; (p = strchr(p, '\n')) != NULL; p++)
        lines++;
    assert_int_equal(lines, 6);
    assert_memory_equal(csv, "video,label,predicted,score,clips\n", 34);
    free(csv);
    reel_json *json;
    tiny_ok(reel_json_read(in("report/report.json"), 1 << 20, false, &json, &err), &err);
    assert_true(reel_json_number(reel_json_get(json, "accuracy")) == r->accuracy);
    assert_int_equal(reel_json_size(reel_json_get(json, "classes")), 3);
    assert_int_equal(reel_json_size(reel_json_get(json, "skipped")), 1);
    reel_json_free(json);
    char *svg = tiny_read(in("report/confusion.svg"), NULL);
    assert_memory_equal(svg, "<svg ", 5);
    assert_non_null(strstr(svg, ">jump</text>"));
    free(svg);
    assert_true(reel_is_file(in("report/confusion.csv")));
    reel_eval_report_close(&r);
    /* the folder is not written twice unless asked, and never with other things in it */
    assert_int_equal(
        evaluate((const char *const[]){"model", in("model"), "data", in("holes"), "output_dir", in("report"), NULL},
                 &r, &err),
        REEL_ERR_EXISTS);
    tiny_ok(evaluate((const char *const[]){"model", in("model"), "data", in("holes"), "output_dir", in("report"),
                                           "overwrite_output_dir", "true", NULL},
                     &r, &err),
            &err);
    reel_eval_report_close(&r);
    tiny_write(in("report/mine.txt"), "x");
    assert_int_equal(evaluate((const char *const[]){"model", in("model"), "data", in("holes"), "output_dir",
                                                    in("report"), "overwrite_output_dir", "true", NULL},
                              &r, &err),
                     REEL_ERR_EXISTS);
}

static void views_and_packed_clips(void **state)
{
    (void)state;
    reel_error err;
    reel_eval_report *r;
    tiny_ok(evaluate((const char *const[]){"model", in("model"), "data", in("data"), "num_clips", "2", "num_crops",
                                           "3", NULL},
                     &r, &err),
            &err);
    assert_int_equal(r->clips, 9 * 2 * 3);
    assert_int_equal(r->scored, 9);
    reel_eval_report_close(&r);
    tiny_model(ctx, in("abc"), false);
    tiny_ok(evaluate((const char *const[]){"model", in("abc"), "data", in("packed.safetensors"), NULL}, &r, &err), &err);
    assert_int_equal(r->videos, 7);
    assert_int_equal(r->clips, 7);
    assert_true(r->accuracy == r->clip_accuracy);
    reel_eval_report_close(&r);
    assert_int_equal(
        evaluate((const char *const[]){"model", in("model"), "data", in("packed.safetensors"), NULL}, &r, &err),
        REEL_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "jump"));
    assert_int_equal(
        evaluate((const char *const[]){"model", in("model"), "data", in("data"), "split", "train", NULL}, &r, &err),
        REEL_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "test"));
    assert_null(r);
}

/* --- prediction --- */

static reel_status predict(const char *const *input, size_t n, const char *const *pairs, reel_prediction_fn fn,
                           void *user, reel_prediction_list **list, reel_error *err)
{
    reel_args *args;
    tiny_ok(reel_args_open(REEL_JOB_PREDICT, &args, err), err);
    for (; *pairs != NULL; pairs += 2)
        tiny_ok(reel_args_set(args, pairs[0], pairs[1], err), err);
    reel_status status = reel_predict(ctx, args, input, n, fn, user, list, err);
    reel_args_close(&args);
    return status;
}

static void near_scores(const reel_prediction *p, const double want[3])
{
    for (size_t i = 0; i < p->scores; i++) {
        if (!(fabs((double)p->score[i].score - want[p->score[i].index]) < 1e-6))
            fail_msg("%s: %s has %.9g, the plain way %.9g", p->path, p->score[i].label, (double)p->score[i].score,
                     want[p->score[i].index]);
        assert_true(i == 0 || p->score[i].score <= p->score[i - 1].score);
    }
}

static void one_file_by_the_pipelines_frames(void **state)
{
    (void)state;
    reel_error err;
    reel_prediction_list *list;
    double want[3];
    float logits[3];
    const char *path = in("data/test/jump/v1.avi");
    clip_scores(in("model"), path, REEL_FRAMES_WHOLE, 0, want, logits);
    tiny_ok(predict(&path, 1, (const char *const[]){"model", in("model"), NULL}, NULL, NULL, &list, &err), &err);
    assert_int_equal(list->count, 1);
    assert_int_equal(list->failed, 0);
    assert_false(list->several);
    const reel_prediction *p = list->item;
    assert_int_equal(p->scores, 3);  /* top_k 5 is more than there are */
    near_scores(p, want);
    assert_string_equal(p->sampling, "pipeline");
    static const int64_t index[] = {0, 5, 11, 17};  /* floor(i 23 / 4) */
    assert_int_equal(p->sampled, 4);
    assert_memory_equal(p->index, index, sizeof index);
    assert_true(fabs(p->time[1] - 0.5) < 1e-9 && fabs(p->seconds - 2.3) < 0.11);
    assert_false(p->repeated);
    reel_prediction_list_close(&list);
    tiny_ok(predict(&path, 1,
                    (const char *const[]){"model", in("model"), "function_to_apply", "none", "top_k", "1", NULL},
                    NULL, NULL, &list, &err),
            &err);
    assert_int_equal(list->item->scores, 1);
    assert_true(fabs((double)list->item->score[0].score - (double)logits[list->item->score[0].index]) < 1e-6);
    reel_prediction_list_close(&list);
    tiny_ok(predict(&path, 1, (const char *const[]){"model", in("model"), "function_to_apply", "sigmoid", NULL}, NULL,
                    NULL, &list, &err),
            &err);
    for (size_t i = 0; i < 3; i++)
        want[i] = 1 / (1 + exp(-(double)logits[i]));
    near_scores(list->item, want);
    reel_prediction_list_close(&list);
}

static void the_guide_averages_uniform_clips(void **state)
{
    (void)state;
    reel_error err;
    reel_prediction_list *list;
    double want[3] = {0}, p[3];
    float logits[3];
    const char *path = in("data/test/walk/v2.avi");
    int n = clips_of(path);
    for (int k = 0; k < n; k++) {
        clip_scores(in("model"), path, REEL_FRAMES_WINDOW, k, p, logits);
        for (int i = 0; i < 3; i++)
            want[i] += p[i] / n;
    }
    static const char *const batches[] = {"1", "2", "64"};
    for (size_t b = 0; b < 3; b++) {
        tiny_ok(
            predict(&path, 1,
                    (const char *const[]){"model", in("model"), "sampling", "guide", "batch_size", batches[b], NULL},
                    NULL, NULL, &list, &err),
            &err);
        near_scores(list->item, want);
        assert_int_equal(list->item->sampled, n * TINY_T);
        reel_prediction_list_close(&list);
    }
}

typedef struct told { size_t n; char path[16][700]; } told;

static bool tell(const reel_prediction *p, size_t done, size_t total, void *user)
{
    told *t = user;
    assert_int_equal(done, t->n + 1);
    assert_true(total >= done);
    snprintf(t->path[t->n++], 700, "%s", p->path);
    return t->n < 12;
}

static void several_inputs_and_bad_ones(void **state)
{
    (void)state;
    reel_error err;
    reel_prediction_list *list;
    tiny_log log;
    told t = {0};
    mkdir(in("clips"), 0777);
    mkdir(in("clips/more"), 0777);
    mkdir(in("empty.avi"), 0777);
    char command[2000];
    snprintf(command, sizeof command,
             "cd '%s' && cp data/test/jump/v0.avi clips/b.avi && cp data/test/run/v0.avi clips/more/a.AVI && cp "
             "data/test/run/v1.avi clips/a.avi"
             " && cp data/test/run/v1.avi clips/.hidden.avi && echo no > clips/notes.txt && echo no video > "
             "clips/text.avi",
             dir);
    assert_int_equal(system(command), 0);
    tiny_videos(in("short"), "test", 1, 3);
    static const char *const given[] = {"missing.avi", "clips", "empty.avi", "short/test/jump/v0.avi",
                                        "short/test/run/v0.avi"};
    const char *input[5];
    char paths[5][700];
    for (size_t i = 0; i < 5; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/%s", dir, given[i]);
        input[i] = paths[i];
    }
    static const char *const want[] = {"missing.avi",
                                       "clips/a.avi",
                                       "clips/b.avi",
                                       "clips/more/a.AVI",
                                       "clips/text.avi",
                                       "empty.avi",
                                       "short/test/jump/v0.avi",
                                       "short/test/run/v0.avi"};
    static const char *const reasons[] = {"no such file", NULL, NULL, NULL, "not", "no video", NULL, NULL};
    static const char *const batches[] = {"1", "3"};
    float first = 0;
    for (size_t b = 0; b < 2; b++) {
        memset(&t, 0, sizeof t);
        tiny_listen(ctx, &log);
        tiny_ok(predict(input, 5, (const char *const[]){"model", in("model"), "batch_size", batches[b], NULL}, tell,
                        &t, &list, &err),
                &err);
        reel_context_set_log(ctx, NULL, NULL);
        assert_int_equal(list->count, 8);
        assert_int_equal(t.n, 8);
        assert_int_equal(list->failed, 3);
        assert_true(list->several);
        for (size_t i = 0; i < 8; i++) {
            const reel_prediction *p = &list->item[i];
            assert_string_equal(p->path, in(want[i]));
            assert_string_equal(t.path[i], in(want[i]));
            if (reasons[i] == NULL && p->reason != NULL)
                fail_msg("%s: %s", p->path, p->reason);
            if (reasons[i] != NULL &&
                (p->reason == NULL || strstr(p->reason, reasons[i]) == NULL || strstr(p->reason, dir) != NULL))
                fail_msg("%s: '%s' does not say '%s'", p->path, p->reason != NULL ? p->reason : "nothing",
                         reasons[i]);
            assert_int_equal(p->scores, reasons[i] == NULL ? 3 : 0);
            assert_int_equal(p->repeated, i >= 6);
        }
        static const int64_t repeated[] = {0, 0, 1, 2};  /* floor(i 3 / 4) */
        assert_memory_equal(list->item[6].index, repeated, sizeof repeated);
        assert_int_equal(log.warnings, 1);
        assert_non_null(strstr(log.text, "frames repeat"));
        if (b == 0)
            first = list->item[2].score[0].score;
        else
            assert_true(fabsf(first - list->item[2].score[0].score) < 1e-6f);
        reel_prediction_list_close(&list);
    }
}

static bool stop(const reel_prediction *p, size_t done, size_t total, void *user)
{
    (void)p;
    (void)total;
    (void)user;
    return done < 2;
}

static void stopping_and_a_bad_model(void **state)
{
    (void)state;
    reel_error err;
    reel_prediction_list *list;
    const char *input[] = {in("data"), in("nowhere.avi")};
    assert_int_equal(predict(input, 2, (const char *const[]){"model", in("model"), NULL}, stop, NULL, &list, &err),
                     REEL_ERR_CANCELLED);
    assert_null(list);
    assert_int_equal(predict(input, 2, (const char *const[]){"model", in("nomodel"), NULL}, NULL, NULL, &list, &err),
                     REEL_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "nomodel"));  /* the model is looked at first */
    /* finite weights whose scores are not */
    reel_model *m;
    tiny_ok(reel_model_load(ctx, in("model"), NULL, &m, NULL, &err), &err);
    const reel_param *w = reel_params_find(&m->params, "classifier.weight");
    for (size_t i = 0; i < w->count; i++)
        m->weights[w->offset + i] = 3e38f;
    mkdir(in("huge"), 0777);
    tiny_ok(reel_model_save(m, in("huge"), NULL, NULL, &err), &err);
    reel_model_close(&m);
    tiny_ok(predict(input, 1, (const char *const[]){"model", in("huge"), NULL}, NULL, NULL, &list, &err), &err);
    assert_int_equal(list->failed, 9);
    assert_non_null(strstr(list->item[0].reason, "not finite"));
    reel_prediction_list_close(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_those_of_the_plain_way), cmocka_unit_test(labels_are_matched_by_name),
        cmocka_unit_test(every_video_is_accounted_for), cmocka_unit_test(views_and_packed_clips),
        cmocka_unit_test(one_file_by_the_pipelines_frames), cmocka_unit_test(the_guide_averages_uniform_clips),
        cmocka_unit_test(several_inputs_and_bad_ones), cmocka_unit_test(stopping_and_a_bad_model),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
