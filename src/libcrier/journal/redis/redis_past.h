#ifndef CRIER_REDIS_PAST_H
#define CRIER_REDIS_PAST_H

#include "libcrier/journal/journal.h"

/*
 * The reads and lists of a node that its mirror cannot answer: see redis_past.c and
 * redis_list.c.
 */
struct crier__redis;

/* Makes the part ready, before the thread is started. -ENOMEM. */
int crier__redis_past_start(struct crier__redis *redis);

/* Frees what it has, after the thread has ended and crier__redis_past_down(). */
void crier__redis_past_free(struct crier__redis *redis);

/* ---- on the journal's thread ---- */

/* Answers READ, which the mirror could not, or LIST: calls `done` once, at once or later. */
void crier__redis_past(struct crier__redis *redis, struct crier__read *read);
void crier__redis_list(struct crier__redis *redis, struct crier__list *list);

/* Something has been deleted: pages that were read before are not used any more. */
void crier__redis_past_drop(struct crier__redis *redis);

/* The connections were lost, after the calls were answered: what is open is answered with
 * CRIER_ERR_STORAGE. Also after the thread has ended. */
void crier__redis_past_down(struct crier__redis *redis);

/* The journal closes: answers everything that is open, and all later questions, with
 * CRIER_ERR_STORAGE. Scripts that are on their way may still be answered. */
void crier__redis_past_close(struct crier__redis *redis);

#endif
