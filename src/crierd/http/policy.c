/*
 * The policy: which request is allowed. route.c asks it for every request, when the route
 * is known and the body has not been read. All that depends on the client belongs here:
 * the route has the scope, the request has the peer and the header fields.
 *
 * Two things are refused: requests that change something and come from a page of another
 * origin (403), and all that change something while crierd stops (503).
 */
#include <config.h>

#include "policy.h"

#include "respond.h"

bool policy_allows(struct request *request, const struct route *route)
{
    if (!route->changes)
        return true;
    if (request_is_foreign(request))
        request->result = respond_cross_site(request);
    else if (atomic_load(&request->server->stopping))
        request->result = respond_error(request, CRIER_ERR_DRAINING);
    else
        return true;
    return false;
}
