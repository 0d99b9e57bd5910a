/* What the streams are: a terminal or not, UTF-8 or not, how wide. The command reads the environment, the library does not. */
#include "cli.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static int columns(void)
{
    struct winsize size;
    const char *text = getenv("COLUMNS");
    long n = text != NULL ? strtol(text, NULL, 10) : 0;
    if (n <= 0 && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0)
        n = size.ws_col;
    return n <= 0 ? 80 : n < 10 ? 10 : n > 400 ? 400 : (int)n;
}

void cli_term_look(cli_term *term)
{
    const char *no_color = getenv("NO_COLOR"), *kind = getenv("TERM");
    const bool able = (no_color == NULL || no_color[0] == '\0') && kind != NULL && strcmp(kind, "dumb") != 0;
    setlocale(LC_CTYPE, "");
    const char *set = nl_langinfo(CODESET);
    term->utf8 = strcmp(set, "UTF-8") == 0 || strcmp(set, "utf8") == 0;
    term->live = able && isatty(STDERR_FILENO) == 1;
    term->live_out = able && isatty(STDOUT_FILENO) == 1;
    term->width = columns();
}

int cli_columns(const char *text)
{
    int n = 0;
    for (; *text != '\0'; text++)
        n += (*text & 0xC0) != 0x80;
    return n;
}

double cli_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
