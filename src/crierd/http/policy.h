#ifndef CRIERD_POLICY_H
#define CRIERD_POLICY_H

#include "request.h"

/* Whether REQUEST may do what ROUTE is for. Called when its head has been read, and
 * before its body is. Sets request->identity and credential. Otherwise responds, and
 * request->result is what the handler would return. */
bool policy_allows(struct request *request, const struct route *route);

/* Whether policy_allows() would refuse REQUEST, and not because crierd stops. Sets the
 * same, and does not respond. */
bool policy_refuses(struct request *request, const struct route *route);

/* Whether REQUEST may publish to all of the COUNT TOPICS, or subscribe to all of the COUNT
 * SELECTORS. Otherwise respond, and request->result is what the handler would return. For
 * handlers of routes with ROUTE_TOPICS_LATER, once they know the topics. */
bool policy_may_publish(struct request *request, const char *const *topics,
                        size_t count);
bool policy_may_subscribe(struct request *request,
                          const struct crier_selector *selectors, size_t count);

/* Whether the token of REQUEST grants the subscription to TOPIC, whatever anybody may do
 * without a token. Otherwise responds likewise. */
bool policy_is_granted(struct request *request, const char *topic);

/* Whether others may see that REQUEST subscribes: not when a page of another origin made
 * it, unless --cors-origin names that. Otherwise responds, and sets request->result. */
bool policy_may_be_seen(struct request *request);

/* Whether REQUEST comes from whoever operates crierd: by a listener of --admin-listen or,
 * where there is none, from the same machine without a proxy in between. Does not
 * respond. */
bool policy_may_operate(const struct request *request);

/* A route's `exists`: where there is a listener of --admin-listen, the path of a route with
 * SCOPE_OPERATE is there alone. */
bool policy_is_operated(const struct request *request);

/* Whether REQUEST may publish UPDATES of BYTES now (--publish-rate), which then counts.
 * Otherwise responds 429, and request->result is what the handler would return. For handlers,
 * before anything is published. */
bool policy_may_publish_now(struct request *request, uint64_t updates, uint64_t bytes);

/* Whether policy_may_publish_now() would allow REQUEST one update of BYTES, which are its
 * body and have not been read. Otherwise responds likewise. Nothing counts. */
bool policy_may_send_body(struct request *request, uint64_t bytes);

/* Whether REQUEST may do what SCOPE, which is _SUBSCRIBE, _PUBLISH or _ADMIN, is for: with
 * some topic, if not with all. Does not respond. */
bool policy_may(const struct request *request, enum scope scope);

/* Whether nobody needs a token for SCOPE (--anonymous). */
bool policy_is_open(enum scope scope);

#endif
