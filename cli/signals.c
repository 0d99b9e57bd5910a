/* Signals. The first INT, TERM or HUP sets a flag that the library asks for; when things are in order the command dies by the
 * same signal, so that the shell sees 130, 143 or 129. The second ends it at once. */
#include "cli.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t came;

_Noreturn static void die(int number)
{
    sigset_t set;
    signal(number, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    raise(number);
    _exit(128 + number);  /* process 1 of a container outlives its own signals */
}

static void on_stop(int number)
{
    if (came != 0)
        die(number);
    came = number;
}

static void on_bus(int number)
{
    static const char text[] = "reel: a file was cut short by someone else while it was in use. Start again.\n";
    (void)number;
    ssize_t n = write(STDERR_FILENO, text, sizeof text - 1);
    (void)n;
    _exit(CLI_FAILURE);
}

static void set(int number, void (*handler)(int))
{
    struct sigaction action, old;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    /* No SA_RESTART: a call that waits returns, so that the flag is looked at. nohup's choice is kept. */
    if (handler == on_stop && sigaction(number, NULL, &old) == 0 && old.sa_handler == SIG_IGN)
        return;
    sigaction(number, &action, NULL);
}

void cli_signals(void)
{
    set(SIGINT, on_stop);
    set(SIGTERM, on_stop);
    set(SIGHUP, on_stop);
    set(SIGPIPE, SIG_IGN);
    set(SIGXFSZ, SIG_IGN);
    set(SIGBUS, on_bus);
}

bool cli_cancelled(void *user)
{
    (void)user;
    return came != 0;
}

_Noreturn void cli_die(void)
{
    die(came != 0 ? came : SIGINT);
}
