#ifndef CRIERD_ROUTE_H
#define CRIERD_ROUTE_H

#include "request.h"

/* Which handler answers which method on which path. A path is a list of segments;
 * "*" stands for any one segment that is not empty, "**" for all that follow, slashes
 * included; the handler finds it in request->argument. */
struct route {
    const char *method; /* NULL: the end of a table */
    const char *path[2];
    bool (*handle)(struct request *request);
    bool changes; /* the request changes something */
};

/* Takes the target of REQUEST apart, finds its handler and runs it. What no route
 * knows is a file. */
bool route_run(struct request *request);

#endif
