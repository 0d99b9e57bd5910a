#include "train/schedule.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

#define PI 3.14159265358979323846

static double at_least_one(double x) { return x > 1 ? x : 1; }

static double warm_up(const reel_schedule *s, double k) { return k / at_least_one(s->warmup); }

static double progress(const reel_schedule *s, double k)
{
    return (k - s->warmup) / at_least_one(s->total - s->warmup);
}

static double linear(const reel_schedule *s, double k)
{
    return k < s->warmup ? warm_up(s, k) : fmax(0, (s->total - k) / at_least_one(s->total - s->warmup));
}

static double cosine(const reel_schedule *s, double k)
{
    return k < s->warmup ? warm_up(s, k) : fmax(0, 0.5 * (1 + cos(PI * s->cycles * 2 * progress(s, k))));
}

static double restarts(const reel_schedule *s, double k)
{
    if (k < s->warmup)
        return warm_up(s, k);
    double q = progress(s, k);
    return q >= 1 ? 0 : fmax(0, 0.5 * (1 + cos(PI * fmod(s->cycles * q, 1))));
}

static double polynomial(const reel_schedule *s, double k)
{
    if (k < s->warmup)
        return warm_up(s, k);
    if (k >= s->total)  /* at k = total the formula gives the same, but may divide by 0 */
        return s->lr_end / s->lr;
    double left = 1 - (k - s->warmup) / (s->total - s->warmup);
    return ((s->lr - s->lr_end) * pow(left, s->power) + s->lr_end) / s->lr;
}

static double constant(const reel_schedule *s, double k)
{
    (void)s;
    (void)k;
    return 1;
}

static double constant_with_warmup(const reel_schedule *s, double k) { return k < s->warmup ? warm_up(s, k) : 1; }

static double inverse_sqrt(const reel_schedule *s, double k)
{
    if (k < s->warmup)
        return warm_up(s, k);
    return 1 / sqrt((k + s->timescale - s->warmup) / s->timescale);
}

static double with_min(const reel_schedule *s, double q)
{
    double f = 0.5 * (1 + cos(PI * s->cycles * 2 * q));
    return fmax(0, f * (1 - s->min_rate) + s->min_rate);
}

static double cosine_min(const reel_schedule *s, double k)
{
    return k < s->warmup ? warm_up(s, k) : with_min(s, progress(s, k));
}

/* Its warm-up never has the rate 0, and it runs one step ahead. */
static double cosine_warmup_min(const reel_schedule *s, double k)
{
    if (k >= s->warmup)
        return with_min(s, progress(s, k + 1));
    if (s->warmup_rate < 0)
        return (k + 1) / at_least_one(s->warmup);
    return s->warmup_rate + (1 - s->warmup_rate) * k / at_least_one(s->warmup - 1);
}

enum { CYCLES = 1, POWER = 2, LR_END = 4, TIMESCALE = 8, MIN_LR = 16, WARMUP_RATE = 32 };

static const struct row {
    const char *type;
    double (*factor)(const reel_schedule *s, double k);
    double cycles;
    unsigned takes;
} rows[] = {
    {"linear", linear, 0, 0},
    {"cosine", cosine, 0.5, CYCLES},
    {"cosine_with_restarts", restarts, 1, CYCLES},
    {"polynomial", polynomial, 0, POWER | LR_END},
    {"constant", constant, 0, 0},
    {"constant_with_warmup", constant_with_warmup, 0, 0},
    {"inverse_sqrt", inverse_sqrt, 0, TIMESCALE},
    {"cosine_with_min_lr", cosine_min, 0.5, CYCLES | MIN_LR},
    {"cosine_warmup_with_min_lr", cosine_warmup_min, 0.5, CYCLES | MIN_LR | WARMUP_RATE},
};

static const struct setting {
    const char *name;
    unsigned bit;
    double min, max;
} settings[] = {
    {"num_cycles", CYCLES, 0, 1e6}, {"power", POWER, 0, 1e3}, {"lr_end", LR_END, 0, 1}, {"timescale", TIMESCALE, 1, 1e12},
    {"min_lr", MIN_LR, 0, 1}, {"min_lr_rate", MIN_LR, 0, 1}, {"warmup_lr_rate", WARMUP_RATE, 0, 1},
};

static void setting_store(reel_schedule *s, const char *name, double value)
{
    if (strcmp(name, "num_cycles") == 0)
        s->cycles = value;
    else if (strcmp(name, "power") == 0)
        s->power = value;
    else if (strcmp(name, "lr_end") == 0)
        s->lr_end = value;
    else if (strcmp(name, "timescale") == 0)
        s->timescale = value;
    else if (strcmp(name, "min_lr") == 0)
        s->min_rate = s->lr > 0 ? value / s->lr : 0;
    else if (strcmp(name, "min_lr_rate") == 0)
        s->min_rate = value;
    else
        s->warmup_rate = value;
}

static reel_status setting_read(reel_schedule *s, const struct row *row, const char *name, const reel_json *value,
                                reel_error *err)
{
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        const struct setting *o = &settings[i];
        if (strcmp(name, o->name) != 0 || !(row->takes & o->bit))
            continue;
        double v = reel_json_is_number(value) ? reel_json_number(value) : NAN;
        if (!(v >= o->min && v <= o->max))
            return reel_fail(err, REEL_ERR_ARG, "--lr_scheduler_kwargs: %s is not a number from %g to %g", name,
                             o->min, o->max);
        setting_store(s, name, v);
        return REEL_OK;
    }
    return reel_fail(err, REEL_ERR_ARG, "--lr_scheduler_kwargs: %s is not a setting of the schedule %s", name, row->type);
}

static reel_status settings_read(reel_schedule *s, const struct row *row, const char *kwargs, reel_error *err)
{
    reel_json *json = NULL;
    reel_status status = REEL_OK;
    if (*kwargs == '\0')
        return REEL_OK;
    REEL_TRY(reel_json_parse(kwargs, strlen(kwargs), "--lr_scheduler_kwargs", false, &json, err));
    if (!reel_json_is_object(json))
        status = reel_fail(err, REEL_ERR_ARG, "--lr_scheduler_kwargs is not a JSON object such as {\"num_cycles\": 0.5}");
    for (void *it = status == REEL_OK ? reel_json_first(json) : NULL; it != NULL && status == REEL_OK;
         it = reel_json_next(json, it))
        status = setting_read(s, row, reel_json_key(it), reel_json_value(it), err);
done:
    reel_json_free(json);
    return status;
}

reel_status reel_schedule_open(const char *type, const char *kwargs, double lr, int64_t warmup, int64_t total,
                               reel_schedule *out, reel_error *err)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        if (strcmp(type, row->type) != 0)
            continue;
        reel_schedule s = {.factor = row->factor, .lr = lr, .warmup = (double)warmup, .total = (double)total,
                           .cycles = row->cycles, .power = 1, .lr_end = 1e-7, .min_rate = -1, .warmup_rate = -1,
                           .timescale = warmup > 0 ? (double)warmup : 10000};
        reel_status status = settings_read(&s, row, kwargs, err);
        if (status != REEL_OK)
            return status;
        if ((row->takes & MIN_LR) && s.min_rate < 0)
            return reel_fail(err, REEL_ERR_ARG,
                             "the schedule %s needs --lr_scheduler_kwargs with min_lr or min_lr_rate", type);
        if ((row->takes & LR_END) && lr > 0 && s.lr_end >= lr)
            return reel_fail(err, REEL_ERR_ARG, "--lr_scheduler_kwargs: lr_end %g is not below the learning rate %g",
                             s.lr_end, lr);
        *out = s;
        return REEL_OK;
    }
    return reel_fail(err, REEL_ERR_UNSUPPORTED,
                     "--lr_scheduler_type %s is not done by this version; linear and cosine are", type);
}

double reel_schedule_lr(const reel_schedule *s, int64_t done)
{
    return s->lr > 0 ? s->lr * s->factor(s, (double)done) : 0;
}

int64_t reel_warmup_steps(double steps, double ratio, int64_t total)
{
    if (steps >= 1)
        return steps < 0x1p62 ? (int64_t)steps : INT64_MAX;
    return (int64_t)ceil((double)total * (steps >= 0 ? steps : ratio));
}
