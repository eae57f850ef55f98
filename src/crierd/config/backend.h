#ifndef CRIERD_BACKEND_H
#define CRIERD_BACKEND_H

#include "crier.h"

#include <stdbool.h>
#include <stddef.h>

/* A kind of journal that --journal can name. */
struct backend {
    const char *scheme;   /* "sqlite" of "sqlite:PATH" */
    const char *argument; /* what stands behind the colon, such as "PATH"; NULL: nothing
                             does, and no colon */
    bool file;            /* the journal has descriptors open */

    /* Opens the journal that ARGUMENT names (NULL where none stands) and writes it to
     * *JOURNAL, the caller's. An error of crier_journal_memory() or
     * crier_journal_sqlite(); REASON then says more, or is "". */
    int (*open)(const char *argument,
                const struct crier_journal_options *options,
                struct crier_journal **journal, char *reason, size_t size);
};

/* Finds the backend that VALUE (as of --journal) names, and writes what stands behind
 * the colon to *ARGUMENT (borrowed from VALUE, or NULL). Returns NULL when VALUE names
 * none, or lacks the argument. */
const struct backend *backend_find(const char *value, const char **argument);

/* Writes what --journal takes, such as "memory or sqlite:PATH". */
void backend_print_choices(char *text, size_t size, const char *conjunction);

#endif
