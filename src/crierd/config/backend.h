#ifndef CRIERD_BACKEND_H
#define CRIERD_BACKEND_H

#include "crier.h"

#include <stdbool.h>
#include <stddef.h>

/* Where a kind of journal has its updates. */
enum backend_place {
    BACKEND_MEMORY,
    BACKEND_FILE,
    BACKEND_SERVER
};

/* A kind of journal that --journal can name. */
struct backend {
    const char *scheme;   /* "sqlite" of "sqlite:PATH" */
    const char *argument; /* what stands behind the colon, such as "PATH"; NULL: nothing
                             does, and no colon */
    enum backend_place place;
    bool alias; /* of another one; not among the choices */

    /* Opens the journal that ARGUMENT names and writes it to *JOURNAL, the caller's. An
     * error of crier_journal_memory(), crier_journal_sqlite() or crier_journal_redis();
     * REASON then says more, or is "". */
    int (*open)(const char *argument,
                const struct crier_journal_options *options,
                struct crier_journal **journal, char *reason, size_t size);
};

/* Finds the backend that VALUE (as of --journal) names, and writes what its open() takes to
 * *ARGUMENT (borrowed from VALUE): the whole of a URL, else what stands behind the colon, or
 * NULL. Returns NULL when VALUE names none, or lacks the argument. */
const struct backend *backend_find(const char *value, const char **argument);

/* Whether VALUE can be the value of --journal. If not, writes what is wrong to WHY; VALUE,
 * which may contain a password, is no part of it. */
bool backend_check(const char *value, char *why, size_t size);

/* Writes VALUE, for which backend_check() is true, to TEXT; a URL that may have a password as
 * the server and the journal's name alone, or "" when memory is short. */
#define BACKEND_TEXT_SIZE 1024
void backend_show(const char *value, char text[BACKEND_TEXT_SIZE]);

/* Writes what --journal takes, such as "memory or sqlite:PATH". */
void backend_print_choices(char *text, size_t size, const char *conjunction);

#endif
