#ifndef CRIER_THREAD_H
#define CRIER_THREAD_H

#include <pthread.h>
#include <stddef.h>

/* The stack size of a thread, in bytes. The deepest recursion is that of jansson, which
 * takes some 300 bytes for each level of JSON_DEPTH_MAX (json_read.h); the rest is for
 * the callbacks of a program that uses libcrier. */
#define CRIER__THREAD_STACK ((size_t)512 * 1024)

/* Starts a thread that runs RUN with CLOSURE, with all signals blocked and a stack of
 * CRIER__THREAD_STACK bytes. Returns 0, or -errno; *THREAD is undefined then. */
int crier__thread_start(pthread_t *thread, void *(*run)(void *),
                        void *closure);

/* How many threads a program starts by default: one for each processor that is online,
 * at least 1 and at most MAX. */
unsigned crier__thread_count(unsigned max);

#endif
