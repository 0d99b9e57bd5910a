/* until SIGNAL COUNT WORD OUT ERR COMMAND…: runs COMMAND with stdout to OUT and stderr to ERR, and sends SIGNAL COUNT times, 20 ms
 * apart, once a line of stdout holds WORD. Prints "exit N" or "signal N", and how many ms passed since the first signal. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static pid_t start(char **argv, int out, const char *err)
{
    const pid_t pid = fork();
    if (pid != 0)
        return pid;
    const int fd = open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    for (int i = 1; i < 32; i++)
        signal(i, SIG_DFL);  /* a shell in the background ignores INT */
    if (fd < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
        _exit(99);
    execv(argv[0], argv);
    _exit(99);
}

static void kick(pid_t pid, int number, int count)
{
    for (int i = 0; i < count; i++) {
        kill(pid, number);
        nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
    }
}

int main(int argc, char **argv)
{
    char line[65536];
    int pair[2], status = 0;
    double since = 0;
    if (argc < 7 || pipe2(pair, O_CLOEXEC) != 0)
        return 99;
    FILE *copy = fopen(argv[4], "w");
    const pid_t pid = start(argv + 6, pair[1], argv[5]);
    close(pair[1]);
    FILE *in = fdopen(pair[0], "r");
    if (copy == NULL || in == NULL || pid < 0)
        return 99;
    while (fgets(line, sizeof line, in) != NULL) {
        fputs(line, copy);
        if (since == 0 && strstr(line, argv[3]) != NULL) {
            since = now();
            kick(pid, atoi(argv[1]), atoi(argv[2]));
        }
    }
    fclose(copy);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    const int ms = since > 0 ? (int)((now() - since) * 1000) : -1;
    if (WIFSIGNALED(status))
        printf("signal %d after %d ms\n", WTERMSIG(status), ms);
    else
        printf("exit %d after %d ms\n", WEXITSTATUS(status), ms);
    return 0;
}
