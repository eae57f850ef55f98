/*
 * Condition variables with the monotonic clock. The default clock is CLOCK_REALTIME,
 * with which a wait becomes longer or shorter when somebody sets the time.
 */
#include <config.h>

#include "cond.h"

#include <errno.h>
#include <time.h>

int crier__cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);

    if (error != 0)
        return -error;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    error = pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
    return -error;
}

bool crier__cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock,
                      uint64_t until)
{
    struct timespec time = {.tv_sec = (time_t)(until / 1000),
                            .tv_nsec = (long)(until % 1000) * 1000000};

    if (until == UINT64_MAX) {
        pthread_cond_wait(cond, lock);
        return true;
    }
    return pthread_cond_timedwait(cond, lock, &time) != ETIMEDOUT;
}
