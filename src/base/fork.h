#ifndef CRIER_FORK_H
#define CRIER_FORK_H

#include <stdatomic.h>
#include <stdbool.h>

/* The number of forks between this process and the one that called crier__fork_watch()
 * first. The child increments it before its fork() returns, when it has only one
 * thread. */
extern atomic_uint crier__forks;

/* Counts forks from now on, and writes an identity of this process to *BORN. -ENOMEM.
 * Any thread. */
int crier__fork_watch(unsigned *born);

/* Whether an object with the identity BORN was made by an ancestor of this process. */
static inline bool crier__forked(unsigned born)
{
    return atomic_load_explicit(&crier__forks, memory_order_relaxed) != born;
}

#endif
