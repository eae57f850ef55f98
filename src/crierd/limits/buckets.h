#ifndef CRIERD_BUCKETS_H
#define CRIERD_BUCKETS_H

#include "key.h"

#include <stdbool.h>

/* The buckets of many keys, two of each: as many as there is memory for at first, which is
 * all it ever takes. Any thread. */
struct buckets;

/* How many keys are remembered. */
#define BUCKETS_COUNT 65536

/* New buckets, all of them full. NULL when memory is short. */
struct buckets *buckets_new(void);

/* Frees BUCKETS; NULL is allowed. */
void buckets_free(struct buckets *buckets);

/* Takes COSTS, as rate_cost() returns them, from the two buckets of KEY at NOW, a time in
 * the units of rate.h. Returns 0; or how long after NOW they fit into both, and then nothing
 * is taken. */
uint64_t buckets_take(struct buckets *buckets, const struct limit_key *key,
                      const uint64_t costs[2], uint64_t now);

/* What buckets_take() would return; takes nothing. */
uint64_t buckets_wait(struct buckets *buckets, const struct limit_key *key,
                      const uint64_t costs[2], uint64_t now);

#endif
