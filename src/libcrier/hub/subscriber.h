#ifndef CRIER_SUBSCRIBER_H
#define CRIER_SUBSCRIBER_H

#include "subscription.h"

/* Runs on the shard's thread first of all. */
void crier__subscriber_join(struct crier__task *task);

/* Runs when it is time to try again. */
void crier__subscriber_again(struct crier__timer *timer, uint64_t now);

/* Frees SUBSCRIBER, which no line and no read knows. */
void crier__subscriber_free(struct crier__subscriber *subscriber);

/* Frees CHANGE, which is not made, and counts it out of the backlog. */
void crier__change_drop(struct crier__change *change);

/* Frees what is left of a list when the shards are no more. */
void crier__changes_free(struct crier__change *changes);

/* All that follows: on the thread of PART's shard only. */

/* Makes the changes of the DL list that come before the update at POSITION. Returns the
 * rest. */
struct crier__change *crier__subscribers_change(struct crier__part *part,
                                                struct crier__change *changes,
                                                uint64_t position);

/* Gives UPDATE to the subscribers of its topics. */
void crier__subscribers_deliver(struct crier__part *part,
                                struct crier__update *update);

/* The update with the POSITION, or one before it, could not be delivered: has
 * every subscriber read on from the journal. */
void crier__subscribers_reread(struct crier__part *part, uint64_t position);

#endif
