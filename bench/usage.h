#ifndef BENCH_USAGE_H
#define BENCH_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a server has used: all its processes together. */
struct usage {
    uint64_t cpu;    /* ns, user and system, since each of them began */
    uint64_t memory; /* bytes that belong to nobody else (Anonymous) */
    size_t processes;
};

/* Reads what the processes of the process group GROUP have used. False, with a
 * fault, when there is none. Reading the memory takes long where there is much
 * of it; so without WITH_MEMORY it stays 0. */
bool usage_read(pid_t group, bool with_memory, struct usage *usage);

/* How many descriptors the process PID has open; 0, with a fault, when it is
 * gone. */
size_t usage_files(pid_t pid);

/* ns of CPU that this process has used. */
uint64_t usage_own(void);

/* ns of CPU that everything else on this machine has used since it started: other
 * programs, and what the host of a virtual machine took. Grows by steps of 10 ms;
 * what this process and its children that have ended used is not in it. */
uint64_t usage_others(void);

/* ns of a clock that only rises, the same for all of this run. */
uint64_t usage_now(void);

#endif
