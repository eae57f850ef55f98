#ifndef CRIERD_API_H
#define CRIERD_API_H

#include "crierd/http/route.h"

/* /topics and /healthz. Their table needs no context. */
extern const struct route api_routes[];

#endif
