#include "base/cpu.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#if defined(__x86_64__)
/* The system lends tiles only to a process that asked (Linux 5.16: arch_prctl ARCH_REQ_XCOMP_PERM, feature 18). */
static bool tiles_allowed(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XTILE_DATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XTILE_DATA) == 0;
}
#endif

unsigned reel_cpu_flags(void)
{
    unsigned flags = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        flags |= REEL_CPU_AVX2;
    if ((flags & REEL_CPU_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        flags |= REEL_CPU_AVX512;
    if (!(flags & REEL_CPU_AVX512))
        return flags;
    if (__builtin_cpu_supports("avx512vnni"))
        flags |= REEL_CPU_AVX512_VNNI;
    unsigned a, b, c, d;
    if (__get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1))
        flags |= REEL_CPU_AVX512_BF16;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 24 & 1) && tiles_allowed()) {
        if (d >> 22 & 1)
            flags |= REEL_CPU_AMX_BF16;
        if (d >> 25 & 1)
            flags |= REEL_CPU_AMX_INT8;
    }
    if (__builtin_cpu_is("amd"))
        flags |= REEL_CPU_AMD;
#endif
    return flags;
}

void reel_cpu_name(char *out, int size)
{
    char line[256];
    snprintf(out, (size_t)size, "unknown processor");
    FILE *f = fopen("/proc/cpuinfo", "re");
    if (f == NULL)
        return;
    while (fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, "model name", 10) != 0)
            continue;
        const char *value = strchr(line, ':');
        if (value != NULL) {
            value += 1 + strspn(value + 1, " \t");
            snprintf(out, (size_t)size, "%.*s", (int)strcspn(value, "\n"), value);
        }
        break;
    }
    fclose(f);
}

/* First line of a small file of the kernel; false if it cannot be read. */
static bool read_line(const char *path, char *line, int size)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    bool ok = fgets(line, size, f) != NULL;
    fclose(f);
    return ok;
}

/* Calls fn with the folder of this process's cgroup and of each above it (cgroup v2). */
static void each_cgroup(void (*fn)(const char *dir, void *user), void *user)
{
    char line[1024], dir[1200];
    FILE *f = fopen("/proc/self/cgroup", "re");
    if (f == NULL)
        return;
    while (fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, "0::", 3) != 0)
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(dir, sizeof dir, "/sys/fs/cgroup%s", line + 3);
        for (size_t root = strlen("/sys/fs/cgroup"); strlen(dir) >= root;) {
            fn(dir, user);
            char *slash = strrchr(dir, '/');
            if (slash == NULL || strlen(dir) <= root)
                break;
            *slash = '\0';
        }
    }
    fclose(f);
}

static void limit_cpus(const char *dir, void *user)
{
    char path[1300], line[128];
    int *count = user;
    long long quota, period;
    snprintf(path, sizeof path, "%s/cpu.max", dir);
    if (read_line(path, line, sizeof line) && sscanf(line, "%lld %lld", &quota, &period) == 2 && period > 0 && quota > 0) {
        long long cpus = (quota + period - 1) / period;
        if (cpus < *count)
            *count = cpus < 1 ? 1 : (int)cpus;
    }
}

int reel_cpu_count(void)
{
    cpu_set_t set;
    int count = 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        count = CPU_COUNT(&set);
    each_cgroup(limit_cpus, &count);
    return count < 1 ? 1 : count;
}

static void limit_memory(const char *dir, void *user)
{
    char path[1300], line[128];
    uint64_t *least = user;
    unsigned long long max, used = 0;
    snprintf(path, sizeof path, "%s/memory.max", dir);
    if (!read_line(path, line, sizeof line) || sscanf(line, "%llu", &max) != 1)
        return;
    snprintf(path, sizeof path, "%s/memory.current", dir);
    if (read_line(path, line, sizeof line))
        (void)sscanf(line, "%llu", &used);
    uint64_t room = max > used ? max - used : 0;
    if (room < *least)
        *least = room;
}

uint64_t reel_memory_available(void)
{
    char line[128];
    uint64_t least = UINT64_MAX;
    FILE *f = fopen("/proc/meminfo", "re");
    if (f != NULL) {
        unsigned long long kib;
        while (fgets(line, sizeof line, f) != NULL)
            if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
                least = kib * 1024;
        fclose(f);
    }
    each_cgroup(limit_memory, &least);
    struct rlimit space;
    if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY && space.rlim_cur < least)
        least = space.rlim_cur;
    return least;
}

int64_t reel_memory_peak(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return (int64_t)usage.ru_maxrss * 1024;
}

double reel_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
