#ifndef CRIERD_POLICY_H
#define CRIERD_POLICY_H

#include "request.h"

/* Whether REQUEST may do what ROUTE is for. Called when its head has been read, and
 * before its body is. Otherwise responds, and request->result is what the handler would
 * return. */
bool policy_allows(struct request *request, const struct route *route);

#endif
