#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#define SCRATCH_SIZE 36

/* A temporary directory of the test's own, between the two calls: below
 * $CRIER_SCRATCH or else /tmp. */
extern char scratch[SCRATCH_SIZE];

void scratch_make(void);
void scratch_remove(void);

#endif
