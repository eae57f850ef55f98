#ifndef TESTS_OOM_H
#define TESTS_OOM_H

/* Allocation failures on purpose: programs linked with oom.c and the flags
 * OOM_LDFLAGS of tests/Makefile.inc. This thread's N-th allocation from now on
 * (malloc, calloc, realloc called from the library or the test) fails, once. */
void oom_after(long n);

void oom_never(void);

#endif
