#ifndef CRIERD_API_H
#define CRIERD_API_H

#include "crierd/http/route.h"

/* /topics (publish, subscribe, list, describe and forget) and /healthz. */
extern const struct route api_routes[];

/* Reads into OPTIONS, which borrows from REQUEST, where the request wants to begin
 * (Last-Event-ID, lastEventID= or lastEventId=, since=, or now) and whether the
 * stream is to start with an id: as start= says, or else when a browser's own
 * EventSource asks. Returns false when a mistake is answered (request->result). */
bool api_start(struct request *request, struct crier_subscribe_options *options);

#endif
