/*
 * The policy: who may do what. Every request asks here, between its route and its body;
 * so this is the place for whatever depends on who asks: the route has the scope, the
 * request has the peer and the header fields.
 *
 * Today everybody may do everything, but for two things: a page of another origin may
 * change nothing, and nobody may while crierd stops.
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
