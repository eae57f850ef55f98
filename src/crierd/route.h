#ifndef CRIERD_ROUTE_H
#define CRIERD_ROUTE_H

#include "request.h"

/* Finds the handler of REQUEST and runs it. What no route knows is a file. */
enum MHD_Result route_run(struct request *request);

#endif
