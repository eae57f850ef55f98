#ifndef CRIER_GATE_H
#define CRIER_GATE_H

#include "hub.h"

/* Counts one question more. CRIER_ERR_HUB_CLOSED. */
int crier__hub_enter(struct crier_hub *hub);

/* Counts it out again, after its answer has done its work. */
void crier__hub_leave(struct crier_hub *hub);

#endif
