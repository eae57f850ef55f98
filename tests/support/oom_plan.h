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
 * Allocation failures as a sweep wants them (oomed.h): with $CRIER_OOM = N the N-th
 * allocation of a process fails, once. $CRIER_OOM_OF says whose allocations are
 * counted: those of what is "tested" (oom.c), or of the whole "program" or of the
 * "libraries" below it (oom_preload.c). A process that is forked counts on from where
 * its parent is: so in a program of check it is the N-th allocation of every test.
 *
 * Where the one that fails was made is said on standard error. What came of it is
 * told in the file that $CRIER_OOM_TOLD names, which all these processes share.
 */
struct oom_told {
    atomic_ulong most;   /* allocations that one process has made */
    atomic_ulong failed; /* in all processes */
};

static bool oom_counts;
static unsigned long oom_nth; /* 0: none */
static struct oom_told oom_own, *oom_told = &oom_own;
static atomic_ulong oom_count;

/* Begins to count, if it is WHO whose allocations are wanted. */
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

/* Whether the allocation that is being made is to fail. */
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
