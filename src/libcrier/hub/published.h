#ifndef CRIER_PUBLISHED_H
#define CRIER_PUBLISHED_H

#include "libcrier/wire/topic.h"

#include <stdint.h>

/* So many topics are remembered at a time; a power of two. */
#define CRIER__PUBLISHED_SLOTS 16384

/* How many updates have been published to each topic; see published.c. All zero has none.
 * Its owner's lock guards it. */
struct crier__published {
    struct crier__published_slot {
        uint32_t tag; /* of the topic's hash; where both counts are 0, there is none */
        uint32_t public, private; /* updates; they wrap around */
    } slots[CRIER__PUBLISHED_SLOTS];
};

/* Counts an update of TOPICS, which is PRIVATE or not. */
void crier__published_add(struct crier__published *published,
                          const struct crier__topics *topics, bool private);

/* How many updates of the topic NAME have been counted, PRIVATE ones included or not; 0 for
 * a topic that is not remembered. */
uint64_t crier__published_get(const struct crier__published *published, const char *name,
                              bool private);

#endif
