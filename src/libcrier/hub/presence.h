#ifndef CRIER_PRESENCE_H
#define CRIER_PRESENCE_H

#include "hub.h"

/* Tells those who want to know that a stream has begun (JOIN) or ceased to follow
 * each of TOPICS. */
void crier__hub_announce(struct crier_hub *hub, const char *topics, bool join);

#endif
