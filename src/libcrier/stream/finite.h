#ifndef CRIER_REPLY_H
#define CRIER_REPLY_H

#include "crier.h"

/* Adds the headers of every stream of FORMAT to RESPONSE: no-cache, because a stale
 * stream is useless, and X-Accel-Buffering, so that an nginx in between forwards each
 * event at once. -ENOMEM. */
int crier__reply_headers(struct MHD_Response *response,
                         enum crier_format format);

/* The first error of an event of REPLY; -ENOMEM when REPLY is NULL. */
int crier__reply_error(const struct crier_reply *reply);

#endif
