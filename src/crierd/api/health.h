#ifndef CRIERD_HEALTH_H
#define CRIERD_HEALTH_H

#include "crierd/http/request.h"

/* GET /healthz */
bool health(struct request *request);

#endif
