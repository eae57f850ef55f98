#ifndef CRIER_TIMER_H
#define CRIER_TIMER_H

#include <stddef.h>
#include <stdint.h>

/* The time of a timer that is not set. */
#define CRIER__NO_TIME UINT64_MAX

/* A timer, embedded in its owner. All zero except `fire` is a timer that is not set. */
struct crier__timer {
    void (*fire)(struct crier__timer *timer, uint64_t now);
    uint64_t when;   /* ms of crier_now() */
    uint32_t place;  /* in the heap, from 1; 0: not set */
};

/* A timer with its time, so that comparing does not touch the timer. */
struct crier__due {
    uint64_t when;
    struct crier__timer *timer;
};

/* Timers of one thread, the earliest first. All zero is an empty set. */
struct crier__timers {
    struct crier__due *heap; /* the first element is place 1 */
    uint32_t count;
    uint32_t room;
    uint32_t reserved;
};

/* Reserves memory so that COUNT more timers can be set without failing. -ENOMEM. */
int crier__timers_reserve(struct crier__timers *timers, uint32_t count);

/* Gives back a reservation of COUNT. */
void crier__timers_release(struct crier__timers *timers, uint32_t count);

/* Sets TIMER to fire at WHEN, in place of any earlier time; CRIER__NO_TIME cancels it.
 * Needs a reservation, and cannot fail. */
void crier__timers_set(struct crier__timers *timers,
                       struct crier__timer *timer, uint64_t when);

/* Returns the time of the earliest timer, CRIER__NO_TIME when none is set. */
uint64_t crier__timers_next(const struct crier__timers *timers);

/* Cancels and fires every timer that is due at NOW. */
void crier__timers_fire(struct crier__timers *timers, uint64_t now);

/* Frees the memory; no timer may be set afterwards. */
void crier__timers_done(struct crier__timers *timers);

#endif
