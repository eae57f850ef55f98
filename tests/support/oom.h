#ifndef TESTS_OOM_H
#define TESTS_OOM_H

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

/* Allocation failures on purpose. What is tested calls these instead of malloc() and
 * the like: tests/Makefile.inc has its names changed. */

/* This thread's N-th allocation from now on fails, once. */
void oom_after(long n);

void oom_never(void);

void *oom_malloc(size_t size);
void *oom_calloc(size_t count, size_t size);
void *oom_realloc(void *old, size_t size);
char *oom_strdup(const char *text);
char *oom_strndup(const char *text, size_t length);
FILE *oom_open_memstream(char **text, size_t *length);
int oom_asprintf(char **text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int oom_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                       void *(*run)(void *), void *closure);

#endif
