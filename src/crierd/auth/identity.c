/* The life of an identity. */
#include <config.h>

#include "identity.h"

#include <stdlib.h>

struct identity *identity_ref(struct identity *identity)
{
    atomic_fetch_add_explicit(&identity->references, 1, memory_order_relaxed);
    return identity;
}

void identity_unref(struct identity *identity)
{
    if (identity == NULL || atomic_fetch_sub(&identity->references, 1) != 1)
        return;
    crier_grants_unref(identity->publish);
    crier_grants_unref(identity->subscribe);
    json_decref(identity->payload);
    free(identity->subject);
    free(identity);
}
