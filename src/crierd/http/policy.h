#ifndef CRIERD_POLICY_H
#define CRIERD_POLICY_H

#include "request.h"

/* Whether REQUEST may do what ROUTE is for. Called when its head has been read, and
 * before its body is. Otherwise responds, and request->result is what the handler would
 * return. */
bool policy_allows(struct request *request, const struct route *route);

/* Whether REQUEST may publish to all of the COUNT TOPICS, or subscribe to all of the COUNT
 * SELECTORS. Otherwise respond, and request->result is what the handler would return. For
 * handlers of routes with ROUTE_TOPICS_LATER, once they know the topics. */
bool policy_may_publish(struct request *request, const char *const *topics,
                        size_t count);
bool policy_may_subscribe(struct request *request,
                          const struct crier_selector *selectors, size_t count);

#endif
