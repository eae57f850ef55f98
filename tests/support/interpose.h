#ifndef TESTS_INTERPOSE_H
#define TESTS_INTERPOSE_H

#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>

/* For a library that LD_PRELOAD loads (preload.h), whose functions replace those of
 * other libraries. */

#define EXPORT __attribute__((visibility("default")))

/* The FUNCTION that is replaced; the variable next_FUNCTION keeps its address. */
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
