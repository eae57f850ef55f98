/*
 * Allocation failures in an unchanged program, into which LD_PRELOAD loads this
 * library. oom_plan.h says which allocation fails. $CRIER_OOM_OF = "program" counts
 * allocations of the program itself, "libraries" those of the libraries named below,
 * whose failures the program has to survive. libcurl is not among them: it does not
 * survive all failures itself (7.88: a division by zero in a transfer).
 *
 * The return address of the call says who allocates. So an allocation that libc makes
 * for a caller counts only if the libc function is replaced here. libmicrohttpd takes
 * its memory pools from mmap().
 */
#include <config.h>

#include "interpose.h"
#include "oom_plan.h"

#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Whether this call of an allocating function is to fail. */
#define FAILS() fails((uintptr_t)__builtin_return_address(0))

static void *_Atomic next_malloc, *_Atomic next_calloc, *_Atomic next_realloc,
    *_Atomic next_mmap, *_Atomic next_strdup, *_Atomic next_vasprintf,
    *_Atomic next_pthread_create;

static struct {
    uintptr_t from, to;
} code[32]; /* whose allocations count */
static unsigned code_count;

static bool counts(const char *name, bool program)
{
    static const char *const libraries[] = {"/libmicrohttpd.", "/libjansson.",
                                            "/libsqlite3."};
    size_t i;

    if (program)
        return name[0] == '\0';
    for (i = 0; i < sizeof libraries / sizeof libraries[0]; i++)
        if (strstr(name, libraries[i]) != NULL)
            return true;
    return false;
}

static int add_code(struct dl_phdr_info *object, size_t size, void *closure)
{
    const ElfW(Phdr) *part;

    (void)size;
    if (!counts(object->dlpi_name, *(bool *)closure))
        return 0;
    for (part = object->dlpi_phdr;
         part < object->dlpi_phdr + object->dlpi_phnum; part++)
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0 &&
            code_count < sizeof code / sizeof code[0]) {
            code[code_count].from = object->dlpi_addr + part->p_vaddr;
            code[code_count].to = code[code_count].from + part->p_memsz;
            code_count++;
        }
    return 0;
}

__attribute__((constructor)) static void plan(void)
{
    bool program;

    oom_plan("program");
    program = oom_counts;
    oom_plan("libraries");
    if (oom_counts)
        dl_iterate_phdr(add_code, &program);
}

static bool fails(uintptr_t caller)
{
    unsigned i;

    for (i = 0; i < code_count; i++)
        if (caller >= code[i].from && caller < code[i].to) {
            if (!oom_due())
                return false;
            errno = ENOMEM;
            return true;
        }
    return false;
}

EXPORT void *malloc(size_t size)
{
    return FAILS() ? NULL : REAL(malloc)(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
    return FAILS() ? NULL : REAL(calloc)(count, size);
}

EXPORT void *realloc(void *old, size_t size)
{
    return FAILS() ? NULL : REAL(realloc)(old, size);
}

EXPORT void *mmap(void *at, size_t length, int access, int flags, int fd,
                  off_t offset)
{
    return (flags & MAP_ANONYMOUS) != 0 && FAILS()
               ? MAP_FAILED
               : REAL(mmap)(at, length, access, flags, fd, offset);
}

EXPORT char *strdup(const char *text)
{
    return FAILS() ? NULL : REAL(strdup)(text);
}

EXPORT int vasprintf(char **text, const char *format, va_list arguments)
{
    return FAILS() ? -1 : REAL(vasprintf)(text, format, arguments);
}

EXPORT int asprintf(char **text, const char *format, ...)
{
    va_list arguments;
    int length;

    if (FAILS())
        return -1;
    va_start(arguments, format);
    length = REAL(vasprintf)(text, format, arguments);
    va_end(arguments);
    return length;
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *closure)
{
    return FAILS() ? EAGAIN
                   : REAL(pthread_create)(thread, attributes, run, closure);
}
