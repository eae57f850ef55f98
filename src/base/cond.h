#ifndef CRIER_COND_H
#define CRIER_COND_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Initializes COND to measure time by crier_now()'s clock. -errno. */
int crier__cond_init(pthread_cond_t *cond);

/* Waits for a signal on COND (initialized by crier__cond_init()), at most until
 * crier_now() is UNTIL; UINT64_MAX means without a limit. The caller holds LOCK.
 * Returns false when the time is up; as with any condition variable, true does not mean
 * that what the caller waits for has happened. */
bool crier__cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock,
                      uint64_t until);

#endif
