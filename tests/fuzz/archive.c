/* An archive, unpacked. Nothing but files and folders may come out, and none beside the folder that it goes into. */
#include "target.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/context.h"
#include "base/file.h"
#include "base/mem.h"
#include "format/archive.h"

static reel_context *ctx;
static char home[64], file[96], cache[96];

static void leave(void)
{
    reel_context_close(&ctx);
    reel_dir_remove(home, NULL);
}

static void begin(void)
{
    snprintf(home, sizeof home, "%s/reel_fuzz_XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    HOLDS(mkdtemp(home) != NULL);
    snprintf(file, sizeof file, "%s/fuzz.tar", home);
    snprintf(cache, sizeof cache, "%s/cache", home);
    HOLDS(mkdir(cache, 0700) == 0 && reel_context_open(&ctx, NULL) == REEL_OK && reel_context_set(ctx, "cache_dir", cache, NULL) == REEL_OK);
    reel_context_set_log(ctx, NULL, NULL);
    atexit(leave);
}

static void look(const char *folder)
{
    reel_names names;
    HOLDS(reel_dir_list(folder, &names, NULL) == REEL_OK);
    for (size_t i = 0; i < names.n; i++) {
        struct stat st;
        char *path = reel_path_join(folder, names.name[i]);
        HOLDS(path != NULL && lstat(path, &st) == 0);
        HOLDS(S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && st.st_nlink == 1));
        HOLDS((st.st_mode & 07000) == 0);
        if (S_ISDIR(st.st_mode))
            look(path);
        reel_free(path);
    }
    reel_names_free(&names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *dir = NULL;
    reel_names names;
    reel_error err = {0};
    if (ctx == NULL)
        begin();
    FILE *f = fopen(file, "wb");
    HOLDS(f != NULL && fwrite(data, 1, size, f) == size && fclose(f) == 0);
    reel_status status = reel_archive_extract(ctx, file, &dir, &err);
    HOLDS((status == REEL_OK) == (dir != NULL) && (status == REEL_OK || err.message[0] != '\0'));
    if (dir != NULL)
        look(dir);
    HOLDS(reel_dir_list(home, &names, NULL) == REEL_OK && names.n == 2);
    reel_names_free(&names);
    HOLDS(reel_dir_list(cache, &names, NULL) == REEL_OK && names.n <= 1);
    reel_names_free(&names);
    HOLDS(reel_dir_remove(cache, NULL) == REEL_OK && mkdir(cache, 0700) == 0);
    reel_free(dir);
    return 0;
}
