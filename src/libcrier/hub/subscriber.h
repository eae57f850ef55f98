#ifndef CRIER_SUBSCRIBER_H
#define CRIER_SUBSCRIBER_H

#include "subscription.h"

/* The task that begins the life of a subscriber on its shard. */
void crier__subscriber_join(struct crier__task *task);

/* The timer of a subscriber that retries. */
void crier__subscriber_retry(struct crier__timer *timer, uint64_t now);

/* Frees SUBSCRIBER, which is on no list and has no read on its way. */
void crier__subscriber_free(struct crier__subscriber *subscriber);

/* Frees CHANGE, which is not made, and counts it out of the backlog. */
void crier__change_drop(struct crier__change *change);

/* Frees a list of changes when the shards are no more. */
void crier__changes_free(struct crier__change *changes);

/* All that follows: on SHARD's thread only. */

/* Makes the changes of the DL list that come before the update at POSITION. Returns the
 * others. */
struct crier__change *crier__subscribers_change(struct crier__hub_shard *shard,
                                                struct crier__change *changes,
                                                uint64_t position);

/* Gives UPDATE to the active subscribers that it matches. */
void crier__subscribers_deliver(struct crier__hub_shard *shard,
                                struct crier__update *update);

/* Makes all subscribers read on from the journal: the update at POSITION, or one before
 * it, could not be delivered. */
void crier__subscribers_reread(struct crier__hub_shard *shard,
                               uint64_t position);

#endif
