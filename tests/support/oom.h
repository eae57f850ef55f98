#ifndef TESTS_OOM_H
#define TESTS_OOM_H

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Allocations that fail on purpose. In the test programs, all code that is tested calls
 * these functions instead of malloc() and the like: tests/Makefile.inc renames the
 * symbols in its objects. */

/* Makes the N-th allocation of this thread from now on fail, once. */
void oom_after(long n);

void oom_never(void);

/* Makes the N-th allocation of all threads together from now on fail, once; 0: none. */
void oom_after_in_all(long n);

/* Whether that has failed. */
bool oom_has_failed(void);

void *oom_malloc(size_t size);
void *oom_calloc(size_t count, size_t size);
void *oom_realloc(void *old, size_t size);
char *oom_strdup(const char *text);
char *oom_strndup(const char *text, size_t length);
FILE *oom_open_memstream(char **text, size_t *length);
int oom_asprintf(char **text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int oom___asprintf_chk(char **text, int flag, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int oom_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                       void *(*run)(void *), void *closure);

#endif
