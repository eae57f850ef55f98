#ifndef TESTS_INTERPOSE_H
#define TESTS_INTERPOSE_H

#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>

/* For a library that is loaded before others (preload.h), to stand before their
 * functions. */

#define EXPORT __attribute__((visibility("default")))

/* FUNCTION as it would be without this library; next_FUNCTION remembers it. */
#define REAL(function) ((__typeof__(&function))real(&next_##function, #function))

static inline void *real(void *_Atomic *next, const char *name)
{
    void *function = atomic_load(next);

    if (function == NULL) {
        function = dlsym(RTLD_NEXT, name);
        atomic_store(next, function);
    }
    return function;
}

#endif
