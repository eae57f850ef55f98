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
    "the thread sanitizer does not allow a library that replaces malloc()"

/* Makes the N-th allocation of OF (see oom_plan.h) fail in each process that is started
 * from now on; these load $OOM. */
void oomed_begin(const char *of, unsigned long n);

/* Ends that; returns the most allocations that one of these processes made. */
unsigned long oomed_end(void);

/* Returns how long to go on, in ms: $CRIER_OOM_SECONDS, or USUAL if that is not set. */
uint64_t oomed_time(uint64_t usual);

/* Returns a number from 1 to COUNT. The TURNs 0 to COUNT - 1 give each number once, and
 * the first few of them are spread evenly. */
unsigned long oomed_number(unsigned long turn, unsigned long count);

#endif
