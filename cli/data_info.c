/* reel data info: what a data set holds. */
#include "cli.h"

#include <string.h>

enum { FEW = 20, EXAMPLES = 3 };

static void split_json(cli_json *j, const reel_split_info *s)
{
    cli_json_open(j, NULL, '{');
    cli_json_string(j, "name", s->name);
    cli_json_int(j, "videos", (int64_t)s->videos);
    cli_json_int(j, "classes", (int64_t)s->classes);
    cli_json_double(j, "seconds_min", s->seconds_min);
    cli_json_double(j, "seconds_max", s->seconds_max);
    cli_json_double(j, "seconds_total", s->seconds_total);
    cli_json_string(j, "sizes", s->sizes);
    cli_json_string(j, "fps", s->fps);
    cli_json_string(j, "codecs", s->codecs);
    cli_json_close(j, '}');
}

static void class_json(cli_json *j, const reel_data_info *d, const reel_class_info *k)
{
    cli_json_open(j, NULL, '{');
    cli_json_string(j, "label", k->name);
    cli_json_open(j, "videos", '{');
    for (size_t s = 0; s < d->splits; s++)
        cli_json_int(j, d->split[s].name, (int64_t)k->videos[s]);
    cli_json_close(j, '}');
    cli_json_close(j, '}');
}

static void info_json(const reel_data_info *d)
{
    cli_json j = { .out = stdout };
    cli_json_open(&j, NULL, '{');
    cli_json_string(&j, "path", d->path);
    cli_json_string(&j, "layout", d->layout);
    cli_json_open(&j, "splits", '[');
    for (size_t i = 0; i < d->splits; i++)
        split_json(&j, &d->split[i]);
    cli_json_close(&j, ']');
    cli_json_open(&j, "classes", '[');
    for (size_t i = 0; i < d->classes; i++)
        class_json(&j, d, &d->cls[i]);
    cli_json_close(&j, ']');
    cli_json_open(&j, "unreadable", '[');
    for (size_t i = 0; i < d->unreadables; i++) {
        cli_json_open(&j, NULL, '{');
        cli_json_string(&j, "path", d->unreadable[i].path);
        cli_json_string(&j, "reason", d->unreadable[i].reason);
        cli_json_close(&j, '}');
    }
    cli_json_close(&j, ']');
    cli_json_open(&j, "warnings", '[');
    for (size_t i = 0; i < d->warnings; i++)
        cli_json_string(&j, NULL, d->warning[i]);
    cli_json_close(&j, ']');
    cli_json_close(&j, '}');
    cli_json_end(&j);
}

/* A list such as "320x240, 640x480", cut at a comma to `most` columns. */
static const char *cut(char out[CLI_TEXT], const char *list, int most)
{
    cli_show(out, list != NULL && list[0] != '\0' ? list : "-");
    if (cli_columns(out) <= most)
        return out;
    for (char *comma = strrchr(out, ','); comma != NULL; comma = strrchr(out, ',')) {
        *comma = '\0';
        if (cli_columns(out) + 4 <= most || strchr(out, ',') == NULL)
            return strcat(out, ", ..");
    }
    return out;
}

static void split_lines(const reel_data_info *d, int width)
{
    char length[64], name[CLI_TEXT], sizes[CLI_TEXT], fps[CLI_TEXT], codecs[CLI_TEXT];
    const int more = width > 80 ? width - 80 : 0, size_most = 15 + more / 2, fps_most = 11 + more / 4, codec_most = 11 + more / 4;
    printf("%-6s %6s  %7s  %-13s  %-*s  %-*s  %s\n", "split", "videos", "classes", "length", size_most, "size", fps_most, "fps", "codecs");
    for (size_t i = 0; i < d->splits; i++) {
        const reel_split_info *s = &d->split[i];
        snprintf(length, sizeof length, s->seconds_max > 0 ? "%.1f to %.1f s" : "-", s->seconds_min, s->seconds_max);
        printf("%-6s %6zu  %7zu  %-13s  %-*s  %-*s  %s\n", cli_show(name, s->name), s->videos, s->classes, length, size_most,
               cut(sizes, s->sizes, size_most), fps_most, cut(fps, s->fps, fps_most), cut(codecs, s->codecs, codec_most));
    }
}

static void class_lines(const reel_data_info *d)
{
    char name[CLI_TEXT];
    int width = 5;
    for (size_t i = 0; i < d->classes; i++) {
        const int n = cli_columns(cli_show(name, d->cls[i].name));
        width = n > width ? n : width;
    }
    width = width > 40 ? 40 : width;
    printf("\n%-*s", width, "class");
    for (size_t s = 0; s < d->splits; s++)
        printf(" %7s", d->split[s].name);
    printf("\n");
    for (size_t i = 0; i < d->classes; i++) {
        const int n = cli_columns(cli_show(name, d->cls[i].name));
        printf("%s%*s", name, n < width ? width - n : 0, "");
        for (size_t s = 0; s < d->splits; s++)
            printf(" %7zu", d->cls[i].videos[s]);
        printf("\n");
    }
}

static void trouble_lines(const reel_data_info *d)
{
    char path[CLI_TEXT], reason[CLI_TEXT];
    const size_t shown = d->unreadables > FEW ? EXAMPLES : d->unreadables;
    if (d->unreadables > 0)
        printf("\n%zu unreadable:%s", d->unreadables, d->unreadables > 1 ? "\n" : " ");
    for (size_t i = 0; i < shown; i++) {
        cli_show(path, d->unreadable[i].path);
        cli_show(reason, d->unreadable[i].reason);
        /* a reason that begins with the file's name does not need it twice */
        if (strncmp(reason, path, strlen(path)) == 0)
            printf("%s%s\n", d->unreadables > 1 ? "  " : "", reason);
        else
            printf("%s%s: %s\n", d->unreadables > 1 ? "  " : "", path, reason);
    }
    if (shown < d->unreadables)
        printf("  and %zu more\n", d->unreadables - shown);
    for (size_t i = 0; i < d->warnings; i++)
        printf("warning: %s\n", cli_show(reason, d->warning[i]));
}

static reel_status run(cli *c, reel_error *err)
{
    reel_data_info *info = NULL;
    const reel_status status = reel_data_info_open(c->ctx, c->args, &info, err);
    if (status == REEL_OK && c->json)
        info_json(info);
    if (status == REEL_OK && !c->json) {
        split_lines(info, c->term.width);
        class_lines(info);
        trouble_lines(info);
    }
    reel_data_info_close(&info);
    return status;
}

const cli_verb cli_verb_data_info = {
    .name = "data info", .group = "learn", .line = "classes, splits, lengths, unreadable files, leaking groups",
    .usage = "DATA [options]",
    .example = { "data info UCF101_subset", "data info clips.tar.gz --json" },
    .job = REEL_JOB_DATA_INFO, .positional = "data", .run = run,
};
