#ifndef CRIERD_HEALTH_H
#define CRIERD_HEALTH_H

#include "crierd/http/request.h"

/* GET /healthz: responds whether crierd can do its job; to its operator with the state of
 * the server as JSON. */
bool health_get(struct request *request);

/* GET /readyz: responds whether crierd is to be sent requests. */
bool health_get_ready(struct request *request);

#endif
