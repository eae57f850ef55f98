/*
 * The functions between the code that is tested and the allocator. A test requests a
 * failure (oom.h), or the environment does (oom_plan.h). The allocations of the tests
 * themselves and of other libraries do not pass through here.
 *
 * asprintf() and strdup() fail as a whole. pthread_create() is here because it also
 * fails when memory is short.
 */
#include <config.h>

#include "oom.h"
#include "oom_plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static _Thread_local long left;
static atomic_long left_in_all;
static atomic_bool has_failed;

__attribute__((constructor)) static void plan(void)
{
    oom_plan("tested");
}

void oom_after(long n)
{
    left = n;
}

void oom_never(void)
{
    left = 0;
}

void oom_after_in_all(long n)
{
    if (n != 0)
        atomic_store(&has_failed, false);
    atomic_store(&left_in_all, n);
}

bool oom_has_failed(void)
{
    return atomic_load(&has_failed);
}

/* Whether this is the allocation that oom_after_in_all() meant. */
static bool is_last_of_all(void)
{
    if (atomic_load(&left_in_all) <= 0 || atomic_fetch_sub(&left_in_all, 1) != 1)
        return false;
    atomic_store(&has_failed, true);
    return true;
}

static bool fails(void)
{
    if (!oom_due() && !is_last_of_all() && (left == 0 || --left != 0))
        return false;
    errno = ENOMEM;
    return true;
}

void *oom_malloc(size_t size)
{
    return fails() ? NULL : malloc(size);
}

void *oom_calloc(size_t count, size_t size)
{
    return fails() ? NULL : calloc(count, size);
}

void *oom_realloc(void *old, size_t size)
{
    return fails() ? NULL : realloc(old, size);
}

char *oom_strdup(const char *text)
{
    return fails() ? NULL : strdup(text);
}

char *oom_strndup(const char *text, size_t length)
{
    return fails() ? NULL : strndup(text, length);
}

FILE *oom_open_memstream(char **text, size_t *length)
{
    return fails() ? NULL : open_memstream(text, length);
}

int oom_asprintf(char **text, const char *format, ...)
{
    va_list arguments;
    int length;

    if (fails())
        return -1;
    va_start(arguments, format);
    length = vasprintf(text, format, arguments);
    va_end(arguments);
    return length;
}

/* What asprintf() is called with _FORTIFY_SOURCE, as in Debian's packages. */
int oom___asprintf_chk(char **text, int flag, const char *format, ...)
{
    va_list arguments;
    int length;

    (void)flag;
    if (fails())
        return -1;
    va_start(arguments, format);
    length = vasprintf(text, format, arguments);
    va_end(arguments);
    return length;
}

int oom_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                       void *(*run)(void *), void *closure)
{
    return fails() ? EAGAIN
                   : pthread_create(thread, attributes, run, closure);
}
