#ifndef CRIER_DELIVER_H
#define CRIER_DELIVER_H

#include "hub.h"

/* Makes the parts of HUB, one for each of its shards, ready to deliver. */
void crier__deliver_init(struct crier_hub *hub);

/* Frees what the parts of HUB hold. */
void crier__deliver_done(struct crier_hub *hub);

/* The journal's yield: puts UPDATE on the list of each shard that has subscribers of its
 * topics. Returns how many there are. */
size_t crier__deliver_yield(void *closure, struct crier__update *update);

#endif
