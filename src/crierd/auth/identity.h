#ifndef CRIERD_IDENTITY_H
#define CRIERD_IDENTITY_H

#include "crier.h"

#include <stdatomic.h>

/* Who a verified token says its bearer is, and what that may. Constant and reference
 * counted: the requests and streams of many connections share one. Any thread. */
struct identity {
    atomic_uint references;
    char *subject;   /* for the log and presence; NULL: the token names none */
    int64_t expires; /* seconds since 1970; 0: never */
    struct crier_grants *publish;   /* NULL: the token says nothing of publishing */
    struct crier_grants *subscribe; /* NULL: nothing of subscribing. Without selectors:
                                       public updates only */
    bool admin;      /* may use what has SCOPE_ADMIN */
    json_t *payload; /* for subscription events, or NULL; read only */
};

struct identity *identity_ref(struct identity *identity);

/* NULL is allowed. */
void identity_unref(struct identity *identity);

#endif
