/* The life of an identity, and what it says of subscriptions. */
#include <config.h>

#include "identity.h"

#include <stdlib.h>
#include <string.h>

struct identity *identity_new(void)
{
    struct identity *identity = calloc(1, sizeof *identity);

    if (identity != NULL)
        atomic_init(&identity->references, 1);
    return identity;
}

/* About how many bytes of memory VALUE takes: far more than its text. Its depth has been
 * bounded when it was read. */
static size_t measure_payload(json_t *value)
{
    size_t cost = 64 + json_string_length(value), i;
    const char *name;
    json_t *member;

    json_array_foreach (value, i, member)
        cost += measure_payload(member);
    json_object_foreach (value, name, member)
        cost += 64 + strlen(name) + measure_payload(member);
    return cost;
}

bool identity_add_payload(struct identity *identity, struct crier_grants *topics,
                          json_t *payload)
{
    struct identity_payload *more;

    more = realloc(identity->payloads,
                   (identity->payload_count + 1) * sizeof *more);
    if (more == NULL)
        return false;
    identity->payloads = more;
    more[identity->payload_count++] = (struct identity_payload){
        topics != NULL ? crier_grants_ref(topics) : NULL, json_incref(payload)};
    identity->payload_size += measure_payload(payload);
    return true;
}

struct identity *identity_ref(struct identity *identity)
{
    atomic_fetch_add_explicit(&identity->references, 1, memory_order_relaxed);
    return identity;
}

void identity_unref(struct identity *identity)
{
    size_t i;

    if (identity == NULL || atomic_fetch_sub(&identity->references, 1) != 1)
        return;
    for (i = 0; i < identity->payload_count; i++) {
        crier_grants_unref(identity->payloads[i].topics);
        json_decref(identity->payloads[i].payload);
    }
    free(identity->payloads);
    crier_grants_unref(identity->publish);
    crier_grants_unref(identity->subscribe);
    free(identity->subject);
    free(identity);
}

json_t *identity_payload_of(const struct identity *identity, const char *selector)
{
    const struct identity_payload *payload;
    size_t i;

    for (i = 0; i < identity->payload_count; i++) {
        payload = &identity->payloads[i];
        if (payload->topics == NULL || crier_grants_match(payload->topics, selector))
            return payload->payload;
    }
    return NULL;
}
