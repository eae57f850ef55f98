#ifndef CRIER_REPLY_H
#define CRIER_REPLY_H

#include "crier.h"

/* Adds the headers of every event stream to RESPONSE: no-cache, since a stale
 * stream is of no use, and X-Accel-Buffering so that an nginx in between passes
 * each event on at once. -ENOMEM. */
int crier__reply_headers(struct MHD_Response *response,
                         enum crier_format format);

/* The first error of an event of REPLY; -ENOMEM when there is no REPLY. */
int crier__reply_error(const struct crier_reply *reply);

#endif
