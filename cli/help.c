/* The pages of help, made from the library's rows. */
#include "cli.h"

#include <string.h>

enum { COLUMN = 34 };  /* where the help text begins */

void cli_overview(FILE *out)
{
    fprintf(out, "reel %s: fine-tunes video classification transformers, and uses them\n", reel_version());
    const char *group = "";
    for (size_t i = 0; cli_verbs[i] != NULL; i++) {
        if (strcmp(group, cli_verbs[i]->group) != 0)
            fprintf(out, "\n%s\n", group = cli_verbs[i]->group);
        fprintf(out, "  %-12s  %s\n", cli_verbs[i]->name, cli_verbs[i]->line);
    }
    fputs("\nexamples\n"
          "  reel train --model videomae-base --data UCF101_subset --output_dir run1\n"
          "  reel predict --model run1 dunk.avi\n"
          "\nreel VERB --help tells the options of a verb.\n", out);
}

/* `text` behind what stands at column `at`, wrapped; returns the number of lines. `out` NULL only counts. */
static int fold(FILE *out, const char *text, int at)
{
    int lines = 1, column = at;
    if (out != NULL)
        fprintf(out, "%*s", at < COLUMN ? COLUMN - at : 1, "");
    column = at < COLUMN ? COLUMN : at + 1;
    for (const char *word = text; *word != '\0';) {
        const int n = (int)strcspn(word, " ");
        if (column > COLUMN && column + 1 + n > CLI_HELP_WIDTH) {
            if (out != NULL)
                fprintf(out, "\n%*s", COLUMN, "");
            column = COLUMN;
            lines++;
        } else if (word != text) {
            if (out != NULL)
                fputc(' ', out);
            column++;
        }
        if (out != NULL)
            fprintf(out, "%.*s", n, word);
        column += n;
        word += n;
        word += strspn(word, " ");
    }
    if (out != NULL)
        fputc('\n', out);
    return lines;
}

static int row_lines(FILE *out, const reel_option *row)
{
    static const char *const value[] = { [REEL_OPTION_BOOL] = "", [REEL_OPTION_INT] = " N", [REEL_OPTION_FLOAT] = " X",
                                         [REEL_OPTION_STRING] = " TEXT", [REEL_OPTION_CHOICE] = " WORD", [REEL_OPTION_LIST] = " TEXT" };
    const bool is_true = row->type == REEL_OPTION_BOOL && strcmp(row->default_value, "true") == 0;
    char head[96], text[CLI_TEXT];
    const int n = snprintf(head, sizeof head, "  --%s%s", row->name, is_true ? " true|false" : value[row->type]);
    size_t used = (size_t)snprintf(text, sizeof text, "%s", row->help);
    if (row->choices != NULL) {
        used += (size_t)snprintf(text + used, sizeof text - used, ": ");
        for (const char *c = row->choices; *c != '\0' && used + 8 < sizeof text; c++)
            used += (size_t)snprintf(text + used, sizeof text - used, *c == '|' ? ", " : "%c", *c);
    }
    if (row->default_value[0] != '\0' && (row->type != REEL_OPTION_BOOL || is_true))
        snprintf(text + used, sizeof text - used, " [%s%s%s]", row->default_value, row->unit[0] != '\0' ? " " : "", row->unit);
    if (out != NULL)
        fputs(head, out);
    return fold(out, text, n);
}

/* The rows of one group from `first` on; *next gets the first row behind it. */
static int group_lines(FILE *out, const reel_option *rows, size_t first, size_t count, size_t *next)
{
    int lines = 1;
    if (out != NULL)
        fprintf(out, "%s\n", rows[first].group);
    for (*next = first; *next < count && strcmp(rows[*next].group, rows[first].group) == 0; ++*next)
        lines += row_lines(out, &rows[*next]);
    return lines;
}

static int common_lines(FILE *out)
{
    int lines = 1;
    if (out != NULL)
        fputs("common\n", out);
    for (const cli_common *o = cli_common_options; o->name != NULL; o++) {
        char head[64];
        const int n = snprintf(head, sizeof head, "  --%s%s%s%s%s", o->name, o->letter != NULL ? ", -" : "",
                               o->letter != NULL ? o->letter : "", o->value != NULL ? " " : "", o->value != NULL ? o->value : "");
        if (out != NULL)
            fputs(head, out);
        lines += fold(out, o->help, n);
    }
    return lines;
}

/* Groups from row `first` on by name. */
static void rest_lines(FILE *out, const reel_option *rows, size_t first, size_t count)
{
    char names[CLI_TEXT];
    size_t used = 0;
    for (size_t i = first; i < count; i++)
        if ((i == first || strcmp(rows[i].group, rows[i - 1].group) != 0) && used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i == first ? "" : ", ", rows[i].group);
    fold(out, names, fprintf(out, "more with --help all"));
}

void cli_help(const cli_verb *verb, bool all, FILE *out)
{
    size_t count = 0, next = 0, first = 0;
    const reel_option *rows = reel_job_options(verb->job, &count);
    int room = CLI_HELP_LINES - 8 - common_lines(NULL);  /* title, usage, rest, examples, the shell's prompt */
    fprintf(out, "reel %s: %s\nusage: reel %s %s\n", verb->name, verb->line, verb->name, verb->usage);
    for (; first < count; first = next) {
        room -= group_lines(NULL, rows, first, count, &next);
        if (room < 0 && !all)
            break;
        group_lines(out, rows, first, count, &next);
    }
    common_lines(out);
    if (first < count)
        rest_lines(out, rows, first, count);
    fprintf(out, "examples\n  reel %s\n  reel %s\n", verb->example[0], verb->example[1]);
}
