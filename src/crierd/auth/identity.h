#ifndef CRIERD_IDENTITY_H
#define CRIERD_IDENTITY_H

#include "crier.h"

#include <stdatomic.h>

/* What subscription events say of the subscriptions that `topics` match. */
struct identity_payload {
    struct crier_grants *topics; /* NULL: all */
    json_t *payload;             /* read only */
};

/* Who a verified token says its bearer is, and what that may. Constant and reference
 * counted: the requests and streams of many connections share one. Any thread. */
struct identity {
    atomic_uint references;
    char *subject;   /* for the log and presence; NULL: the token names none */
    int64_t expires; /* seconds since 1970; 0: never */
    struct crier_grants *publish;   /* NULL: the token says nothing of publishing */
    struct crier_grants *subscribe; /* NULL: nothing of subscribing. Without selectors:
                                       public updates only */
    bool admin; /* may use what has SCOPE_ADMIN */
    struct identity_payload *payloads; /* identity_payload_of() reads them */
    size_t payload_count;
    size_t payload_size; /* about how many bytes of memory they take */
};

/* A new identity with nothing in it; NULL when memory is short. */
struct identity *identity_new(void);

/* Adds PAYLOAD (of which a reference is taken), for the subscriptions that TOPICS (the
 * same; NULL: all) match. While IDENTITY is made. False when memory is short. */
bool identity_add_payload(struct identity *identity, struct crier_grants *topics,
                          json_t *payload);

/* One more reference to IDENTITY, which is returned. */
struct identity *identity_ref(struct identity *identity);

/* Gives a reference back, the last of which frees IDENTITY; NULL is allowed. */
void identity_unref(struct identity *identity);

/* The payload for the subscription to SELECTOR, borrowed: of an 0.x token its
 * mercure.payload, of a 1.0 one that of the first authorization detail that matches
 * SELECTOR as if it were a topic. NULL when there is none. */
json_t *identity_payload_of(const struct identity *identity, const char *selector);

#endif
