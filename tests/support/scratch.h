#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

/* A temporary directory of the test's own, between the two calls. */
extern char scratch[];

void scratch_make(void);
void scratch_remove(void);

#endif
