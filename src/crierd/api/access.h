#ifndef CRIERD_ACCESS_H
#define CRIERD_ACCESS_H

#include "crierd/http/request.h"

/* GET /identity. */
bool access_get(struct request *request);

#endif
