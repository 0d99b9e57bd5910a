/* reel: one verb, its options, its result. Exit 0: done; 1: a failure; 2: wrong usage; 128 + n: death by signal n. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int tell(const reel_error *err, int code)
{
    const size_t n = strlen(err->message);
    const char *end = n == 0 || strchr(".?!", err->message[n - 1]) == NULL ? "." : "";
    fflush(stdout);
    fprintf(stderr, "reel: %s%s\n", n > 0 ? err->message : reel_status_name(err->status), end);
    return code;
}

/* Nothing that was printed may be lost unnoticed. A reader that has gone is no news for anybody. */
static int flush_results(int code)
{
    const int failed = fflush(stdout) != 0 || ferror(stdout), number = errno;
    if (!failed)
        return code;
    if (number != EPIPE)
        fprintf(stderr, "reel: the results cannot be written to standard output (%s).\n", strerror(number));
    return code == CLI_OK ? CLI_FAILURE : code;
}

static void free_all(cli *c)
{
    reel_args_close(&c->args);
    reel_context_close(&c->ctx);
    free(c->input);
    pthread_mutex_destroy(&c->bar.lock);
}

static int run_verb(cli *c, int argc, char **argv)
{
    reel_error err = { REEL_OK, "" };
    int code = cli_parse(c, argc, argv, &err);
    if (code == CLI_OK && c->help != NULL) {
        cli_help(c->verb, strcmp(c->help, "all") == 0, stdout);
        return flush_results(CLI_OK);
    }
    if (code == CLI_OK)
        code = cli_context(c, &err);
    if (code != CLI_OK)
        return tell(&err, code);
    const reel_status status = c->verb->run(c, &err);
    cli_bar_clear(c);
    if (status == REEL_ERR_CANCELLED && cli_cancelled(NULL)) {
        fflush(stdout);
        free_all(c);
        cli_die();
    }
    if (status != REEL_OK && ferror(stdout))
        return flush_results(CLI_FAILURE);
    return status == REEL_OK ? flush_results(CLI_OK) : tell(&err, CLI_FAILURE);
}

static int unknown_verb(const char *first, const char *second)
{
    reel_error err = { REEL_OK, "" };
    const char *near = cli_verb_near(first, second);
    if (first[0] == '-')
        cli_fail(&err, REEL_ERR_ARG, "%s stands before the verb: reel VERB [options]. reel --help lists the verbs", first);
    else if (cli_verb_family(first, NULL) && (second == NULL || second[0] == '-'))
        cli_fail(&err, REEL_ERR_ARG, "%s needs a second word. reel %s --help lists them", first, first);
    else if (cli_verb_family(first, NULL))
        cli_fail(&err, REEL_ERR_ARG, "%s %s is not a verb of reel%s%s%s", first, second, near != NULL ? "; did you mean reel " : "",
                 near != NULL ? near : "", near != NULL ? "?" : "");
    else
        cli_fail(&err, REEL_ERR_ARG, "%s is not a verb of reel%s%s%s", first, near != NULL ? "; did you mean reel " : "",
                 near != NULL ? near : "", near != NULL ? "?" : "");
    return tell(&err, CLI_USAGE);
}

static bool is_help(const char *word)
{
    return word != NULL && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0);
}

/* reel, reel --version, reel help VERB: what needs no options. -1: none of these. */
static int answer_plain(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : NULL;
    int words = 0;
    if (first == NULL || (is_help(first) && (argc == 2 || is_help(argv[2]))))
        return cli_overview(stdout), flush_results(CLI_OK);
    if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0)
        return printf("reel %s\n", reel_version()), flush_results(CLI_OK);
    if (!is_help(first) && !(cli_verb_family(first, NULL) && argc > 2 && is_help(argv[2])))
        return -1;
    const char *verb = is_help(first) ? argv[2] : first, *second = is_help(first) && argc > 3 ? argv[3] : NULL;
    const cli_verb *found = cli_verb_find(verb, second, &words);
    if (found != NULL)
        cli_help(found, argc > 2 && strcmp(argv[argc - 1], "all") == 0, stdout);
    else if (second != NULL || !cli_verb_family(verb, stdout))
        return unknown_verb(verb, second);
    return flush_results(CLI_OK);
}

int main(int argc, char **argv)
{
    cli c = { .bar = { .lock = PTHREAD_MUTEX_INITIALIZER } };
    int words = 0, fd;
    do  /* a closed stdin, stdout or stderr must not become the number of a file of ours */
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
    cli_term_look(&c.term);
    const int plain = answer_plain(argc, argv);
    if (plain >= 0)
        return plain;
    c.verb = cli_verb_find(argv[1], argc > 2 ? argv[2] : NULL, &words);
    if (c.verb == NULL)
        return unknown_verb(argv[1], argc > 2 ? argv[2] : NULL);
    cli_signals();
    const int code = run_verb(&c, argc - 1 - words, argv + 1 + words);
    free_all(&c);
    return code;
}
