#ifndef CRIERD_THROTTLE_H
#define CRIERD_THROTTLE_H

#include "request.h"
#include "crierd/limits/limits.h"

/* Whom the limits count REQUEST for. Borrowed from it. */
struct limits_client throttle_client(const struct request *request);

/* What makes a stream count while it is open. */
struct throttled;

/* Counts the stream that OPTIONS are for, and which REQUEST asks for, until it is over:
 * changes OPTIONS so that *THROTTLED, which may be NULL, is freed then. If there will be no
 * stream, throttle_undo() is to be called. -EDQUOT when the client has as many streams as it
 * may, -ENOMEM; then there is nothing to undo. */
int throttle_stream(const struct request *request,
                    struct crier_stream_options *options,
                    struct throttled **throttled);

/* Undoes throttle_stream(), whose stream was not made. */
void throttle_undo(struct throttled *throttled);

#endif
