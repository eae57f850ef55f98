#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#define SCRATCH_SIZE 36

/* The name of a temporary directory of the test, below $CRIER_SCRATCH or else /tmp.
 * scratch_make() makes the directory, scratch_remove() removes it. */
extern char scratch[SCRATCH_SIZE];

void scratch_make(void);

/* Writes TEXT to the file NAME in that directory. */
void scratch_write(const char *name, const char *text);
void scratch_remove(void);

#endif
