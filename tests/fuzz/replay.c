/* Runs a target over every file of the folders given. TAP: a case a file. */
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "target.h"

static int count;

static void run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    if (f == NULL || fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode)) {
        printf("not ok %d - %s cannot be read\n", ++count, path);
        if (f != NULL)
            fclose(f);
        return;
    }
    size_t n = (size_t)st.st_size;
    uint8_t *data = malloc(n > 0 ? n : 1);  /* of the very size: a byte read too many is seen */
    bool whole = data != NULL && fread(data, 1, n, f) == n;
    fclose(f);
    if (whole)
        LLVMFuzzerTestOneInput(data, n);
    free(data);
    const char *slash = strrchr(path, '/');
    printf("%s %d - %s\n", whole ? "ok" : "not ok", ++count, slash != NULL ? slash + 1 : path);
    fflush(stdout);
}

static int run_folder(const char *folder)
{
    char path[4096];
    DIR *d = opendir(folder);
    if (d == NULL) {
        printf("not ok %d - %s: %s\n", ++count, folder, strerror(errno));
        return 1;
    }
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
            run_file(path);
        }
    closedir(d);
    return 0;
}

int main(int argc, char **argv)
{
    int bad = 0;
    for (int i = 1; i < argc; i++)
        bad |= run_folder(argv[i]);
    if (count == 0)
        printf("not ok %d - no file in the corpus\n", ++count);
    printf("1..%d\n", count);
    return bad;
}
