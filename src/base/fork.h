#ifndef CRIER_FORK_H
#define CRIER_FORK_H

#include <stdatomic.h>
#include <stdbool.h>

/* How many forks there were from the process in which crier__fork_watch() was called
 * first to this one. Written in a child before its fork() returns, when it has only one
 * thread. */
extern atomic_uint crier__forks;

/* Counts forks from now on, and writes to *BORN which process this is. -ENOMEM. Any
 * thread. */
int crier__fork_watch(unsigned *born);

/* Whether what was made when crier__fork_watch() wrote BORN belongs to the parent of
 * this process, or to a parent of that. */
static inline bool crier__forked(unsigned born)
{
    return atomic_load_explicit(&crier__forks, memory_order_relaxed) != born;
}

#endif
