/*
 * Every thread of libcrier, crierd and crier is started here: with all signals blocked,
 * because signals belong to the program, and with a stack size that depends neither on
 * `ulimit -s` nor on the C library (musl's default is 128 KiB).
 */
#include <config.h>

#include "thread.h"

#include <signal.h>
#include <unistd.h>

int crier__thread_start(pthread_t *thread, void *(*run)(void *), void *closure)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    int error = pthread_attr_init(&attributes);

    if (error != 0)
        return -error;
    error = pthread_attr_setstacksize(&attributes, CRIER__THREAD_STACK);
    if (error == 0) {
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        error = pthread_create(thread, &attributes, run, closure);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    pthread_attr_destroy(&attributes);
    return -error;
}

unsigned crier__thread_count(unsigned max)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);

    if (online < 1)
        return 1;
    return (unsigned long)online < max ? (unsigned)online : max;
}
