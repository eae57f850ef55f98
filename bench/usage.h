#ifndef BENCH_USAGE_H
#define BENCH_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Usage of a server, over all its processes. */
struct usage {
    uint64_t cpu;    /* ns of CPU, user and system, since each process started */
    uint64_t memory; /* bytes of private memory (Anonymous) */
    size_t processes;
};

/* Reads the usage of the process group GROUP. Returns false, with a fault, if it has no
 * process. Memory is read only if WITH_MEMORY, because that is slow when there is much
 * of it. */
bool usage_read(pid_t group, bool with_memory, struct usage *usage);

/* Returns the CPU time of the process PID, in ns; 0, with a fault, if it has exited. */
uint64_t usage_process(pid_t pid);

/* Returns how often the threads of the process PID have been switched away from, those
 * aside that have exited. */
uint64_t usage_switches(pid_t pid);

/* Returns the kernel's memory of the whole machine, in bytes: objects (sockets and files
 * among them), stacks and page tables. */
uint64_t usage_kernel(void);

/* Returns the number of open descriptors of the process PID; 0, with a fault, if it has
 * exited. */
size_t usage_files(pid_t pid);

/* Returns the CPU time of this process, in ns. */
uint64_t usage_own(void);

/* Returns the CPU time of everything else on this machine since it booted, in ns: other
 * programs, and what the host of a virtual machine took. Advances in steps of 10 ms.
 * Does not include this process and its children that have exited. */
uint64_t usage_others(void);

/* Returns the time of a monotonic clock, in ns. */
uint64_t usage_now(void);

#endif
