#ifndef CRIERD_ROUTE_H
#define CRIERD_ROUTE_H

#include "request.h"

/* Takes the target of REQUEST apart, finds its handler and runs it. What no route
 * knows is a file. */
bool route_run(struct request *request);

#endif
