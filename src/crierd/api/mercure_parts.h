#ifndef CRIERD_MERCURE_PARTS_H
#define CRIERD_MERCURE_PARTS_H

#include "mercure_registry.h"
#include "crierd/http/request.h"

/* What the handlers of the hub find in request->context. */
struct mercure {
    struct mercure_registry *registry; /* NULL: --subscriptions is off */
};

/* GET of the hub: subscribes. */
bool mercure_subscribe(struct request *request);

/* POST to the hub: publishes. */
bool mercure_publish(struct request *request);

/* GET below MERCURE_SUBSCRIPTIONS: lists who subscribes. */
bool mercure_list(struct request *request);

/* GET of the metadata of the hub as a protected resource (RFC 9728). */
bool mercure_describe(struct request *request);

#endif
