/*
 * How every thread of libcrier, crierd and crier is started: with all signals blocked,
 * since those are the program's own affair, and with a stack whose size does not depend
 * on `ulimit -s` or on the C library (musl gives 128 KiB). Header only, so that the
 * three can share it and none of it is exported.
 */
#ifndef THREAD_START_H
#define THREAD_START_H

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

/* The stack of a thread, in bytes. The deepest recursion is that of jansson, which takes
 * some 300 bytes for each level of JSON_DEPTH_MAX (json_read.h); the rest is left to
 * the callbacks of a program that uses libcrier. */
#define THREAD_STACK ((size_t)512 * 1024)

/* Starts a thread that runs RUN with CLOSURE. Returns 0, or -errno and *THREAD is
 * undefined. */
static inline int thread_start(pthread_t *thread, void *(*run)(void *),
                               void *closure)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    int error = pthread_attr_init(&attributes);

    if (error != 0)
        return -error;
    error = pthread_attr_setstacksize(&attributes, THREAD_STACK);
    if (error == 0) {
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        error = pthread_create(thread, &attributes, run, closure);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    pthread_attr_destroy(&attributes);
    return -error;
}

#endif
