#ifndef CRIER_SUBSCRIBER_READ_H
#define CRIER_SUBSCRIBER_READ_H

#include "subscription.h"

/* Asks the journal for what comes after SUBSCRIBER's cursor. The answer is in its job when
 * RUN is run on its shard's thread. -ENOMEM; CRIER_ERR_HUB_CLOSED: there will be no answer
 * any more. */
int crier__subscriber_ask(struct crier__subscriber *subscriber,
                          void (*run)(struct crier__task *task));

/* Copies to MADE which gaps have been reported to the client of OLD, which does not read
 * now, of the selectors that both have. When memory is short, one may be reported again. */
void crier__subscriber_copy_reported(struct crier__subscriber *made,
                                     const struct crier__subscriber *old);

/* A *new* frame that reports a gap, in the format of the stream. OLDEST is the first id
 * held, or "". NULL when memory is short. */
struct crier_frame *
crier__subscriber_gap_frame(const struct crier__subscriber *subscriber,
                            const char *oldest);

/* A *new* frame that sets the client's last event id to ID, in the way that the subscriber
 * begins (enum crier_start); NULL when memory is short. */
struct crier_frame *
crier__subscriber_id_frame(const struct crier__subscriber *subscriber, const char *id);

#endif
