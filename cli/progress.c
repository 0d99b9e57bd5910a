/* Lines and the progress bar on stderr. */
#include "cli.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

enum { TOPIC = 9, BAR_LEAST = 4, BAR_MOST = 40 };
#define BAR_EVERY 0.1 /* seconds */

/* `cells` cells of which `share` is done, into out: ━━━╸━━━ in two colours, or ===>--- */
static void cells_text(char *out, size_t size, int cells, double share, bool utf8)
{
    const int halves = (int)(2 * cells * (share < 0 ? 0 : share > 1 ? 1 : share)), full = halves / 2;
    size_t used = 0;
    for (int i = 0; i < cells && used + 24 < size; i++) {
        const char *cell = !utf8 ? (i < full ? "=" : i == full && halves % 2 ? ">" : "-") : i == full && halves % 2 ? "╸" : "━";
        const char *tint = utf8 && i == 0 && halves > 0 ? "\033[36m" : utf8 && i == full + halves % 2 ? "\033[0;2m" : "";
        used += (size_t)snprintf(out + used, size - used, "%s%s", tint, cell);
    }
    snprintf(out + used, size - used, "%s", utf8 ? "\033[0m" : "");
}

/* Bytes of as much of UTF-8 text as `most` columns hold. */
static int beginning(const char *text, int most)
{
    int n = 0;
    for (int columns = 0; text[n] != '\0'; n++)
        if ((text[n] & 0xC0) != 0x80 && columns++ == most)
            break;
    return n;
}

void cli_bar_draw(cli *c, const char *left, double share, const char *right)
{
    char bar[768] = "";
    const double now = cli_now();
    if (!c->term.live || c->quiet || c->json || now - c->bar.drawn < BAR_EVERY)
        return;
    const int room = c->term.width - 1 - cli_columns(left) - cli_columns(right) - 4;
    const int cells = room > BAR_MOST ? BAR_MOST : room;
    if (cells >= BAR_LEAST)
        cells_text(bar, sizeof bar, cells, share, c->term.utf8);
    pthread_mutex_lock(&c->bar.lock);
    c->bar.drawn = now;
    /* a line that wraps cannot be taken back: what has no room goes, the bar first */
    if (cells >= BAR_LEAST)
        snprintf(c->bar.text, sizeof c->bar.text, "%s  %s  %s", left, bar, right);
    else if (cli_columns(left) + 2 + cli_columns(right) < c->term.width)
        snprintf(c->bar.text, sizeof c->bar.text, "%s  %s", left, right);
    else
        snprintf(c->bar.text, sizeof c->bar.text, "%.*s", beginning(right, c->term.width - 1), right);
    fprintf(stderr, "\r\033[K%s", c->bar.text);
    pthread_mutex_unlock(&c->bar.lock);
}

void cli_rate(char out[128], const char *what, const reel_event *e)
{
    char clock[32];
    int n = snprintf(out, 128, "%s %lld/%lld", what, (long long)e->step, (long long)e->steps);
    if (isfinite(e->clips_per_second) && e->clips_per_second > 0)
        n += snprintf(out + n, 128 - (size_t)n, "  %.3g clips/s", e->clips_per_second);
    if (!isfinite(e->seconds_left))
        return;
    cli_clock(clock, e->seconds_left);
    snprintf(out + n, 128 - (size_t)n, "  %s left", clock);
}

static void clear(cli *c)
{
    if (c->bar.text[0] != '\0')
        fputs("\r\033[K", stderr);
    c->bar.text[0] = '\0';
    c->bar.drawn = 0;
}

void cli_bar_clear(cli *c)
{
    pthread_mutex_lock(&c->bar.lock);
    clear(c);
    pthread_mutex_unlock(&c->bar.lock);
}

/* Words of `text` in lines of `width`, continued under the first; without a terminal one line, so that grep finds it. */
static void wrapped(FILE *out, const char *text, int width, bool wrap)
{
    int at = TOPIC;
    for (const char *word = text; *word != '\0';) {
        const size_t blanks = strspn(word, " "), n = strcspn(word + blanks, " ");
        char copy[CLI_TEXT];
        snprintf(copy, sizeof copy, "%.*s", (int)n, word + blanks);
        const int wide = cli_columns(copy);
        if (wrap && at > TOPIC && at + (int)blanks + wide >= width) {
            fprintf(out, "\n%*s", TOPIC, "");
            at = TOPIC;
        } else {
            fprintf(out, "%.*s", (int)blanks, word);
            at += (int)blanks;
        }
        fputs(copy, out);
        at += wide;
        word += blanks + n;
    }
    fputc('\n', out);
}

static void line(cli *c, const char *topic, const char *text)
{
    const bool warning = strcmp(topic, "warning") == 0;
    pthread_mutex_lock(&c->bar.lock);
    clear(c);
    const char *tint = !c->term.live ? "" : warning ? "\033[33m" : "\033[1m";
    fprintf(stderr, "%s%-8s%s ", tint, topic, c->term.live ? "\033[0m" : "");
    wrapped(stderr, text, c->term.width, c->term.live);
    pthread_mutex_unlock(&c->bar.lock);
}

void cli_say(cli *c, const char *topic, const char *format, ...)
{
    char text[2 * CLI_TEXT];
    va_list list;
    if (c->quiet)
        return;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    line(c, topic, text);
}

void cli_log(reel_log_level level, const char *topic, const char *message, void *user)
{
    cli *c = user;
    /* that something is fetched over the network is told always: it may take long, and costs */
    const bool note = c->verb->notes || strcmp(topic, "hub") == 0;
    const bool told = level == REEL_LOG_WARNING || c->verbose || (level == REEL_LOG_NOTE && note);
    char name[CLI_TEXT];
    if (c->quiet || !told)
        return;
    line(c, level == REEL_LOG_WARNING ? "warning" : cli_show(name, topic), message);
}
