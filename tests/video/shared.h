/* The real videos of the shared folder, with what its README says of them. */
#ifndef TESTS_VIDEO_SHARED_H
#define TESTS_VIDEO_SHARED_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct shared_file {
    char name[128], size[32];
    long frames;             /* that decode; -1: not told */
    double seconds;          /* 0: not told */
} shared_file;

enum { SHARED_MOST = 256 };

static inline const char *shared_root(void)
{
    static char path[4096];
    const char *root = getenv("REEL_SHARED");
    snprintf(path, sizeof path, "%.4000s/data", root != NULL ? root : "../shared");
    return path;
}

static inline char *shared_path(const char *name)
{
    static char path[4096 + 256];
    snprintf(path, sizeof path, "%.4000s/%.200s", shared_root(), name);
    return path;
}

/* Column `column` of a Markdown row, without the blanks around it. */
static inline void shared_column(char *out, size_t size, const char *line, int column)
{
    const char *p = line;
    for (int i = 0; p != NULL && i <= column; i++) {
        p = strchr(p, '|');
        p = p != NULL ? p + 1 : NULL;
    }
    out[0] = '\0';
    if (p == NULL)
        return;
    while (*p == ' ')
        p++;
    size_t n = strcspn(p, "|");
    while (n > 0 && p[n - 1] == ' ')
        n--;
    snprintf(out, size, "%.*s", (int)n, p);
}

/* Rows of the first table whose name begins with one of clips/ quirks/ broken/; 0 where the folder is absent. */
static inline size_t shared_list(shared_file *files)
{
    FILE *f = fopen(shared_path("README.md"), "r");
    size_t n = 0;
    static char line[4096], cell[256];
    while (f != NULL && n < SHARED_MOST && fgets(line, sizeof line, f) != NULL) {
        shared_column(cell, sizeof cell, line, 0);
        if (strncmp(cell, "clips/", 6) != 0 && strncmp(cell, "quirks/", 7) != 0 && strncmp(cell, "broken/", 7) != 0)
            continue;
        shared_file *s = &files[n++];
        snprintf(s->name, sizeof s->name, "%.127s", cell);
        shared_column(s->size, sizeof s->size, line, 5);
        shared_column(cell, sizeof cell, line, 8);
        s->frames = cell[0] >= '0' && cell[0] <= '9' ? atol(cell) : -1;
        shared_column(cell, sizeof cell, line, 10);
        s->seconds = cell[0] >= '0' && cell[0] <= '9' ? atof(cell) : 0;
    }
    if (f != NULL)
        fclose(f);
    return n;
}

#endif
