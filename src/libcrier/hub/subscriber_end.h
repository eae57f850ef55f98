#ifndef CRIER_SUBSCRIBER_END_H
#define CRIER_SUBSCRIBER_END_H

#include "subscription.h"

/* Whether all of SELECTORS are names of topics that have ended with updates up to
 * POSITION; the newest of these is written to *ENDED then. */
bool crier__selectors_have_ended(struct crier_journal *journal,
                                 const struct crier__selectors *selectors,
                                 uint64_t position, struct crier__ended *ended);

/* Whether SUBSCRIBER has had everything up to the end of all its topics, of which UPDATE
 * (or NULL) has just ended some; the position of the newest of their last updates is
 * written to *LAST then. On its shard's thread only. */
bool crier__subscriber_is_over(const struct crier__subscriber *subscriber,
                               const struct crier__update *update, uint64_t *last);

#endif
