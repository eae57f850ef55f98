#ifndef CRIER_EVENT_H
#define CRIER_EVENT_H

#include "buffer.h"
#include "crier.h"

/* Appends EVENT's wire bytes to OUT. Errors as crier_event_encode()'s; OUT is
 * then as it was. */
int crier__event_write(const struct crier_event *event,
                       struct crier__buffer *out);

#endif
