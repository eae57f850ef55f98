#ifndef CRIERD_HEALTH_H
#define CRIERD_HEALTH_H

#include "crierd/http/request.h"

/* GET /healthz: responds with the state of the server. */
bool health_get(struct request *request);

#endif
