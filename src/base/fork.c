/*
 * Whether this is still the process that has made an object.
 *
 * fork() copies only one thread, and the locks in their present state; the parent and
 * the child then share epoll sets, eventfds and connections. So an object with threads
 * or descriptors records the process that made it, and every public function refuses it
 * in another process before it takes a lock or uses a descriptor. Objects that are only
 * memory (events, frames, replies, parsers) belong to the child like any other memory.
 *
 * Rejected: comparing getpid(), which is a system call each time; and making everything
 * anew in the child, which is impossible for connections that the parent continues to
 * serve.
 */
#include <config.h>

#include "fork.h"

#include <pthread.h>

atomic_uint crier__forks;

static int watch_error;

static void count_fork(void)
{
    atomic_fetch_add_explicit(&crier__forks, 1, memory_order_relaxed);
}

static void watch_forks(void)
{
    watch_error = -pthread_atfork(NULL, NULL, count_fork);
}

int crier__fork_watch(unsigned *born)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, watch_forks);
    *born = atomic_load_explicit(&crier__forks, memory_order_relaxed);
    return watch_error;
}
