#ifndef CRIER_NAMES_H
#define CRIER_NAMES_H

#include <stdint.h>

/* A name in an index; the first member of what has the name. */
struct crier__name {
    struct crier__name *left, *right;
    uint64_t priority;
    const char *text; /* not owned */
};

/* Names in the order of their bytes. All zero is an empty index. */
struct crier__names {
    struct crier__name *root;
    uint64_t random; /* the state of the generator; any value but 0 */
};

/* Adds NAME, whose text is set and not in NAMES yet. */
void crier__names_add(struct crier__names *names, struct crier__name *name);

/* Removes NAME, which is in NAMES. */
void crier__names_remove(struct crier__names *names, struct crier__name *name);

/* The first name that begins with the LENGTH bytes at TEXT or comes behind them, or
 * NULL. */
struct crier__name *crier__names_from(const struct crier__names *names,
                                      const char *text, unsigned length);

/* The first name behind TEXT, or NULL. */
struct crier__name *crier__names_after(const struct crier__names *names,
                                       const char *text);

/* Calls VISIT for each name that begins with the LENGTH bytes at PREFIX, in order. VISIT
 * must not change NAMES. */
void crier__names_each(const struct crier__names *names, const char *prefix,
                       unsigned length,
                       void (*visit)(void *closure, struct crier__name *name),
                       void *closure);

#endif
