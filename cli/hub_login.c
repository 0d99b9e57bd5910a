/* reel hub login: a token is asked for, checked and stored. It is never an argument: those stand in the list of processes. */
#include "cli.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { TOKEN_MOST = 4096 };

/* One line, or all there is; false: stopped by a signal, or not readable. */
static bool read_line(char token[TOKEN_MOST])
{
    size_t n = 0;
    while (n + 1 < TOKEN_MOST) {
        const ssize_t got = read(STDIN_FILENO, token + n, 1);
        if (got < 0 && errno == EINTR && !cli_cancelled(NULL))
            continue;
        if (got < 0)
            return false;
        if (got == 0 || token[n] == '\n')
            break;
        n++;
    }
    token[n] = '\0';
    return true;
}

/* ---- typed on a terminal, and not shown ---- */

/* For the handlers: how the terminal was, how it is while the token is typed, and what is asked. */
static struct termios before, quiet;
static char prompt[512];

static void handle(int number, void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler }, old;
    sigemptyset(&action.sa_mask);
    if (sigaction(number, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
        sigaction(number, &action, NULL);
}

/* Ctrl-Z: the shell gets its terminal as it was. */
static void on_stop(int number)
{
    const int e = errno;
    sigset_t set;
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
    signal(number, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    raise(number);  /* stands still here until fg */
    handle(number, on_stop);
    errno = e;
}

/* fg: shells put the terminal as they have it, with an echo. */
static void on_continue(int number)
{
    const int e = errno;
    (void)number;
    tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
    const ssize_t n = write(STDERR_FILENO, prompt, strlen(prompt));
    (void)n;
    errno = e;
}

/* The terminal is put right whatever happens. */
static bool ask(char token[TOKEN_MOST])
{
    const char *endpoint = getenv("HF_ENDPOINT");
    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return read_line(token);
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    quiet.c_lflag |= ECHONL;
    snprintf(prompt, sizeof prompt, "token of %.400s (not shown; made under settings/tokens there): ",
             endpoint != NULL && endpoint[0] != '\0' ? endpoint : "https://huggingface.co");
    handle(SIGTSTP, on_stop);
    handle(SIGCONT, on_continue);
    fputs(prompt, stderr);
    fflush(stderr);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    const bool good = read_line(token);
    handle(SIGCONT, SIG_DFL);
    handle(SIGTSTP, SIG_DFL);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    return good;
}

static reel_status run(cli *c, reel_error *err)
{
    char token[TOKEN_MOST];
    reel_hub_user *user = NULL;
    const reel_status possible = reel_hub_login_check(c->ctx, err);
    if (possible != REEL_OK)
        return possible;
    const bool read = isatty(STDIN_FILENO) ? ask(token) : read_line(token);
    const size_t length = read ? strlen(token) : 0;
    if (!read || length + 1 == TOKEN_MOST)
        explicit_bzero(token, sizeof token);
    if (length + 1 == TOKEN_MOST)
        return cli_fail(err, REEL_ERR_ARG, "what was given is longer than any token");
    if (!read)
        return cli_cancelled(NULL) ? cli_fail(err, REEL_ERR_CANCELLED, "stopped")
            : cli_fail(err, REEL_ERR_IO, "the token cannot be read from standard input");
    const reel_status status = reel_hub_login(c->ctx, token, &user, err);
    explicit_bzero(token, sizeof token);
    if (status != REEL_OK)
        return status;
    cli_user(c, user, true);
    reel_hub_user_close(&user);
    static const char *const names[] = { "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN" };
    for (size_t i = 0; i < 2; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[strspn(value, " \t\r\n")] != '\0') {
            cli_say(c, "warning", "%s is set in the environment, and wins over the token that was stored now", names[i]);
            break;
        }
    }
    return REEL_OK;
}

const cli_verb cli_verb_hub_login = {
    .name = "hub login", .group = "the Hub", .line = "checks a token, and stores it for reel and the Python tools",
    .usage = "[options]   the token is typed, or comes from a pipe",
    .example = { "hub login", "hub login --json" },
    .job = REEL_JOB_HUB_LOGIN, .run = run,
};
