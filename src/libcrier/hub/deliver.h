#ifndef CRIER_DELIVER_H
#define CRIER_DELIVER_H

#include "hub.h"

/* Prepares the shards' shares of HUB. */
void crier__deliver_init(struct crier_hub *hub);

/* Frees what the shards' shares of HUB hold. */
void crier__deliver_done(struct crier_hub *hub);

/* The journal's yield (see journal.h); CLOSURE is the hub. */
size_t crier__deliver_yield(void *closure, struct crier__update *update);

/* The journal's missed; likewise. */
void crier__deliver_missed(void *closure, uint64_t position);

#endif
