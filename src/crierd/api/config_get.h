#ifndef CRIERD_CONFIG_GET_H
#define CRIERD_CONFIG_GET_H

#include "crierd/http/request.h"

/* GET /config. */
bool config_get(struct request *request);

#endif
