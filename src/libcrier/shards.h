#ifndef CRIER_SHARDS_H
#define CRIER_SHARDS_H

#include "shard.h"

#define CRIER__SHARDS_MAX 64

struct crier_shards {
    size_t max_streams;
    size_t max_backlog;
    void (*resume)(struct MHD_Connection *connection); /* or NULL */
    atomic_size_t streams; /* open, or about to be */
    atomic_size_t backlog; /* cost of frames in the inboxes */
    atomic_bool draining;
    atomic_bool cut;       /* the time of drain is over */
    atomic_uint next;      /* whose turn it is to get a stream */

    pthread_mutex_t lock;  /* for ended */
    pthread_cond_t ended;  /* signalled when the last stream ends */

    unsigned count;
    struct crier__shard shards[];
};

/* Takes a place for one more stream. CRIER_ERR_LIMIT, CRIER_ERR_CLOSED. */
int crier__shards_enter(struct crier_shards *shards);

/* Gives the place back. */
void crier__shards_leave(struct crier_shards *shards);

/* The shard for a new stream that has NEAR (or NULL) in common with others; counts
 * it there. */
struct crier__shard *crier__shards_choose(struct crier_shards *shards,
                                          const char *near);

/* Counts COST more into the backlog. CRIER_ERR_BUSY. */
int crier__shards_reserve(struct crier_shards *shards, size_t cost);

/* Counts COST out again. */
void crier__shards_release(struct crier_shards *shards, size_t cost);

#endif
