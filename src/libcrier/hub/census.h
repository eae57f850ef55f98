#ifndef CRIER_CENSUS_H
#define CRIER_CENSUS_H

#include "hub.h"

/* Has the hub's directory count the streams of other nodes, if the journal is shared: sets
 * what the journal calls. -ENOMEM. */
int crier__census_init(struct crier_hub *hub);

/* Calls the journal no more. */
void crier__census_close(struct crier_hub *hub);

/* Frees what it has, and the directory's entries, which no stream here uses any more. */
void crier__census_done(struct crier_hub *hub);

#endif
