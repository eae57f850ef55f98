#ifndef CRIERD_DESCRIPTORS_H
#define CRIERD_DESCRIPTORS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* How crierd divides the descriptors that the open-file limit allows: its own, which stay
 * open as long as it runs, the connections of streams, the connections of other requests,
 * and a rest for what is open for a moment only. */
struct descriptors {
    size_t limit;   /* of open files */
    size_t most;    /* streams that there are descriptors for */
    atomic_size_t clients; /* streams that may be open at once: MOST, or what the
                              configuration says if that is less; a reload changes it while
                              other threads report it */
    size_t crowded; /* no connection is accepted while this number is the lowest free
                       one: the rest begins here */
};

/* What decides how many descriptors crierd needs. */
struct descriptors_needs {
    size_t found;     /* are open: those it was started with, and the listeners */
    unsigned threads; /* shards, and threads of the acceptor */
    size_t http;      /* those of the HTTP side (http_descriptors()) */
    bool journal_file, journal_server;
    size_t
        max_clients; /* that the operator wants; 0: as many as there can be */
};

/* How many descriptors are open now; LIMIT where that cannot be found out because as many
 * are open. Any thread. */
size_t descriptors_count(size_t limit);

/* How many descriptors are open now, of those below LIMIT. For the start: it tries each of
 * the first few thousand. */
size_t descriptors_open(size_t limit);

/* Raises the process's limit of open files as far as it goes, and returns it. */
size_t descriptors_raise_limit(void);

/* How many descriptors a crierd with NEEDS has open as long as it runs. */
size_t descriptors_own(const struct descriptors_needs *needs);

/* Divides LIMIT descriptors for a crierd with NEEDS. Returns 0, or how many it would need
 * when LIMIT is too low. */
size_t descriptors_divide(struct descriptors *descriptors,
                          const struct descriptors_needs *needs, size_t limit);

/* Sets how many streams may be open at once: MAX_CLIENTS, or as many as there are
 * descriptors for when that is 0 or more. */
void descriptors_limit_clients(struct descriptors *descriptors,
                               size_t max_clients);

#endif
