/* The command: what its files share. It is built on the public headers alone. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <reel/reel.h>

enum { CLI_OK = 0, CLI_FAILURE = 1, CLI_USAGE = 2 };

typedef struct cli cli;

/* A verb is a row: its file defines one, verbs.c lists it. */
typedef struct cli_verb {
    const char *name;         /* "train", "data info" */
    const char *group;        /* heading in the overview: "learn", "use" */
    const char *line;         /* what it does, in one line */
    const char *usage;        /* what stands behind "reel NAME" */
    const char *example[2];   /* what stands behind "reel " */
    reel_job job;
    const char *positional;   /* option that a bare argument sets; NULL: bare arguments are refused, or inputs */
    bool inputs;              /* bare arguments are the inputs, at least one */
    const char *wants;        /* what such an input is; NULL: a video or folder */
    bool notes;               /* machine, data, model are told without -v */
    reel_status (*run)(cli *c, reel_error *err);
} cli_verb;

extern const cli_verb *const cli_verbs[];  /* ends with NULL */
extern const cli_verb cli_verb_train, cli_verb_evaluate, cli_verb_predict, cli_verb_preview, cli_verb_forward,
    cli_verb_data_info, cli_verb_data_synth, cli_verb_data_pack, cli_verb_model_info, cli_verb_model_new,
    cli_verb_model_convert, cli_verb_bench, cli_verb_hub_login, cli_verb_hub_logout, cli_verb_hub_whoami, cli_verb_hub_download,
    cli_verb_hub_upload;

/* What stderr and stdout are. */
typedef struct cli_term {
    bool live;        /* stderr is a terminal that takes bars and colours */
    bool live_out;    /* the same of stdout */
    bool utf8;
    int width;        /* columns, at least 10 */
} cli_term;

/* The line at the bottom of a terminal that is drawn again and again. */
typedef struct cli_bar {
    pthread_mutex_t lock;   /* messages may come from loader threads */
    char text[1024];        /* what is drawn now; "" nothing */
    double drawn;           /* when */
} cli_bar;

struct cli {
    const cli_verb *verb;
    reel_context *ctx;
    reel_args *args;
    const char **input;
    size_t inputs;
    bool json, quiet, verbose, offline;
    const char *help, *threads, *isa, *max_memory, *config;  /* NULL: not given */
    cli_term term;
    cli_bar bar;
};

/* options.c: fills *c from what stands behind the verb. CLI_OK, or CLI_USAGE with the message. */
int cli_parse(cli *c, int argc, char **argv, reel_error *err);
int cli_context(cli *c, reel_error *err);
typedef struct cli_common { const char *name, *letter, *value, *help; } cli_common;
extern const cli_common cli_common_options[];  /* ends with a NULL name */

/* help.c, verbs.c */
enum { CLI_HELP_LINES = 40, CLI_HELP_WIDTH = 80 };
void cli_overview(FILE *out);
void cli_help(const cli_verb *verb, bool all, FILE *out);
const cli_verb *cli_verb_find(const char *first, const char *second, int *words);
bool cli_verb_family(const char *first, FILE *list);  /* are there verbs "FIRST …"? Lists them where list is not NULL */
const char *cli_verb_near(const char *first, const char *second);

/* term.c, progress.c */
void cli_term_look(cli_term *term);
int cli_columns(const char *text);                          /* of UTF-8 text on a terminal, one a code point */
void cli_bar_draw(cli *c, const char *left, double share, const char *right);
void cli_bar_clear(cli *c);
/* "batch 3/20  26 clips/s  0:12 left" of an event. */
void cli_rate(char out[128], const char *what, const reel_event *event);
/* A line for stderr: a word of at most 8 letters, then text, wrapped on a terminal. Nothing with -q. */
void cli_say(cli *c, const char *topic, const char *format, ...) __attribute__((format(printf, 3, 4)));
void cli_log(reel_log_level level, const char *topic, const char *message, void *user);
double cli_now(void);

/* text.c: everything that came from outside passes cli_show before a terminal sees it. The buffers are the caller's. */
enum { CLI_TEXT = 1024 };
const char *cli_show(char out[CLI_TEXT], const char *text);
const char *cli_quote(char out[CLI_TEXT], const char *text);        /* as a shell takes it back */
void cli_clock(char out[32], double seconds);                       /* 12:08, 1:02:03 */
void cli_duration(char out[32], double seconds);                    /* 10 min 12 s */
void cli_size(char out[32], double bytes);                          /* 2.9 GB */
void cli_count(char out[32], double number);                        /* 86.2 M */
void cli_repr(char out[32], double value);                          /* as Python's repr; NaN: nan */
void cli_short(char out[32], double value);                         /* repr of the value in 4 significant digits */
size_t cli_distance(const char *a, const char *b);
reel_status cli_fail(reel_error *err, reel_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* hub_whoami.c */
void cli_user(cli *c, const reel_hub_user *user, bool stored);

/* json_out.c: one value written to stdout, with Python's separators. Misuse is a defect of the caller. */
enum { CLI_JSON_DEPTH = 16 };
typedef struct cli_json { FILE *out; int depth; bool more[CLI_JSON_DEPTH]; } cli_json;
void cli_json_open(cli_json *j, const char *key, char bracket);     /* '{' or '['; key NULL inside arrays and at the top */
void cli_json_close(cli_json *j, char bracket);
void cli_json_string(cli_json *j, const char *key, const char *value);  /* NULL: null */
void cli_json_int(cli_json *j, const char *key, int64_t value);
void cli_json_double(cli_json *j, const char *key, double value);   /* not finite: null */
void cli_json_bool(cli_json *j, const char *key, bool value);
void cli_json_end(cli_json *j);                                     /* line end, flushed */

/* signals.c */
void cli_signals(void);                                             /* the handlers; called once */
bool cli_cancelled(void *user);
_Noreturn void cli_die(void);                                       /* by the signal that came */

/* train_plan.c */
reel_status cli_train_plan(cli *c, reel_error *err);

/* A small answer of the verbs that write one thing: {"output": PATH} or "wrote    PATH". */
void cli_wrote(cli *c, const char *path, const char *what);

#endif
