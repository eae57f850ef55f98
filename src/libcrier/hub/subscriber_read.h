#ifndef CRIER_SUBSCRIBER_READ_H
#define CRIER_SUBSCRIBER_READ_H

#include "subscription.h"

/* Asks the journal for what comes after SUBSCRIBER's cursor; RUN is then posted to its
 * shard with the answer, in `job`. False when that is not possible now. */
bool crier__subscriber_ask(struct crier__subscriber *subscriber,
                           void (*run)(struct crier__task *task));

/* Copies which gaps OLD, which does not read now, has told of the topics that MADE
 * follows, too. Where memory is short one may be told again. */
void crier__subscriber_keep_told(struct crier__subscriber *made,
                                 const struct crier__subscriber *old);

/* A new frame that tells of the gap; NULL when memory is short. */
struct crier_frame *crier__subscriber_gap_frame(struct crier__subscriber *subscriber,
                                                const char *oldest);

/* A new frame of the block that sets the last event id to ID and is no event; NULL
 * when memory is short. */
struct crier_frame *crier__subscriber_id_frame(const char *id);

#endif
