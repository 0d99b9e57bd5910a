/* What every test begins with. */
#ifndef REEL_TEST_H
#define REEL_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A fresh folder under TMPDIR; the caller's to remove with test_remove_folder. */
static inline char *test_folder(void)
{
    const char *base = getenv("TMPDIR");
    char *path = malloc(512);
    snprintf(path, 512, "%s/reel_test_XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(path));
    return path;
}

static inline void test_remove_folder(char *path)
{
    char command[600];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
    free(path);
}

/* DIR/NAME in one of sixteen buffers that take turns. */
static inline char *test_path(const char *dir, const char *name)
{
    static char path[16][700];
    static int at;
    char *p = path[at++ % 16];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

/* The folder of real videos (see CONTRIBUTING.md), or NULL where it is absent: skip then. */
static inline const char *test_shared(const char *part, char out[512])
{
    const char *shared = getenv("REEL_SHARED");
    snprintf(out, 512, "%s/%s", shared != NULL ? shared : "../shared", part);
    return access(out, R_OK) == 0 ? out : NULL;
}

#endif
