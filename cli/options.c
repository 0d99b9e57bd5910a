/* The command line behind a verb: common options, the job's options by the library's rows, bare arguments. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

const cli_common cli_common_options[] = {
    { "config", NULL, "FILE", "a JSON file of options; those here win" },
    { "json", NULL, NULL, "the result as JSON on stdout" },
    { "quiet", "q", NULL, "errors and results only" },
    { "verbose", "v", NULL, "also what was decided, and why" },
    { "threads", NULL, "N", "of the computation [all that may be used]" },
    { "isa", NULL, "NAME", "auto, avx512, avx2 or c, at most [auto]" },
    { "offline", NULL, NULL, "no network: what the Hub's cache holds" },
    { "max_memory", NULL, "SIZE", "such as 4G; 0: what the machine has [0]" },
    { "help", "h", "[all]", "this page, or with every option" },
    { NULL, NULL, NULL, NULL },
};

typedef struct reader { cli *c; int argc, at; char **argv; } reader;

/* "name" or "name=value" without dashes and with '_' for '-'; false where it is too long. */
static bool split(const char *arg, char name[64], const char **value)
{
    const char *equals = strchr(arg, '=');
    const size_t n = equals != NULL ? (size_t)(equals - arg) : strlen(arg);
    if (n >= 64)
        return false;
    for (size_t i = 0; i < n; i++)
        name[i] = arg[i] == '-' ? '_' : arg[i];
    name[n] = '\0';
    *value = equals != NULL ? equals + 1 : NULL;
    return true;
}

static const cli_common *common_named(const char *name)
{
    for (const cli_common *o = cli_common_options; o->name != NULL; o++)
        if (strcmp(o->name, name) == 0 || (o->letter != NULL && strcmp(o->letter, name) == 0))
            return o;
    return NULL;
}

/* The value behind an option: "--x=value" or the next argument, which may begin with one dash (-1). */
static reel_status value_of(reader *r, const char *name, const char **value, reel_error *err)
{
    if (*value != NULL)
        return REEL_OK;
    if (r->at >= r->argc || strncmp(r->argv[r->at], "--", 2) == 0)
        return cli_fail(err, REEL_ERR_ARG, "--%s needs a value", name);
    *value = r->argv[r->at++];
    return REEL_OK;
}

static reel_status set_common(reader *r, const cli_common *o, const char *value, reel_error *err)
{
    cli *c = r->c;
    const struct { const char *name; bool *flag; const char **text; } places[] = {
        { "json", &c->json, NULL }, { "quiet", &c->quiet, NULL }, { "verbose", &c->verbose, NULL },
        { "threads", NULL, &c->threads }, { "isa", NULL, &c->isa }, { "max_memory", NULL, &c->max_memory },
        { "config", NULL, &c->config }, { "offline", &c->offline, NULL },
    };
    if (strcmp(o->name, "help") == 0) {
        if (value == NULL && r->at < r->argc && strcmp(r->argv[r->at], "all") == 0)
            value = r->argv[r->at++];
        if (value != NULL && strcmp(value, "all") != 0)
            return cli_fail(err, REEL_ERR_ARG, "--help: '%s' is not all", value);
        c->help = value != NULL ? value : "";
        return REEL_OK;
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (strcmp(places[i].name, o->name) != 0)
            continue;
        if (places[i].flag != NULL) {
            if (value != NULL && strcasecmp(value, "true") != 0 && strcasecmp(value, "false") != 0)
                return cli_fail(err, REEL_ERR_ARG, "--%s: '%s' is not true or false", o->name, value);
            *places[i].flag = value == NULL || strcasecmp(value, "true") == 0;
            return REEL_OK;
        }
        const reel_status status = value_of(r, o->name, &value, err);
        *places[i].text = value;
        return status;
    }
    return REEL_OK;
}

static bool is_truth(const char *text)
{
    return strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0;
}

/* An option that the library's rows know, or one that they accept without a meaning. */
static reel_status set_row(reader *r, const reel_option *row, const char *name, const char *value, reel_error *err)
{
    cli *c = r->c;
    const bool takes_next = r->at < r->argc && (row != NULL ? is_truth(r->argv[r->at])
        : strncmp(r->argv[r->at], "--", 2) != 0 && c->verb->positional == NULL && !c->verb->inputs);
    reel_status status = REEL_OK;
    if (row == NULL || row->type == REEL_OPTION_BOOL)
        value = value != NULL ? value : takes_next ? r->argv[r->at++] : "true";
    else
        status = value_of(r, row->name, &value, err);
    if (status == REEL_OK)
        status = reel_args_set(c->args, name, value, err);
    if (status == REEL_OK && row == NULL)
        cli_say(c, "note", "--%s has no effect: %s", name, reel_option_note(name));
    return status;
}

static reel_status refuse(cli *c, const char *shown, const char *name, reel_error *err)
{
    const cli_common *near = NULL;
    size_t least = strlen(name) > 2 ? 3 : 1;
    for (const cli_common *o = cli_common_options; o->name != NULL; o++)
        if (cli_distance(name, o->name) < least) {
            least = cli_distance(name, o->name);
            near = o;
        }
    if (near != NULL && reel_job_option_near(c->verb->job, name) == NULL)
        return cli_fail(err, REEL_ERR_ARG, "%s is not an option of %s; did you mean --%s?", shown, c->verb->name, near->name);
    reel_status status = reel_args_set(c->args, name, "", err);  /* the library says so, with the nearest row */
    return status != REEL_OK ? status : cli_fail(err, REEL_ERR_ARG, "%s is not an option of %s", shown, c->verb->name);
}

static reel_status one_option(reader *r, const char *arg, reel_error *err)
{
    const bool is_long = arg[1] == '-';
    char name[64];
    const char *value = NULL;
    if (!split(arg + 1 + is_long, name, &value))
        return cli_fail(err, REEL_ERR_ARG, "%.40s... is not an option of %s", arg, r->c->verb->name);
    if (!is_long && strcmp(name, "o") == 0)
        snprintf(name, sizeof name, "output");
    else if (!is_long && (strlen(name) != 1 || common_named(name) == NULL))
        return cli_fail(err, REEL_ERR_ARG, "%s is not an option of %s; long names begin with --", arg, r->c->verb->name);
    const reel_option *row = reel_job_option(r->c->verb->job, name);
    const cli_common *common = row == NULL && (!is_long || strlen(name) > 1) ? common_named(name) : NULL;
    if (common != NULL)
        return set_common(r, common, value, err);
    if (row != NULL || (r->c->verb->job == REEL_JOB_TRAIN && reel_option_note(name) != NULL))
        return set_row(r, row, name, value, err);
    return refuse(r->c, arg, name, err);
}

static reel_status one_argument(cli *c, const char *arg, reel_error *err)
{
    if (c->verb->inputs) {
        c->input[c->inputs++] = arg;
        return REEL_OK;
    }
    if (c->verb->positional == NULL)
        return cli_fail(err, REEL_ERR_ARG, "'%s' is one argument too many: options of %s begin with --", arg, c->verb->name);
    if (reel_args_is_set(c->args, c->verb->positional))
        return cli_fail(err, REEL_ERR_ARG, "'%s' is one argument too many: %s takes one", arg, c->verb->name);
    return reel_args_set(c->args, c->verb->positional, arg, err);
}

static reel_status check(cli *c, reel_error *err)
{
    reel_status status = reel_args_check(c->args, err);
    if (status == REEL_OK && c->verb->inputs && c->inputs == 0)
        status = cli_fail(err, REEL_ERR_ARG, "%s needs at least one %s: reel %s %s", c->verb->name,
                          c->verb->wants != NULL ? c->verb->wants : "video or folder", c->verb->name, c->verb->usage);
    return status;
}

int cli_parse(cli *c, int argc, char **argv, reel_error *err)
{
    reader r = { c, argc, 0, argv };
    bool options = true;
    reel_status status = reel_args_open(c->verb->job, &c->args, err);
    c->input = calloc((size_t)argc + 1, sizeof *c->input);
    if (status == REEL_OK && c->input == NULL)
        status = cli_fail(err, REEL_ERR_NOMEM, "out of memory");
    while (status == REEL_OK && r.at < argc) {
        const char *arg = argv[r.at++];
        if (options && strcmp(arg, "--") == 0)
            options = false;
        else if (options && arg[0] == '-' && arg[1] != '\0')
            status = one_option(&r, arg, err);
        else
            status = one_argument(c, arg, err);
    }
    if (status == REEL_OK && c->help == NULL && c->config != NULL && reel_args_read(c->args, c->config, err) != REEL_OK)
        return CLI_FAILURE;  /* a file is wrong, not the command line */
    if (status == REEL_OK && c->help == NULL)
        status = check(c, err);
    return status == REEL_OK ? CLI_OK : status == REEL_ERR_NOMEM ? CLI_FAILURE : CLI_USAGE;
}

/* $XDG_CACHE_HOME/reel or $HOME/.cache/reel: where archives are extracted. Without either, archives are refused. */
static reel_status set_cache(cli *c, reel_error *err)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char path[4096];
    int n = -1;
    if (cache != NULL && cache[0] == '/')
        n = snprintf(path, sizeof path, "%s/reel", cache);
    else if (home != NULL && home[0] == '/')
        n = snprintf(path, sizeof path, "%s/.cache/reel", home);
    return n > 0 && (size_t)n < sizeof path ? reel_context_set(c->ctx, "cache_dir", path, err) : REEL_OK;
}

static const char *variable(const char *name, void *user)
{
    const cli *c = user;
    return c->offline && strcmp(name, "HF_HUB_OFFLINE") == 0 ? "1" : getenv(name);
}

/* The processor; where --dtype chooses the products' numbers, also which others it is fast at. */
static void machine_line(cli *c)
{
    const char *dtype = reel_job_option(c->verb->job, "dtype") != NULL ? reel_args_get(c->args, "dtype") : NULL;
    reel_precision now = REEL_PRECISION_FLOAT32;
    char more[64] = "";
    for (int p = REEL_PRECISION_BFLOAT16; p <= REEL_PRECISION_INT8; p++)
        if (reel_precision_usable(c->ctx, (reel_precision)p, NULL) == (reel_precision)p)
            snprintf(more + strlen(more), sizeof more - strlen(more), "%s--dtype %s", more[0] != '\0' ? ", " : "",
                     p == REEL_PRECISION_INT8 ? "int8" : "bf16");
    if (dtype == NULL || !reel_precision_parse(dtype, &now))
        cli_say(c, "machine", "%s", reel_context_machine(c->ctx));
    else if (now != REEL_PRECISION_FLOAT32 || more[0] == '\0')
        cli_say(c, "machine", "%s, %s", reel_context_machine(c->ctx), reel_precision_name(reel_precision_usable(c->ctx, now, NULL)));
    else
        cli_say(c, "machine", "%s, float32      (it has other fast products: %s)", reel_context_machine(c->ctx), more);
}

int cli_context(cli *c, reel_error *err)
{
    const struct { const char *name, *value; } settings[] = {
        { "threads", c->threads }, { "isa", c->isa }, { "max_memory", c->max_memory },
    };
    if (reel_context_open(&c->ctx, err) != REEL_OK)
        return CLI_FAILURE;
    reel_context_set_log(c->ctx, cli_log, c);
    reel_context_set_cancel(c->ctx, cli_cancelled, NULL);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (settings[i].value != NULL && reel_context_set(c->ctx, settings[i].name, settings[i].value, err) != REEL_OK)
            return err->status == REEL_ERR_ARG ? CLI_USAGE : CLI_FAILURE;
    if (reel_context_set_hub(c->ctx, variable, c, err) != REEL_OK)
        return CLI_FAILURE;
    /* an evaluation is long enough to be told what would shorten it, where somebody looks on */
    const bool watched = c->term.live && !c->json && c->verb->job == REEL_JOB_EVALUATE;
    if ((c->verbose || watched) && !c->verb->notes)
        machine_line(c);
    return set_cache(c, err) == REEL_OK ? CLI_OK : CLI_FAILURE;
}
