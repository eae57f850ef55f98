#ifndef CRIER_GATE_H
#define CRIER_GATE_H

#include "hub.h"

/* -errno. */
int crier__gate_init(struct crier__gate *gate);
void crier__gate_done(struct crier__gate *gate);

/* Counts one more question to the journal. CRIER_ERR_HUB_CLOSED. */
int crier__gate_enter(struct crier__gate *gate);

/* Counts it out again, after its answer has been used. */
void crier__gate_leave(struct crier__gate *gate);

static inline bool crier__gate_is_closed(struct crier__gate *gate)
{
    return atomic_load(&gate->closed);
}

/* Lets nobody enter any more. Returns whether it was open. */
bool crier__gate_close(struct crier__gate *gate);

/* Waits until all who have entered have left. */
void crier__gate_wait(struct crier__gate *gate);

#endif
