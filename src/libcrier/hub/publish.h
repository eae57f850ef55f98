#ifndef CRIER_PUBLISH_H
#define CRIER_PUBLISH_H

#include "hub.h"

/* Publishes EVENT, which is about the COUNT of this process' streams that subscribe to
 * TOPIC by its name, under NAME. Where nodes share the journal, it learns that count, and
 * puts the total in the place of CRIER__TOTAL. Errors are not reported. */
void crier__publish_count(struct crier_hub *hub, const char *name,
                          const struct crier_event *event, const char *topic,
                          size_t count);

#endif
