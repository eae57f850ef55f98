#ifndef CRIER_EVENT_H
#define CRIER_EVENT_H

#include "base/buffer.h"
#include "crier.h"

/* Appends the wire bytes of EVENT to OUT. The errors of crier_event_encode(); OUT is
 * unchanged then. */
int crier__event_write(const struct crier_event *event,
                       struct crier__buffer *out);

/* Encodes EVENT without its id into a new frame, like crier_event_encode(). */
int crier__event_body(const struct crier_event *event,
                      struct crier_frame **frame);

/* crier_frame_text() with LENGTH bytes at TEXT. */
int crier__frame_data(const char *type, const char *text, size_t length,
                      struct crier_frame **frame);

/* Returns the id of EVENT, NUL-terminated: "" for an empty one, NULL for none. Borrowed
 * until EVENT changes. */
const char *crier__event_id(const struct crier_event *event);

/* Whether EVENT has data, which may be empty. Clients ignore an event without data. */
bool crier__event_has_data(const struct crier_event *event);

#endif
