#ifndef TESTS_OOMED_H
#define TESTS_OOMED_H

#include <stdint.h>

/* For RUN_SUITE_IF(). */
#ifdef __SANITIZE_THREAD__
#define OOMED_CAN_RUN 0
#else
#define OOMED_CAN_RUN 1
#endif
#define OOMED_WHY_NOT                                                         \
    "the thread sanitizer and a library before malloc() do not get on"

/* Has the processes that are started from now on, in which $OOM is loaded, make their
 * N-th allocation fail, of OF: see oom_plan.h. */
void oomed_begin(const char *of, unsigned long n);

/* Tells how many allocations one of them has made at most, and stops that. */
unsigned long oomed_end(void);

/* For how long to go on, in ms: $CRIER_OOM_SECONDS, or USUAL where that is not set. */
uint64_t oomed_time(uint64_t usual);

/* Of the numbers from 1 to COUNT the one whose turn it is after TURN others. All have
 * one; where it ends before that, those that had theirs are spread evenly. */
unsigned long oomed_number(unsigned long turn, unsigned long count);

#endif
