#ifndef CRIERD_DESCRIPTORS_H
#define CRIERD_DESCRIPTORS_H

#include "crierd/config/conf.h"

#include <stdbool.h>
#include <stddef.h>

/* How crierd divides the descriptors that the open-file limit allows: its own, which stay
 * open as long as it runs, the connections of streams, the connections of other requests,
 * and a rest for what is open for a moment only. */
struct descriptors {
    size_t most;    /* streams that there are descriptors for */
    size_t clients; /* streams that may be open at once: MOST, or what the configuration
                       says if that is less; changed by a reload */
    size_t crowded; /* no connection is accepted while this number is the lowest free
                       one: the rest begins here */
};

/* How many descriptors are open now, of those below LIMIT. */
size_t descriptors_open(size_t limit);

/* Raises the process's limit of open files as far as it goes, and returns it. */
size_t descriptors_raise_limit(void);

/* The descriptors that a crierd of CONF has open as long as it runs, when it found FOUND
 * at its start. */
size_t descriptors_own(const struct conf *conf, size_t found);

/* Divides LIMIT descriptors for a crierd of CONF that found FOUND of them open. Returns 0,
 * or how many it would need when LIMIT is too low. */
size_t descriptors_divide(struct descriptors *descriptors,
                          const struct conf *conf, size_t limit, size_t found);

/* Sets how many streams a crierd of CONF may have open at once. */
void descriptors_limit_clients(struct descriptors *descriptors,
                               const struct conf *conf);

#endif
