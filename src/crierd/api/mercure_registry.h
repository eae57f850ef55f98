#ifndef CRIERD_MERCURE_REGISTRY_H
#define CRIERD_MERCURE_REGISTRY_H

#include "crierd/auth/identity.h"

/*
 * Who subscribes to what by the Mercure protocol, while --subscriptions is on: reported by
 * private updates, and listed on request. Any thread.
 */
struct mercure_registry;
struct mercure_subscriber;

/* How a subscriber gave a selector. Each comes with its version of the protocol. */
enum mercure_type {
    MERCURE_TOPIC,      /* 0.x: topic= */
    MERCURE_EXACT,      /* 1.0: match= */
    MERCURE_URL_PATTERN /* 1.0: match_urlpattern= */
};

struct mercure_matcher {
    enum mercure_type type;
    const char *text;
};

/* The name of TYPE in the paths and documents of 1.0; NULL for MERCURE_TOPIC. */
const char *mercure_type_name(enum mercure_type type);

/* A new registry that reports to HUB (borrowed); NULL when memory is short. */
struct mercure_registry *mercure_registry_new(struct crier_hub *hub);

/* Frees REGISTRY, all of whose subscribers have left; NULL is allowed. */
void mercure_registry_free(struct mercure_registry *registry);

/* Whether the subscription to MATCHER can be reported: the name of its topic is not too
 * long. */
bool mercure_registry_can_report(const struct mercure_matcher *matcher);

/* Writes to *SUBSCRIBER a *new* subscriber, with an id of its own, to the COUNT MATCHERS
 * (copied), whose token is IDENTITY (a reference is taken, or NULL). It is not listed yet.
 * -ENOMEM; CRIER_ERR_MAX_STREAMS when too much is registered. */
int mercure_subscriber_new(struct mercure_registry *registry,
                           const struct mercure_matcher *matchers, size_t count,
                           struct identity *identity,
                           struct mercure_subscriber **subscriber);

/* Frees SUBSCRIBER, for which no stream was opened. */
void mercure_subscriber_drop(struct mercure_subscriber *subscriber);

/* The stream of SUBSCRIBER has begun: lists and reports it. Or it has not, with BEGUN
 * false: its stream ends unseen. Once, and SUBSCRIBER is the stream's from then on. */
void mercure_subscriber_enter(struct mercure_subscriber *subscriber, bool begun);

/* The stream of SUBSCRIBER has ended: reports that, and frees it. Once; possibly before
 * mercure_subscriber_enter(), which must still be called. */
void mercure_subscriber_leave(struct mercure_subscriber *subscriber);

/* What mercure_registry_list() asks for; NULL: all. */
struct mercure_filter {
    bool current; /* those of 1.0; otherwise those of 0.x */
    const struct mercure_matcher *matcher;
    const char *subscriber; /* the id of one */
};

/* A *new* array of the subscriptions that FILTER asks for, as objects, at most
 * MERCURE_LIST_MAX; NULL when memory is short. */
#define MERCURE_LIST_MAX 10000
json_t *mercure_registry_list(struct mercure_registry *registry,
                              const struct mercure_filter *filter);

#endif
