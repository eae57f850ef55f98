#ifndef TESTS_OOM_PLAN_H
#define TESTS_OOM_PLAN_H

#include <execinfo.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Allocation failures for a sweep (oomed.h): with $CRIER_OOM = N the N-th allocation of
 * a process fails, once. $CRIER_OOM_OF says which allocations count: those of the
 * "tested" code (oom.c), or those of the whole "program" or of the "libraries" below it
 * (oom_preload.c). A forked process continues its parent's count; so in a program of
 * check it is the N-th allocation of every test.
 *
 * The process prints the call stack of the allocation that fails to standard error, and
 * counts in the file $CRIER_OOM_TOLD, which all these processes share.
 */
struct oom_told {
    atomic_ulong most;   /* the most allocations that one process made */
    atomic_ulong failed; /* allocations that failed, in all processes */
};

static bool oom_counts;
static unsigned long oom_nth; /* 0: none */
static struct oom_told oom_own, *oom_told = &oom_own;
static atomic_ulong oom_count;

/* Begins to count if $CRIER_OOM_OF is WHO. */
static inline void oom_plan(const char *who)
{
    const char *of = getenv("CRIER_OOM_OF"), *nth = getenv("CRIER_OOM");
    const char *path = getenv("CRIER_OOM_TOLD");
    int fd;
    void *at;

    if (of == NULL || strcmp(of, who) != 0)
        return;
    oom_counts = true;
    if (nth != NULL)
        oom_nth = strtoul(nth, NULL, 10);
    fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    at = mmap(NULL, sizeof *oom_told, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
              0);
    close(fd);
    if (at != MAP_FAILED)
        oom_told = at;
}

/* Counts an allocation; returns whether it is to fail. */
static inline bool oom_due(void)
{
    unsigned long count, most = atomic_load(&oom_told->most);
    void *calls[16];

    if (!oom_counts)
        return false;
    count = atomic_fetch_add(&oom_count, 1) + 1;
    while (most < count &&
           !atomic_compare_exchange_weak(&oom_told->most, &most, count))
        ;
    if (count != oom_nth)
        return false;
    atomic_fetch_add(&oom_told->failed, 1);
    backtrace_symbols_fd(calls, backtrace(calls, 16), STDERR_FILENO);
    return true;
}

#endif
