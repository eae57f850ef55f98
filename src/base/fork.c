/*
 * Is this still the process in which something was made?
 *
 * fork() leaves all threads but one behind, and locks as they were; epoll sets,
 * eventfds and connections are then the parent's and the child's together. So what has
 * threads or descriptors notes which process it was made in, and every public function
 * refuses it in another one before it takes a lock or touches a descriptor. What has
 * only memory (events, frames, replies, parsers) is the child's own.
 *
 * Rejected: to compare getpid(), which is a system call each time; and to make all
 * anew in the child, which cannot be done for connections that the parent serves on.
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
