/* What this machine is: instruction sets, processors that may be used, memory. */
#ifndef REEL_BASE_CPU_H
#define REEL_BASE_CPU_H

#include <stdbool.h>
#include <stdint.h>

enum {  /* bits: what the processor has and the system lets programs use */
    REEL_CPU_AVX2 = 1, REEL_CPU_AVX512 = 2, REEL_CPU_AVX512_BF16 = 4, REEL_CPU_AVX512_VNNI = 8, REEL_CPU_AMX_BF16 = 16,
    REEL_CPU_AMX_INT8 = 32,
    REEL_CPU_AMD = 64  /* no instruction set: whose core it is, where rates differ by that */
};
unsigned reel_cpu_flags(void);
void reel_cpu_name(char *out, int size);       /* as the system calls it */
int reel_cpu_count(void);                      /* by affinity and cgroup, at least 1 */
uint64_t reel_memory_available(void);          /* bytes: least of MemAvailable and the cgroups' limits */
int64_t reel_memory_peak(void);                /* bytes, this process so far */
double reel_now(void);                         /* seconds, monotonic */

#endif
