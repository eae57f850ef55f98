#ifndef CRIERD_API_H
#define CRIERD_API_H

#include "crierd/http/request.h"

/* /topics: publish, follow, list, describe and forget. */

bool api_publish(struct request *request);
bool api_subscribe(struct request *request);
bool api_list(struct request *request);
bool api_forget(struct request *request);

/* Reads into OPTIONS, which borrows from REQUEST, where the request wants to begin
 * (Last-Event-ID, lastEventID= or lastEventId=, since=, or now) and whether the
 * stream is to start with an id: as start= says, or else when a browser's own
 * EventSource asks. Returns false when a mistake is answered (request->result). */
bool api_start(struct request *request, struct crier_subscribe_options *options);

#endif
