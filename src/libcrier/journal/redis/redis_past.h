#ifndef CRIER_REDIS_PAST_H
#define CRIER_REDIS_PAST_H

#include "libcrier/journal/journal.h"
#include "redis_link.h"

/* Reads and lists that a mirror cannot answer; see redis_past.c. */

struct crier__redis;

struct crier__redis_past {
    _Atomic uint64_t reads; /* of Redis, ever */
};

int crier__redis_past_start(struct crier__redis *redis);
void crier__redis_past_free(struct crier__redis *redis);

/* All on the journal's thread. */
void crier__redis_past(struct crier__redis *redis, struct crier__read *read);
void crier__redis_list(struct crier__redis *redis, struct crier__list *list);
void crier__redis_past_down(struct crier__redis *redis);
void crier__redis_past_close(struct crier__redis *redis);

#endif
