#ifndef CRIER_PRESENCE_H
#define CRIER_PRESENCE_H

#include "hub.h"

/* Publishes that a stream has begun (JOIN) or ceased to subscribe to those of SELECTORS
 * that are names of topics with presence and not among OTHERS (NULL: none). */
void crier__presence_announce(struct crier_hub *hub,
                              const struct crier__selectors *selectors,
                              const struct crier__selectors *others, bool join);

/* The journal's departed (see journal.h); CLOSURE is the hub. Publishes the count of the
 * topic that SELECTOR is, if that has presence. */
void crier__presence_departed(void *closure, const char *selector);

#endif
